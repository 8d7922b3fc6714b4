"""Finished calls, as tests need them: one way to make each kind."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from callrouter.core.cdr import Cdr, CdrLeg, Disposition, OfferResult, Outcome, ReleasedBy
from callrouter.core.ids import AgentId, CallId, ChannelId, QueueName, RuleId, SiteName, TenantName, TrunkName

EVENING = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
"""19:30 in Korea, a Tuesday."""

_numbers = itertools.count(1)


def call_id(number: int | None = None) -> CallId:
    """A UUID version 7; the next unused, or a certain one."""
    return CallId(f"019a0000-0000-7000-8000-{next(_numbers) if number is None else number:012x}")


def _after(seconds: float) -> datetime:
    return EVENING + timedelta(seconds=seconds)


def leg(attempt: int, result: OfferResult, **changes: Any) -> CdrLeg:
    """An offer 12 s into the call that rang from the 13th until the 28th second."""
    values: dict[str, Any] = {
        "attempt": attempt,
        "channel": ChannelId(f"leg-{attempt}"),
        "agent": AgentId(f"agent{attempt}"),
        "trunk": None,
        "offered_at": _after(12),
        "rang_at": _after(13),
        "answered_at": None,
        "ended_at": _after(28.25),
        "result": result,
        "cause": 19,
    }
    return CdrLeg(**{**values, **changes})


def handled(**changes: Any) -> Cdr:
    """A call that one counselor missed and the next one answered: 30.5 s waiting, 4.125 s ringing, 65.377 s talking."""
    legs = (
        leg(1, OfferResult.NO_ANSWER),
        leg(
            2,
            OfferResult.ANSWERED,
            trunk=TrunkName("changwon"),
            far_site=SiteName("annex"),
            far_channel=ChannelId("1795790489.7"),
            offered_at=_after(30.5),
            rang_at=_after(31),
            answered_at=_after(34.625),
            ended_at=_after(100.002),
            cause=16,
        ),
    )
    values: dict[str, Any] = {
        "call_id": call_id(),
        "site": SiteName("hall"),
        "started_at": EVENING,
        "queued_at": _after(9.5),
        "answered_at": _after(34.625),
        "ended_at": _after(100.002),
        "caller": "0552251234",
        "dialed": "120",
        "region": "changwon",
        "region_source": "exchange",
        "tenant": TenantName("changwon"),
        "in_trunk": TrunkName("lines"),
        "in_endpoint": "kt",
        "topic": "passport",
        "rule": RuleId("changwon-night"),
        "config_hash": "c0ffee",
        "queue": QueueName("night"),
        "agent": AgentId("agent2"),
        "trunk": TrunkName("changwon"),
        "outcome": Outcome.HANDLED,
        "disposition": Disposition.ANSWERED,
        "hangup_cause": 16,
        "released_by": ReleasedBy.CALLER,
        "wait_s": 30.5,
        "ring_s": 4.125,
        "talk_s": 65.377,
        "hold_s": 3.1,
        "explanation": "routes.yaml:14: changwon-night: 창원, 평일 야간",
        "legs": legs,
    }
    return Cdr(**{**values, **changes})


def abandoned(**changes: Any) -> Cdr:
    """A caller who hung up in the queue after 40.75 s of the call, 31.25 s of the queue."""
    values: dict[str, Any] = {
        "answered_at": None,
        "ended_at": _after(40.75),
        "agent": None,
        "trunk": None,
        "outcome": Outcome.ABANDONED,
        "disposition": Disposition.NO_ANSWER,
        "wait_s": 40.75,
        "ring_s": 0.0,
        "talk_s": 0.0,
        "hold_s": 0.0,
        "legs": (leg(1, OfferResult.NO_ANSWER),),
    }
    return handled(**{**values, **changes})


def overflowed(**changes: Any) -> Cdr:
    """A caller who was sent on after 69.5 s of the call, a minute of the queue."""
    values: dict[str, Any] = {
        "ended_at": _after(69.5),
        "outcome": Outcome.OVERFLOWED,
        "released_by": ReleasedBy.SYSTEM,
        "wait_s": 69.5,
        "legs": (),
    }
    return abandoned(**{**values, **changes})
