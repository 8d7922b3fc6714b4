"""``callrouter report`` against a real database."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.store.postgres import connect, insert_cdrs
from tests.fakes import cdrs

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[2] / "config"
Command = Callable[..., Result]


@pytest.fixture
async def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``callrouter report`` with the sample's configuration: one call on 24 November in Korea, two on the 25th."""
    next_day = cdrs.EVENING + timedelta(days=1)
    later = {
        name: getattr(cdrs.handled(), name) + timedelta(days=1) for name in ("queued_at", "answered_at", "ended_at")
    }
    calls = [
        cdrs.handled(),
        cdrs.handled(started_at=next_day, **later, legs=()),
        cdrs.abandoned(started_at=next_day, queued_at=next_day, ended_at=next_day + timedelta(seconds=2)),
    ]
    connection = await connect(database)
    await insert_cdrs(connection, calls)
    await connection.close()
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["report", "--database-url", database, "--config", str(SAMPLE), *arguments])

    return run


def test_a_day_of_local_time_is_told_as_a_table(command: Command) -> None:
    result = command("--day", "2026-11-24")
    assert result.exit_code == 0, result.output
    head, night, total = result.stdout.splitlines()
    assert head.split()[:5] == ["queue", "offered", "answered", "level", "target"]
    assert night.split() == [
        "night",
        "1",
        "1",
        "0.0%",
        "80%",
        "25.1s",
        "25.1s",
        "65.4s",
        "0",
        "0",
        "0.0%",
        "0.0%",
        "0",
        "1",
    ]
    assert total.split()[4] == "–"


@pytest.mark.parametrize(
    ("period", "offered"),
    [
        (("--week", "2026-W48"), 3),
        (("--month", "2026-11"), 3),
        (("--month", "2026-12"), 0),
        (("--since", "2026-11-25"), 2),
        (("--until", "2026-11-25"), 1),
    ],
)
def test_each_period_takes_the_calls_that_came_in_then(command: Command, period: tuple[str, ...], offered: int) -> None:
    rows = json.loads(command(*period, "--json").stdout)
    assert rows[-1]["group"] == "total"
    assert rows[-1]["offered"] == offered


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("queue", ["night"]),
        ("tenant", ["changwon"]),
        ("topic", ["passport"]),
        ("hour", ["2026-11-24 19:00", "2026-11-25 19:00"]),
        ("day", ["2026-11-24", "2026-11-25"]),
        ("week", ["2026-W48"]),
        ("month", ["2026-11"]),
        ("agent", ["agent1", "agent2"]),
    ],
)
def test_rows_are_what_is_asked_for(command: Command, by: str, groups: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(command("--month", "2026-11", "--by", by, "--csv").stdout)))
    assert [row["group"] for row in rows] == [*groups, "total"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--day", "2026-13-01"), '"2026-13-01" is no day'),
        (("--week", "48"), '"48" is no week'),
        (("--month", "november"), '"november" is no month'),
        (("--day", "2026-11-24", "--month", "2026-11"), "exclude each other"),
        (("--csv", "--json"), "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused(command: Command, arguments: tuple[str, ...], why: str) -> None:
    result = command(*arguments)
    assert (result.exit_code, why in result.stderr) == (2, True)


def test_no_database_is_exit_status_3(tmp_path: Path) -> None:
    away = ["report", "--database-url", "postgresql://127.0.0.1:1/none", "--config", str(tmp_path / "none")]
    assert CliRunner().invoke(main, away).exit_code == 3


def test_today_is_the_default_and_faulty_rules_are_in_nobodys_way(database: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", "--database-url", database, "--config", str(tmp_path / "none")])
    assert (result.exit_code, result.stdout.splitlines()[-1].split()[:2]) == (0, ["total", "0"])
