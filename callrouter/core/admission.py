"""Whether one more call is taken: how many there may be, how fast they may come, and whether we keep up.

Those who are served already must not pay for those who come. So whoever is one too many is turned away at once, in a
way that costs next to nothing, and is told so honestly.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from callrouter.core.causes import Cause
from callrouter.core.facts import ReleaseReason
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.rulebook import Limits, WhenFull
from callrouter.core.states import CallState

if TYPE_CHECKING:
    from callrouter.core.call import Call
    from callrouter.core.exchange import Exchange

FULL_CONTEXT: Final = "callrouter-full"
"""Where the dialplan tells a caller, without connecting him, that there are too many."""
FULL_EXTENSION: Final = "s"

BURST_S: Final = 2.0
"""So many seconds' worth of calls may come at once: people do not call evenly."""

TOLD_AGAIN: Final = timedelta(minutes=1)
"""While calls are turned away, people are told of it so often; and so long after the last it is shown still."""


class NotTaken(StrEnum):
    """Why a call was not taken."""

    DRAINING = "draining"
    MAX_CALLS = "max-calls"
    """There were as many at once as there may be."""
    RATE = "rate"
    """They came faster than they may."""
    BEHIND = "behind"
    """What came in waited for too long."""


class Admission:
    """What is remembered of the calls that came, to judge the next by."""

    def __init__(self) -> None:
        self.behind_s = 0.0
        """How long what came in has waited, while that is too long; else 0."""
        self._latest: tuple[datetime, str] | None = None
        self._told_at: datetime | None = None
        self._filled_at: datetime | None = None
        self._tokens = 0.0

    def against(self, exchange: "Exchange", at: datetime) -> NotTaken | None:
        """Why the call that has just been opened is not taken; None: it is. Asked once for each."""
        limits = exchange.rulebook.limits
        if exchange.draining:
            return NotTaken.DRAINING
        if self.behind_s > 0:
            return NotTaken.BEHIND
        if _is_full(exchange, limits):
            return NotTaken.MAX_CALLS
        return None if self._may_come(limits, at) else NotTaken.RATE

    def turn_away(self, exchange: "Exchange", call: "Call", why: NotTaken, at: datetime, out: Output) -> None:
        """Let a caller go who is one too many."""
        limits = exchange.rulebook.limits
        exchange.counters.not_taken[why] += 1
        text = _in_words(why, limits)
        out.notices.append(Notice(NoticeKind.NOT_TAKEN, call.id, text))
        if why is NotTaken.DRAINING:
            exchange.conduct.hand_over(call, ReleaseReason.NOT_TAKEN, at, out)
            return
        if self._told_at is None or at - self._told_at >= TOLD_AGAIN:
            self._told_at = at
            out.notices.append(Notice(NoticeKind.TURNING_AWAY, None, text))
        self._latest = at, text
        _let_go(exchange, call, limits.when_full, at, out)

    def lately(self, at: datetime) -> str | None:
        """Why calls were turned away not long before ``at``, in words; None: none was, or only because we drain."""
        if self._latest is None or at - self._latest[0] >= TOLD_AGAIN:
            return None
        return self._latest[1]

    def _may_come(self, limits: Limits, at: datetime) -> bool:
        """Take a token of a bucket that fills at the rate that is allowed."""
        if not limits.calls_per_second:
            return True
        most = max(1.0, limits.calls_per_second * BURST_S)
        gone_s = (at - self._filled_at).total_seconds() if self._filled_at is not None else BURST_S
        self._tokens = min(most, self._tokens + gone_s * limits.calls_per_second)
        self._filled_at = at
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def _let_go(exchange: "Exchange", call: "Call", how: WhenFull, at: datetime, out: Output) -> None:
    conduct, reason = exchange.conduct, ReleaseReason.NOT_TAKEN
    match how:
        case WhenFull.FALLBACK:
            conduct.hand_over(call, reason, at, out)
        case WhenFull.BUSY:
            conduct.release(call, reason, Cause.USER_BUSY, at, out)
        case WhenFull.CONGESTION:
            conduct.release(call, reason, Cause.SWITCH_CONGESTION, at, out)
        case WhenFull.ANNOUNCEMENT:
            conduct.continue_at(call, FULL_CONTEXT, FULL_EXTENSION, reason, at, out)
        case _:
            assert_never(how)


def _is_full(exchange: "Exchange", limits: Limits) -> bool:
    """Whether there are too many calls; those that are still to be made, or are being let go, do not count."""
    if len(exchange.calls) <= limits.max_calls:
        return False
    return sum(not call.is_absent and call.state is not CallState.CLEARING for call in exchange.calls.values()) > (
        limits.max_calls
    )


def _in_words(why: NotTaken, limits: Limits) -> str:
    match why:
        case NotTaken.DRAINING:
            return "draining"
        case NotTaken.MAX_CALLS:
            return f"more than {limits.max_calls} calls at once"
        case NotTaken.RATE:
            return f"more than {limits.calls_per_second} calls a second"
        case NotTaken.BEHIND:
            return f"what comes in has waited for more than {limits.behind_s:g} s"
        case _:
            assert_never(why)
