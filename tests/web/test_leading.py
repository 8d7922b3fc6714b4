"""One of several daemons: what it tells of that, and the orders to hand over and to take over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import aiohttp
import msgspec
import pytest

from callrouter.core.leading import CopyNow, LeadingNow, Role, Sign
from callrouter.web.leading import HandOverReport, HandOverRequest, TakeOverReport, TakeOverRequest
from callrouter.web.server import WebServer
from tests.fakes.status import AT, COPIED, LEADS, FakeStatus
from tests.web.asking import JSON

WAITS = LeadingNow(Role.STANDBY, AT, None, 0, 0, Sign.LOCK_UNKNOWN, "another daemon leads, or soon will")

TAKEN = HandOverReport(True, "another daemon leads now; this one waits")


@dataclass
class Desk:
    """Answers with ``report``, and remembers who asked."""

    report: HandOverReport = TAKEN
    asked: list[str] = field(default_factory=list)

    async def hand_over(self, request: HandOverRequest) -> HandOverReport:
        self.asked.append(request.who)
        return self.report

    async def take_over(self, request: TakeOverRequest) -> TakeOverReport:
        self.asked.append(f"{request.who} {request.force}")
        return TakeOverReport(self.report.ok, "as asked")


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def server(source: FakeStatus, desk: Desk) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source) as running:
        running.attend_lead(desk)
        yield running


@pytest.mark.parametrize(("is_done", "status"), [(True, 200), (False, 409)])
async def test_a_leader_is_asked_to_hand_over_and_says_what_became_of_it(
    client: aiohttp.ClientSession, desk: Desk, is_done: bool, status: int
) -> None:
    desk.report = msgspec.structs.replace(TAKEN, ok=is_done)
    async with client.post("/api/v1/hand-over", data=b'{"who": "kim"}', headers=JSON) as answer:
        assert answer.status == status
        assert msgspec.json.decode(await answer.read(), type=HandOverReport) == desk.report
    assert desk.asked == ["kim"]


@pytest.mark.parametrize(("is_done", "status"), [(True, 200), (False, 409)])
async def test_one_who_waits_is_ordered_to_lead_and_says_what_became_of_it(
    client: aiohttp.ClientSession, desk: Desk, is_done: bool, status: int
) -> None:
    desk.report = msgspec.structs.replace(TAKEN, ok=is_done)
    async with client.post("/api/v1/take-over", data=b'{"who": "kim", "force": true}', headers=JSON) as answer:
        assert (answer.status, await answer.json()) == (status, {"ok": is_done, "message": "as asked"})
    assert desk.asked == ["kim True"]


@pytest.mark.parametrize("path", ["/api/v1/hand-over", "/api/v1/take-over"])
async def test_where_no_other_may_wait_nothing_is_handed_over(source: FakeStatus, path: str) -> None:
    async with (
        WebServer("127.0.0.1", 0, source) as alone,
        aiohttp.ClientSession(f"http://127.0.0.1:{alone.port}") as client,
        client.post(path, data=b"{}", headers=JSON) as answer,
    ):
        assert answer.status == 503
        assert "standby:" in (await answer.json())["error"]


async def test_one_who_waits_takes_no_calls_and_says_only_that(
    client: aiohttp.ClientSession, source: FakeStatus
) -> None:
    source.condition = replace(source.condition, leading=WAITS, sites=())
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["hindrances"] == ["standby: another daemon leads, or soon will"]
    async with client.get("/healthz") as answer:
        assert answer.status == 200
    async with client.get("/api/v1/status") as answer:
        told = (await answer.json())["leading"]
    assert (told["role"], told["term"], told["words"]) == ("standby", None, "another daemon leads, or soon will")


@pytest.mark.parametrize(
    ("leading", "remark"),
    [
        (replace(LEADS, waiting=0), "no other daemon waits to take over; start one, or see why it does not run"),
        (
            replace(LEADS, lock=Sign.LOCK_ELSEWHERE),
            "PostgreSQL's lock of the leader is another's: a daemon with another state folder; stop one",
        ),
        (
            COPIED,
            None,
        ),
        (
            replace(COPIED, copy=None),
            "the other machine's copy of the journal is not whole: it would not know all calls",
        ),
        (
            replace(COPIED, copy=CopyNow(False, 40, 0.5)),
            "the other machine's copy of the journal is not whole: it would not know all calls",
        ),
        (
            replace(COPIED, copy=CopyNow(True, 40, 12.4)),
            "the other machine's copy of the journal is 12 s behind (40 commits): what came since would be unknown to"
            " it; see to its disk, and the network between the two",
        ),
        (
            replace(COPIED, lock=Sign.LOCK_UNKNOWN),
            "PostgreSQL does not say who leads: until it does, the other machine takes over only by order",
        ),
    ],
)
async def test_a_leader_that_nobody_could_relieve_says_so(
    client: aiohttp.ClientSession, source: FakeStatus, leading: LeadingNow, remark: str | None
) -> None:
    source.condition = replace(source.condition, leading=leading)
    async with client.get("/readyz") as answer:
        assert answer.status == 200
        assert (await answer.json())["remarks"] == ([remark] if remark is not None else [])


async def test_what_it_is_among_the_others_is_a_metric(client: aiohttp.ClientSession, source: FakeStatus) -> None:
    source.condition = replace(source.condition, leading=replace(LEADS, waiting=3))
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert 'callrouter_role{role="leading"} 1.0' in text
    assert 'callrouter_role{role="standby"} 0.0' in text
    assert "callrouter_standbys_waiting 3.0" in text
    assert "callrouter_leads_begun_total 2.0" in text
    assert "callrouter_leader_lock 1.0" in text
    assert "journal_copy" not in text, "there is one journal"
    source.condition = replace(source.condition, leading=replace(COPIED, copy=CopyNow(True, 4, 1.5)))
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert "callrouter_journal_copy_whole 1.0" in text
    assert "callrouter_journal_copy_behind 4.0" in text
    assert "callrouter_journal_copy_behind_seconds 1.5" in text
    source.condition = replace(source.condition, leading=None)
    async with client.get("/metrics") as answer:
        assert "callrouter_role" not in await answer.text(), "a daemon beside which no other may wait"


async def test_a_web_server_asks_whom_it_is_told_to_from_then_on(
    server: WebServer, client: aiohttp.ClientSession
) -> None:
    other = FakeStatus()
    other.condition = replace(other.condition, title="another")
    server.attend(other)
    async with client.get("/api/v1/status") as answer:
        assert (await answer.json())["service"]["title"] == "another"
