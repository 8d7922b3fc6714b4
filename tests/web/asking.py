"""Asking the API as programs do, rightly and wrongly."""

import aiohttp

from callrouter.web.server import WebServer
from tests.fakes.status import FakeStatus

JSON = {"Content-Type": "application/json"}


async def is_refused(
    client: aiohttp.ClientSession, place: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    """What is sent is answered with that status, and with what is wrong."""
    async with client.post(place, data=body, headers=headers) as answer:
        assert answer.status == status
        assert "error" in await answer.json()


async def nobody_serves(source: FakeStatus, place: str, body: bytes) -> None:
    """A server to which nothing but the status is given says that it cannot do it."""
    async with (
        WebServer("127.0.0.1", 0, source) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
        client.post(place, data=body, headers=JSON) as answer,
    ):
        assert answer.status == 503
