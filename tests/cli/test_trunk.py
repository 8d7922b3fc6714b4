"""``callrouter trunk`` shows trunk groups of the daemon that runs."""

import json
from collections.abc import Iterator

import msgspec
import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.cli.text import width
from callrouter.core.breaker import BreakerState
from callrouter.web.server import WebServer
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread


@pytest.fixture
def source() -> FakeStatus:
    return FakeStatus()


@pytest.fixture
def daemon(source: FakeStatus) -> Iterator[str]:
    with in_thread(WebServer("127.0.0.1", 0, source)) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["trunk", *arguments], catch_exceptions=False)


def words(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()]


def test_groups_tenants_and_members_are_shown(daemon: str) -> None:
    result = run("--url", daemon)
    assert result.exit_code == 0
    shown = words(result)
    assert ["city", "국선", "1", "4", "3", "7", "0", "1"] in shown
    assert ["city", "changwon", "1", "2", "3", "3", "7"] in shown
    assert ["city", "jinju", "0", "0", "-", "0", "0"] in shown
    assert ["city", "kt", "-", "1", "3", "carries", "calls"] in shown
    assert ["mobile", "changwon", "calls", "per", "hour", "12", "60", "0"] in shown
    assert ["premium", "all", "minutes", "per", "day", "30.5", "30", "2"] in shown
    assert ["city", "sk", "gyeongnam", "0", "1", "rests", "after", "failures"] in shown
    assert max(map(width, result.stdout.splitlines())) <= 120


def test_limits_of_calls_that_go_out_are_there_for_programs(daemon: str, source: FakeStatus) -> None:
    first, second = json.loads(run("--url", daemon, "--json", "--limits").stdout)
    assert (first["limit"], first["used"], first["most"]) == ("mobile", 12, 60)
    assert (second["tenant"], second["blocked"]) == ("", 2)
    source.exchange = msgspec.structs.replace(source.exchange, limits=())
    assert "allowed" not in run("--url", daemon).stdout


def test_what_a_member_does_is_said_in_words(daemon: str, source: FakeStatus) -> None:
    (trunk,) = source.exchange.trunks
    kt, sk = trunk.members
    members = (
        msgspec.structs.replace(kt, online=False),
        msgspec.structs.replace(sk, breaker=BreakerState.HALF_OPEN),
    )
    trunk = msgspec.structs.replace(trunk, tenants=(), members=members)
    source.exchange = msgspec.structs.replace(source.exchange, trunks=(trunk,))
    shown = run("--url", daemon).stdout
    assert "cannot be reached" in shown
    assert "is tried with one call" in shown
    assert "guarantee" not in shown


def test_programs_get_the_document(daemon: str) -> None:
    (found,) = json.loads(run("--url", daemon, "--json").stdout)
    assert (found["trunk"], found["in_use"], found["members"][1]["breaker"]) == ("city", 1, "open")
    assert found["hours"] == [{"begin": "2026-11-24T01:00:00Z", "peak": 3, "blocked": 7}]


def test_rules_without_trunk_groups_are_said_to_have_none(daemon: str, source: FakeStatus) -> None:
    source.exchange = msgspec.structs.replace(source.exchange, trunks=())
    assert run("--url", daemon).stdout == "the rules have no trunk groups\n"


def test_nobody_answers_where_there_is_no_daemon() -> None:
    assert CliRunner().invoke(main, ["trunk", "--url", "http://127.0.0.1:9"]).exit_code == 3
