"""``callrouter report`` against a real database."""

import asyncio
import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main, report_text
from callrouter.cli.text import width
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import CdrVisit, OfferResult, VisitEnd
from callrouter.core.duty import Duty
from callrouter.core.ids import AgentId, QueueName
from callrouter.report.tables import Kind
from callrouter.store.audit import insert_audit
from callrouter.store.audit_journal import AuditRecord
from callrouter.store.postgres import connect, insert_cdrs
from tests.fakes import cdrs

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[2] / "config"
Command = Callable[..., Result]


@pytest.fixture
async def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``callrouter report`` on an evening of three calls to a queue of 30 s, and on one of the next day."""
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    folder = shutil.copytree(SAMPLE, tmp_path / "config")
    text = (folder / "queues.yaml").read_text(encoding="utf-8")
    goal = "    title: 창원시\n    service_level: {threshold: 30s, target: 70}\n"
    (folder / "queues.yaml").write_text(text.replace("    title: 창원시\n", goal), encoding="utf-8")
    calls = [cdrs.handled(queue="changwon"), cdrs.abandoned(queue="changwon"), cdrs.overflowed(queue="changwon")]
    next_day = timedelta(hours=5)
    ended = cdrs.EVENING + next_day
    calls.append(
        cdrs.abandoned(queue="gyeongnam", started_at=ended, queued_at=ended, ended_at=ended + timedelta(seconds=3))
    )
    calls.append(cdrs.handled(queue=None, queued_at=None, legs=()))
    connection = await connect(database)
    await insert_cdrs(connection, calls)
    await connection.close()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["report", "--database-url", database, "--config", str(folder), *arguments])

    return run


def test_a_day_is_counted_by_the_goals_of_the_configuration(command: Command) -> None:
    result = command("--day", "2026-11-24", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (group,) = found["groups"]
    assert group == {
        "queue": "changwon",
        "offered": 3,
        "answered": 1,
        "abandoned": 1,
        "short_abandons": 0,
        "overflowed": 1,
        "other": 0,
        "service_level": 33.333,  # 25.125 s is within 30 s
        "target_percent": 70,
        "asa_s": 25.125,
        "longest_wait_s": 31.25,
        "mean_talk_s": 65.377,
        "talk_s": 65.377,
        "abandon_rate": 33.333,
        "abandon_rate_less_short": 33.333,
    }
    assert found["total"] == {name: value for name, value in group.items() if name != "queue"}


def test_the_next_day_has_no_figure_where_there_is_nothing_to_divide_by(command: Command) -> None:
    shown = command("--day", "2026-11-25")
    assert shown.exit_code == 0, shown.output
    day, _, line, _ = shown.stdout.splitlines()
    assert (day, line.split()) == (
        "2026-11-25",
        ["gyeongnam", *["1", "0", "1", "1", "0", "0", "–", "80%", "–", "0:03", "–", "100.0%"]],
    )
    (group,) = json.loads(command("--day", "2026-11-25", "--json").stdout)["groups"]
    assert (group["service_level"], group["asa_s"], group["abandon_rate_less_short"]) == (None, None, None)


@pytest.mark.parametrize(
    "period", [("--week", "2026-11-27"), ("--month", "2026-11"), ("--from", "2026-11-24", "--to", "2026-11-25")]
)
def test_a_longer_period_has_both_days(command: Command, period: tuple[str, ...]) -> None:
    result = command(*period, "--by", "day", "--csv")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["day"], row["offered"], row["asa_s"]) for row in rows] == [
        ("2026-11-24", "3", "25.125"),
        ("2026-11-25", "1", ""),
    ]


def test_counselors_have_their_offers(command: Command) -> None:
    result = command("--day", "2026-11-24", "--by", "agent", "--csv")
    assert result.stdout.splitlines() == [
        "agent,offers,answered,missed,talk_s,mean_talk_s",
        "agent1,2,0,2,0.0,",
        "agent2,1,1,0,65.377,65.377",
    ]


async def test_a_call_counts_in_each_queue_that_it_waited_in_and_once_by_anything_else(
    command: Command, database: str
) -> None:
    at = cdrs.EVENING + timedelta(days=7)
    waits = (
        CdrVisit(QueueName("changwon"), at, at + timedelta(seconds=40), VisitEnd.TIMEOUT),
        CdrVisit(QueueName("gyeongnam"), at + timedelta(seconds=41), at + timedelta(seconds=51), VisitEnd.ANSWERED),
    )
    times = {"started_at": at, "queued_at": at, "answered_at": waits[1].left_at, "ended_at": at + timedelta(minutes=2)}
    connection = await connect(database)
    await insert_cdrs(connection, [cdrs.handled(queue="changwon", visits=waits, **times)])
    await connection.close()
    day = ("--day", "2026-12-01", "--json")
    shown = json.loads((await asyncio.to_thread(command, *day)).stdout)
    keys = ("queue", "offered", "answered", "overflowed", "asa_s", "talk_s")
    assert [tuple(group[key] for key in keys) for group in shown["groups"]] == [
        ("changwon", 1, 0, 1, None, 0),
        ("gyeongnam", 1, 1, 0, 10, 65.377),
    ]
    shown = json.loads((await asyncio.to_thread(command, *day, "--by", "tenant")).stdout)
    assert (shown["total"]["offered"], shown["total"]["answered"], shown["total"]["asa_s"]) == (1, 1, 51)


def test_a_picture_is_drawn_beside_the_table(command: Command, tmp_path: Path) -> None:
    result = command("--day", "2026-11-24", "--svg", str(tmp_path / "day.svg"))
    assert (result.exit_code, "changwon" in result.stdout) == (0, True), result.output
    assert "3, 33.3% in time" in (tmp_path / "day.svg").read_text(encoding="utf-8")
    nowhere = command("--day", "2026-11-24", "--svg", str(tmp_path / "none" / "day.svg"))
    assert (nowhere.exit_code, "cannot be written" in nowhere.output) == (2, True)


def test_a_workbook_has_all_tables_and_a_png_the_picture(command: Command, tmp_path: Path) -> None:
    book, drawn = tmp_path / "day.xlsx", tmp_path / "day.png"
    result = command("--day", "2026-11-24", "--by", "hour", "--xlsx", str(book), "--png", str(drawn))
    assert result.exit_code == 0, result.output
    sheets = openpyxl.load_workbook(book)
    assert sheets.sheetnames == ["calls", "offers", "occupancy", "pauses"]
    assert [cell.value for cell in sheets["calls"][2]][:2] == [datetime(2026, 11, 24, 19), 3]  # noqa: DTZ001
    assert [cell.value for cell in sheets["offers"][2]][:3] == ["agent1", 2, 0]
    assert drawn.read_bytes().startswith(b"\x89PNG")
    result = command("--day", "2026-11-24", "--by", "agent", "--xlsx", str(book))
    assert result.exit_code == 0, result.output
    assert openpyxl.load_workbook(book).sheetnames == ["offers", "occupancy", "pauses"]


def test_without_what_draws_pixels_it_says_what_to_install(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "callrouter.report.plot", None)
    result = command("--day", "2026-11-24", "--png", str(tmp_path / "day.png"))
    assert (result.exit_code, "pip install 'callrouter[charts]'" in " ".join(result.output.split())) == (2, True)


@pytest.fixture
async def worked(database: str) -> None:
    """201 came at 19:00 and paused from 19:40 to 19:50; he talked from 19:30 to 19:36, and 10 s of work after it."""
    started = cdrs.EVENING
    leg = cdrs.leg(
        1,
        OfferResult.ANSWERED,
        agent=AgentId("201"),
        offered_at=started,
        answered_at=started,
        ended_at=started + timedelta(minutes=6),
    )
    call = cdrs.handled(
        queue="changwon", queued_at=started, agent="201", answered_at=started, ended_at=leg.ended_at, legs=(leg,)
    )
    duties = [(-30, Duty.OFF, Duty.ON, ""), (10, Duty.ON, Duty.PAUSED, "교육"), (20, Duty.PAUSED, Duty.ON, "")]
    entries = [
        AuditEntry(started + timedelta(minutes=at), "201", AuditKind.AGENT, "201", was, becomes, "phone", note=reason)
        for at, was, becomes, reason in [(-3000, Duty.ON, Duty.OFF, ""), *duties]
    ]
    connection = await connect(database)
    await insert_cdrs(connection, [call])
    await insert_audit(connection, [AuditRecord(0, cdrs.call_id(), entry) for entry in entries])
    await connection.close()


@pytest.mark.usefixtures("worked")
def test_occupancy_is_of_the_time_that_counselors_were_logged_in(command: Command) -> None:
    result = command("--day", "2026-11-24", "--by", "agent", "--occupancy", "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    groups = {group.pop("agent"): group for group in shown["groups"]}
    assert groups["201"] == {
        "logged_in_s": 5 * 3600,
        "paused_s": 600,
        "paused_share": 3.333,
        "talk_s": 360,
        "wrap_up_s": 10,
        "busy_s": 370,
        "occupancy": 2.056,
    }
    assert {"agent": "201", "reason": "교육", "paused_s": 600} in shown["pauses"]
    assert groups["202"]["logged_in_s"] == 24 * 3600  # nobody ever logged him out


@pytest.mark.usefixtures("worked")
def test_pauses_are_a_table_of_their_own(command: Command) -> None:
    shown = command("--day", "2026-11-24", "--by", "hour", "--occupancy").stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("2026-11-24 19:00")]
    assert line.split()[-3:-1] == ["0:20", "7:25"]  # with agent2, who talked for 65.377 s
    assert ["201", "교육", "10:00"] in [line.split() for line in shown.splitlines()]


def test_no_table_is_wider_than_100_columns(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    most = {Kind.COUNT: 9_999_999, Kind.SHARE: 100.0, Kind.WHOLE_SHARE: 100, Kind.TIME: 35_999_999.0}
    monkeypatch.setattr(report_text, "value", lambda _, figure: most[figure.kind])
    for more in ((), ("--by", "agent"), ("--occupancy",), ("--occupancy", "--by", "hour")):
        lines = command("--day", "2026-11-24", *more).stdout.splitlines()
        assert max(map(width, lines)) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--occupancy", "--svg", "x.svg"), "draw calls, not --occupancy"),
        (("--occupancy", "--by", "topic"), "not spent by topic"),
        (("--day", "yesterday"), "write it as 2026-11-24"),
        (("--month", "2026-13"), "write it as 2026-11"),
        (("--day", "2026-11-24", "--week", "2026-11-24"), "exclude each other"),
        (("--to", "2026-11-24"), "--to goes with --from"),
        (("--from", "2026-11-24", "--to", "2026-11-23"), "is after the last day"),
        (("--json", "--csv"), "exclude each other"),
        (("--by", "colour"), "'colour' is not one of"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_right(command: Command, arguments: tuple[str, ...], message: str) -> None:
    result = command(*arguments)
    assert (result.exit_code, message in result.output) == (2, True), result.output


async def test_a_database_that_is_away_is_3(tmp_path: Path) -> None:
    arguments = ["report", "--database-url", "postgresql://x@127.0.0.1:1/x", "--config", str(tmp_path / "none")]
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert (result.exit_code, "PostgreSQL cannot be reached" in result.output) == (3, True)
    assert "sesame" not in result.output


async def test_calls_are_counted_by_what_counselors_said_of_them_afterwards(command: Command, database: str) -> None:
    connection = await connect(database)
    call = await connection.fetchval(
        "SELECT call_id::text FROM callrouter.cdr WHERE queue = 'changwon' AND outcome = 'handled'"
    )
    entry = AuditEntry(cdrs.EVENING, "201", AuditKind.WRAP_UP, call, "", "passport", "phone")
    await insert_audit(connection, [AuditRecord(1, "01a20b11-1e0a-78e3-a593-cddf8d2ecbfc", entry)])
    await connection.close()

    result = await asyncio.to_thread(command, "--day", "2026-11-24", "--by", "wrap-up", "--json")
    assert result.exit_code == 0, result.output
    groups = {group["wrap-up"]: (group["offered"], group["answered"]) for group in json.loads(result.stdout)["groups"]}
    assert groups == {"passport": (1, 1), "–": (2, 0)}
