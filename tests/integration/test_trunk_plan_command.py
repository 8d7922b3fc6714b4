"""``callrouter trunk plan`` against a real database."""

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.cdr import Cdr, CdrReturn, OfferResult, ReturnResult
from callrouter.core.ids import TrunkName
from callrouter.store.postgres import connect, insert_cdrs
from tests.fakes import cdrs

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[2] / "config"
HOUR = timedelta(hours=1)
YESTERDAY = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
Command = Callable[..., Result]


@pytest.fixture
async def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs it on a call of yesterday that lasted an hour, the last half of it over the trunk; and on one long ago."""
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    folder = shutil.copytree(SAMPLE, tmp_path / "config")
    (folder / "trunks.yaml").write_text("trunks: {kt: {channels: 3}, carrier: {channels: 9}}\n", encoding="utf-8")
    connection = await connect(database)
    long_ago = YESTERDAY - timedelta(weeks=50)
    await insert_cdrs(connection, [call(YESTERDAY), call(long_ago)])
    await connection.close()

    def run(*arguments: str) -> Result:
        line = ["trunk", "plan", "--database-url", database, "--config", str(folder), *arguments]
        return CliRunner().invoke(main, line)

    return run


def call(at: datetime, **changes: Any) -> Cdr:
    leg = cdrs.leg(1, OfferResult.ANSWERED, trunk=TrunkName("kt"), offered_at=at + HOUR / 2, ended_at=at + HOUR)
    local = cdrs.leg(2, OfferResult.ANSWERED, offered_at=at, ended_at=at + HOUR)
    values = {"started_at": at, "ended_at": at + HOUR, "legs": (leg, local), "in_trunk": None}
    return cdrs.handled(**{**values, **changes})


async def keep(database: str, *calls: Cdr) -> None:
    connection = await connect(database)
    await insert_cdrs(connection, list(calls))
    await connection.close()


async def make_old(database: str) -> None:
    """Let the records be as an earlier version wrote them."""
    connection = await connect(database)
    await connection.execute("UPDATE callrouter.cdr SET in_endpoint = NULL")
    await connection.close()


def test_each_hour_is_said_with_the_channels_that_it_needed(command: Command) -> None:
    result = command("--json")
    assert result.exit_code == 0, result.output
    (hour,) = json.loads(result.stdout)
    assert (hour["trunk"], hour["busiest"], hour["channels"]) == ("kt", 0.5, 4)
    assert hour["mean"] == pytest.approx(0.5 / 28)
    assert datetime.fromisoformat(hour["on"]) == YESTERDAY


def test_calls_that_came_in_are_counted_for_their_group(command: Command, database: str) -> None:
    known = call(YESTERDAY, in_trunk=TrunkName("carrier"))
    ours = call(YESTERDAY, in_endpoint="", returns=CdrReturn(known.call_id, ReturnResult.REACHED, 0))
    asyncio.run(keep(database, known, ours))
    for named in ((), ("--incoming", "kt")):
        shown = {hour["trunk"]: hour["busiest"] for hour in json.loads(command("--json", *named).stdout)}
        assert shown == {"carrier": 1.0, "kt": 1.5}


def test_calls_of_old_records_are_counted_for_the_group_that_is_named(command: Command, database: str) -> None:
    asyncio.run(make_old(database))
    shown = command("--incoming", "carrier", "--blocking", "0.5").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["trunk", "carrier", "kt"]
    mean, busiest, day, channels = shown[1].split()[-4:]
    korean = YESTERDAY.astimezone(timezone(9 * HOUR))
    assert (mean, busiest, day, channels) == ("0.04", "1.00", f"{korean:%Y-%m-%d}", "1")


def test_a_group_that_the_rules_do_not_have_is_refused(command: Command) -> None:
    result = command("--incoming", "carier")
    assert result.exit_code == 2
    assert "no trunk group 'carier'; there are: kt, carrier" in result.stderr


def test_without_a_configuration_the_records_are_enough(command: Command, database: str) -> None:
    result = CliRunner().invoke(main, ["trunk", "plan", "--database-url", database, "--config", "/nowhere"])
    assert "kt" in result.stdout


def test_records_without_trunks_are_said_to_have_none(database: str) -> None:
    result = CliRunner().invoke(main, ["trunk", "plan", "--database-url", database, "--config", "/nowhere"])
    assert result.stdout == "no channel of a trunk group was held in the last 4 weeks\n"
