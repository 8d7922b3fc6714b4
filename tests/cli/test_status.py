"""``callrouter status`` asks the daemon that runs."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.cli.text import fitted, width
from callrouter.cli.where import url_of
from callrouter.config.settings import WebSettings
from callrouter.core.ids import AgentId, SiteName
from callrouter.web.client import web_url
from callrouter.web.server import WebServer
from callrouter.web.sources import DatabaseHealth, JournalHealth, SiteHealth
from tests.fakes.status import AT, FakeStatus
from tests.fakes.threads import in_thread

SAMPLE = Path(__file__).parents[2] / "config"


@pytest.fixture
def source() -> FakeStatus:
    return FakeStatus()


@pytest.fixture
def daemon(source: FakeStatus) -> Iterator[str]:
    """The URL of a web server."""
    with in_thread(WebServer("127.0.0.1", 0, source)) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["status", *arguments], catch_exceptions=False)


def test_status_shows_everything_in_a_hundred_columns(daemon: str) -> None:
    result = run("--url", daemon)
    assert result.exit_code == 0
    assert max(map(width, result.stdout.splitlines())) <= 100
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["changwon", "창원시", "1", "0", "1:35", "0", "2"] in lines
    assert ["201", "도청", "상담사", "1", "on-call", "1:01:00", "0", "gyeongnam"] in lines
    assert ["connected", "1:02:09", "055-225-****", "120", "changwon", "changwon", "201"] in lines
    assert ["night", "야간", "<민원>", "1", "15:00", "2"] in lines
    assert "takes calls" in result.stdout
    assert ["changwon", "20", "15", "4", "74%", "80%", "0:17", "62%"] in lines
    surge = "! topic passport surges: 34 calls in this hour, usually 12.3; callrouter switch on passport-surge"
    assert surge in result.stdout.splitlines()
    assert "connected for 0:00, 7 CDRs wait" in result.stdout
    assert "0552251234" not in result.stdout


def test_status_tells_how_many_more_phones_ring(daemon: str, source: FakeStatus) -> None:
    first, *others = source.exchange.calls
    rings = msgspec.structs.replace(first, also_rings=(AgentId("202"), AgentId("203")))
    source.exchange = msgspec.structs.replace(source.exchange, calls=(rings, *others))
    assert "201 +2" in run("--url", daemon).stdout


def test_status_stays_narrow_whatever_things_are_called(daemon: str, source: FakeStatus) -> None:
    long = "아주긴이름" * 30
    exchange = source.exchange
    source.exchange = type(exchange)(
        at=exchange.at,
        draining=False,
        config_hash="x",
        sites_up=(),
        calls=exchange.calls,
        trunks=exchange.trunks,
        queues=tuple(type(q)(q.queue, long, 1, 2, q.oldest, 3, 4) for q in exchange.queues),
        agents=tuple(type(a)(a.agent, long, SiteName(long), a.state, a.since, 0) for a in exchange.agents),
    )
    source.condition = replace(
        source.condition, title="t", sites=(SiteHealth(SiteName(long), long, True, long, AT, long),)
    )
    lines = run("--url", daemon).stdout.splitlines()
    assert max(map(width, lines)) <= 100
    assert any("…" in line for line in lines)


def test_status_tells_trouble(daemon: str, source: FakeStatus) -> None:
    source.condition = replace(
        source.condition, draining=True, database=DatabaseHealth(False, 3, "connection refused", AT)
    )
    text = run("--url", daemon).stdout
    assert "TAKES NO CALLS" in text
    assert "! draining: calls in progress go on, no new ones are taken" in text
    assert "! PostgreSQL is away (connection refused); 3 CDRs wait in the journal" in text


@pytest.mark.parametrize(
    ("journal", "line"),
    [
        (JournalHealth(None), "journal: well"),
        (JournalHealth("disk full", 4), "journal: takes nothing (disk full), 4 records wait in memory"),
        (JournalHealth(None, dropped=5), "! the journal had no room for 5 records, which are gone"),
        (JournalHealth(None, lost=("a damaged file",)), "! the journal has lost: a damaged file"),
    ],
)
def test_status_tells_of_the_journal_while_calls_are_taken(
    daemon: str, source: FakeStatus, journal: JournalHealth, line: str
) -> None:
    source.condition = replace(source.condition, journal=journal)
    text = run("--url", daemon).stdout
    assert "takes calls" in text
    assert line in text.splitlines()


def test_status_prints_no_control_characters_of_others(daemon: str, source: FakeStatus) -> None:
    site = source.condition.sites[0]
    source.condition = replace(source.condition, sites=(replace(site, up=True, version="22\x1b[2J\n"),))
    assert "\x1b" not in run("--url", daemon).stdout


def test_status_gives_the_document_to_programs(daemon: str) -> None:
    data = json.loads(run("--url", daemon, "--json").stdout)
    assert (data["ready"], data["queues"][0]["waiting"], data["calls"][0]["caller"]) == (True, 1, "055-225-****")


def test_no_daemon_is_exit_status_3_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = run("--url", f"http://127.0.0.1:{port}")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"the daemon cannot be reached at http://127.0.0.1:{port}: ")
    assert "is it running (systemctl status callrouter)?" in result.stderr


def test_a_daemon_that_keeps_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callrouter.web.client.fetch_status.__kwdefaults__", {"timeout_s": 0.2})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = run("--url", f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert result.exit_code == 3
    assert "no answer within 0.2 s" in result.stderr


@pytest.mark.parametrize(
    ("path", "why"), [("/healthz?", "is not callrouter, or of another version"), ("/nothing", "says 404")]
)
def test_something_else_at_the_place_is_not_taken_for_the_daemon(daemon: str, path: str, why: str) -> None:
    result = run("--url", f"{daemon}{path}")
    assert result.exit_code == 3
    assert why in result.stderr


def test_korean_takes_two_columns_of_a_terminal() -> None:
    assert [width(text) for text in ("창원시", "a창", "e\u0301")] == [6, 3, 1]
    assert [fitted("창원시", columns) for columns in (4, 5, 6, 7)] == ["창… ", "창원…", "창원시", "창원시 "]
    assert fitted("7", 3, right=True) == "  7"


def test_a_url_that_is_none_is_exit_status_3() -> None:
    assert run("--url", "banana").exit_code == 3


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:81"),
        ("0.0.0.0", "http://127.0.0.1:81"),  # noqa: S104
        ("::", "http://[::1]:81"),
        ("::1", "http://[::1]:81"),
        ("pbx.example", "http://pbx.example:81"),
    ],
)
def test_the_daemon_is_looked_for_where_it_can_be_reached(host: str, url: str) -> None:
    assert web_url(WebSettings(host, 81)) == url


def test_the_place_comes_from_the_configuration_or_is_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("CALLROUTER_WEB_HOST", "CALLROUTER_WEB_PORT"):
        monkeypatch.delenv(variable, raising=False)
    assert url_of(SAMPLE) == url_of(tmp_path) == "http://127.0.0.1:8080"
    monkeypatch.setenv("CALLROUTER_WEB_PORT", "9999")
    assert url_of(SAMPLE) == url_of(tmp_path / "missing") == "http://127.0.0.1:9999"
