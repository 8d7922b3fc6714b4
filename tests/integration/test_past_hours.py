"""How many calls of a topic past hours had, from a real database."""

from datetime import timedelta

import asyncpg
import pytest

from callrouter.errors import UnreachableError
from callrouter.store.past_hours import PastCalls, calls_of_hours
from callrouter.store.postgres import insert_cdrs
from tests.fakes import cdrs

pytestmark = pytest.mark.postgres

HOUR = cdrs.EVENING.replace(minute=0)


async def test_calls_count_by_topic_in_the_hours_that_there_are_records_of(
    database: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    week = timedelta(weeks=1)
    edges = (HOUR - week, HOUR - week + timedelta(minutes=59, seconds=59), HOUR - week + timedelta(hours=1))
    calls = [cdrs.handled(started_at=at, topic="passport") for at in edges]
    calls += [cdrs.handled(started_at=HOUR - 2 * week, topic=topic) for topic in ("passport", "tourism", None)]
    await insert_cdrs(connection, calls)
    hours = [HOUR - number * week for number in range(1, 7)]
    assert await calls_of_hours(database, hours) == PastCalls(2, {"passport": 3, "tourism": 1})


async def test_without_any_record_nothing_is_known(database: str) -> None:
    assert await calls_of_hours(database, [HOUR]) == PastCalls(0, {})


async def test_a_database_that_is_away_is_said() -> None:
    with pytest.raises(UnreachableError):
        await calls_of_hours("postgresql://x@127.0.0.1:1/x", [HOUR])
