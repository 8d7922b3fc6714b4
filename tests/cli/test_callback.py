"""``callrouter callback`` has the daemon that runs call residents back, or no more, and shows how far it has come."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.web.calling_back import CallbackOrderRequest
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from tests.cli.users import is_of
from tests.fakes.returns import NOBODY, FakeReturns
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread


@pytest.fixture
def returns() -> FakeReturns:
    return FakeReturns()


@pytest.fixture
def daemon(returns: FakeReturns, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a web server."""
    is_of(monkeypatch, "kim")
    with in_thread(WebServer("127.0.0.1", 0, FakeStatus(), Desks(callbacks=returns))) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["callback", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("verb", ["call-now", "cancel"])
def test_an_order_names_who_gave_it(daemon: str, returns: FakeReturns, verb: str) -> None:
    result = run(verb, "8", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, f"{returns.report.message}\n")
    assert returns.asked == [CallbackOrderRequest("8", verb, "kim", "command")]  # type: ignore[arg-type]


def test_a_refusal_is_told_with_exit_status_1(daemon: str, returns: FakeReturns) -> None:
    returns.report = NOBODY
    result = run("cancel", "9", "--url", daemon)
    assert (result.exit_code, result.stderr) == (1, f"{NOBODY.message}\n")


def test_a_request_is_shown_as_it_stands(daemon: str) -> None:
    lines = dict(line.split(maxsplit=1) for line in run("show", "8", "--url", daemon).stdout.splitlines())
    assert (lines["id"], lines["queue"], lines["number"], lines["made_by"]) == ("8", "changwon", "055-225-****", "-")
    assert json.loads(run("show", "8", "--url", daemon, "--json").stdout)["id"] == 8


def test_a_request_that_is_not_listed_is_said_so(daemon: str) -> None:
    result = run("show", "9", "--url", daemon)
    assert result.exit_code == 1
    assert "request 9 is not listed; callrouter callback list shows those that there are" in result.stderr
