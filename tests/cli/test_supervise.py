"""``callrouter supervise`` lets a supervisor hear a conversation of the daemon that runs."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from callrouter.web.supervision import SupervisionRequest
from tests.cli.users import is_of
from tests.fakes.status import FakeStatus
from tests.fakes.supervision import REFUSED, FakeSupervision
from tests.fakes.threads import in_thread


@pytest.fixture
def supervision() -> FakeSupervision:
    return FakeSupervision()


@pytest.fixture
def daemon(supervision: FakeSupervision, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a web server."""
    is_of(monkeypatch, "chief")
    with in_thread(WebServer("127.0.0.1", 0, FakeStatus(), Desks(supervision=supervision))) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["supervise", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("verb", ["listen", "whisper", "barge", "stop"])
def test_an_order_names_the_call_the_phone_and_who_gave_it(
    daemon: str, supervision: FakeSupervision, verb: str
) -> None:
    result = run(verb, "c1", "--phone", "kim", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "the phone of kim rings, to listen to call c1\n")
    request = SupervisionRequest(verb, "kim", "chief", "command")  # type: ignore[arg-type]
    assert supervision.asked == [("c1", request)]


def test_the_daemon_is_asked_for_the_conversation_of_a_counselor(daemon: str, supervision: FakeSupervision) -> None:
    assert run("listen", "--agent", "201", "--phone", "kim", "--url", daemon, "--json").exit_code == 0
    assert [call for call, _ in supervision.asked] == ["201"]


def test_a_refusal_is_told(daemon: str, supervision: FakeSupervision) -> None:
    supervision.report = REFUSED
    result = run("listen", "c1", "--phone", "lee", "--url", daemon)
    assert (result.exit_code, result.stderr) == (1, f"{REFUSED.message}\n")


@pytest.mark.parametrize("arguments", [("--phone", "kim"), ("c1", "--agent", "201", "--phone", "kim"), ("c1",)])
def test_neither_or_both_is_wrong_usage(daemon: str, arguments: tuple[str, ...]) -> None:
    assert run("listen", *arguments, "--url", daemon).exit_code == 2


def test_no_daemon_is_told() -> None:
    assert run("listen", "c1", "--phone", "kim", "--url", "http://127.0.0.1:1").exit_code == 3
