"""Looking out for surges: what is usual is learnt once an hour, and without a database nothing is said to surge."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import structlog

from callrouter.app import surge
from callrouter.app.surge import RETRY_S, SurgeWatch
from callrouter.core.rulebook import SurgeRule, TopicSpec
from callrouter.errors import UnreachableError
from callrouter.store.past_hours import PastCalls
from callrouter.web.sources import SurgesNow
from tests.core.driver import PASSPORT, START, Driver, agent, rulebook

URL = "postgresql://nowhere"


class Archive:
    """What is usual, as PostgreSQL would say it; or why it says nothing."""

    def __init__(self) -> None:
        self.answer: PastCalls | Exception = PastCalls(6, {"passport": 6})
        self.asked: list[Sequence[datetime]] = []

    async def calls_of_hours(self, _: str, begins: Sequence[datetime]) -> PastCalls:
        self.asked.append(begins)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    found = Archive()
    monkeypatch.setattr(surge, "calls_of_hours", found.calls_of_hours)
    return found


@pytest.fixture
def driver() -> Driver:
    rules = replace(rulebook(agent("kim")), surge=SurgeRule(6, 2, 3), topics={PASSPORT: TopicSpec(PASSPORT, "여권")})
    return Driver(rules)


def watch_of(driver: Driver, url: str | None = URL) -> SurgeWatch:
    return SurgeWatch(url, driver.exchange, lambda: driver.now, poll_s=0.001)


def calls(driver: Driver, count: int) -> None:
    for _ in range(count):
        driver.press(driver.dial("127"), "1")


async def test_a_surge_is_told_once_with_what_is_usual_and_ends_with_its_hour(driver: Driver, archive: Archive) -> None:
    watch = watch_of(driver)
    with structlog.testing.capture_logs() as told:
        await watch.look()
        calls(driver, 5)
        await watch.look()
        await watch.look()
        (passport,) = watch.surges.topics
        driver.advance(3600)
        await watch.look()
    assert (passport.calls, passport.usual, passport.surges) == (5, 1.0, True)
    assert [(line["event"], line["topic"]) for line in told] == [
        ("surge.begins", PASSPORT),
        ("surge.ends", PASSPORT),
    ]
    assert archive.asked == [
        [START - timedelta(weeks=week) for week in range(1, 7)],
        [START + timedelta(hours=1) - timedelta(weeks=week) for week in range(1, 7)],
    ]


async def test_while_the_database_is_away_nothing_is_known_and_it_is_asked_again_later(
    driver: Driver, archive: Archive
) -> None:
    archive.answer = UnreachableError("PostgreSQL cannot be reached")
    watch = watch_of(driver)
    calls(driver, 9)
    with structlog.testing.capture_logs() as told:
        await watch.look()
        await watch.look()
        assert watch.surges == SurgesNow(unknown="PostgreSQL cannot be reached")
        assert len(archive.asked) == 1
        driver.advance(RETRY_S)
        await watch.look()
        archive.answer = PastCalls(6, {})
        driver.advance(RETRY_S)
        await watch.look()
    assert [one.surges for one in watch.surges.topics] == [True]
    assert [line["event"] for line in told] == ["surge.not_known", "surge.begins"]


@pytest.mark.parametrize(
    ("url", "why"),
    [(None, "there is no database"), (URL, "there are no records of this hour in past weeks")],
)
async def test_without_a_past_it_says_so(driver: Driver, archive: Archive, url: str | None, why: str) -> None:
    archive.answer = PastCalls(0, {})
    watch = watch_of(driver, url)
    assert watch.surges == SurgesNow(is_asking=True)
    await watch.look()
    assert watch.surges == SurgesNow(unknown=why)


async def test_where_nobody_is_to_be_told_nobody_asks(driver: Driver, archive: Archive) -> None:
    driver.exchange.floor.rulebook = replace(driver.rules, surge=None)
    watch = watch_of(driver)
    await watch.look()
    assert (watch.surges, archive.asked) == (SurgesNow(), [])


async def test_another_rule_asks_anew(driver: Driver, archive: Archive) -> None:
    watch = watch_of(driver)
    await watch.look()
    driver.exchange.floor.rulebook = replace(driver.rules, surge=SurgeRule(2, 2, 3))
    await watch.look()
    assert list(map(len, archive.asked)) == [6, 2]


async def test_it_looks_again_and_again(driver: Driver, archive: Archive) -> None:
    watch = watch_of(driver)
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(5):
        while not watch.surges.topics:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
