"""What a call's facts say of its recording: which notices were heard, and what is being recorded."""

from dataclasses import dataclass, field
from datetime import datetime

from callrouter.core import facts
from callrouter.core.ids import AgentId, PromptName, RecordingId
from callrouter.core.tapes import MuteReason, TapeState

TapeFact = (
    facts.NoticeBegun
    | facts.NoticeOver
    | facts.NotTaped
    | facts.TapeBegun
    | facts.TapeMuted
    | facts.TapeUnmuted
    | facts.TapeEnded
)


@dataclass(slots=True)
class Tape:
    """A recording in progress; ``muted`` says why nothing is heard in it, if so."""

    recording: RecordingId
    agent: AgentId
    at: datetime
    pausable: bool
    muted: set[MuteReason] = field(default_factory=set)

    @property
    def state(self) -> TapeState:
        """How it stands."""
        if MuteReason.PAUSED in self.muted:
            return TapeState.PAUSED
        return TapeState.SILENT if self.muted else TapeState.ON


@dataclass(slots=True)
class Taped:
    """All of it for one call."""

    notice: PromptName | None = None
    """The one that plays."""
    heard: set[PromptName] = field(default_factory=set)
    """Those that were heard to their end."""
    tape: Tape | None = None
    tapes: int = 0
    """How many recordings were begun."""
    is_settled: bool = False
    """Whether it is decided if the present conversation is recorded."""

    def take(self, fact: TapeFact) -> None:
        """Take one fact.

        Raises:
            ValueError: it cannot be true after those before.
        """
        match fact:
            case facts.NoticeBegun(prompt=prompt):
                self.notice = prompt
            case facts.NoticeOver(prompt=prompt, heard=heard):
                self.notice = None
                self.heard |= {prompt} if heard else set()
            case facts.NotTaped():
                self.is_settled = True
            case facts.TapeBegun() if self.tape is None:
                self.tape = Tape(fact.recording, fact.agent, fact.at, fact.pausable)
                self.tapes, self.is_settled = self.tapes + 1, True
            case _:
                self._take_of_tape(fact)

    def _take_of_tape(self, fact: TapeFact) -> None:
        tape = self.tape
        match fact:
            case facts.TapeMuted(why=why) if tape is not None:
                tape.muted.add(why)
            case facts.TapeUnmuted(why=why) if tape is not None:
                tape.muted.discard(why)
            case facts.TapeEnded() if tape is not None:
                self.tape = None
            case _:
                raise ValueError(f"{tape or 'nothing'} is being recorded, yet {fact!r}")
