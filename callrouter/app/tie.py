"""What ties daemons together of which one leads: one state folder, or a line between two machines."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from callrouter.core.leading import CopyNow, Sign
from callrouter.store.journal import Journal


class LeadersLine(Protocol):
    """The leader's end of the line to those who wait."""

    @property
    def waiting(self) -> int:
        """How many wait, and have said so lately."""

    @property
    def other_reaches(self) -> bool:
        """Whether one who waits reaches an Asterisk."""

    @property
    def copy(self) -> CopyNow | None:
        """How the best copy of the journal is doing, where it is copied."""

    def hand_over(self) -> bool:
        """Tell one who waits to take over; False if nobody can."""

    def say_robbed(self) -> None:
        """Tell all who wait that a stranger took the application."""


class Tie(Protocol):
    """Where a daemon sees what others do, and who says who may lead."""

    has_copies: bool
    """Whether each daemon has a journal of its own."""
    look_every_s: float
    """How often one who waits looks for a leader while there is none, and whether to try again."""

    # Waiting.

    def watch(self) -> AsyncGenerator[Sign, None]:
        """The signs of the leader: beats, and at last that it is gone, hangs or yields.

        For one who hands over, of whom it hands over to: gone until that one has begun.
        """
        ...

    @property
    def copy(self) -> CopyNow | None:
        """How our own copy of the leader's journal is doing, where it is copied."""

    def order(self) -> None:
        """People say that the leader is dead: the next claim may do without a word of PostgreSQL's."""

    async def claim(self, hangs: bool) -> Sign:
        """Ask whether this daemon may lead; ``hangs``: in place of one that does. Never raises."""
        ...

    # Leading.

    def journal(self, path: Path, hangs: bool) -> Journal:
        """The journal, with a term of our own; ``hangs`` as above."""
        ...

    async def opened(self, journal: Journal, hangs: bool) -> None:
        """The journal is open."""

    def line(self, journal: Journal) -> AbstractAsyncContextManager[LeadersLine]:
        """The leader's end of the line, open while entered."""
        ...

    async def keep(self) -> None:
        """Keep what says that we lead, until cancelled."""

    async def prove(self, journal: Journal, within_s: float) -> bool:
        """Whether we lead still; False where that cannot be told in time. Raises JournalFencedError: we do not."""
        ...

    def may_connect(self, line: LeadersLine | None) -> bool:
        """Whether it is as good as certain that a new connection takes the application from nobody who leads."""
        ...

    async def settle(self, line: LeadersLine, timeout_s: float) -> None:
        """Before handing over, after the journal was closed: have another know all that is in it."""

    async def release(self) -> None:
        """Let another lead."""
