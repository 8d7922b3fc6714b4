"""From what happens to calls to the meter of those that go out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from callrouter.core import facts
from callrouter.core.call import Call, Offer
from callrouter.core.cdr import Cdr, CdrLeg, OfferResult
from callrouter.core.floor import Floor
from callrouter.core.ids import CallId, ChannelId, DestinationName, TenantName, TrunkName
from callrouter.core.outbound import NumberClass, classify
from callrouter.core.outbound_meter import OutwardCall
from callrouter.core.outbound_spec import OutboundRules
from callrouter.core.output import Notice, NoticeKind, Output

_BEGINS = facts.Offered | facts.Invited | facts.CallingBack
_ANSWERS = facts.Confirming | facts.PickedUp | facts.JoinedIn | facts.ResidentAnswered
_ENDS = (
    facts.OfferClosed
    | facts.InviteClosed
    | facts.PassedOn
    | facts.Redirected
    | facts.NotReached
    | facts.LeadTaken
    | facts.Released
)

_IN_VAIN = frozenset({OfferResult.CONGESTION, OfferResult.LIMITED})
"""Nothing was dialled, or the trunk has failed it: then it may be tried by another, and only one of the two counts."""


def kind_of(destination: DestinationName, rules: OutboundRules) -> NumberClass:
    """What kind of number a destination is called by; one that the rules do not have is named after its number."""
    return classify(rules.numbers.get(destination, destination))


class Metering:
    """Takes the facts of calls, each after its call has."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._open: dict[CallId, set[ChannelId]] = {}

    def take(self, call: Call, fact: facts.Fact) -> Sequence[OutwardCall]:
        """Take a fact; the calls that go out by it, or have ended, are returned."""
        if isinstance(fact, _BEGINS):
            return self._begin(call, fact)
        if call.id in self._open:
            if isinstance(fact, _ANSWERS):
                self._answer(call, fact)
            elif isinstance(fact, _ENDS):
                return self._end(call, fact)
        return ()

    def note(self, call: Call, fact: facts.Fact, out: Output) -> None:
        """Take a fact of now, and tell people of limits that are nearly used up."""
        for outward in self.take(call, fact):
            self._warn(call, outward, fact.at, out)

    def _warn(self, call: Call, outward: OutwardCall, at: datetime, out: Output) -> None:
        for limit in self._floor.meter.take_warnings(outward, at):
            whose = f" of {limit.tenant}" if limit.tenant else ""
            text = f"{limit.used:g} of {limit.most} {limit.bound.replace('_', ' ')}{whose} used (limit {limit.limit})"
            out.notices.append(Notice(NoticeKind.OUTBOUND_LIMIT, call.id, text))

    def recall(self, history: Sequence[facts.Fact]) -> None:
        """Count again what an earlier daemon's call, which is in progress, has had go out."""
        opened = history[0]
        if not isinstance(opened, facts.Opened) or not any(isinstance(fact, _BEGINS) for fact in history):
            return
        call = Call.open(opened)
        for fact in history[1:]:
            call.apply(fact)
            self.take(call, fact)

    def recall_ended(self, cdrs: Iterable[Cdr], since: datetime) -> None:
        """The same of calls that are over."""
        for cdr in cdrs:
            for leg in cdr.legs:
                if _went_out(leg) and leg.ended_at > since:
                    self._recall_leg(cdr, leg)

    def _recall_leg(self, cdr: Cdr, leg: CdrLeg) -> None:
        call = self._outward(cdr.tenant, leg.channel, leg.trunk, leg.destination, leg.offered_at)
        if call is not None:
            call.answered_at, call.ended_at = leg.answered_at, leg.ended_at
            self._floor.meter.begun(call)

    def _begin(self, call: Call, fact: _BEGINS) -> Sequence[OutwardCall]:
        if isinstance(fact, facts.CallingBack):
            destination: DestinationName | None = DestinationName(call.arrival.caller)
        else:
            destination = fact.destination
            if fact.trunk is not None and not fact.member:  # passed over: nothing is dialled
                return ()
        outward = self._outward(call.tenant, fact.channel, fact.trunk, destination, fact.at)
        if outward is None:
            return ()
        self._open.setdefault(call.id, set()).add(fact.channel)
        self._floor.meter.begun(outward)
        return (outward,)

    def _outward(
        self,
        tenant: TenantName,
        channel: ChannelId,
        trunk: TrunkName | None,
        destination: DestinationName | None,
        at: datetime,
    ) -> OutwardCall | None:
        """The call, if it leaves the house: a phone of the site costs nothing."""
        if destination is None:
            return None
        kind = kind_of(destination, self._floor.rulebook.outbound)
        if trunk is None and kind is NumberClass.UNKNOWN:
            return None
        return OutwardCall(channel, tenant, trunk, kind, at)

    def _answer(self, call: Call, fact: _ANSWERS) -> None:
        of: Mapping[type[facts.Fact], Offer | None] = {
            facts.ResidentAnswered: call.resident,
            facts.JoinedIn: call.invited,
        }
        offer = of.get(type(fact), call.offer)
        self._floor.meter.answered(offer.channel if offer is not None else ChannelId(""), fact.at)

    def _end(self, call: Call, fact: _ENDS) -> Sequence[OutwardCall]:
        """Those of the call's legs that it has no more, or all, if it is over."""
        resident = (call.resident,) if call.resident is not None else ()
        still = set() if isinstance(fact, facts.Released) else {one.channel for one in (*call.phones, *resident)}
        known, meter = self._open[call.id], self._floor.meter
        over = known - still
        known &= still
        if not known:
            del self._open[call.id]
        if isinstance(fact, facts.OfferClosed | facts.InviteClosed | facts.NotReached) and fact.result in _IN_VAIN:
            for channel in sorted(over):
                meter.discard(channel)
        return [one for channel in sorted(over) if (one := meter.ended(channel, fact.at)) is not None]


def _went_out(leg: CdrLeg) -> bool:
    """Whether the leg counts as one that has gone out."""
    return leg.agent is None and leg.result not in _IN_VAIN
