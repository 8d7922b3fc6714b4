"""Recordings of conversations: what the rules say of them, and what records of calls tell. Durations are seconds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callrouter.core.ids import AgentId, PromptName, QueueName, RecordingId


@dataclass(frozen=True, slots=True)
class TapeRule:
    """That a queue's conversations are recorded, as configured."""

    notice: PromptName
    """What the caller hears to its end before he is recorded."""
    retention_s: float
    """How long the file is kept."""
    pausable: bool = True
    """Whether the counselor may pause."""


class MuteReason(StrEnum):
    """Why nothing is heard in a recording."""

    PAUSED = "paused"
    """By the counselor, or somebody for him."""
    HELD = "held"
    """The caller is on hold."""
    OUTSIDE = "outside"
    """Somebody outside takes part, who was told nothing of a recording."""


class TapeState(StrEnum):
    """How a recording stands now."""

    ON = "on"
    PAUSED = "paused"
    SILENT = "silent"
    """The caller is on hold, or somebody outside takes part."""


class TapeResult(StrEnum):
    """What became of a recording."""

    KEPT = "kept"
    FAILED = "failed"
    """There is none, or none that may be kept."""


@dataclass(frozen=True, slots=True)
class CdrNotice:
    """The caller was told that he will be recorded. Times are aware UTC."""

    prompt: PromptName
    language: str
    """The one that it was spoken in; empty: the usual one."""
    begun_at: datetime
    heard_at: datetime | None
    """When it had been heard to its end; None: it was not."""


@dataclass(frozen=True, slots=True)
class CdrMute:
    """A part of a recording in which nothing is heard. Times are aware UTC; ``who`` paused, if somebody did."""

    since: datetime
    until: datetime
    why: MuteReason
    who: str = ""


@dataclass(frozen=True, slots=True)
class CdrTape:
    """The recording of one counselor's conversation. Times are aware UTC; the file may say the length more exactly."""

    recording: RecordingId
    queue: QueueName
    agent: AgentId
    notice: PromptName
    begun_at: datetime
    ended_at: datetime
    result: TapeResult
    why: str
    """Why it ended, or failed."""
    retention_s: float
    muted: tuple[CdrMute, ...] = ()

    @property
    def length_s(self) -> float:
        """How long it lasted, silent parts and all."""
        return (self.ended_at - self.begun_at).total_seconds()
