"""``callrouter remembered`` asks the daemon that runs."""

import json
from collections.abc import Iterator

import msgspec
import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from tests.cli.users import is_of
from tests.fakes.remembered import NOBODY, FakeRemembering
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread


@pytest.fixture
def memory() -> FakeRemembering:
    return FakeRemembering()


@pytest.fixture
def daemon(memory: FakeRemembering) -> Iterator[str]:
    """The URL of a web server."""
    with in_thread(WebServer("127.0.0.1", 0, FakeStatus(), Desks(remembering=memory))) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["remembered", *arguments], input=stdin, catch_exceptions=False)


def test_callers_are_counted(daemon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")
    result = run("--url", daemon)
    assert result.exit_code == 0
    assert result.stdout.startswith("2 callers remembered, the last until 2027-05-23 ")


def test_that_there_is_nobody_is_no_failure(daemon: str, memory: FakeRemembering) -> None:
    memory.kept = NOBODY
    result = run("--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "no caller is remembered\n")


def test_programs_get_the_count_as_json(daemon: str) -> None:
    assert json.loads(run("--url", daemon, "--json").stdout) == {
        "callers": 2,
        "until": "2027-05-23T01:00:00Z",
        "error": None,
    }


def test_a_caller_is_forgotten_and_the_daemon_told_who_asked(
    daemon: str, memory: FakeRemembering, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_of(monkeypatch, "kim")
    result = run("forget", "010-1234-5678", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "1 caller forgotten; 1 left\n")
    assert memory.asked == [("010-1234-5678", "kim")]


def test_a_number_need_not_stand_in_the_shells_history(daemon: str, memory: FakeRemembering) -> None:
    assert run("forget", "-", "--url", daemon, stdin="010-1234-5678\n").exit_code == 0
    assert memory.asked[0][0] == "010-1234-5678"


def test_all_are_forgotten(daemon: str, memory: FakeRemembering) -> None:
    result = run("forget", "--all", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "2 callers forgotten; 0 left\n")
    assert memory.asked[0][0] == "all"


def test_that_nothing_was_remembered_is_the_answer_no(daemon: str, memory: FakeRemembering) -> None:
    memory.forgotten = 0
    result = run("forget", "010-1234-5678", "--url", daemon)
    assert (result.exit_code, result.stdout) == (1, "nothing was remembered; 1 left\n")
    assert json.loads(run("forget", "010-1234-5678", "--json", "--url", daemon).stdout)["forgotten"] == 0


def test_what_is_not_on_disk_yet_is_said(daemon: str, memory: FakeRemembering) -> None:
    memory.error = "the disk is full"
    memory.kept = msgspec.structs.replace(NOBODY, error="the disk is full")
    for arguments in (("forget", "010-1234-5678"), ()):
        result = run(*arguments, "--url", daemon)
        assert result.stderr == "warning: not on disk yet, it is tried again: the disk is full\n"


@pytest.mark.parametrize("arguments", [(), ("010-1234-5678", "--all")])
def test_it_must_be_said_who_is_to_be_forgotten(
    daemon: str, memory: FakeRemembering, arguments: tuple[str, ...]
) -> None:
    result = run("forget", *arguments, "--url", daemon)
    assert result.exit_code == 2
    assert "write either a number, or --all" in result.stderr
    assert memory.asked == []


def test_a_number_that_is_never_remembered_is_wrong_usage(daemon: str) -> None:
    result = run("forget", "anonymous", "--url", daemon)
    assert result.exit_code == 2
    assert "nothing is ever remembered of such a number" in result.stderr


def test_without_a_daemon_it_says_so() -> None:
    for arguments in ((), ("forget", "--all")):
        result = run(*arguments, "--url", "http://127.0.0.1:1")
        assert result.exit_code == 3
        assert "the daemon cannot be reached at http://127.0.0.1:1" in result.stderr
