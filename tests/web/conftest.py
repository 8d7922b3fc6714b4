"""A web server on a free port, and someone who asks it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from callrouter.web.server import WebServer
from tests.fakes.status import FakeStatus


@pytest.fixture
def source() -> FakeStatus:
    return FakeStatus()


@pytest.fixture
async def server(source: FakeStatus) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source) as running:
        yield running


@pytest.fixture
async def client(server: WebServer) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", timeout=timeout) as session:
        yield session
