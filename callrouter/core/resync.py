"""After a silence: what we believe is compared with what Asterisk says.

Used when a site comes up (first connect, reconnect, new daemon) and from time to time in between. Comparing twice
changes nothing the second time.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from callrouter.core import (
    adopting,
    calling_back_resync,
    facts,
    missed,
    naming,
    relaying,
    supervision_resync,
    trunk_audit,
)
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cue import Cue
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import ChannelId
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.states import CallState, Signal

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange

_REMEMBER_GONE = timedelta(minutes=2)
"""How long a caller who left, and a leg that ended, is remembered, so that an old snapshot does not bring it back."""


def compare(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Make our calls and legs at a site agree with its snapshot."""
    exchange.conduct.forget_left(at - _REMEMBER_GONE)
    exchange.floor.forget_ended(at - _REMEMBER_GONE)
    _leave_out_attempts(exchange, event)
    in_vain = trunk_audit.held_in_vain(exchange, event, event.requested_at - ev.SNAPSHOT_MARGIN)
    for call in [call for call in exchange.calls.values() if call.site == event.site]:
        with exchange.contained(call.id, at, out):
            _compare_caller(exchange, call, event, at, out)
    relaying.compare(exchange, event, at, out)
    _compare_legs(exchange, event, at, out)
    missed.record(exchange, event, at, out)
    _take_unknown(exchange, event, at, out)
    _forget_unheard(exchange, event)
    trunk_audit.put_right(exchange, event, in_vain, at, out)
    exchange.conduct.lines.compare(event, at, out)
    supervision_resync.compare(exchange.conduct.supervision, event, at, out)
    for bridge in sorted(event.bridges):
        call_id = naming.parse_bridge(bridge)
        if call_id is not None and not exchange.floor.bridges.knows(bridge):
            out.commands.append(cmd.DestroyBridge(event.site, call_id, bridge))


def _compare_caller(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    if call.id not in exchange.calls:  # it ended with one before it: a request, with the call it was asked for in
        return
    if call.request is not None:
        if call.to_be_adopted:
            _take_up_request(exchange, call, event, at, out)
        return
    seen = event.channels.get(call.channel)
    if seen is None or seen.inbound is None:
        if call.to_be_adopted or call.opened_at < event.requested_at:
            _vanished(exchange, call, at, out)
    elif call.to_be_adopted:
        _answer_unheard(call, seen, out)
        adopting.adopt(exchange, call, event, at, out)
    elif call.is_hung_up_on:  # Asterisk has not heard that, or not come to it
        out.commands.append(cmd.Hangup(call.site, call.id, call.channel, Cause.NORMAL_CLEARING))
    else:
        _answer_unheard(call, seen, out)


def _answer_unheard(call: Call, seen: ev.ChannelSeen, out: Output) -> None:
    """Answer a caller of whom Asterisk has not heard, or not come to it, that he is answered."""
    if call.answered and seen.state != "Up":
        out.commands.append(cmd.Answer(call.site, call.id, call.channel))


def _take_up_request(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Go on with who is to be called back, or with whoever was when the earlier daemon died."""
    resident = call.resident
    if call.is_absent or resident is None:
        calling_back_resync.adopt(exchange, call, event, at, out)
        return
    if call.channel not in event.channels:
        _vanished(exchange, call, at, out)
        return
    exchange.floor.adopt_resident(call, resident)
    if call.state is CallState.GREETING:
        calling_back_resync.adopt_greeted(exchange, call, event, at, out)
    else:
        adopting.adopt(exchange, call, event, at, out)


def hang_up_orphan(exchange: "Exchange", channel: ChannelId, out: Output) -> None:
    """End a leg of ours that no call knows."""
    name = naming.parse_leg_channel(channel)
    if name is None:
        return
    out.notices.append(Notice(NoticeKind.ORPHAN_LEG, name.call, f"leg {channel} belongs to no call"))
    for site in sorted(exchange.floor.ways.sites):
        out.commands.append(cmd.Hangup(site, name.call, channel, Cause.NORMAL_CLEARING))


def _vanished(exchange: "Exchange", call: Call, at: datetime, out: Output) -> None:
    call.to_be_adopted = False
    at = exchange.absence.ended_at(call, at)
    if call.state is CallState.ROUTING:  # remembered from between two facts
        exchange.conduct.record(call, facts.Released(at, ReleaseReason.VANISHED, Cause.NOT_DEFINED, True), out)
    cue = Cue(Signal.CALLER_LEFT, cause=Cause.NOT_DEFINED, estimated=True)
    exchange.signal(call, cue, at, out)


def _compare_legs(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    for leg in [leg for leg in exchange.floor.legs.values() if leg.site == event.site]:
        seen = event.channels.get(leg.channel)
        if seen is None:
            was_there = leg.heard_of_at is not None and leg.heard_of_at < event.requested_at
            if was_there or leg.made_at < event.requested_at - ev.SNAPSHOT_MARGIN:
                with exchange.contained(leg.call, at, out):
                    exchange.leg_ended(ev.LegEnded(leg.channel, Cause.NOT_DEFINED), at, out)
        elif leg.result is not None:  # Asterisk has not heard that, or not come to it
            out.commands.append(cmd.Hangup(leg.site, leg.call, leg.channel, Cause.NORMAL_CLEARING))
        elif seen.state == "Up":
            with exchange.contained(leg.call, at, out):
                exchange.catch_up_leg(leg, at, out)


def _take_unknown(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    for seen in event.channels.values():
        leg = naming.parse_leg_channel(seen.channel)
        if leg is not None:
            floor = exchange.floor
            if seen.channel not in floor.legs and not floor.ended_since(seen.channel, event.requested_at):
                hang_up_orphan(exchange, seen.channel, out)
        elif seen.channel in exchange.conduct.unheard:
            call_id, site = exchange.conduct.unheard[seen.channel]
            out.commands.append(cmd.Hangup(site, call_id, seen.channel, Cause.NORMAL_CLEARING))
        elif (
            seen.inbound is not None
            and seen.fresh_call is not None
            and exchange.conduct.call_of(seen.channel) is None
            and not exchange.conduct.has_left(seen.channel)
        ):
            came_at = event.requested_at - timedelta(seconds=seen.waited_s) if seen.waited_s else None
            with exchange.contained(seen.fresh_call, at, out):
                arrived = ev.CallArrived(seen.fresh_call, seen.channel, seen.inbound)
                exchange.call_arrived(arrived, at, out, came_at=came_at)


def _forget_unheard(exchange: "Exchange", event: ev.SiteUp) -> None:
    unheard = exchange.conduct.unheard
    for channel in [one for one, (_, site) in unheard.items() if site == event.site and one not in event.channels]:
        del unheard[channel]


def _leave_out_attempts(exchange: "Exchange", event: ev.SiteUp) -> None:
    """Where the journal lost an offer when the daemon died, and Asterisk has its channel still: another leg with the
    same id would be refused, and take the end of this one for its own. Before any call goes on with another offer."""
    for channel in event.channels:
        leg = naming.parse_leg_channel(channel)
        call = exchange.calls.get(leg.call) if leg is not None else None
        if leg is not None and call is not None:
            call.attempts = max(call.attempts, leg.attempt)
