"""What happens at the far ends of legs, for the exchange: see :mod:`callrouter.core.relays`."""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.output import Output
from callrouter.core.relays import OfLeg, Relay

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange

OfPhone = OfLeg | ev.LegHeld | ev.TransferAsked
"""What may be told of a phone, near or far."""


def is_far(event: ev.Event) -> bool:
    """Whether it is told of a phone at a far end."""
    return isinstance(event, OfPhone) and naming.parse_far_channel(event.channel) is not None


def near(event: OfPhone) -> OfPhone:
    """The same, told of the leg that leads there."""
    name = naming.parse_far_channel(event.channel)
    return msgspec.structs.replace(event, channel=naming.leg_channel(name.call, name.attempt)) if name else event


def take(exchange: "Exchange", event: OfLeg, out: Output) -> None:
    """What a phone at a far end does."""
    exchange.floor.relays.take(event, out)
    leg = exchange.floor.legs.get(near(event).channel)
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
    for leg in relays.from_site(event.site):
        if leg not in exchange.floor.legs:  # an earlier daemon's, and not adopted: it is not there any more
            relays.gone(leg, out)
    relays.compare(event, out)


def note(exchange: "Exchange", relay: Relay | None, at: datetime, out: Output) -> None:
    """A leg came in where it leads to: so the record has it."""
    call = exchange.calls.get(relay.call) if relay is not None else None
    if relay is None or relay.incoming is None or call is None:
        return
    if any(offer.channel == relay.leg for offer in call.phones):
        exchange.conduct.record(call, facts.Relayed(at, relay.attempt, relay.incoming), out)
