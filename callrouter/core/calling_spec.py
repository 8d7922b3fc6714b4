"""How a queue calls back by itself, as configured. Durations are seconds."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from callrouter.core.calendars import Calendar
from callrouter.core.dial_string import to_dial
from callrouter.core.ids import DestinationName, PromptName, TrunkName
from callrouter.core.numbers import parse
from callrouter.core.plan import Destination

_LOOK_AGAIN = timedelta(days=1)
"""When hours are looked at again that do not open within a year."""


@dataclass(frozen=True, slots=True)
class CallBackRule:
    """See the module."""

    trunk: TrunkName
    """The trunk group that residents are called over."""
    caller_number: str = ""
    """What residents are shown; empty: what the trunk group shows, else the number that they had dialled."""
    attempts: int = 3
    """How often a resident is called, at the most."""
    retry_after_s: float = 600.0
    """How long after a call in vain the next one may be."""
    ring_timeout_s: float = 30.0
    """How long the resident's phone rings."""
    hours: Calendar | None = None
    """When residents may be called; None: whenever a counselor is there."""
    redial: bool = True
    """Who calls by himself meanwhile has the place; when he is served, he is not called back any more."""
    to_agent: PromptName | None = None
    """What the counselor hears who answers, before the ringing tone."""
    say_number: bool = False
    """Whether he hears the last digits of the resident's number, too."""
    to_resident: PromptName | None = None
    """What the resident hears who answers, before the two are connected."""

    def destination(self, number: str) -> Destination:
        """Whom to dial for a resident's ``number``."""
        national = parse(number).national
        return Destination(
            DestinationName(national),
            national,
            f"PJSIP/{to_dial(national)}@{self.trunk}",
            self.trunk,
            self.caller_number,
            self.ring_timeout_s,
            number=national,
        )

    def opens_at(self, at: datetime) -> datetime | None:
        """When residents may be called next; None: now. Aware UTC."""
        if self.hours is None or self.hours.is_open(at):
            return None
        return self.hours.next_change(at) or at + _LOOK_AGAIN

    def closes_at(self, at: datetime) -> datetime | None:
        """Until when residents may be called who may be now; None: nobody knows an end. Aware UTC."""
        return self.hours.next_change(at) if self.hours is not None else None
