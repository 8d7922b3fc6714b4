"""``callrouter reload`` asks the daemon that runs."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.web.desks import Desks
from callrouter.web.reload import ReloadReport
from callrouter.web.server import WebServer
from tests.cli.users import is_of
from tests.fakes.reload import REFUSED, UNCHANGED, FakeReloader
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread


@pytest.fixture
def reloader() -> FakeReloader:
    return FakeReloader()


@pytest.fixture
def daemon(reloader: FakeReloader) -> Iterator[str]:
    """The URL of a web server."""
    with in_thread(WebServer("127.0.0.1", 0, FakeStatus(), Desks(reloader=reloader))) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["reload", *arguments], catch_exceptions=False)


def test_rules_that_were_taken_are_told_with_what_waits_for_a_restart(
    daemon: str, reloader: FakeReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_of(monkeypatch, "kim")
    result = run("--url", daemon)
    assert result.exit_code == 0
    assert result.stdout == (
        "taken: version new, was old\nnote: changes of sites:, web: take effect when the daemon is started anew\n"
    )
    assert result.stderr == "warning: routes.yaml:1:1: x; y\n"
    assert reloader.asked == ["kim"]


@pytest.mark.parametrize(
    ("report", "status", "out", "err"),
    [
        (UNCHANGED, 0, "nothing has changed: version old\n", ""),
        (REFUSED, 1, "", "\n".join([*REFUSED.errors, "refused; version old stays in force\n"])),
    ],
)
def test_what_became_of_it_is_told(
    daemon: str, reloader: FakeReloader, report: ReloadReport, status: int, out: str, err: str
) -> None:
    reloader.report = report
    result = run("--url", daemon)
    assert (result.exit_code, result.stdout, result.stderr) == (status, out, err)


def test_programs_get_the_whole_report(daemon: str, reloader: FakeReloader) -> None:
    reloader.report = REFUSED
    result = run("--url", daemon, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["errors"] == list(REFUSED.errors)


def test_without_a_daemon_it_says_so() -> None:
    result = run("--url", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "the daemon cannot be reached at http://127.0.0.1:1" in result.stderr


def test_why_and_what_is_expected_go_with_the_order(daemon: str, reloader: FakeReloader) -> None:
    assert run("--url", daemon, "--note", "Gimhae joins", "--expect", "0123456789ab").exit_code == 0
    (asked,) = reloader.requests
    assert (asked.note, asked.expect) == ("Gimhae joins", "0123456789ab")


@pytest.mark.parametrize("arguments", [("--force",), ("--to", "@1", "--note", "x"), ("--to", "@1", "--expect", "x")])
def test_options_that_do_not_go_together_are_refused(reloader: FakeReloader, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
    assert reloader.requests == []
