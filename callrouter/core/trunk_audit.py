"""The channels that are held of trunk groups, compared with those that Asterisk says there are.

What an event that was lost would have told is made good by the comparison of calls and legs
(:mod:`callrouter.core.resync`), of which this is the check: every channel that was held in vain, or not held though a
call of ours has it, is put right, told and counted.
"""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from callrouter.core import events as ev
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.trunk_group import Seizure

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange


class Drift(StrEnum):
    """How what is held may differ from what there is."""

    HELD_IN_VAIN = "held-in-vain"
    """A channel was held that Asterisk does not have."""
    NOT_HELD = "not-held"
    """A caller of ours had a channel that nobody held."""


def held_in_vain(exchange: "Exchange", event: ev.SiteUp, before: datetime) -> list[Seizure]:
    """What has been held at the site since ``before`` or longer, and Asterisk does not have.

    Calls of an earlier daemon are not among them: who left while nobody looked is no drift.
    """
    there = set(event.channels).union(*(phone.channels for phone in event.phones.values()))
    awaited = {call.channel for call in exchange.calls.values() if call.to_be_adopted}
    awaited |= exchange.conduct.calling_back.reserved  # nobody is called by them yet
    return [
        one
        for one in exchange.floor.trunks.held
        if one.site == event.site and one.at < before and one.leg not in there and one.leg not in awaited
    ]


def put_right(exchange: "Exchange", event: ev.SiteUp, in_vain: list[Seizure], at: datetime, out: Output) -> None:
    """After calls and legs were compared: give back what nobody has of ``in_vain``, and hold what is not held."""
    trunks = exchange.floor.trunks
    for seizure in in_vain:
        _tell(exchange, Drift.HELD_IN_VAIN, seizure, out)
        if trunks.of(seizure.leg) is seizure and seizure.leg not in exchange.floor.legs:
            trunks.release(seizure)
    for call in exchange.calls.values():
        if call.site == event.site and call.channel in event.channels and trunks.of(call.channel) is None:
            exchange.conduct.hold_arrival(call, at)
            held = trunks.of(call.channel)
            if held is not None:
                _tell(exchange, Drift.NOT_HELD, held, out)


def _tell(exchange: "Exchange", drift: Drift, seizure: Seizure, out: Output) -> None:
    exchange.counters.trunk_drifts[drift] += 1
    text = f"{seizure.leg} of the trunk group {seizure.trunk}: {drift}"
    out.notices.append(Notice(NoticeKind.TRUNK_DRIFT, None, text))
