"""What anybody can do with connections, send what is no HTTP, be slow, be many, costs neither log nor descriptors."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from structlog.testing import capture_logs

from callrouter.web import asking, listening
from callrouter.web.server import HEADERS, WebServer
from tests.fakes.status import FakeStatus
from tests.web.asking import JSON
from tests.web.guarded import Office, bearer

TIMEOUT_S = 5.0


async def said_to(port: int, *sent: bytes) -> bytes:
    """All that is answered to those bytes until the other side closes."""
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in sent:
            writer.write(part)
            await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"INVITE sip:120@x SIP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(80)) + b"\r\n",
    ],
)
async def test_what_is_no_http_is_answered_like_everything_else_and_is_no_error_of_ours(
    server: WebServer, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        answer = await said_to(server.port, sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 400" if b"HTTP/1.0" in head[:8] else b"HTTP/1.1 400")
    assert json.loads(body) == {"error": "this is no HTTP that is understood here"}
    for name, value in HEADERS.items():
        assert f"{name}: {value}".encode() in head
    assert b"aiohttp" not in answer
    assert [entry for entry in logs if entry["log_level"] != "debug"] == []
    assert caplog.records == []


async def test_a_body_that_breaks_off_or_is_no_chunk_is_no_error_of_ours(
    server: WebServer, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /api/v1/agents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        assert b"400" in (await said_to(server.port, head + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n{}"))[:12]
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + b"Content-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()
        async with client.get("/healthz") as answer:  # as late as the end of the other
            assert answer.status == 200
    assert [entry for entry in logs if entry["log_level"] != "debug"] == []
    assert caplog.records == []


async def test_a_body_that_does_not_come_is_not_waited_for(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BODY_S", 0.05)
    monkeypatch.setattr(listening, "LINGER_S", 0.05)
    head = b"POST /api/v1/agents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    answer = await said_to(server.port, head + b"Content-Length: 100\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_nothing_is_unpacked(client: aiohttp.ClientSession, encoding: str) -> None:
    body, headers = gzip.compress(b" " * 4_000_000), {**JSON, "Content-Encoding": encoding}
    async with client.post("/api/v1/agents", data=body, headers=headers, compress=None) as answer:
        assert (answer.status, "without Content-Encoding" in await answer.text()) == (415, True)


async def test_a_connection_that_says_nothing_is_closed_and_one_that_asks_is_not(
    source: FakeStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FIRST_REQUEST_S", 0.1)
    async with WebServer("127.0.0.1", 0, source) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await said_to(server.port, b"GET /healthz HT") == b""
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).count(b"HTTP/1.1 200") == 2
        writer.close()


class TestTokens:
    """Guessed by the thousand."""

    @pytest.fixture
    async def client(self) -> AsyncIterator[tuple[Office, aiohttp.ClientSession]]:
        office = Office()
        async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            yield office, session

    async def test_who_guesses_them_is_slowed_down_like_who_says_nothing(self) -> None:
        office = Office()
        office.settings = office.settings.__class__("127.0.0.1", 0, requests_per_s=2)
        async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
            found = []
            for number in range(12):
                headers = {"Authorization": f"Bearer {number}"}
                async with client.get("/api/v1/status", headers=headers) as answer:
                    found.append(answer.status)
            async with client.get("/api/v1/status", headers=bearer("operator")) as answer:
                assert answer.status == 200
        assert found == [401] * 8 + [429] * 4
        assert len(office.trail.entries) == 8

    async def test_a_wrong_one_keeps_nobody_from_what_is_open_to_anybody(
        self, client: tuple[Office, aiohttp.ClientSession]
    ) -> None:
        office, session = client
        for path in ("/healthz", "/readyz", "/login"):
            async with session.get(path, headers={"Authorization": "Bearer of long ago"}) as answer:
                assert answer.status == 200
        assert office.trail.entries == []
