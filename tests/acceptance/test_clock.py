"""Calls over a change of the clock, on a real Asterisk: the hour of winter time, a leap day, the year's end, a jump."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.fake_clock import FakeClock
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import MakeCentre, People, edit
from tests.acceptance.talks import FIRST_HZ, RESIDENT, RESIDENT_HZ, people_talk

pytestmark = pytest.mark.asterisk

OTHER = "0557421234"
BEFORE_S = 9.0
"""So much earlier the daemon's day begins: it has to start, and somebody has to call."""
JUMP_S = 3600.0

ROUTES = """\
routes:
  - {id: hours, when: {calendar: watched}, do: [{queue: changwon}]}
  - {id: outside-hours, do: [{announce: closed}, hangup]}
"""


def hours(zone: str, watched: str) -> Callable[[Path], None]:
    """Open by one calendar, in a zone."""

    def put(config: Path) -> None:
        (config / "routes.yaml").write_text(ROUTES, encoding="utf-8")
        edit(config / "calendars.yaml", "^timezone: .*", f"timezone: {zone}")
        edit(config / "calendars.yaml", "^calendars:$", f"calendars:\n  watched: {{title: hours, {watched}}}")

    return put


@pytest.mark.parametrize(
    ("zone", "watched", "closes_at"),
    [
        ("Europe/Berlin", "open: 'sun 02:30-03:00'", "2026-10-25T02:00+01:00"),
        ("Asia/Seoul", "open: 'daily 00:00-24:00', exceptions: {2028-02-29: closed}", "2028-02-29T00:00+09:00"),
        ("Asia/Seoul", "open: 'daily 00:00-24:00', closed_on: public", "2027-01-01T00:00+09:00"),
    ],
    ids=["the end of summer time", "a leap day", "the year's end, into a holiday"],
)
async def test_who_waits_while_the_hours_end_is_served_and_who_comes_then_hears_that_it_is_closed(
    caller: People, counselor: People, centre: MakeCentre, zone: str, watched: str, closes_at: str
) -> None:
    early, late = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await caller(OTHER)
    change = datetime.fromisoformat(closes_at)
    began = change - timedelta(seconds=BEFORE_S)
    office = await centre(agents=("201",), clock=began.isoformat(), edit=hours(zone, watched))
    await early.dial("120")
    await office.until_waiting(1)

    await office.until("the hours are over", lambda now: datetime.fromisoformat(now["at"]) >= change, timeout_s=15)
    await late.dial("120")
    await late.established()
    await late.closed(timeout_s=PROMPT_S + 3)
    phone = await counselor("201", tone_hz=FIRST_HZ)
    await office.until_agent("201", "ringing")
    await phone.accept()
    await phone.established()
    await people_talk()
    await early.hang_up()
    await phone.closed()

    assert audio.tone_seconds(late.heard(), PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=0.4)
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) > 1.0
    served, turned_away = await office.cdrs(2)
    assert (served.rule, served.outcome) == ("hours", Outcome.HANDLED)
    assert (turned_away.rule, turned_away.outcome) == ("outside-hours", Outcome.CLOSED)
    assert served.started_at < change <= turned_away.started_at
    assert served.answered_at is not None
    assert served.answered_at > change
    assert 0 < served.wait_s < 60, "of the time that passed, not of what the clock on the wall showed"
    assert served.talk_s == pytest.approx((served.ended_at - served.answered_at).total_seconds(), abs=0.01)


def differs_by(seconds: float, now: dict[str, Any]) -> bool:
    """Whether the daemon has seen that the wall clock is so far ahead of its own."""
    return abs(float(now["clock_drift_s"]) - seconds) < 60


async def test_a_wall_clock_that_is_set_by_an_hour_in_mid_call_leaves_its_times_true(
    caller: People, counselor: People, centre: MakeCentre, tmp_path: Path
) -> None:
    wall = FakeClock(tmp_path)
    office = await centre(
        agents=("201",),
        clock=None,
        surroundings=wall.surroundings,
        edit=hours("Asia/Seoul", "open: 'daily 00:00-24:00'"),
    )
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    await office.talk(resident, phone)
    began, began_s = datetime.now(UTC), time.monotonic()
    for offset, drift_s in (("+1h", JUMP_S), ("-1h", -JUMP_S), ("+0", 0.0)):
        wall.set(offset)
        await office.until("it has seen the jump", partial(differs_by, drift_s))
        await people_talk(1.0)
    lasted_s = time.monotonic() - began_s
    await resident.hang_up()
    await phone.closed()
    cdr = await office.cdr()

    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= lasted_s - 1.0, "the jumps ended something"
    assert cdr.talk_s == pytest.approx(lasted_s, abs=1.0)
    assert abs(cdr.started_at - began) < timedelta(seconds=60)
    assert '"clock.differs"' in office.daemon.log_text()
