"""From the facts of a call to its CDR."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from callrouter.core import facts
from callrouter.core.causes import CONGESTION, Cause
from callrouter.core.cdr import (
    Cdr,
    CdrCallback,
    CdrReturn,
    Disposition,
    OfferResult,
    Outcome,
    ReleasedBy,
    ReturnResult,
)
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import QueueName, RuleId, TenantName
from callrouter.core.inbound import RegionSource
from callrouter.core.legs_fold import LegsFold
from callrouter.core.plan import Callback, Dial, EnterQueue, HandOver, Menu, Voicemail
from callrouter.core.summary import Summary, seconds
from callrouter.core.talk_time import whole_ms


def fold(history: Sequence[facts.Fact]) -> Cdr:
    """The CDR of a call that has ended.

    Raises:
        ValueError: the facts are not those of an ended call (no :class:`~callrouter.core.facts.Opened` at first, or
            no :class:`~callrouter.core.facts.Released`).
    """
    opened = history[0] if history else None
    if not isinstance(opened, facts.Opened):
        raise ValueError("a call's history begins with its opening")  # noqa: TRY004 - the history is wrong, not a type
    summary = Summary(opened, LegsFold(opened.request))
    latest = opened.at
    for fact in history[1:]:
        latest = max(latest, fact.at)  # the clock may have been set back between two daemons
        summary.take(fact if fact.at == latest else msgspec.structs.replace(fact, at=latest))
    if summary.released is None:
        raise ValueError(f"call {opened.call} has not been released")
    summary.presume_message(summary.released)
    return _cdr(summary, summary.released)


def _cdr(s: Summary, released: facts.Released) -> Cdr:
    started, ended = whole_ms(s.opened.at), whole_ms(released.at)
    answered = whole_ms(s.legs.connected_at) if s.legs.connected_at else None
    offered = _last_offer_at(s, ended)
    routed = s.routed
    said = s.region
    return Cdr(
        call_id=s.opened.call,
        site=s.opened.site,
        started_at=started,
        answered_at=answered,
        ended_at=ended,
        caller=s.opened.facts.caller,
        dialed=s.opened.facts.dialed,
        region=said.name if said else routed.region if routed else "",
        region_source=RegionSource.MENU if said else routed.region_source if routed else "",
        tenant=said.tenant if said else routed.tenant if routed else TenantName(""),
        topic=s.topic,
        rule=routed.rule if routed else RuleId(""),
        config_hash=routed.config_hash if routed else "",
        queue=_queue(s),
        agent=s.legs.connected.offered.agent if s.legs.connected else None,
        destination=s.legs.connected.destination if s.legs.connected else None,
        trunk=s.legs.connected.offered.trunk if s.legs.connected else None,
        outcome=_outcome(s, released),
        disposition=_disposition(s, released),
        hangup_cause=released.cause,
        released_by=ReleasedBy.AGENT if s.mark else _released_by(released),
        wait_s=seconds(started, offered),
        ring_s=seconds(offered, answered or ended),
        talk_s=seconds(answered, ended) if answered else 0.0,
        hold_s=s.talk.hold_s(answered, ended),
        explanation=_explanation(s, released),
        queued_at=whole_ms(s.queued.at) if s.queued else None,
        legs=s.legs.closed,
        messages=s.messages,
        switches=s.switches,
        mark=s.mark,
        callback=_callback(s),
        hearings=s.hearings,
        visits=s.visits,
        notices=s.taped.notices,
        tapes=s.taped.tapes,
        returns=_returns(s, released),
        in_trunk=s.opened.trunk,
        in_endpoint=s.opened.facts.trunk if s.opened.request is None else "",
    )


def _last_offer_at(s: Summary, ended: datetime) -> datetime:
    """When waiting turned into ringing: at the offer that was answered, or at the first that was open at the end."""
    if s.legs.connected:
        return whole_ms(s.legs.connected.offered.at)
    last = s.legs.closed[-1] if s.legs.closed else None
    if last is None or last.ended_at != ended:
        return ended
    return min(leg.offered_at for leg in s.legs.closed if leg.ended_at == ended and leg.result is last.result)


def _queue(s: Summary) -> QueueName | None:
    """The first that was entered; the one that turned the caller away, if none was."""
    return s.queued.queue if s.queued else s.queue


def _callback(s: Summary) -> CdrCallback | None:
    """What is still owed to the caller: nothing, where somebody was reached after all."""
    if s.wanted is None or s.legs.connected:
        return None
    return CdrCallback(s.wanted.queue, s.wanted.number, whole_ms(s.wanted.at), s.wanted.place)


def _returns(s: Summary, released: facts.Released) -> CdrReturn | None:
    request = s.opened.request
    if request is None:
        return None
    result = ReturnResult.NOT_REACHED
    if s.legs.connected or released.reason is ReleaseReason.SERVED:
        result = ReturnResult.REACHED
    elif released.reason is ReleaseReason.WITHDRAWN:
        result = ReturnResult.CANCELLED
    return CdrReturn(request.original, result, len(s.legs.in_vain))


def _outcome(s: Summary, released: facts.Released) -> Outcome:
    if s.legs.connected:
        return Outcome.HANDLED
    if s.wanted:
        return Outcome.CALLBACK
    if s.messages:
        return Outcome.VOICEMAIL
    match released.reason:
        case ReleaseReason.NOT_TAKEN | ReleaseReason.LOOP:
            return Outcome.REJECTED
        case ReleaseReason.DEFECT | ReleaseReason.TAKEN_AWAY:
            return Outcome.FAILED
        case ReleaseReason.NOT_REACHED:
            return Outcome.ABANDONED
        case ReleaseReason.WITHDRAWN | ReleaseReason.RULES_CHANGED | ReleaseReason.SERVED | ReleaseReason.EXPIRED:
            return Outcome.CLOSED
        case ReleaseReason.HANDED_OVER:
            return Outcome.OVERFLOWED if s.queue else Outcome.HANDLED
        case _:
            return _outcome_without_counselor(s, released)


def _outcome_without_counselor(s: Summary, released: facts.Released) -> Outcome:
    if s.recording_failed:
        return Outcome.FAILED
    last = s.legs.closed[-1] if s.legs.closed else None
    dialed_in_vain = last is not None and last.agent is None and last.result is not OfferResult.CALLER_GONE
    if s.left_queue or dialed_in_vain:
        return Outcome.OVERFLOWED
    seeks_somebody = EnterQueue | Dial | HandOver | Menu | Voicemail
    if released.reason is not ReleaseReason.PLAN_ENDED:
        seeks_somebody |= Callback  # who cannot be called back, and hears the plan to its end, has abandoned nothing
    if s.plan is None or any(isinstance(step, seeks_somebody) for step in s.plan.steps):
        return Outcome.ABANDONED
    is_heard = s.is_chosen and released.reason is ReleaseReason.PLAN_ENDED
    return Outcome.HANDLED if is_heard else Outcome.CLOSED  # what the caller asked to hear was heard


def _disposition(s: Summary, released: facts.Released) -> Disposition:
    if s.legs.connected:
        return Disposition.ANSWERED
    if released.reason in (ReleaseReason.DEFECT, ReleaseReason.TAKEN_AWAY, ReleaseReason.NOT_TAKEN, ReleaseReason.LOOP):
        return Disposition.FAILED
    last = s.legs.closed[-1] if s.legs.closed else None
    if s.opened.request is not None:
        # What the resident's line said counts, not the counselor's.
        last = s.legs.in_vain[-1] if s.legs.in_vain else None
    if released.cause == Cause.USER_BUSY or (last and last.result is OfferResult.BUSY):
        return Disposition.BUSY
    if released.cause in CONGESTION or (last and last.result is OfferResult.CONGESTION):
        return Disposition.CONGESTION
    return Disposition.NO_ANSWER


def _released_by(released: facts.Released) -> ReleasedBy:
    match released.reason:
        case ReleaseReason.CALLER_HUNG_UP:
            return ReleasedBy.CALLER
        case ReleaseReason.AGENT_HUNG_UP:
            return ReleasedBy.AGENT
        case _:
            return ReleasedBy.SYSTEM


def _explanation(s: Summary, released: facts.Released) -> str:
    lines = list(s.story)
    if released.reason not in (
        ReleaseReason.CALLER_HUNG_UP,
        ReleaseReason.AGENT_HUNG_UP,
        ReleaseReason.PLAN_ENDED,
    ):
        lines.append(f"released: {released.reason}")
    if s.wanted and s.legs.connected:
        lines.append("call back: needless, somebody was reached")
    if released.estimated:
        lines.append("ended_at is an estimate: the end of the call was not seen")
    return "\n".join(lines)
