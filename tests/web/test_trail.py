"""The audit log over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import msgspec
import pytest

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.web.trail import AuditDocument, AuditSearchRequest
from tests.fakes.status import AT
from tests.web.asking import JSON
from tests.web.guarded import Office, bearer

PLACE = "/api/v1/audit"
ENTRY = AuditEntry(AT, "kim", AuditKind.SWITCH, "typhoon", "off", "on", "command")


@pytest.fixture
def office() -> Office:
    office = Office()
    office.trail.entries.append(ENTRY)
    return office


@pytest.fixture
async def client(office: Office) -> AsyncIterator[aiohttp.ClientSession]:
    async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


async def test_an_auditor_reads_what_fits_and_that_he_did_is_noted(
    client: aiohttp.ClientSession, office: Office
) -> None:
    query = {"since": "2026-11-24T00:00:00Z", "who": "kim", "limit": "10"}
    async with client.get(PLACE, params=query, headers=bearer("auditor")) as answer:
        assert msgspec.json.decode(await answer.read(), type=AuditDocument) == AuditDocument((ENTRY,))
    assert office.trail.searched == [AuditSearchRequest(datetime(2026, 11, 24, tzinfo=UTC), None, "kim", None, 10)]
    noted = office.trail.entries[-1]
    assert (noted.kind, noted.who, noted.name, noted.was) == (AuditKind.ACCESS, "auditor", PLACE, "GET")


@pytest.mark.parametrize(
    "query",
    [
        "since=soon", "limit=0", "limit=1001", "since=2026-11-24T00:00:00", "what=all", "who=a%00b", "name=%00",
        "since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59-14:00",
    ],
)  # fmt: skip
async def test_what_is_no_search_says_how_one_is_written(client: aiohttp.ClientSession, query: str) -> None:
    async with client.get(f"{PLACE}?{query}", headers=bearer("auditor")) as answer:
        assert answer.status == 400
        assert "write ?since=2026-11-24T00:00:00Z&limit=100" in (await answer.json())["error"]


@pytest.mark.parametrize(
    ("trouble", "why"), [("is_away", "PostgreSQL cannot be reached"), ("", "there is no database")]
)
async def test_without_its_database_it_says_so(
    client: aiohttp.ClientSession, office: Office, trouble: str, why: str
) -> None:
    office.trail.is_away, office.trail.has_database = bool(trouble), False
    async with client.get(PLACE, headers=bearer("auditor")) as answer:
        assert (answer.status, why in (await answer.json())["error"]) == (503, True)


async def test_a_recording_is_heard_from_anywhere_by_who_may(
    client: aiohttp.ClientSession, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp.web.BaseRequest, "remote", "192.0.2.1")
    place = "/api/v1/recordings/12/fetch"
    async with client.post(place, data='{"note": "complaint"}', headers={**JSON, **bearer("auditor")}) as answer:
        assert answer.status == 404, "asked for and not there"
    ((_, asked),) = office.recordings.asked
    assert asked.who == "auditor"
    assert (office.trail.entries[-1].address, office.trail.entries[-1].note) == ("192.0.2.1", "note=complaint")
