"""Whether an Asterisk can be had from here is known by pings, which take nothing from whoever has it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from callrouter.ari.peer import Peer
from callrouter.ari.reach import Reach
from callrouter.core.ids import SiteName
from tests.fakes.ari import PATIENCE_S, Answer, FakeAri


@asynccontextmanager
async def asking(*peers: Peer) -> AsyncIterator[Reach]:
    reach = Reach(peers, every_s=0.01, answer_s=0.2)
    task = asyncio.create_task(reach.run())
    yield reach
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE_S)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - another task makes it true
            await asyncio.sleep(0.005)


async def test_one_that_answers_is_reached_and_no_application_is_taken(fake: FakeAri, peer: Peer) -> None:
    async with asking(peer) as reach:
        await until(lambda: reach.any)
    assert fake.connected == []


@pytest.mark.parametrize("answer", [Answer(503), Answer(200, after=asyncio.Event())], ids=["refuses", "is silent"])
async def test_one_that_does_not_answer_any_more_is_not(fake: FakeAri, peer: Peer, answer: Answer) -> None:
    async with asking(peer) as reach:
        await until(lambda: reach.any)
        fake.on("GET asterisk/ping", answer)
        await until(lambda: not reach.any)


async def test_one_of_several_is_enough(fake: FakeAri, peer: Peer) -> None:
    away = Peer(SiteName("away"), "http://127.0.0.1:1", "u", "p", "callrouter")
    async with asking(away, peer) as reach:
        await until(lambda: reach.any)
    async with asking(away) as reach:
        await asyncio.sleep(0.1)  # for some tries
        assert not reach.any
