"""``callrouter hand-over`` asks the daemon that leads; ``callrouter status`` says who that is."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.leading import LeadingNow, Role, Sign
from callrouter.web.leading import HandOverReport, HandOverRequest
from callrouter.web.server import WebServer
from tests.fakes.status import AT, FakeStatus
from tests.fakes.threads import in_thread


class Desk:
    """Does what is asked, or not."""

    report = HandOverReport(True, "another daemon leads now; this one waits")

    async def hand_over(self, request: HandOverRequest) -> HandOverReport:
        return self.report


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def source() -> FakeStatus:
    return FakeStatus()


@pytest.fixture
def daemon(desk: Desk, source: FakeStatus) -> Iterator[str]:
    server = WebServer("127.0.0.1", 0, source)
    server.attend_lead(desk)
    with in_thread(server) as running:
        yield f"http://127.0.0.1:{running.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], catch_exceptions=False)


def test_a_leader_hands_over(daemon: str) -> None:
    result = run("hand-over", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "another daemon leads now; this one waits\n")


def test_why_nothing_was_handed_over_is_told(daemon: str, desk: Desk) -> None:
    desk.report = HandOverReport(False, "no other daemon waits")
    result = run("hand-over", "--url", daemon)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "no other daemon waits\n")
    assert json.loads(run("hand-over", "--url", daemon, "--json").stdout)["ok"] is False


def test_where_nobody_answers_nobody_hands_over() -> None:
    assert run("hand-over", "--url", "http://127.0.0.1:1").exit_code == 3


def test_status_says_who_leads_and_who_waits(daemon: str, source: FakeStatus) -> None:
    assert "leads for 1:00:00, term 7; 1 wait to take over" in run("status", "--url", daemon).stdout
    waits = LeadingNow(Role.STANDBY, AT, None, 0, 0, Sign.LOCK_UNKNOWN, "another daemon leads, or soon will")
    source.condition = replace(source.condition, leading=waits)
    told = run("status", "--url", daemon).stdout
    assert "TAKES NO CALLS" in told
    assert "! standby: another daemon leads, or soon will" in told
