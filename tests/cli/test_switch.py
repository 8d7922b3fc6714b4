"""``callrouter switch`` shows and sets the switches of the daemon that runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from callrouter.web.switches import SwitchRequest
from tests.cli.users import is_of
from tests.fakes.status import FakeStatus, exchange_now
from tests.fakes.switches import REFUSED, FakeSwitcher
from tests.fakes.threads import in_thread

SAMPLE = Path(__file__).parents[2] / "config"


@pytest.fixture
def switcher() -> FakeSwitcher:
    return FakeSwitcher()


@pytest.fixture
def source() -> FakeStatus:
    return FakeStatus()


@pytest.fixture
def daemon(source: FakeStatus, switcher: FakeSwitcher, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a web server."""
    is_of(monkeypatch, "kim")
    with in_thread(WebServer("127.0.0.1", 0, source, Desks(switcher=switcher))) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["switch", *arguments], catch_exceptions=False)


def test_all_are_listed_with_who_and_until_when(daemon: str) -> None:
    result = run("--url", daemon)
    assert result.exit_code == 0
    head, on, off = result.stdout.splitlines()
    assert head.split() == ["switch", "title", "now", "since", "until", "by", "note"]
    assert on.split("  ")[0] == "typhoon"
    assert "on   2026-11-24 01:20  2026-11-24 07:30  kim  태풍 카눈" in on
    assert "off  -" in off
    assert off.endswith("at most 90 min")


def test_programs_get_the_document(daemon: str) -> None:
    told = json.loads(run("--url", daemon, "--json").stdout)
    assert [(one["switch"], one["on"]) for one in told["switches"]] == [("typhoon", True), ("night", False)]


def test_rules_without_switches_say_so(daemon: str, source: FakeStatus) -> None:
    source.exchange = msgspec.structs.replace(exchange_now(), switches=())
    assert run("--url", daemon).stdout == "the rules have no switches\n"


def test_switching_on_asks_for_it_with_who_how_long_and_why(daemon: str, switcher: FakeSwitcher) -> None:
    result = run("on", "typhoon", "--for", "1 h 30 min", "--note", "태풍\n카눈", "--url", daemon)
    assert (result.exit_code, result.stdout) == (0, "switch typhoon is on until 2026-11-24 16:30\n")
    assert switcher.asked == [SwitchRequest("typhoon", True, "kim", "command", 5400.0, None, "태풍?카눈")]


def test_a_time_is_in_the_zone_of_the_configuration(daemon: str, switcher: FakeSwitcher) -> None:
    result = run("on", "typhoon", "--until", "2026-11-24T16:30", "--url", daemon, "--config", str(SAMPLE))
    assert result.exit_code == 0
    assert switcher.asked[0].until == datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    assert switcher.asked[0].for_s is None


def test_switching_off_asks_for_it(daemon: str, switcher: FakeSwitcher) -> None:
    assert run("off", "typhoon", "--note", "지나감", "--url", daemon).exit_code == 0
    assert switcher.asked == [SwitchRequest("typhoon", False, "kim", "command", note="지나감")]


def test_the_daemon_may_be_named_before_the_order(daemon: str, switcher: FakeSwitcher) -> None:
    assert run("--url", daemon, "off", "typhoon").exit_code == 0
    assert len(switcher.asked) == 1


def test_a_refusal_is_said_and_is_the_exit_status(daemon: str, switcher: FakeSwitcher) -> None:
    switcher.report = REFUSED
    result = run("on", "typhon", "--url", daemon)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", REFUSED.message + "\n")
    told = run("on", "typhon", "--url", daemon, "--json")
    assert (told.exit_code, json.loads(told.stdout)["message"]) == (1, REFUSED.message)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("on",), "Missing argument 'NAME'"),
        (("on", "typhoon", "--for", "soon"), '"soon" is not a duration'),
        (("on", "typhoon", "--for", "0s"), "that is no time at all"),
        (("on", "typhoon", "--until", "noon", "--config", str(SAMPLE)), "'noon' is not a time"),
        (("on", "typhoon", "--until", "2026-11-24T16:30", "--config", "/nowhere"), "the time zone is not known"),
        (("on", "typhoon", "--for", "6h", "--until", "2026-11-24T16:30"), "exclude each other"),
        (("off", "typhoon", "--note", "x" * 201), "write 200 characters or less"),
        (("flip", "typhoon"), "No such command 'flip'"),
    ],
)
def test_wrong_usage_asks_nothing(daemon: str, switcher: FakeSwitcher, arguments: tuple[str, ...], why: str) -> None:
    result = run(*arguments, *(("--url", daemon) if arguments[0] != "flip" else ()))
    assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
    assert switcher.asked == []


@pytest.mark.parametrize("arguments", [(), ("on", "typhoon"), ("off", "typhoon")])
def test_without_a_daemon_it_says_so(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--url", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "the daemon cannot be reached at http://127.0.0.1:1" in result.stderr
