"""One call, as its facts say it is."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from callrouter.core import facts, naming
from callrouter.core.decision import CallFacts
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId, BridgeId, CallId, ChannelId, PlaybackId, QueueName, SiteName, TrunkName
from callrouter.core.plan import Announce, Step
from callrouter.core.states import CallState


@dataclass(slots=True)
class Offer:
    """The offer that is open: whose phone is called, and how far it got."""

    attempt: int
    agent: AgentId
    trunk: TrunkName | None
    channel: ChannelId
    at: datetime
    rang: bool = False
    bridge: BridgeId | None = None


@dataclass(slots=True)
class Call:
    """A call in progress. Lasting state changes by :meth:`apply` alone."""

    id: CallId
    site: SiteName
    channel: ChannelId
    arrival: CallFacts
    opened_at: datetime
    state: CallState = CallState.ROUTING
    history: list[facts.Fact] = field(default_factory=list)
    routed: facts.Routed | None = None
    step: int = -1
    answered: bool = False
    queue: QueueName | None = None
    place: int = 0
    offer: Offer | None = None
    attempts: int = 0
    released: facts.Released | None = None
    playback: PlaybackId | None = None
    """The announcement whose end counts."""
    playbacks: int = 0
    queued_at: datetime | None = None
    # What the exchange notes for itself and may forget over a restart:
    wait_over: bool = False
    music: bool = False
    insisted: bool = False
    to_be_adopted: bool = False
    timers: set[TimerKind] = field(default_factory=set)

    @classmethod
    def open(cls, opened: facts.Opened) -> "Call":
        """A call that has just come in, or is being restored from its first fact."""
        return cls(opened.call, opened.site, opened.channel, opened.facts, opened.at, history=[opened])

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the plan, none before the call is routed."""
        return self.routed.plan.steps if self.routed is not None else ()

    def apply(self, fact: facts.Fact) -> None:
        """Take one fact into the call's state and history."""
        self.history.append(fact)
        match fact:
            case facts.Opened():
                raise ValueError(f"call {self.id} was opened twice")
            case facts.Routed():
                self.routed = fact
            case facts.StepBegun(index=index):
                self.step = index
                self.state = CallState.ROUTING
                if isinstance(self.steps[index], Announce):
                    self.state = CallState.ANNOUNCING
                    self.playbacks += 1
                    self.playback = naming.playback(self.id, self.playbacks)
            case facts.Answered():
                self.answered = True
            case facts.Queued(queue=queue, place=place):
                self.queue, self.place, self.state = queue, place, CallState.QUEUED
                self.queued_at = fact.at
            case facts.LeftQueue():
                self.queue, self.state = None, CallState.ROUTING
            case facts.Released():
                self.released, self.state = fact, CallState.CLEARING
            case facts.Offered() | facts.Rang() | facts.PickedUp() | facts.Connected() | facts.OfferClosed():
                self._apply_to_offer(fact)
            case _:
                assert_never(fact)

    def _apply_to_offer(
        self, fact: facts.Offered | facts.Rang | facts.PickedUp | facts.Connected | facts.OfferClosed
    ) -> None:
        if isinstance(fact, facts.Offered):
            self.attempts = fact.attempt
            self.offer = Offer(fact.attempt, fact.agent, fact.trunk, fact.channel, fact.at)
            self.state = CallState.OFFERED
            return
        if self.offer is None:
            raise ValueError(f"call {self.id} has no open offer, yet {fact!r}")
        match fact:
            case facts.Rang():
                self.offer.rang = True
            case facts.PickedUp(bridge=bridge):
                self.offer.bridge = bridge
                self.state = CallState.CONNECTING
            case facts.Connected():
                self.state = CallState.CONNECTED
            case facts.OfferClosed():
                self.offer = None
                self.state = CallState.QUEUED
            case _:
                assert_never(fact)

    def close(self) -> None:
        """The caller's channel is gone and nothing more will happen."""
        self.state = CallState.ENDED
