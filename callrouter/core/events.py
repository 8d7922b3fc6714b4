"""What the outside tells the exchange. Each event is handed over with the time at which it was seen."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from callrouter.core.call_orders import CallOrder
from callrouter.core.callback_orders import CallbackOrder
from callrouter.core.duty import DutyOrder
from callrouter.core.ids import (
    AgentId,
    BridgeId,
    CallId,
    ChannelId,
    PlaybackId,
    RecordingId,
    SiteName,
    SwitchName,
    TrunkName,
)
from callrouter.core.inbound import CallFacts
from callrouter.core.phones import PhoneSeen
from callrouter.core.rulebook import Rulebook
from callrouter.core.supervisors import HearingOrder
from callrouter.core.switches import SwitchOrder


class TimerKind(StrEnum):
    """What a timer is for."""

    ANNOUNCEMENT = "announcement"
    DIGIT = "digit"
    """No key was pressed for as long as a menu waits."""
    RECORDING = "recording"
    """A message ought to have ended by itself."""
    WAIT = "wait"
    RING = "ring"
    CONNECT = "connect"
    LENGTH = "length"
    """A conversation has come to its recommended length, or to its end by that."""
    KEYS = "keys"
    """The counselor has pressed no further key of a code."""
    INVITE = "invite"
    """Who was called into a conversation has not answered."""
    CLEARING = "clearing"
    DEAD_MAN = "dead-man"
    LEG = "leg"
    """A leg that we hung up has not ended."""
    AGENT = "agent"
    """Wrap-up, or the rest after an offer that failed, is over."""
    TRUNK = "trunk"
    """A trunk group that was congested may be tried again."""
    SWITCH = "switch"
    """A switch goes off by itself."""
    DESK = "desk"
    """Nobody has pressed a key for as long as may pass, at a phone where somebody logs in."""
    HEARING = "hearing"
    """A supervisor's phone was not answered, or he is not let hear."""
    COMFORT = "comfort"
    """Who waits is to be told something."""
    RELAX = "relax"
    """A waiting caller's demand is eased."""
    RESIDENT = "resident"
    """Who is called back has not answered."""
    CALLBACK = "callback"
    """It is time to call somebody back, or no longer."""
    BEGIN = "begin"
    """A leg may be made that a limit of calls per second held back."""
    SITE = "site"
    """A site is away for so long that what its calls hold is given back."""


TimerKey = tuple[TimerKind, CallId | ChannelId | AgentId | TrunkName | SwitchName | SiteName]


class CallArrived(msgspec.Struct, frozen=True, gc=False):
    """A caller's channel entered the application. ``call`` is a fresh id."""

    call: CallId
    channel: ChannelId
    facts: CallFacts


class CallerLeft(msgspec.Struct, frozen=True, gc=False):
    """A caller's channel left the application: hung up, or taken away by the dialplan."""

    channel: ChannelId
    cause: int = 16
    to_dialplan: bool = False
    """Nobody hung up: the dialplan goes on with the channel."""
    site: SiteName | None = None
    """Where, if Asterisk told so of its own accord."""


class PlaybackEnded(msgspec.Struct, frozen=True, gc=False):
    """An announcement came to its end, or could not be played."""

    playback: PlaybackId
    failed: bool = False
    """It was not heard to its end."""
    unknown: bool = False
    """Asterisk, when it was asked, knew no such playback: it has ended, or was never begun."""


class DigitPressed(msgspec.Struct, frozen=True, gc=False):
    """A key was pressed (DTMF, RFC 4733) on a channel in the application."""

    channel: ChannelId
    digit: str


class RecordingEnded(msgspec.Struct, frozen=True, gc=False):
    """The recording of a message is over; ``length_s`` is how long was spoken, None if that is not known.

    Asterisk ends one that it could not even begin in the same way, with nothing in it.
    """

    recording: RecordingId
    length_s: float | None = None


class RecordingFailed(msgspec.Struct, frozen=True, gc=False):
    """There is no recording of that name, or there will be none."""

    recording: RecordingId
    why: str


class LegRang(msgspec.Struct, frozen=True, gc=False):
    """A leg of ours rings at the phone."""

    channel: ChannelId


class LegAnswered(msgspec.Struct, frozen=True, gc=False):
    """A leg of ours was answered."""

    channel: ChannelId


class LegDigit(msgspec.Struct, frozen=True, gc=False):
    """A key was pressed on a leg of ours."""

    channel: ChannelId
    digit: str


class LegHeld(msgspec.Struct, frozen=True, gc=False):
    """The phone at a leg of ours put the other side on hold, or (``held`` false) took it back."""

    channel: ChannelId
    held: bool


class TransferAsked(msgspec.Struct, frozen=True, gc=False):
    """The phone at a leg of ours wants the call transferred to ``target``, as it was dialled (REFER, RFC 3515).

    ``replaced``: in place of the call that it has on this other channel (RFC 3891); empty: of one that is not known.
    """

    channel: ChannelId
    target: str
    replaced: ChannelId | None = None


class LegEnded(msgspec.Struct, frozen=True, gc=False):
    """A leg of ours is gone (Q.850 ``cause``)."""

    channel: ChannelId
    cause: int


class LegRefused(msgspec.Struct, frozen=True, gc=False):
    """Asterisk would not make the leg: it never existed. ``endpoint`` if the phone cannot be reached at all."""

    channel: ChannelId
    endpoint: bool


class LegUncertain(msgspec.Struct, frozen=True, gc=False):
    """Whether Asterisk made the leg is not known: the request timed out or its socket was lost."""

    channel: ChannelId


class Bridged(msgspec.Struct, frozen=True, gc=False):
    """Caller and leg are in the bridge."""

    call: CallId
    bridge: BridgeId


class BridgeFailed(msgspec.Struct, frozen=True, gc=False):
    """Caller and leg could not be put into the bridge, or nobody knows."""

    call: CallId
    bridge: BridgeId


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """A timer that the exchange set has run out."""

    key: TimerKey


class LineDialed(msgspec.Struct, frozen=True, gc=False):
    """A phone dialled ``number`` of its own accord, perhaps on a second line; its channel waits in the application.

    That it leaves is told as of a caller.
    """

    site: SiteName
    channel: ChannelId
    endpoint: str
    """As Asterisk names it in the channel: ``PJSIP/201``."""
    number: str


class LineLinked(msgspec.Struct, frozen=True, gc=False):
    """A leg to a second line at another site has got there."""

    channel: ChannelId


class LineParted(msgspec.Struct, frozen=True, gc=False):
    """Such a leg is gone, or never was."""

    channel: ChannelId


class ChannelSeen(msgspec.Struct, frozen=True, gc=False):
    """One channel in a site's snapshot."""

    channel: ChannelId
    state: str
    """Asterisk's word: ``Down``, ``Ring``, ``Ringing``, ``Up`` …"""
    inbound: CallFacts | None
    """For a channel that the dialplan sent into our application: what it says of the call."""
    fresh_call: CallId | None = None
    """An id to use if this inbound channel turns out to be unknown."""
    dialed_code: str = ""
    """Of a phone that dialled a code, and has not been sent on."""
    line: LineDialed | None = None
    """Of a phone that dialled a number of its own accord: what was told of it."""
    relay: str = ""
    """Of a leg that came in from another site: the word that names it."""
    endpoint: str = ""
    """By which it came in."""
    waited_s: float = 0.0
    """How long before the snapshot it came in, if that was while nobody listened."""


class CallMissed(msgspec.Struct, frozen=True, gc=False):
    """A caller came in while nobody listened, and has gone again. ``call`` is a fresh id.

    ``came_s`` and ``went_s``: so many seconds before the snapshot was asked for.
    """

    call: CallId
    channel: ChannelId
    facts: CallFacts
    came_s: float
    went_s: float
    cause: int = 0
    to_dialplan: bool = False
    """He has not hung up: the dialplan went on with him, to its fallback."""


SNAPSHOT_MARGIN: Final = timedelta(seconds=6)
"""What we asked for this shortly before a snapshot may rightly be missing from it: the request may still be waiting at
a busy Asterisk. Later it has been answered, or given up (after 5 s)."""


class SiteUp(msgspec.Struct, frozen=True):
    """A site is connected, with everything in it that is ours.

    ``requested_at`` is when the snapshot was asked for: what we made after it may rightly be missing from it.
    Sent again from time to time; taking the same snapshot twice changes nothing.
    """

    site: SiteName
    requested_at: datetime
    channels: Mapping[ChannelId, ChannelSeen]
    bridges: frozenset[BridgeId]
    members: Mapping[BridgeId, frozenset[ChannelId]] = {}
    """Who is in those bridges."""
    phones: Mapping[str, PhoneSeen] = {}
    """All phones and trunks, by what Asterisk dials."""
    missed: tuple[CallMissed, ...] = ()
    """Of calls that came and went before, and were told of only now."""


class SiteDown(msgspec.Struct, frozen=True):
    """A site cannot be reached; its calls go on without us."""

    site: SiteName


class DrainRequested(msgspec.Struct, frozen=True):
    """Take no new calls."""


class RulebookReplaced(msgspec.Struct, frozen=True):
    """New rules, from the next call on; calls in progress keep their decision."""

    rulebook: Rulebook


class CodeDialed(msgspec.Struct, frozen=True, gc=False):
    """A phone dialled the code of a switch, or one of the counselors'; its channel waits to be sent on."""

    site: SiteName
    channel: ChannelId
    endpoint: str
    """As Asterisk names it in the channel: ``PJSIP/201``."""
    code: str


class SwitchOrdered(msgspec.Struct, frozen=True):
    """Somebody wants a switch set, and waits for the answer that has the same ``ticket``."""

    order: SwitchOrder
    ticket: int = 0


class DutyOrdered(msgspec.Struct, frozen=True):
    """Somebody says whether a counselor takes calls, and waits for the answer that has the same ``ticket``."""

    order: DutyOrder
    ticket: int = 0


class PhonesSeen(msgspec.Struct, frozen=True):
    """How some phones of a site are now, by what Asterisk dials (``PJSIP/201``). Told again with every change."""

    site: SiteName
    phones: Mapping[str, PhoneSeen]


class HearingOrdered(msgspec.Struct, frozen=True):
    """Somebody wants a supervisor to hear a call, and waits for the answer that has the same ``ticket``."""

    order: HearingOrder
    ticket: int = 0


class SupervisorEntered(msgspec.Struct, frozen=True, gc=False):
    """A supervisor's phone that we called was answered, or an ear of his is there."""

    channel: ChannelId


class SupervisorLeft(msgspec.Struct, frozen=True, gc=False):
    """A supervisor's phone has hung up, or never was: it is off, or did not answer."""

    channel: ChannelId


class HearingJoined(msgspec.Struct, frozen=True, gc=False):
    """A supervisor's phone and his ear are in their bridge."""

    call: CallId
    bridge: BridgeId


class HearingFailed(msgspec.Struct, frozen=True, gc=False):
    """An ear, or the bridge for it (``what`` is the id), could not be made, or nobody knows."""

    call: CallId
    what: str
    why: str


class RelayArrived(msgspec.Struct, frozen=True, gc=False):
    """A channel came in by ``endpoint`` as from another site; ``token`` is the word that it has in a header of ours."""

    site: SiteName
    channel: ChannelId
    endpoint: str
    """As Asterisk names it in the channel, without the technology: ``changwon-hall``."""
    token: str


class RelayLeft(msgspec.Struct, frozen=True, gc=False):
    """A channel that came in as from another site is gone."""

    channel: ChannelId


class CallOrdered(msgspec.Struct, frozen=True):
    """Somebody wants a conversation held, passed on or joined, and waits for the answer of the same ``ticket``."""

    order: CallOrder
    ticket: int = 0


class MuteFailed(msgspec.Struct, frozen=True, gc=False):
    """A recording could not be made silent (``muted``), or heard again, or nobody knows."""

    recording: RecordingId
    muted: bool
    why: str


class CallbackOrdered(msgspec.Struct, frozen=True):
    """Somebody wants a resident called back now, or no more, and waits for the answer of the same ``ticket``."""

    order: CallbackOrder
    ticket: int = 0


class FellBehind(msgspec.Struct, frozen=True, gc=False):
    """What came in waits for ``by_s`` seconds before it is handled, which is too long; 0: no longer."""

    by_s: float


Event = (
    CallArrived
    | CallerLeft
    | PlaybackEnded
    | DigitPressed
    | RecordingEnded
    | RecordingFailed
    | LegRang
    | LegAnswered
    | LegDigit
    | LegEnded
    | LegRefused
    | LegUncertain
    | Bridged
    | BridgeFailed
    | TimerFired
    | SiteUp
    | SiteDown
    | DrainRequested
    | RulebookReplaced
    | CodeDialed
    | SwitchOrdered
    | DutyOrdered
    | PhonesSeen
    | HearingOrdered
    | SupervisorEntered
    | SupervisorLeft
    | HearingJoined
    | HearingFailed
    | LegHeld
    | TransferAsked
    | CallOrdered
    | MuteFailed
    | CallbackOrdered
    | LineDialed
    | RelayArrived
    | RelayLeft
    | LineLinked
    | LineParted
    | FellBehind
)
