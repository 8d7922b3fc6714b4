"""Calendars that never open, told from those that do by the hours themselves."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callrouter.config.load import examine

BASE = Path(__file__).parents[1] / "bad_config" / "base"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Hours = frozenset[tuple[int, int]]
"""Weekday and hour."""

hours = st.frozensets(st.tuples(st.integers(0, 6), st.integers(8, 11)), max_size=6)
names = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A writable copy of the small configuration."""
    return shutil.copytree(BASE, tmp_path_factory.mktemp("openings") / "config")


def faulty(folder: Path, calendars: str) -> set[str]:
    """The names of calendars that are said never to open."""
    (folder / "more.yaml").write_text(f"calendars:\n{calendars}", encoding="utf-8")
    _, problems = examine(folder, {"TEST_PASSWORD": "x"})
    assert all("never opens" in problem.message for problem in problems.errors)
    return {problem.message.split('"')[1] for problem in problems.errors}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(hours, hours, hours), names, names, names)
def test_a_combination_is_blamed_exactly_if_no_hour_of_the_week_is_left_of_parts_that_open(
    folder: Path, parts: tuple[Hours, Hours, Hours], union: list[str], intersect: list[str], exclude: list[str]
) -> None:
    if not (union or intersect):
        return
    of = dict(zip("abc", parts, strict=True))
    lines = [
        f"  {name}: {{open: [{', '.join(f'{DAYS[day]} {hour:02}:00-{hour + 1:02}:00' for day, hour in sorted(week))}]}}"
        for name, week in of.items()
    ]
    lines.append(f"  x: {{union: {union}, intersect: {intersect}, except: {exclude}}}".replace("'", ""))
    left = frozenset().union(*(of[name] for name in union)) if union else of[intersect[0]]
    for name in intersect:
        left &= of[name]
    for name in exclude:
        left -= of[name]
    empty = {name for name, week in of.items() if not week}
    blamed = {"x"} if not left and empty.isdisjoint([*union, *intersect, *exclude]) else set()
    assert faulty(folder, "\n".join(lines)) == empty | blamed


@pytest.mark.parametrize(
    ("calendar", "never"),
    [
        ("{open: [], exceptions: {2026-12-31: 09:00-13:00}}", False),
        ("{open: [], exceptions: {2031-12-31: 23:00-02:00}}", False),
        ("{open: [], exceptions: {2026-12-31: closed}}", True),
        ("{open: sun 02:30-02:45, zone: Europe/Berlin}", False),
        ("{intersect: [day], except: lunch}", False),
        ("{open: daily 00:00-24:00}", False),
    ],
)
def test_one_day_in_any_year_is_enough(folder: Path, calendar: str, never: bool) -> None:
    lines = f"  x: {calendar}\n  lunch: {{open: daily 12:00-13:00}}\n"
    assert faulty(folder, lines) == ({"x"} if never else set())
