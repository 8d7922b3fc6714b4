"""A channel of ours to a counselor's phone, to a destination or to a resident."""

from dataclasses import dataclass
from datetime import datetime

from callrouter.core.agent import Agent
from callrouter.core.cdr import OfferResult
from callrouter.core.commands import Originate
from callrouter.core.ids import CallId, ChannelId, QueueName, SiteName, TrunkName
from callrouter.core.trunk_group import Seizure


@dataclass(slots=True)
class Leg:
    """A channel of ours to a counselor's phone or to a destination, from the request to its last event."""

    channel: ChannelId
    call: CallId
    site: SiteName
    agent: Agent | None
    """None: a destination is called, who is nobody of ours."""
    seizure: Seizure | None
    wrap_up_s: float
    made_at: datetime
    result: OfferResult | None = None
    """Why the call let go of it; None while it is the call's."""
    rang: bool = False
    heard_of_at: datetime | None = None
    """When Asterisk first told of it: it was there then. None: it has not, or to an earlier daemon."""
    insisted: bool = False
    queue: QueueName | None = None
    """The queue that the call came by."""
    judged: bool = False
    """It was taken note of that the trunk carried it."""
    failed: bool = False
    """It was taken note of that the trunk failed it."""
    later: Originate | None = None
    """How it is made, while a limit of calls per second holds it back."""
    number: str = ""
    """The national number that it calls; empty: none, or nobody knows."""
    shown: str = ""
    """The national number that it shows there."""
    shows_ours: bool = False
    """That is ours, and not the caller's own."""
    is_residents: bool = False
    """It calls back who asked for it."""
    answered_there: bool = False
    """The phone at its far end was answered, of which the trunk is to tell."""
    called_before: datetime | None = None
    """When the counselor's phone had been called last."""
    phone: tuple[SiteName, str] | None = None
    """The counselor's phone, and its site: he may sit elsewhere by now."""

    @property
    def waits_s(self) -> float:
        """How long a limit of calls per second holds it back."""
        return self.seizure.waits_s if self.seizure is not None else 0.0

    @property
    def trunk(self) -> TrunkName | None:
        """The group that carries it."""
        return self.seizure.trunk if self.seizure is not None else None

    @property
    def member(self) -> str:
        """The endpoint of that group that does."""
        return self.seizure.member if self.seizure is not None else ""

    @property
    def marked(self) -> bool:
        """Whether it may have a channel that is kept in reserve."""
        return self.seizure is not None and self.seizure.marked

    def far_site(self, origin: SiteName) -> SiteName | None:
        """Where the phone is, if that is another site than the caller's."""
        return self.agent.spec.site if self.agent is not None and self.agent.spec.site != origin else None

    @property
    def party(self) -> str:
        """Whom it calls, for people."""
        return self.agent.spec.id if self.agent is not None else "a destination"
