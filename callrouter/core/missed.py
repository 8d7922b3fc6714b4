"""Callers who came in while no daemon was there, waited, and had gone again before one was.

An Asterisk that dials the daemon keeps what happened meanwhile, so that they leave records as all others do: nobody was
to route them, and nothing is done for them any more.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.causes import Cause
from callrouter.core.cue import Cue
from callrouter.core.facts import ReleaseReason
from callrouter.core.output import Output
from callrouter.core.states import Signal

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange


def record(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Write down who was missed at the site; told again changes nothing."""
    for one in event.missed:
        conduct = exchange.conduct
        if conduct.call_of(one.channel) is None and not conduct.has_left(one.channel):
            with exchange.contained(one.call, at, out):
                _record(exchange, one, event.requested_at, at, out)


def _record(exchange: "Exchange", one: ev.CallMissed, asked_at: datetime, at: datetime, out: Output) -> None:
    came_at, went_at = (asked_at - timedelta(seconds=ago_s) for ago_s in (one.came_s, one.went_s))
    call = exchange.conduct.open(one.call, one.channel, one.facts, at, out, came_at=came_at)
    reason = ReleaseReason.TAKEN_AWAY if one.to_dialplan else ReleaseReason.CALLER_HUNG_UP
    cause = Cause.NORMAL_CLEARING if one.to_dialplan else one.cause or Cause.NORMAL_CLEARING
    exchange.conduct.record(call, facts.Released(went_at, reason, cause), out)
    exchange.signal(call, Cue(Signal.CALLER_LEFT, cause=cause, to_dialplan=one.to_dialplan), at, out)
