"""``callrouter call`` shows the calls of the daemon that runs, holds them, and passes them on."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.web.calls import CallRequest
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from tests.cli.users import is_of
from tests.fakes.conversations import REFUSED, FakeConversations
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread


@pytest.fixture
def conversations() -> FakeConversations:
    return FakeConversations()


@pytest.fixture
def daemon(conversations: FakeConversations, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a web server."""
    is_of(monkeypatch, "kim")
    with in_thread(WebServer("127.0.0.1", 0, FakeStatus(), Desks(conversations=conversations))) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["call", *arguments], catch_exceptions=False)


def test_calls_are_listed_with_who_talks(daemon: str) -> None:
    result = run("--url", daemon)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == [
        "call",
        "state",
        "for",
        "queue",
        "agent",
        "with",
        "on",
        "hold",
        "recording",
    ]
    assert len(json.loads(run("--url", daemon, "--json").stdout)) == len(result.stdout.splitlines()) - 1


@pytest.mark.parametrize("verb", ["hold", "resume", "complete", "cancel"])
def test_an_order_names_who_gave_it(daemon: str, conversations: FakeConversations, verb: str) -> None:
    result = run(verb, "201", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "call 1: hold\n")
    assert conversations.asked == [CallRequest("201", verb, "", "kim", "command")]  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", ["transfer", "consult", "conference"])
def test_an_order_that_calls_somebody_names_whom(daemon: str, conversations: FakeConversations, verb: str) -> None:
    assert run(verb, "201", "205", "--url", daemon).exit_code == 0
    assert conversations.asked == [CallRequest("201", verb, "205", "kim", "command")]  # type: ignore[arg-type]
    assert run(verb, "201").exit_code == 2


def test_a_refusal_is_told_with_exit_status_1(daemon: str, conversations: FakeConversations) -> None:
    conversations.report = REFUSED
    result = run("hold", "201", "--url", daemon)
    assert (result.exit_code, result.stderr) == (1, "call 1 is queued: nobody talks\n")
