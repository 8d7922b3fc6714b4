"""What happens at the far ends of legs, for the exchange: see :mod:`callrouter.core.relays`."""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.crossing import is_crossing
from callrouter.core.ids import ChannelId
from callrouter.core.output import Output
from callrouter.core.relays import OfLeg, Relay, Relays

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange


def is_far(event: ev.Event) -> bool:
    """Whether it is told of a phone at a far end."""
    return isinstance(event, OfLeg) and naming.parse_far_channel(event.channel) is not None


def near(event: ev.LegHeld | ev.TransferAsked, relays: Relays) -> ev.LegHeld | ev.TransferAsked:
    """The same, told of the legs that lead to the phones."""
    event = msgspec.structs.replace(event, channel=_leg_to(event.channel, relays))
    if isinstance(event, ev.TransferAsked) and event.replaced is not None:
        return msgspec.structs.replace(event, replaced=_leg_to(event.replaced, relays))
    return event


def _leg_to(channel: ChannelId, relays: Relays) -> ChannelId:
    """The leg that leads to a phone at another site; of any other channel itself."""
    name, own = naming.parse_far_channel(channel), relays.of_phone(channel)
    return name.leg if name is not None else own.leg if own is not None else channel


def take(exchange: "Exchange", event: OfLeg, out: Output) -> None:
    """What a phone at a far end does."""
    relays = exchange.floor.relays
    relays.take(event, out)
    leg = exchange.floor.legs.get(_leg_to(event.channel, relays))
    if leg is not None and isinstance(event, ev.LegAnswered):
        leg.answered_there = True


def come_in(exchange: "Exchange", event: ev.RelayArrived, at: datetime, out: Output) -> None:
    """A channel came in as from another site."""
    note(exchange, exchange.floor.relays.come_in(event, at, out), at, out)


def compare(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Make the far ends at a site agree with its snapshot."""
    relays = exchange.floor.relays
    for seen in event.channels.values():
        if seen.relay:
            arrived = ev.RelayArrived(event.site, seen.channel, seen.endpoint, seen.relay)
            note(exchange, relays.come_in(arrived, at, out, event.channels), at, out)
    for relay in relays.from_site(event.site):
        if is_crossing(relay.leg):
            exchange.conduct.crossing.compare(relay, exchange.calls.get(relay.call), event, out)
        elif relay.leg not in exchange.floor.legs:  # an earlier daemon's, and not adopted: it is not there any more
            relays.gone(relay.leg, out)
    relays.compare(event, out)


def note(exchange: "Exchange", relay: Relay | None, at: datetime, out: Output) -> None:
    """A leg came in where it leads to: so the record has it."""
    call = exchange.calls.get(relay.call) if relay is not None else None
    if relay is None or relay.incoming is None or call is None:
        return
    if any(offer.channel == relay.leg for offer in call.phones):
        exchange.conduct.record(call, facts.Relayed(at, relay.attempt, relay.incoming), out)
