"""``callrouter cdr`` against a real database."""

import asyncio
import csv
import io
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from unicodedata import east_asian_width

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.cdr import Cdr, CdrVisit, VisitEnd
from callrouter.core.ids import CallId, QueueName
from callrouter.store.journal import Journal
from callrouter.store.postgres import connect, insert_cdrs
from tests.fakes import cdrs

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[2] / "config"

Command = Callable[..., Result]


@pytest.fixture
def calls() -> list[Cdr]:
    """Newest first, as they are listed."""
    return [
        cdrs.abandoned(started_at=cdrs.EVENING + timedelta(hours=1), caller="01012345678"),
        cdrs.handled(
            call_id=CallId("019a1111-2222-7333-8444-555566667777"),
            region="창원시 의창구 용호동",
            explanation="routes.yaml:14: 0552251234 from Changwon\n창원 야간",
            visits=(
                CdrVisit(QueueName("night"), cdrs.EVENING, cdrs.EVENING + timedelta(seconds=34.625), VisitEnd.ANSWERED),
            ),
        ),
    ]


@pytest.fixture
async def command(database: str, calls: list[Cdr], tmp_path: Path) -> Command:
    """Runs ``callrouter cdr`` on a database with those calls, without any configuration."""
    connection = await connect(database)
    await insert_cdrs(connection, calls)
    await connection.close()

    def run(*arguments: str) -> Result:
        fixed = ["cdr", "--database-url", database, "--config", str(tmp_path / "none")]
        return CliRunner().invoke(main, [*fixed, *arguments])

    return run


def _run(command: Command, *arguments: str) -> str:
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def _width(line: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in line)


async def test_records_that_were_set_aside_are_listed_with_their_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLROUTER_STATE_DIR", str(tmp_path))
    command = ["cdr", "--set-aside", "--config", str(SAMPLE)]
    missing = CliRunner().invoke(main, command)
    assert (missing.exit_code, "the journal cannot be read" in missing.stderr) == (3, True)
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        assert CliRunner().invoke(main, command).stdout == "no record was set aside\n"
        journal.finish(cdrs.handled())
        ((number, cdr),) = await journal.undelivered(1)
        await journal.set_aside(number, "no place for\n0552251234")
        shown = CliRunner().invoke(main, command).stdout
        whole = CliRunner().invoke(main, [*command, "--no-mask", "--json"]).stdout
    assert shown.split()[0] == cdr.call_id
    assert shown.endswith("no place for 055225****\n")
    (one,) = json.loads(whole)
    assert (one["call_id"], one["why"]) == (cdr.call_id, "no place for\n0552251234")


def test_the_database_is_the_one_that_the_configuration_names(
    database: str, calls: list[Cdr], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    shutil.copytree(SAMPLE, folder)
    text = (folder / "callrouter.yaml").read_text(encoding="utf-8")
    assert "url_env: CALLROUTER_DATABASE_URL" in text
    text = text.replace("url_env: CALLROUTER_DATABASE_URL", "url_env: RECORDS_URL")
    (folder / "callrouter.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("CALLROUTER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    none = CliRunner().invoke(main, ["cdr", "--config", str(folder)])
    assert (none.exit_code, none.stderr) == (3, "no database is known; set RECORDS_URL or give --database-url\n")
    monkeypatch.setenv("RECORDS_URL", database)
    found = CliRunner().invoke(main, ["cdr", "--config", str(folder)])
    assert (found.exit_code, len(found.stdout.splitlines())) == (0, 1 + len(calls))
    monkeypatch.setenv("CALLROUTER_DATABASE_URL", database)
    without = CliRunner().invoke(main, ["cdr", "--config", str(tmp_path / "none")])
    assert (without.exit_code, len(without.stdout.splitlines())) == (0, 1 + len(calls))


def test_the_table_fits_a_terminal_and_hides_numbers(command: Command, calls: list[Cdr]) -> None:
    output = _run(command)
    header, newest, oldest = output.splitlines()
    assert header.split() == ["call", "started", "caller", "region", "queue", "agent", "outcome", "wait", "talk"]
    assert all(_width(line) <= 120 for line in output.splitlines())
    assert newest.split()[0] == calls[0].call_id[:18]
    assert "abandoned" in newest
    assert "0:40" in newest
    assert "1:05" in oldest
    assert "5678" not in output
    assert "1234" not in oldest.replace(calls[1].call_id, "")


def test_numbers_are_shown_when_asked_for(command: Command) -> None:
    assert "01012345678" in _run(command, "--no-mask")


def test_filters_reach_the_database(command: Command) -> None:
    assert len(_run(command, "--outcome", "abandoned").splitlines()) == 2
    assert len(_run(command, "--outcome", "voicemail").splitlines()) == 1
    assert len(_run(command, "--limit", "1").splitlines()) == 2
    assert len(_run(command, "--since", "2026-11-24T20:30+09:00").splitlines()) == 2
    assert len(_run(command, "--until", "2026-11-24T19:30+09:00").splitlines()) == 1
    assert len(_run(command, "--caller", "01012345678", "--queue", "night").splitlines()) == 2


def test_one_call_shows_its_legs_and_why(command: Command, calls: list[Cdr]) -> None:
    handled = calls[1]
    output = _run(command, handled.call_id[:18])
    assert handled.call_id in output
    assert "1. agent1: no-answer, cause 19, channel leg-1" in output
    assert "2. agent2 over changwon at annex: answered, cause 16, channel leg-2" in output
    (wait,) = [line for line in output.splitlines() if line.startswith("waited in")]
    assert wait.startswith("waited in night: answered, ")
    assert "창원 야간" in output
    assert "0552251234" not in output
    assert "0552251234 from Changwon" in _run(command, handled.call_id, "--no-mask")


def test_json_is_the_whole_record(command: Command, calls: list[Cdr]) -> None:
    listed = json.loads(_run(command, "--json", "--no-mask"))
    assert [call["call_id"] for call in listed] == [call.call_id for call in calls]
    one = json.loads(_run(command, calls[1].call_id, "--json", "--no-mask"))
    assert one == listed[1]
    assert [leg["result"] for leg in one["legs"]] == ["no-answer", "answered"]
    assert (one["wait_s"], one["ring_s"], one["talk_s"]) == (30.5, 4.125, 65.377)


def test_csv_has_a_header_and_times_with_their_zone(command: Command, calls: list[Cdr]) -> None:
    rows = list(csv.DictReader(io.StringIO(_run(command, "--csv", "--no-mask"))))
    assert [row["call_id"] for row in rows] == [call.call_id for call in calls]
    assert rows[1]["wait_s"] == "30.500"
    assert rows[1]["explanation"] == calls[1].explanation
    moment = datetime.fromisoformat(rows[1]["ended_at"])
    assert moment.tzinfo is not None
    assert moment == calls[1].ended_at
    assert rows[0]["answered_at"] == ""
    assert not {"legs", "visits"} & rows[0].keys()


def test_a_call_that_is_not_there_is_a_no(command: Command) -> None:
    result = command(cdrs.call_id())
    assert result.exit_code == 1
    assert "no call has the id" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "yesterday"), '"yesterday" is no time; write 2026-11-24'),
        (("--json", "--csv"), "exclude each other"),
        (("--outcome", "eaten"), "'eaten' is not one of"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_right(command: Command, arguments: tuple[str, ...], message: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert message in result.output


async def test_a_database_that_is_away_is_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATABASE_URL", "postgresql://x:sesame@127.0.0.1:1/x")
    result = await asyncio.to_thread(CliRunner().invoke, main, ["cdr", "--config", str(tmp_path / "none")])
    assert result.exit_code == 3
    assert result.output.startswith("PostgreSQL cannot be reached")
    assert "sesame" not in result.output
