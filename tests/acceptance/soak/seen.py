"""What the clients of Asterisk saw of their calls."""

from dataclasses import dataclass
from datetime import datetime

from lab.desk_phone import Line


@dataclass(frozen=True, slots=True)
class Away:
    """A time in which no daemon could do anything. Aware."""

    begun_at: datetime
    over_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A call as the resident saw it who made it. ``dialed`` is his alone. Times are aware."""

    number: str
    dialed: str
    began_at: datetime
    ended_at: datetime
    entered: bool
    """Asterisk took it: it said more than that it tries."""


@dataclass(frozen=True, slots=True)
class LegSeen:
    """A call as a phone saw it that was called. Times are aware."""

    phone: str
    called: str
    """The number that was called there."""
    caller: str
    """The number that it showed."""
    word: str
    """By which callrouter names the leg; empty: it is none of its own."""
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime

    @classmethod
    def of(cls, line: Line, ended_at: datetime) -> "LegSeen":
        """What a line has seen."""
        invited = line.invited
        hops = invited.header("x-callrouter-hops") if invited is not None else ""
        return cls(
            phone=line.phone.user,
            called=line.called,
            caller=line.peer,
            word=hops.partition("-")[2],
            began_at=line.begun_at,
            answered_at=line.up_at,
            ended_at=line.over_at or ended_at,
        )
