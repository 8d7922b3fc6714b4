"""Who of several daemons leads, and when one stands down: a table, and two ways of judging silence.

Nothing in here asks anybody anything. :mod:`callrouter.app.standby` looks (at the leader's line, at PostgreSQL's
lock, at the journal, at Asterisk), says what it saw as a :class:`Sign`, and does what the :class:`Role` that follows
asks for.

Three things keep two daemons from being in charge, each enough alone while it can be asked:

- the *lock*, an advisory one of PostgreSQL: who does not have it does not begin to lead;
- the *term*, a number in the journal that every new leader counts up before it touches Asterisk: records of an older
  term are refused, in the transaction that would write them;
- the *application*, which Asterisk gives to the newest, telling the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

BEAT_S: Final = 0.5
"""How often a leader says that it is alive, and looks whether it was."""
LEASE_S: Final = 1.2
"""A leader that finds it has not looked for so long acts no more until it has proven that it leads still."""
SILENCE_S: Final = 2.0
"""A leader that says nothing for so long hangs: more than its lease, so that it stops before another begins."""


class Role(StrEnum):
    """What a daemon is to the calls."""

    STANDBY = "standby"
    """Another leads, or nobody does yet; this one watches."""
    CLAIMING = "claiming"
    """The leader has gone, hangs or yields: this one asks for the lock."""
    TAKING_OVER = "taking-over"
    """This one opens the journal with a term of its own, and then the application in Asterisk."""
    LEADING = "leading"
    HANDING_OVER = "handing-over"
    """Commands and writes nothing any more, and waits for another to take the application."""
    RESTING = "resting"
    """The application was taken, from this one or from the leader, by somebody who is not on this journal. Two who do
    not know of one another would take it from each other for ever: this one waits for a leader on its own journal, or
    for people."""


class Sign(StrEnum):
    """What a daemon sees."""

    BEATS = "beats"
    """The leader says that it is alive."""
    SILENT = "silent"
    """Its line is open, and it has said nothing for too long."""
    GONE = "gone"
    """Nobody is at the other end of the line: the leader has ended, or there is none."""
    NO_ANSWER = "no-answer"
    """Somebody listens at the other end of the line and does not say a word, or the way there swallows all: whether
    there is a leader is not seen."""
    YIELDS = "yields"
    """The leader says: take over."""
    ROBBED = "robbed"
    """The leader says: a stranger took the application."""
    LOCK_OURS = "lock-ours"
    LOCK_ELSEWHERE = "lock-elsewhere"
    LOCK_UNKNOWN = "lock-unknown"
    """PostgreSQL is away, or none is configured."""
    NO_ARBITER = "no-arbiter"
    """PostgreSQL is away, or has just come back, and without its word nobody may begin: the leader may be alive on a
    machine that is cut off."""
    ORDERED = "ordered"
    """People say that the other daemon is dead, and this one is to lead."""
    TAKEN = "taken"
    """The journal is ours, with a new term, and its calls are known."""
    FAILED = "failed"
    """It is not: it cannot be opened, or another was quicker."""
    REPLACED = "replaced"
    """Asterisk says that another has the application."""
    FENCED = "fenced"
    """The journal says that another has begun a newer term."""
    CUT_OFF = "cut-off"
    """No word of PostgreSQL's or of the other machine's daemon, and no Asterisk to be told by: a leader can do nothing
    for anybody, and another may lead already."""
    ASKED = "asked"
    """Somebody wants another daemon to lead, and one waits for it."""
    NOBODY_TOOK = "nobody-took"
    """… which it did not do in time."""


_NEXT: Final[Mapping[tuple[Role, Sign], Role]] = MappingProxyType(
    {
        (Role.STANDBY, Sign.SILENT): Role.CLAIMING,
        (Role.STANDBY, Sign.GONE): Role.CLAIMING,
        (Role.STANDBY, Sign.NO_ANSWER): Role.CLAIMING,
        (Role.STANDBY, Sign.YIELDS): Role.CLAIMING,
        # Else those who wait would take it back one after another, and those of the stranger, too, for ever.
        (Role.STANDBY, Sign.ROBBED): Role.RESTING,
        (Role.STANDBY, Sign.ORDERED): Role.CLAIMING,
        (Role.CLAIMING, Sign.BEATS): Role.STANDBY,
        (Role.CLAIMING, Sign.LOCK_OURS): Role.TAKING_OVER,
        # The leader of this very journal is known to be gone or to hang; PostgreSQL is not needed to see that.
        (Role.CLAIMING, Sign.LOCK_UNKNOWN): Role.TAKING_OVER,
        (Role.CLAIMING, Sign.LOCK_ELSEWHERE): Role.STANDBY,
        (Role.CLAIMING, Sign.NO_ARBITER): Role.STANDBY,
        (Role.TAKING_OVER, Sign.TAKEN): Role.LEADING,
        (Role.TAKING_OVER, Sign.FAILED): Role.STANDBY,
        (Role.TAKING_OVER, Sign.FENCED): Role.STANDBY,
        (Role.LEADING, Sign.REPLACED): Role.RESTING,
        (Role.LEADING, Sign.FENCED): Role.STANDBY,
        (Role.LEADING, Sign.CUT_OFF): Role.STANDBY,
        (Role.LEADING, Sign.ASKED): Role.HANDING_OVER,
        (Role.HANDING_OVER, Sign.REPLACED): Role.STANDBY,
        (Role.HANDING_OVER, Sign.FENCED): Role.STANDBY,
        (Role.HANDING_OVER, Sign.NOBODY_TOOK): Role.CLAIMING,
        # Who was to take it had begun, and hangs, has ended, or gives it back before it was connected.
        (Role.HANDING_OVER, Sign.SILENT): Role.CLAIMING,
        (Role.HANDING_OVER, Sign.NO_ANSWER): Role.CLAIMING,
        (Role.HANDING_OVER, Sign.GONE): Role.CLAIMING,
        (Role.HANDING_OVER, Sign.YIELDS): Role.CLAIMING,
        (Role.HANDING_OVER, Sign.ROBBED): Role.RESTING,
        (Role.RESTING, Sign.BEATS): Role.STANDBY,
        (Role.RESTING, Sign.ORDERED): Role.CLAIMING,
    }
)
"""What is not in here changes nothing: a sign may come late, or twice."""


def after(role: Role, sign: Sign) -> Role:
    """The role that follows."""
    return _NEXT.get((role, sign), role)


class Silence:
    """How long the leader has said nothing, judged by somebody who may have slept.

    Only time that this daemon was awake counts: after it was stopped itself, what the leader said meanwhile may lie
    unread, and must be read first. So each look counts ``step_s`` at most. Times are monotonic seconds.
    """

    def __init__(self, now_s: float, *, limit_s: float = SILENCE_S, step_s: float = BEAT_S) -> None:
        self._limit_s = limit_s
        self._step_s = step_s
        self._looked_s = now_s
        self._silent_s = 0.0

    def heard(self, now_s: float) -> None:
        """The leader said something."""
        self._looked_s = now_s
        self._silent_s = 0.0

    def is_too_long(self, now_s: float) -> bool:
        """Look, after all that had come was read: whether the leader is to be taken for one that hangs."""
        self._silent_s += min(max(0.0, now_s - self._looked_s), self._step_s)
        self._looked_s = now_s
        return self._silent_s >= self._limit_s


class Pulse:
    """Whether a leader may act: not while it does not know whether it slept. Times are monotonic seconds."""

    def __init__(self, now_s: float, *, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._beat_s = now_s
        self._is_doubtful = False

    def may_act(self, now_s: float) -> bool:
        """Whether what follows was decided by one who was awake all the time. Once no, no until :meth:`proven`."""
        if now_s - self._beat_s > self._lease_s:
            self._is_doubtful = True
        return not self._is_doubtful

    def beat(self, now_s: float) -> bool:
        """Awake at this moment; whether it leads without doubt. If not, it must be proven."""
        if self.may_act(now_s):
            self._beat_s = now_s
        return not self._is_doubtful

    def proven(self, asked_s: float) -> None:
        """At ``asked_s`` the term was this daemon's still."""
        self._is_doubtful = False
        self._beat_s = asked_s


@dataclass(frozen=True, slots=True)
class CopyNow:
    """How the copy of the leader's journal on another machine is doing."""

    is_whole: bool
    """Whether all that had been there when it began has come. Before, a leader with it would not know every call."""
    behind: int
    """How many commits are not on its disk, of those that are known to the leader."""
    behind_s: float
    """For how long (seconds) it has not been up to date."""


@dataclass(frozen=True, slots=True)
class LeadingNow:
    """How this daemon stands to others, for people and programs. ``since`` is aware UTC."""

    role: Role
    since: datetime
    term: int | None
    """Its own while it leads; None otherwise."""
    waiting: int
    """How many daemons wait to take over; known to the leader alone."""
    changes: int
    """How often it has begun to lead since its start."""
    lock: Sign
    """What was last heard of PostgreSQL's lock."""
    words: str
    """What there is to say of the other daemon, and why the role is as it is."""
    has_copies: bool = False
    """Whether each daemon has a journal of its own, on a machine of its own."""
    copy: CopyNow | None = None
    """Where it has: of one who waits his own, of the leader the best of the others; None if there is none."""
