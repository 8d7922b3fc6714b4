"""Looking out for topics that surge, as a task of its own: no call waits for what it asks of PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog

from callrouter.core.exchange import Exchange
from callrouter.core.ids import TopicName
from callrouter.core.rulebook import SurgeRule
from callrouter.core.surge import Past, TopicNow, past_hours, topics_now
from callrouter.core.today import hour_of
from callrouter.errors import CallrouterError
from callrouter.store.past_hours import calls_of_hours
from callrouter.web.sources import SurgesNow

log = structlog.get_logger(__name__)

POLL_S: Final = 5.0
RETRY_S: Final = 30.0
"""How long PostgreSQL is left alone after it did not answer."""


class SurgeWatch:
    """Watches as a task: ``run()`` until cancelled. ``url`` is None where there is no database to compare with."""

    def __init__(
        self, url: str | None, exchange: Exchange, now: Callable[[], datetime], *, poll_s: float = POLL_S
    ) -> None:
        self._url = url
        self._exchange = exchange
        self._now = now
        self._poll_s = poll_s
        self._past: tuple[SurgeRule, Past] | None = None
        self._retry_at: datetime | None = None
        self._why = ""
        self._seen: frozenset[TopicName] = frozenset()

    @property
    def surges(self) -> SurgesNow:
        """Every topic in this hour, or why nothing can be said of them."""
        rule = self._exchange.rulebook.surge
        if rule is None:
            return SurgesNow()
        at = self._now()
        past = self._past_of(rule, at)
        if past is None:
            return SurgesNow(unknown=self._why, is_asking=not self._why)
        if past.weeks == 0:
            return SurgesNow(unknown="there are no records of this hour in past weeks")
        on = self._exchange.conduct.switchboard.on(at)
        return SurgesNow(topics_now(self._exchange, past, at, on))

    async def run(self) -> NoReturn:
        """Look again and again, through every failure of the database."""
        while True:
            await self.look()
            await asyncio.sleep(self._poll_s)

    async def look(self) -> None:
        """Once: learn what is usual, if that is not known for this hour, and tell of surges that begin and end."""
        rule, at = self._exchange.rulebook.surge, self._now()
        if rule is not None and self._past_of(rule, at) is None and (self._retry_at is None or at >= self._retry_at):
            await self._learn(rule, at)
        self._tell(self.surges.topics)

    def _past_of(self, rule: SurgeRule, at: datetime) -> Past | None:
        """What is known, if it is of this hour and of this rule."""
        if self._past is None or self._past[0] != rule:
            return None
        past = self._past[1]
        return past if past.hour == hour_of(at, self._exchange.rulebook.timezone) else None

    async def _learn(self, rule: SurgeRule, at: datetime) -> None:
        zone = self._exchange.rulebook.timezone
        if self._url is None:
            self._why = "there is no database"
            return
        try:
            found = await calls_of_hours(self._url, past_hours(at, rule.weeks, zone))
        except CallrouterError as error:
            if str(error) != self._why:
                log.warning("surge.not_known", why=str(error))
            self._why = str(error)
            self._retry_at = at + timedelta(seconds=RETRY_S)
            return
        self._why, self._retry_at = "", None
        calls = {TopicName(topic): count for topic, count in found.calls.items()}
        self._past = (rule, Past(hour_of(at, zone), found.hours, calls))

    def _tell(self, topics: tuple[TopicNow, ...]) -> None:
        surging = {one.topic: one for one in topics if one.surges}
        for name in sorted(surging.keys() - self._seen):
            one = surging[name]
            log.warning("surge.begins", topic=name, calls=one.calls, usual=one.usual, suggest=one.suggest)
        for name in sorted(self._seen - surging.keys()):
            log.info("surge.ends", topic=name)
        self._seen = frozenset(surging)
