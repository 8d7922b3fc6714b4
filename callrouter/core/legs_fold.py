"""From the facts of a call to the legs in its record: phones, destinations and residents that were called."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from callrouter.core import facts
from callrouter.core.cdr import CdrLeg, OfferResult
from callrouter.core.ids import ChannelId, DestinationName
from callrouter.core.numbers import parse
from callrouter.core.talk_time import whole_ms
from callrouter.core.transfers import party

_OF_ONE_LEG = facts.Offered | facts.Rang | facts.PickedUp | facts.Connected | facts.OfferClosed
_OF_CONVERSATION = facts.Invited | facts.JoinedIn | facts.InviteClosed | facts.PassedOn | facts.Redirected
_OF_RESIDENT = facts.CallingBack | facts.ResidentRang | facts.ResidentAnswered | facts.NotReached


@dataclass(slots=True)
class OpenLeg:
    """A leg that has not been told to end."""

    offered: facts.Offered | facts.Invited | facts.AlsoOffered
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    far_channel: ChannelId | None = None

    @property
    def destination(self) -> DestinationName | None:
        """Whom it calls, if that is no counselor."""
        return None if isinstance(self.offered, facts.AlsoOffered) else self.offered.destination

    @property
    def party(self) -> str:
        """Whom it calls."""
        return self.offered.agent or self.destination or ""

    def closed(self, at: datetime, result: OfferResult, cause: int) -> CdrLeg:
        """What the record says of it, now that it has ended."""
        offered = self.offered
        return CdrLeg(
            attempt=offered.attempt,
            channel=offered.channel,
            agent=offered.agent,
            destination=self.destination,
            trunk=offered.trunk,
            offered_at=whole_ms(offered.at),
            rang_at=whole_ms(self.rang_at) if self.rang_at else None,
            answered_at=whole_ms(self.answered_at) if self.answered_at else None,
            ended_at=whole_ms(at),
            result=result,
            cause=cause,
            far_site=offered.site,
            far_channel=self.far_channel,
        )


@dataclass(slots=True)
class LegsFold:
    """Takes facts, one after another."""

    request: facts.Request | None = None
    """For a call that we made: what the resident asked for."""
    offered: OpenLeg | None = None
    others: dict[ChannelId, OpenLeg] = field(default_factory=dict)
    """Legs that ring beside the offered one."""
    invited: OpenLeg | None = None
    connected: OpenLeg | None = None
    """The first that was: what came of transfers since is told by the legs."""
    connected_at: datetime | None = None
    resident: OpenLeg | None = None
    """For a call that we made: the resident, who is called or was reached."""
    in_vain: tuple[CdrLeg, ...] = ()
    """The legs to him that came to nothing, as far as they count."""
    closed: tuple[CdrLeg, ...] = ()

    @property
    def answered_at(self) -> datetime | None:
        """When the leg that is talked over, or rings, was answered."""
        leg = self.invited or self.offered
        return leg.answered_at if leg is not None else None

    def take(self, fact: facts.Fact) -> str | None:
        """Take one fact; what is to be told of it to people is returned."""
        match fact:
            case facts.Offered() | facts.Rang() | facts.PickedUp() | facts.Connected() | facts.OfferClosed():
                self._take_offer(fact)
            case facts.Relayed() | facts.AlsoOffered() | facts.AlsoRang() | facts.LeadTaken() | facts.AlsoClosed():
                self._take_of_phones(fact)
            case facts.Invited() | facts.JoinedIn() | facts.InviteClosed() | facts.PassedOn() | facts.Redirected():
                return self._take_of_conversation(fact)
            case facts.CallingBack() | facts.ResidentRang() | facts.ResidentAnswered() | facts.NotReached():
                return self._take_of_resident(fact)
            case facts.Released(at=at, cause=cause):
                reached = self.resident is not None and self.resident.answered_at is not None
                self._close_resident(at, OfferResult.ANSWERED if reached else OfferResult.CALLER_GONE, cause)
            case _:
                pass
        return None

    def _take_offer(self, fact: _OF_ONE_LEG) -> None:
        leg = self.invited or self.offered
        match fact:
            case facts.Offered():
                self.offered = OpenLeg(fact)
            case facts.OfferClosed(at=at, result=result, cause=cause):
                self._close(self.offered, at, result, cause)
                self.offered = None
            case facts.Rang(at=at) if leg is not None:
                leg.rang_at = at
            case facts.PickedUp(at=at) if leg is not None:
                leg.answered_at = at
            case facts.Connected() if leg is not None and self.connected is None:
                self.connected, self.connected_at = leg, leg.answered_at
            case _:
                pass

    def _take_of_phones(self, fact: facts.Relayed | facts.OF_OTHER_PHONES) -> None:
        match fact:
            case facts.Relayed():
                for leg in (self.invited, self.offered, *self.others.values()):
                    if leg is not None and leg.offered.attempt == fact.attempt:
                        leg.far_channel = fact.channel
            case facts.AlsoOffered():
                self.others[fact.channel] = OpenLeg(fact)
            case facts.AlsoRang():
                if fact.channel in self.others:
                    self.others[fact.channel].rang_at = fact.at
            case facts.AlsoClosed():
                self._close(self.others.pop(fact.channel, None), fact.at, fact.result, fact.cause)
            case facts.LeadTaken():
                was, self.offered = self.offered, self.others.pop(fact.channel, None)
                if was is not None:
                    self.others[was.offered.channel] = was
            case _:
                assert_never(fact)

    def _take_of_conversation(self, fact: _OF_CONVERSATION) -> str | None:
        match fact:
            case facts.Invited():
                self.invited = OpenLeg(fact)
                return f"called in: {party(fact.agent or fact.destination or '')}"
            case facts.JoinedIn():
                if self.invited is not None:
                    self.invited.answered_at = fact.at
            case facts.InviteClosed(at=at, result=result, cause=cause):
                self._close(self.invited, at, result, cause)
                self.invited = None
            case facts.PassedOn(at=at, cause=cause):
                self._close(self.offered, at, OfferResult.ANSWERED, cause)
                self.offered, self.invited = self.invited, None
                return f"passed on to {party(self.offered.party) if self.offered else 'nobody'}"
            case facts.Redirected(at=at, cause=cause, plan=plan):
                self._close(self.offered, at, OfferResult.ANSWERED, cause)
                self.offered = None
                return plan.name
            case _:
                assert_never(fact)
        return None

    def _take_of_resident(self, fact: _OF_RESIDENT) -> str | None:
        match fact:
            case facts.CallingBack(at=at, attempt=attempt, trunk=trunk, channel=channel):
                number = parse(self.request.number).national if self.request is not None else ""
                self.resident = OpenLeg(facts.Offered(at, attempt, None, trunk, channel, DestinationName(number)))
            case facts.ResidentRang(at=at) if self.resident is not None:
                self.resident.rang_at = at
            case facts.ResidentAnswered(at=at) if self.resident is not None:
                self.resident.answered_at = at
            case facts.NotReached(at=at, result=result, cause=cause, counts=counts):
                self._close_resident(at, result, cause)
                self.in_vain += self.closed[-1:] if counts else ()
                return f"called back in vain: {result}{'' if counts else ', which does not count'}"
            case _:
                pass
        return None

    def _close_resident(self, at: datetime, result: OfferResult, cause: int) -> None:
        self._close(self.resident, at, result, cause)
        self.resident = None

    def _close(self, leg: OpenLeg | None, at: datetime, result: OfferResult, cause: int) -> None:
        if leg is not None:
            self.closed = (*self.closed, leg.closed(at, result, cause))
