"""What is served, to whom, and what is not."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from callrouter.core.ids import SiteName
from callrouter.descriptors import Descriptors
from callrouter.errors import UnreachableError
from callrouter.web.server import HEADERS, WebServer
from callrouter.web.sources import DatabaseHealth, InboxHealth, JournalHealth, MemoryHealth, SiteHealth
from callrouter.web.status import StatusDocument
from tests.fakes.status import AT, FakeStatus
from tests.web.asking import JSON
from tests.web.guarded import SETTINGS, Office, bearer

PATHS = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/status",
    "/api/v1/queues",
    "/api/v1/voicemail",
    "/api/v1/callbacks",
    "/api/v1/openapi.json",
    "/static/status.css",
    "/static/login.js",
)


async def readiness(client: aiohttp.ClientSession) -> tuple[int, dict[str, object]]:
    async with client.get("/readyz") as answer:
        return answer.status, await answer.json()


async def test_a_daemon_that_takes_calls_is_ready(client: aiohttp.ClientSession) -> None:
    assert await readiness(client) == (200, {"ready": True, "hindrances": [], "remarks": []})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"draining": True}, "draining: calls in progress go on, no new ones are taken"),
        ({"replaced": True}, "another daemon took our application in Asterisk; stop one of the two"),
        ({"dispatcher_alive": False}, "the dispatcher does not run; restart callrouter and look into its log"),
        (
            {"sites": (SiteHealth(SiteName("hall"), "도청", False, "refused", AT),)},
            "no Asterisk is connected (hall: refused)",
        ),
        ({"sites": ()}, "no Asterisk is connected (none is configured)"),
    ],
)
async def test_a_daemon_that_takes_no_calls_says_why(
    client: aiohttp.ClientSession, source: FakeStatus, change: dict[str, object], why: str
) -> None:
    source.condition = replace(source.condition, **change)  # type: ignore[arg-type]
    status, told = await readiness(client)
    assert (status, told["ready"], told["hindrances"]) == (503, False, [why])


async def test_an_absent_database_is_told_but_calls_are_taken(
    client: aiohttp.ClientSession, source: FakeStatus
) -> None:
    source.condition = replace(source.condition, database=DatabaseHealth(False, 12, "refused", AT))
    status, told = await readiness(client)
    assert status == 200
    assert told["remarks"] == ["PostgreSQL is away (refused); 12 CDRs wait in the journal"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"inbox": InboxHealth(0, 10, dropped=8)},
            "8 events found no room; what they told was found out by comparing",
        ),
        (
            {"inbox": InboxHealth(0, 10, failures=9)},
            "the handling of 9 events failed, which is a defect; see the log, and report it",
        ),
        (
            {"database": DatabaseHealth(True, 0, None, AT, set_aside=2)},
            "PostgreSQL would not take 2 CDRs: callrouter cdr --set-aside says why",
        ),
        (
            {"memory": MemoryHealth(3, "disk full")},
            "what callers let us remember cannot be written: disk full; it is tried again",
        ),
        (
            {"database": DatabaseHealth(True, 0, None, AT, rules_refused=2)},
            "PostgreSQL would not take 2 versions of the rules, which are missing from the history; the log says why",
        ),
        (
            {"database": DatabaseHealth(True, 0, None, AT, audit_refused=2)},
            "PostgreSQL would not take 2 entries of the audit log, which are missing there; the daemon's log says why",
        ),
        (
            {"descriptors": Descriptors(190, 200)},
            "190 of 200 file descriptors are in use; see who connects, and raise LimitNOFILE in the systemd unit",
        ),
        (
            {"not_taken": "more than 8 calls at once"},
            "callers are turned away: more than 8 calls at once; see limits: in callrouter.yaml",
        ),
        ({"clock_drift_s": 12.34}, "this machine's clock is 12.3 s ahead of the daemon's; it is coming round"),
        ({"clock_drift_s": -12.34}, "this machine's clock is 12.3 s behind the daemon's; it is coming round"),
    ],
)
async def test_what_else_is_amiss_is_told_but_calls_are_taken(
    client: aiohttp.ClientSession, source: FakeStatus, change: dict[str, object], told: str
) -> None:
    source.condition = replace(source.condition, **change)  # type: ignore[arg-type]
    assert await readiness(client) == (200, {"ready": True, "hindrances": [], "remarks": [told]})


@pytest.mark.parametrize(
    ("journal", "told"),
    [
        (JournalHealth("disk full", 7), ["the journal cannot be written: disk full; 7 records wait in memory"]),
        (JournalHealth(None, dropped=5), ["the journal had no room for 5 records, which are gone"]),
        (JournalHealth(None, lost=("a damaged file",)), ["the journal has lost: a damaged file"]),
        (
            JournalHealth(None, lost=("a", "b", "c", "d", "e")),
            [
                "the journal has lost records 2 times more than is told here; see the log",
                *(f"the journal has lost: {what}" for what in "cde"),
            ],
        ),
    ],
)
async def test_trouble_with_the_journal_is_told_but_calls_are_taken(
    client: aiohttp.ClientSession, source: FakeStatus, journal: JournalHealth, told: list[str]
) -> None:
    source.condition = replace(source.condition, journal=journal)
    assert await readiness(client) == (200, {"ready": True, "hindrances": [], "remarks": told})


async def test_one_site_of_two_is_enough_and_the_other_is_told(
    client: aiohttp.ClientSession, source: FakeStatus
) -> None:
    other = SiteHealth(SiteName("jinju"), "진주", False, "no answer", AT)
    source.condition = replace(source.condition, sites=(*source.condition.sites, other))
    status, told = await readiness(client)
    assert (status, told["remarks"]) == (200, ["site jinju is not connected: no answer"])


async def test_sites_whose_channels_cannot_be_told_apart_are_told(
    client: aiohttp.ClientSession, source: FakeStatus
) -> None:
    sites = (replace(source.condition.sites[0], is_namesake=True),)
    source.condition = replace(source.condition, sites=sites)
    status, told = await readiness(client)
    assert (status, "give each a systemname" in str(told["remarks"])) == (200, True)


async def test_the_daemon_is_alive_while_its_dispatcher_is(client: aiohttp.ClientSession, source: FakeStatus) -> None:
    source.condition = replace(source.condition, sites=(), draining=True)
    async with client.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"alive": True})
    source.condition = replace(source.condition, dispatcher_alive=False)
    async with client.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (503, {"alive": False})


async def test_the_status_is_the_documented_type_and_masks_callers(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/status") as answer:
        body = await answer.read()
    status = msgspec.json.decode(body, type=StatusDocument)
    assert [call.caller for call in status.calls] == ["055-225-****", "010-2345-****"]
    assert (status.queues[0].waiting, status.agents[1].misses, status.trunks[0].in_use) == (1, 2, 1)
    assert (status.ready, status.totals.ended) == (True, {"handled": 2, "abandoned": 1})
    assert status.database is not None
    assert status.database.backlog == 7


@pytest.mark.parametrize("path", PATHS)
async def test_no_answer_holds_a_residents_number(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        text = await answer.text()
    assert answer.status == 200
    assert text
    for number in ("0552251234", "225-1234", "01023456789", "6789"):
        assert number not in text


@pytest.mark.parametrize("path", [*PATHS, "/nothing-here"])
async def test_every_answer_has_the_headers_that_protect_it(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/login", {}, b"", 200),
        ("GET", "/", {}, b"", 303),
        ("HEAD", "/healthz", {}, b"", 200),
        ("DELETE", "/api/v1/session", bearer("admin"), b"", 204),
        ("POST", "/api/v1/agents", {**JSON, **bearer("admin")}, b"{", 400),
        ("GET", "/api/v1/status", {}, b"", 401),
        ("POST", "/api/v1/reload", {**JSON, **bearer("agent")}, b"{}", 403),
        ("GET", "/nothing", bearer("admin"), b"", 404),
        ("DELETE", "/api/v1/status", bearer("admin"), b"", 405),
        ("POST", "/api/v1/reload", {**JSON, **bearer("admin")}, b" " * 5000, 413),
        ("POST", "/api/v1/reload", {"Content-Type": "text/plain", **bearer("admin")}, b"{}", 415),
        ("GET", "/healthz", {"Expect": "a miracle"}, b"", 417),
        ("POST", "/api/v1/hand-over", {**JSON, **bearer("admin")}, b"{}", 503),
        ("POST", "/api/v1/recordings/12/fetch", {**JSON, **bearer("admin")}, b'{"who": "kim"}', 200),
    ],
)
async def test_every_kind_of_answer_has_them(
    tmp_path: Path, method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    office = Office()
    office.recordings.found = tmp_path / "12.wav"
    (tmp_path / "12.wav").write_bytes(b"RIFF")
    async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        asked = client.request(method, path, headers=headers, data=body or None, allow_redirects=False)
        async with asked as answer:
            assert answer.status == status
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_who_asks_too_often_gets_them_too() -> None:
    office = Office(settings=replace(SETTINGS, requests_per_s=1))
    async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        for _ in range(4):
            assert (await client.get("/healthz")).status == 200
        async with client.get("/healthz") as answer:
            assert answer.status == 429
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_nothing_can_be_changed_here(client: aiohttp.ClientSession, method: str) -> None:
    async with client.request(method, "/api/v1/status") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"
        assert await answer.json() == {"error": "Method Not Allowed"}


async def test_an_unknown_path_is_a_json_fault(client: aiohttp.ClientSession) -> None:
    async with client.get("/static/../server.py") as answer:
        assert (answer.status, await answer.json()) == (404, {"error": "Not Found"})


async def test_headers_without_end_are_refused(server: WebServer, client: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000)
        await writer.drain()
        first = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert first.split()[1] == b"400"
    async with client.get("/healthz") as answer:
        assert answer.status == 200


async def test_a_defect_is_logged_and_not_told(client: aiohttp.ClientSession, source: FakeStatus) -> None:
    source.error = ZeroDivisionError("secret of the house")
    with capture_logs() as logs:
        async with client.get("/api/v1/status") as answer:
            text = await answer.text()
    assert answer.status == 500
    assert "secret" not in text
    assert [entry["event"] for entry in logs] == ["web.answer_failed"]


async def test_a_taken_port_says_what_to_do(server: WebServer, source: FakeStatus) -> None:
    with pytest.raises(UnreachableError, match=rf"127\.0\.0\.1:{server.port}: .*; free the port, or set another"):
        async with WebServer("127.0.0.1", server.port, source):
            pass


async def test_leaving_frees_the_port_within_a_moment(source: FakeStatus) -> None:
    async with WebServer("127.0.0.1", 0, source) as first:
        port = first.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        assert await reader.read() == b""  # an idle connection is closed too
        writer.close()
        await writer.wait_closed()
    async with WebServer("127.0.0.1", port, source) as second:
        assert second.port == port


async def test_run_serves_until_cancelled(source: FakeStatus) -> None:
    server = WebServer("127.0.0.1", 0, source)
    task = asyncio.create_task(server.run())
    async with asyncio.timeout(5):
        while server.port == 0:  # noqa: ASYNC110 - nobody tells when it listens
            await asyncio.sleep(0.01)
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{server.port}/healthz") as answer:
            assert answer.status == 200
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_api_description_covers_what_is_served(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        document = await answer.json()
    assert document["openapi"] == "3.1.0"
    readable = {path: operations for path, operations in document["paths"].items() if "get" in operations}
    orders = {
        "/api/v1/reload",
        "/api/v1/remembered/forget",
        "/api/v1/calls",
        "/api/v1/calls/{call_id}/number",
        "/api/v1/hand-over",
        "/api/v1/take-over",
    }
    orders |= {f"/api/v1/recordings/{{number}}/{verb}" for verb in ("fetch", "delete")}
    assert set(document["paths"]) - set(readable) == orders, "see their own modules: test_calls.py and so on"
    for path, operations in readable.items():
        async with client.get(path) as answer:
            assert str(answer.status) in operations["get"]["responses"]
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    for name in schemas:
        assert f"#/components/schemas/{name}" in text or name == "Fault"
    assert set(schemas["StatusDocument"]["properties"]) == set(StatusDocument.__struct_fields__)
