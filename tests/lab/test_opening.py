"""The daemon's day begins when somebody answers, unless a person wants another time: asked of the sample's rules."""

import shutil
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

from callrouter.config import Loaded, load
from lab.greeting import hours
from lab.opening import beginning, next_opening
from lab.paths import PROJECT

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture(scope="module")
def sample() -> Loaded:
    return load(PROJECT / "config", {})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.mark.parametrize("now", ["2026-11-24T09:00", "2026-11-24T17:59", "2026-11-24T18:00", "2026-11-24T21:59"])
def test_while_somebody_answers_the_time_is_the_real_one(sample: Loaded, now: str) -> None:
    begins = beginning(sample, None, at(now))

    assert begins.clock is None
    assert begins.is_open
    assert list(hours(begins, "make run")) == []


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        pytest.param("2026-11-24T22:00", "2026-11-25T09:00", id="at night"),
        pytest.param("2026-11-25T03:00", "2026-11-25T09:00", id="early in the morning"),
        pytest.param("2026-11-28T11:00", "2026-11-30T09:00", id="on a Saturday"),
        pytest.param("2026-12-24T23:00", "2026-12-28T09:00", id="before Christmas, a Friday"),
    ],
)
def test_while_nobody_answers_the_day_begins_when_the_centre_opens(sample: Loaded, now: str, opens: str) -> None:
    begins = beginning(sample, None, at(now))

    assert begins.at == at(opens)
    assert begins.clock is not None
    assert datetime.fromisoformat(begins.clock) == at(opens)
    assert begins.is_open
    said = " ".join(hours(begins, "make run"))
    assert f"{at(now):%H:%M} in Asia/Seoul, when nobody answers" in said
    assert opens.replace("T", " ") in said
    assert "make run CLOCK=now" in said


def test_the_real_time_is_to_be_had_also_at_night(sample: Loaded) -> None:
    begins = beginning(sample, "now", at("2026-11-24T23:00"))

    assert begins.clock is None
    assert not begins.is_open
    assert list(hours(begins, "make run")) == ["Nobody answers at this time: callers hear that the centre is closed."]


def test_any_instant_is_to_be_had_in_the_rules_own_zone(sample: Loaded) -> None:
    night = beginning(sample, "2026-11-28T02:00", at("2026-11-24T10:00"))
    day = beginning(sample, "2026-11-27T00:30+00:00", at("2026-11-24T23:00"))

    assert night.clock is not None
    assert datetime.fromisoformat(night.clock) == at("2026-11-28T02:00")
    assert not night.is_open
    assert day.is_open
    assert next(hours(night, "make run")) == "Its day began at Sat 2026-11-28 02:00, as you asked."


def test_what_is_no_time_is_refused_with_one_that_is(sample: Loaded) -> None:
    with pytest.raises(click.BadParameter, match="'tomorrow' is not a time; write it as 2026-11-24T19:30"):
        beginning(sample, "tomorrow", at("2026-11-24T10:00"))


def test_a_centre_that_never_opens_keeps_the_real_time(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    routes = tmp_path / "config/routes.yaml"
    text = routes.read_text(encoding="utf-8")
    routes.write_text(f"routes:\n{text[text.index('  - id: closed') :]}", encoding="utf-8")
    never = load(tmp_path / "config", {})

    assert next_opening(never, at("2026-11-24T10:00")) is None
    begins = beginning(never, None, at("2026-11-24T10:00"))
    assert (begins.clock, begins.is_open) == (None, False)
