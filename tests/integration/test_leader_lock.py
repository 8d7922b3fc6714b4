"""The lock of the leader, in a real PostgreSQL: one has it, and loses it by silence or with its session."""

import asyncio
from contextlib import suppress

import pytest

from callrouter.core.leading import Sign
from callrouter.store.leader_lock import LeaderLock
from callrouter.store.postgres import connected

pytestmark = pytest.mark.postgres

NAMES = ("hall:callrouter",)
PATIENCE_S = 10.0


def lock(url: str | None, *names: str, lease_s: float = 5.0, signs: list[Sign] | None = None) -> LeaderLock:
    told = signs if signs is not None else []
    return LeaderLock(url, names or NAMES, lease_s=lease_s, beat_s=0.05, on_sign=told.append)


async def until_claimed(one: LeaderLock) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await one.claim() is not Sign.LOCK_OURS:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)


async def test_one_of_two_has_the_lock_until_it_lets_go(database: str) -> None:
    first, second = lock(database), lock(database)
    assert await first.claim() is Sign.LOCK_OURS
    assert await first.claim() is Sign.LOCK_OURS, "asking twice is no fault"
    assert await second.claim() is Sign.LOCK_ELSEWHERE
    await first.release()
    assert await second.claim() is Sign.LOCK_OURS
    await second.release()
    await second.release()


async def test_services_that_serve_other_asterisks_have_locks_of_their_own(database: str) -> None:
    ours, others = lock(database), lock(database, "port:callrouter")
    assert await ours.claim() is Sign.LOCK_OURS
    assert await others.claim() is Sign.LOCK_OURS
    await ours.release()
    await others.release()


async def test_a_leader_that_says_nothing_loses_the_lock(database: str) -> None:
    hangs, other = lock(database, lease_s=0.3), lock(database)
    assert await hangs.claim() is Sign.LOCK_OURS
    await until_claimed(other)
    await other.release()
    await hangs.release()


async def test_a_leader_that_says_something_keeps_the_lock_for_longer_than_its_lease(database: str) -> None:
    signs: list[Sign] = []
    leads, other = lock(database, lease_s=0.4, signs=signs), lock(database)
    assert await leads.claim() is Sign.LOCK_OURS
    keeping = asyncio.create_task(leads.keep())
    await asyncio.sleep(1.0)  # more than two leases
    assert await other.claim() is Sign.LOCK_ELSEWHERE
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await leads.release()
    assert signs == []


async def test_a_leader_whose_session_is_lost_claims_the_lock_again(database: str) -> None:
    signs: list[Sign] = []
    leads = lock(database, signs=signs)
    assert await leads.claim() is Sign.LOCK_OURS
    keeping = asyncio.create_task(leads.keep())
    async with connected(database) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    async with asyncio.timeout(PATIENCE_S):
        while signs[-2:] != [Sign.LOCK_UNKNOWN, Sign.LOCK_OURS]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    assert await lock(database).claim() is Sign.LOCK_ELSEWHERE
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await leads.release()


@pytest.mark.parametrize("url", [None, "postgresql://nobody@127.0.0.1:1/none", "no url at all"])
async def test_without_a_server_nothing_is_known(url: str | None) -> None:
    assert await lock(url).claim() is Sign.LOCK_UNKNOWN
