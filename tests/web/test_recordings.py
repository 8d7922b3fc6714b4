"""Recorded conversations over HTTP: the list, and the orders to fetch and to delete one, asked as programs do."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from callrouter.errors import AccessError
from callrouter.web.client import ask_to_delete_recording, fetch_recording
from callrouter.web.desks import Desks
from callrouter.web.recordings import DeleteRequest, FetchRequest, RecordingReport
from callrouter.web.server import WebServer
from tests.fakes.recordings import DELETED, REFUSED, FakeRecordings
from tests.fakes.status import FakeStatus
from tests.web.asking import JSON, is_refused, nobody_serves

PLACE = "/api/v1/recordings"


@pytest.fixture
def recordings() -> FakeRecordings:
    return FakeRecordings()


@pytest.fixture
async def server(source: FakeStatus, recordings: FakeRecordings) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(recordings=recordings)) as running:
        yield running


def url(server: WebServer) -> str:
    return f"http://127.0.0.1:{server.port}"


async def test_the_list_is_served(client: aiohttp.ClientSession) -> None:
    async with client.get(PLACE) as answer:
        assert (answer.status, await answer.json()) == (200, {"recordings": []})


async def test_a_file_is_given_out_to_who_says_who_it_is(
    server: WebServer, recordings: FakeRecordings, tmp_path: Path
) -> None:
    recordings.found = tmp_path / "talk.wav"
    recordings.found.write_bytes(b"RIFF" * 1000)
    request = FetchRequest("kim", "a complaint")
    assert await fetch_recording(url(server), 12, request) == b"RIFF" * 1000
    assert recordings.asked == [(12, request)]


async def test_it_is_sent_as_sound_that_nobody_keeps(
    client: aiohttp.ClientSession, recordings: FakeRecordings, tmp_path: Path
) -> None:
    recordings.found = tmp_path / "talk.wav"
    recordings.found.write_bytes(b"RIFF")
    async with client.post(f"{PLACE}/12/fetch", data=b'{"who": "kim"}', headers=JSON) as answer:
        assert (answer.status, answer.content_type) == (200, "audio/wav")
        assert answer.headers["Cache-Control"] == "no-store"


async def test_what_there_is_not_is_said_why(server: WebServer) -> None:
    assert await fetch_recording(url(server), 12, FetchRequest("kim")) == "recording 12 does not exist"


@pytest.mark.parametrize("report", [DELETED, REFUSED])
async def test_one_is_deleted_or_not(server: WebServer, recordings: FakeRecordings, report: RecordingReport) -> None:
    recordings.report = report
    request = DeleteRequest("kim", "on request", "command")
    assert await ask_to_delete_recording(url(server), 12, request) == report
    assert recordings.asked == [(12, request)]


@pytest.mark.parametrize(
    ("verb", "headers", "body", "status"),
    [
        ("fetch", {"Content-Type": "text/plain"}, b'{"who": "kim"}', 415),
        ("fetch", JSON, b"{}", 400),
        ("fetch", JSON, b'{"who": ""}', 400),
        ("delete", JSON, b'{"who": "kim"}', 400),
        ("delete", JSON, b'{"who": "kim", "why": ""}', 400),
        ("delete", JSON, b'{"who": "kim", "why": "' + b"x" * 201 + b'"}', 400),
    ],
)
async def test_what_is_no_such_order_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession,
    recordings: FakeRecordings,
    verb: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
) -> None:
    await is_refused(client, f"{PLACE}/12/{verb}", headers, body, status)
    assert recordings.asked == []


async def test_a_number_that_is_none_is_no_place(client: aiohttp.ClientSession) -> None:
    await is_refused(client, f"{PLACE}/x/fetch", JSON, b'{"who": "kim"}', 404)


async def test_a_database_that_is_away_is_said_so(
    client: aiohttp.ClientSession, server: WebServer, recordings: FakeRecordings
) -> None:
    recordings.is_broken = True
    async with client.get(PLACE) as answer:
        assert (answer.status, await answer.json()) == (503, {"error": "PostgreSQL refused what was asked"})
    await is_refused(client, f"{PLACE}/12/delete", JSON, b'{"who": "kim", "why": "on request"}', 503)
    assert await fetch_recording(url(server), 12, FetchRequest("kim")) == "PostgreSQL refused what was asked"


async def test_without_a_database_there_are_none(source: FakeStatus) -> None:
    await nobody_serves(source, f"{PLACE}/12/fetch", msgspec.json.encode(FetchRequest("kim")))


@pytest.mark.parametrize("remote", ["192.0.2.1", "", None])
async def test_no_other_machine_gets_a_recording(
    server: WebServer, recordings: FakeRecordings, remote: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp.web.BaseRequest, "remote", remote)
    with pytest.raises(AccessError, match="on the daemon's own machine alone"):
        await fetch_recording(url(server), 12, FetchRequest("kim"))
    with pytest.raises(AccessError, match="on the daemon's own machine alone"):
        await ask_to_delete_recording(url(server), 12, DeleteRequest("kim", "on request"))
    assert recordings.asked == []
