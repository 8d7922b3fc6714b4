"""Who connects to the pages and asks for nothing makes room for whoever does ask."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from callrouter.web.crowd import Crowd

MOST = 3
PATIENCE_S = 5.0


class Scene:
    """A server that answers ``/slow`` when it is let."""

    def __init__(self, crowd: Crowd, port: int, let: asyncio.Event, asked: asyncio.Semaphore) -> None:
        self.crowd = crowd
        self.port = port
        self.let = let
        self.asked = asked

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def get(self, path: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    let, asked = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(_: web.Request) -> web.Response:
        asked.release()
        await let.wait()
        return web.Response()

    async def quick(_: web.Request) -> web.Response:
        return web.Response()

    application = web.Application()
    application.router.add_get("/slow", slow)
    application.router.add_get("/quick", quick)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    crowd = Crowd(runner.server, runner.server, MOST)
    listener = await asyncio.get_running_loop().create_server(crowd, "127.0.0.1", 0)
    yield Scene(crowd, listener.sockets[0].getsockname()[1], let, asked)
    listener.close()
    await runner.cleanup()


async def test_the_one_that_has_been_silent_for_longest_makes_room(scene: Scene) -> None:
    silent = [await scene.connect() for _ in range(MOST)]
    assert await scene.get("/quick") == 200
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionResetError):
            assert not await silent[0][0].read(1), "it is closed"
    assert (scene.crowd.closed, scene.crowd.sent_away) == (1, 0)
    for _, writer in silent:
        writer.transport.abort()


async def test_where_all_are_being_answered_the_newcomer_is_sent_away_and_comes_back(scene: Scene) -> None:
    busy = [asyncio.create_task(scene.get("/slow")) for _ in range(MOST)]
    for _ in busy:
        await scene.asked.acquire()
    assert await scene.get("/quick") == 503
    assert (scene.crowd.closed, scene.crowd.sent_away) == (0, 1)
    scene.let.set()
    assert [await one for one in busy] == [200] * MOST
    assert await scene.get("/quick") == 200


async def test_many_at_once_are_no_more_than_may_be(scene: Scene) -> None:
    many = await asyncio.gather(*(scene.connect() for _ in range(10 * MOST)))
    assert await scene.get("/quick") == 200
    for _, writer in many:
        writer.transport.abort()
    assert scene.crowd._coming == 0
    assert len(scene.crowd._server.connections) <= MOST
