"""Lock and term of the leader, for daemons on several machines: a real PostgreSQL says who may begin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from callrouter.core.leading import Sign
from callrouter.errors import JournalFencedError
from callrouter.store.postgres import connected
from callrouter.store.term_lock import TermLock

pytestmark = pytest.mark.postgres

NAMES = ("hall:callrouter",)
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
PATIENCE_S = 10.0


def lock(url: str, *, lease_s: float = 5.0, patience_s: float = 0.0, signs: list[Sign] | None = None) -> TermLock:
    told = signs if signs is not None else []
    return TermLock(url, NAMES, lease_s=lease_s, beat_s=0.05, patience_s=patience_s, on_sign=told.append)


@asynccontextmanager
async def kept(one: TermLock) -> AsyncIterator[None]:
    keeping = asyncio.create_task(one.keep())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await one.release()


async def begun(one: TermLock, known: int = 0) -> int:
    """Its term; the first of a database has to make the table before."""
    async with asyncio.timeout(PATIENCE_S):
        while await one.begin(None, known) is not Sign.LOCK_OURS:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
    assert one.term is not None
    return one.term


async def until_sign(signs: list[Sign], *wanted: Sign) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while tuple(signs[-len(wanted) :]) != wanted:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


async def end_sessions(url: str) -> None:
    async with connected(url) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


async def test_each_that_begins_counts_the_term_up_and_only_under_the_lock(database: str) -> None:
    first, second = lock(database), lock(database)
    assert await begun(first) == 1
    sure = [first.is_sure]
    assert await second.begin(None, 0) is Sign.LOCK_ELSEWHERE
    assert second.term is None
    await first.release()
    sure.append(first.is_sure)
    assert sure == [True, False]
    assert await begun(second) == 2
    await second.release()
    assert await begun(first, known=6) == 7, "a database that was put back knows less than the journals"
    await first.release()


async def test_a_leader_that_hung_loses_the_lock_and_is_told_when_it_wakes(database: str) -> None:
    hangs, other = lock(database, lease_s=0.3), lock(database)
    await begun(hangs)
    assert await begun(other) == 2
    with pytest.raises(JournalFencedError, match="term 1 is over, 2 has begun"):
        await hangs.prove(PATIENCE_S)
    assert not hangs.is_sure
    await other.release()
    await hangs.release()


async def test_of_a_proof_and_a_beginning_only_the_first_is_valid(database: str) -> None:
    slept, other = lock(database, lease_s=0.3), lock(database)
    await begun(slept)
    async with asyncio.timeout(PATIENCE_S):
        while slept._session.is_open:  # noqa: ASYNC110 - the server ends it
            await asyncio.sleep(0.02)
    assert await slept.prove(PATIENCE_S)
    assert (slept.proofs, slept.is_sure) == (1, True)
    assert await other.begin((1, 0), 1) is Sign.LOCK_ELSEWHERE, "it has proven itself since it was heard"
    assert await other.begin((1, 1), 1) is Sign.LOCK_OURS, "and now it has slept again"
    with pytest.raises(JournalFencedError):
        await slept.prove(PATIENCE_S)
    await other.release()
    await slept.release()


async def test_a_leader_whose_session_is_lost_claims_the_lock_again(database: str) -> None:
    signs: list[Sign] = []
    leads = lock(database, signs=signs)
    await begun(leads)
    async with kept(leads):
        await until_sign(signs, Sign.LOCK_OURS)
        before = leads._session._connection
        await end_sessions(database)
        async with asyncio.timeout(PATIENCE_S):
            while leads._session._connection is before or not leads._has_lock:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        other = lock(database)
        assert await other.begin(None, 1) is Sign.LOCK_ELSEWHERE
        await other.release()
    assert Sign.FENCED not in signs


async def test_a_leader_that_was_away_is_told_that_another_has_begun(database: str) -> None:
    signs: list[Sign] = []
    away, other = lock(database, signs=signs), lock(database)
    await begun(away)
    await away.release()  # its session ended
    await begun(other)
    async with kept(away):
        await until_sign(signs, Sign.FENCED)
    assert not away.is_sure
    await other.release()


async def test_what_was_begun_without_postgresql_is_known_there_when_it_is_back(database: str) -> None:
    signs: list[Sign] = []
    old, ordered = lock(database), lock(database, signs=signs)
    await begun(old)
    await old.release()
    ordered.term = 2
    assert not await ordered.prove(PATIENCE_S), "it is not known yet, and nobody else's"
    async with kept(ordered):
        await until_sign(signs, Sign.LOCK_OURS)
    with pytest.raises(JournalFencedError):
        await old.prove(PATIENCE_S)
    await old.release()


async def test_without_a_server_nobody_begins_and_nobody_is_told_to_stop() -> None:
    signs: list[Sign] = []
    one = lock(NOWHERE, signs=signs)
    assert await one.begin(None, 0) is Sign.NO_ARBITER
    one.term = 1
    async with kept(one):
        await until_sign(signs, Sign.LOCK_UNKNOWN)
    assert not await one.prove(0.5)


async def test_a_server_that_is_just_back_is_left_to_the_leader_at_first(database: str) -> None:
    await begun(first := lock(database))
    await first.release()
    waits = lock(NOWHERE, patience_s=0.5)
    assert await waits.begin(None, 1) is Sign.NO_ARBITER
    waits._session.url = database
    began_s = asyncio.get_running_loop().time()
    assert await waits.begin(None, 1) is Sign.NO_ARBITER
    assert await begun(waits) == 2
    assert asyncio.get_running_loop().time() - began_s >= 0.5
    await waits.release()


async def test_one_who_has_waited_for_long_and_was_let_go_of_by_the_server_begins_at_once(database: str) -> None:
    first, waits = lock(database), lock(database, lease_s=0.3, patience_s=PATIENCE_S)
    await begun(first)
    assert await waits.begin(None, 1) is Sign.LOCK_ELSEWHERE
    await first.release()
    assert waits._session._connection is not None
    waits._session._connection.terminate()
    assert await waits.begin(None, 1) is Sign.LOCK_OURS
    await waits.release()
