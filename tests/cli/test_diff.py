"""``callrouter diff`` of folders and files: what is said, and the exit status that programs go by."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.diff import cells

BASE = Path(__file__).parents[1] / "bad_config" / "base"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_PASSWORD", "x")
    return Path(shutil.copytree(BASE, tmp_path / "old"))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "new"))


def diff(*arguments: object) -> Result:
    week = ("--from", "2026-11-24", "--days", "7")
    return CliRunner().invoke(main, ["diff", *map(str, arguments), *week], catch_exceptions=False)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_where_nothing_changes_it_says_so_and_ends_with_0(old: Path, new: Path) -> None:
    result = diff(old, new)
    assert result.exit_code == 0
    assert result.stdout == ("The files are the same.\nNo caller goes another way, Tue 2026-11-24 to Mon 2026-11-30.\n")
    edit(new / "queues.yaml", "queues:", "# Where callers wait\nqueues:")
    result = diff(old, new)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "What is written means the same.")


def test_what_changes_is_told_in_sentences_and_as_a_table_and_ends_with_1(old: Path, new: Path) -> None:
    edit(new / "calendars.yaml", "day: {open: mon-fri 09:00-18:00", "day: {open: mon-fri 10:00-18:00")
    result = diff(old, new)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "What is written otherwise",
        "  calendar day: open: mon-fri 10:00-18:00, was mon-fri 09:00-18:00",
        "Other opening hours, Tue 2026-11-24 to Mon 2026-11-30",
        "  calendar day: 10:00-18:00, was 09:00-18:00: 5 days (Mon Tue Wed Thu Fri), from Tue 2026-11-24 to"
        " Mon 2026-11-30",
        "Who goes another way, Tue 2026-11-24 to Mon 2026-11-30",
        "  when                                                who           old               new",
        "  Tue 2026-11-24 09:00-10:00, and 4 times more (5 h)  every caller  day (queue main)  rest"
        " (announcement closed)",
    ]


def test_a_change_that_sends_nobody_elsewhere_is_a_change_all_the_same(old: Path, new: Path) -> None:
    edit(new / "agents.yaml", "상담사", "김 상담사")
    result = diff(old, new)
    assert (result.exit_code, "agent 201: name: 김 상담사, was 상담사" in result.stdout) == (1, True)


def test_rows_beyond_the_limit_are_counted_and_programs_get_all(old: Path, new: Path) -> None:
    edit(new / "routes.yaml", "{calendar: day}", "{calendar: day, caller: [mobile, landline]}")
    edit(new / "calendars.yaml", "mon-fri 09:00-18:00", "[mon-thu 09:00-18:00, fri 09:00-17:00]")
    rows = json.loads(diff(old, new, "--json").stdout)["elsewhere"]
    assert len(rows) > 1
    assert f"and {len(rows) - 1} more; --limit shows them" in diff(old, new, "--limit", "1").stdout
    assert all(row["spans"] and row["callers"] and row["old"] != row["new"] for row in rows)


def test_a_file_stands_for_the_folder_with_it_in_its_place(old: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "routes.yaml"
    other.parent.mkdir()
    shutil.copy(old / "routes.yaml", other)
    edit(other, "- id: day\n", "- id: day\n    title: 주간\n")
    result = diff(other, "--config", old)
    assert result.exit_code == 1
    assert "route day: title: nothing, was 주간" in result.stdout


def test_faults_are_told_with_the_side_on_which_they_are(old: Path, new: Path) -> None:
    edit(new / "routes.yaml", "queue: main", "queue: mian")
    result = diff(old, new)
    assert result.exit_code == 1
    assert result.stderr == f'{new}: routes.yaml:6:16: unknown queue "mian"; did you mean "main"?\n'


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("nowhere",), 1, "nowhere: there is no folder and no file of that name; write @12 for a version, or @live"),
        (("@twelve",), 1, "@twelve: @twelve is no version; write it as @12, or @live"),
        (("@12",), 3, "no database is known"),
        (("--url", "http://127.0.0.1:1"), 3, "the daemon cannot be reached at http://127.0.0.1:1"),
        (("@12", "--until", "2026-11-24"), 2, "--until goes with --replay"),
    ],
)
def test_what_cannot_be_compared_is_said(old: Path, arguments: tuple[str, ...], status: int, says: str) -> None:
    result = diff(*arguments, "--config", old)
    assert (result.exit_code, says in result.stderr) == (status, True), result.stderr


def test_a_span_that_is_none_is_said_with_an_example(old: Path, new: Path) -> None:
    result = diff(old, new, "--replay", "a month")
    assert (result.exit_code, '"a month" is not a duration' in result.stderr) == (2, True)


def test_that_not_everything_was_combined_is_said(old: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "MOST_CALLERS", 1)
    assert "Not all kinds of calls were combined with one another" in diff(old, new).stdout
