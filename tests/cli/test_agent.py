"""``callrouter agent`` shows the counselors of the daemon that runs, and logs them in and out."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.pins import Pin
from callrouter.web.agents import AgentRequest
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from tests.cli.users import is_of
from tests.fakes.attendance import REFUSED, FakeAttendance
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread


@pytest.fixture
def attendance() -> FakeAttendance:
    return FakeAttendance()


@pytest.fixture
def daemon(attendance: FakeAttendance, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a web server."""
    is_of(monkeypatch, "kim")
    with in_thread(WebServer("127.0.0.1", 0, FakeStatus(), Desks(attendance=attendance))) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["agent", *arguments], catch_exceptions=False)


def test_all_are_listed_with_what_they_do_and_what_was_said_of_them(daemon: str) -> None:
    result = run("--url", daemon)
    assert result.exit_code == 0
    head, first, *_ = result.stdout.splitlines()
    assert head.split() == ["agent", "name", "state", "for", "missed", "duty", "phone", "queues", "reason"]
    assert "on-call" in first
    assert "on-duty" in first


def test_programs_get_the_document(daemon: str) -> None:
    told = json.loads(run("--url", daemon, "--json").stdout)
    assert [one["state"] for one in told["agents"]] == ["on-call", "resting"]


@pytest.mark.parametrize("verb", ["login", "logout", "pause", "ready"])
def test_an_order_names_who_gave_it(daemon: str, attendance: FakeAttendance, verb: str) -> None:
    result = run(verb, "201", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "agent 201 is paused\n")
    assert attendance.asked == [AgentRequest("201", verb, "kim", "command")]  # type: ignore[arg-type]


def test_a_pause_has_a_reason(daemon: str, attendance: FakeAttendance) -> None:
    result = run("--url", daemon, "pause", "201", "--reason", "점심", "--json")
    assert json.loads(result.stdout)["message"] == "agent 201 is paused"
    assert attendance.asked[0].reason == "점심"


def test_too_long_a_reason_is_refused(daemon: str) -> None:
    result = run("pause", "201", "--reason", "x" * 201, "--url", daemon)
    assert (result.exit_code, "200 characters or less" in result.stderr) == (2, True)


def test_a_refusal_is_told_with_exit_status_1(daemon: str, attendance: FakeAttendance) -> None:
    attendance.report = REFUSED
    result = run("login", "299", "--url", daemon)
    assert (result.exit_code, result.stderr) == (1, 'there is no agent "299"\n')


def test_no_daemon_is_exit_status_3() -> None:
    assert CliRunner().invoke(main, ["agent", "--url", "http://127.0.0.1:9"]).exit_code == 3


def test_a_pin_is_made_into_what_is_written_in_the_rules_and_does_not_show() -> None:
    result = CliRunner().invoke(main, ["agent", "pin"], input="2580\n2580\n", catch_exceptions=False)
    assert result.exit_code == 0
    *_, line = result.stdout.splitlines()
    assert Pin.parse(line.removeprefix("pin: ")).matches("2580")
    assert "2580" not in result.stdout.replace(line, "")


def test_what_is_no_pin_is_wrong_usage() -> None:
    result = run("pin", "--pin", "12")
    assert (result.exit_code, "a PIN is 4 to 12 digits; choose another" in result.stderr) == (2, True)


def test_of_which_queues_he_takes_calls_is_asked_for_by_name(daemon: str, attendance: FakeAttendance) -> None:
    assert run("serve", "201", "changwon", "night", "--url", daemon).exit_code == 0
    assert run("serve", "201", "--url", daemon).exit_code == 0
    assert [(one.verb, one.queues) for one in attendance.asked] == [("serve", ("changwon", "night")), ("serve", ())]
