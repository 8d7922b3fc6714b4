"""Delivery of the versions of the rules from the journal to PostgreSQL: each exactly once, in their order."""

from typing import TYPE_CHECKING, Protocol

import asyncpg
import structlog

from callrouter.store.postgres import DATA_ERRORS, describe
from callrouter.store.rules import LiveRules, insert_rules

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)


class RulesOutbox(Protocol):
    """Where the versions wait: :class:`callrouter.store.journal.Journal`."""

    async def undelivered_rules(self) -> list[tuple[int, LiveRules]]:
        """The oldest that waits, if any."""

    async def rules_delivered(self, number: int) -> None:
        """That one is done."""

    async def set_rules_aside(self, number: int, fault: str) -> None:
        """That one cannot be delivered."""


class RulesErrand:
    """Implements :class:`callrouter.store.delivery.Errand`.

    A version is inserted, and only then marked. If we die in between it is inserted again, which PostgreSQL ignores
    because its id is there already.
    """

    def __init__(self, outbox: RulesOutbox) -> None:
        self._outbox = outbox
        self._refused = 0

    @property
    def name(self) -> str:
        """What is brought, in a word."""
        return "rules"

    @property
    def refused(self) -> int:
        """How many versions PostgreSQL would not take since the start; they are kept in the journal."""
        return self._refused

    async def deliver(self, connection: "Connection") -> None:
        """Bring every version that waits, oldest first: each is numbered as it arrives."""
        while waiting := await self._outbox.undelivered_rules():
            ((number, rules),) = waiting
            try:
                await insert_rules(connection, rules)
            except DATA_ERRORS as exc:
                log.error("rules.refused", config=rules.config_hash, error=describe(exc))  # noqa: TRY400 - it says all
                await self._outbox.set_rules_aside(number, describe(exc))
                self._refused += 1
            else:
                await self._outbox.rules_delivered(number)
                log.info("rules.kept", config=rules.config_hash, who=rules.who)
