"""``callrouter hand-over`` asks the daemon that leads, ``take-over`` one that waits; ``status`` says who that is."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.leading import LeadingNow, Role, Sign
from callrouter.web.leading import HandOverReport, HandOverRequest, TakeOverReport, TakeOverRequest
from callrouter.web.server import WebServer
from tests.fakes.status import AT, LEADS, FakeStatus
from tests.fakes.threads import in_thread


class Desk:
    """Does what is asked, or not."""

    report = HandOverReport(True, "another daemon leads now; this one waits")

    async def hand_over(self, request: HandOverRequest) -> HandOverReport:
        return self.report

    async def take_over(self, request: TakeOverRequest) -> TakeOverReport:
        return TakeOverReport(request.force, "this daemon leads now" if request.force else "see that the other is dead")


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


def test_one_who_waits_takes_over_only_if_somebody_says_that_the_other_is_dead(daemon: str) -> None:
    refused = run("take-over", "--url", daemon)
    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", "see that the other is dead\n")
    taken = run("take-over", "--force", "--url", daemon)
    assert (taken.exit_code, taken.stdout) == (0, "this daemon leads now\n")
    assert json.loads(run("take-over", "--force", "--url", daemon, "--json").stdout)["ok"] is True


def test_status_says_who_leads_and_who_waits(daemon: str, source: FakeStatus) -> None:
    assert "leads for 1:00:00, term 7; 1 wait to take over" in run("status", "--url", daemon).stdout
    assert "1 wait to take over, its copy whole, 1 commits behind" in run("status", "--url", daemon).stdout
    source.condition = replace(source.condition, leading=LEADS)
    assert "1 wait to take over\n" in run("status", "--url", daemon).stdout
    waits = LeadingNow(Role.STANDBY, AT, None, 0, 0, Sign.LOCK_UNKNOWN, "another daemon leads, or soon will")
    source.condition = replace(source.condition, leading=waits)
    told = run("status", "--url", daemon).stdout
    assert "TAKES NO CALLS" in told
    assert "! standby: another daemon leads, or soon will" in told
