"""What the daemon tells of its rules."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from callrouter.app.status import holidays_end_days
from callrouter.config import load
from callrouter.core.conditions import Condition, Finding, QueueStates, no_queues
from callrouter.core.decision import Decision
from callrouter.core.inbound import CallFacts
from callrouter.core.switches import ALL_OFF, SwitchesOn

BASE = Path(__file__).parents[1] / "bad_config" / "base"
TEXT = """
holidays:
  public: {country: KR, until: 2026-11-25}
calendars:
  day: {open: mon-fri 09:00-18:00, closed_on: public}
  night: {open: mon-fri 18:00-22:00}
  berlin: {like: day, zone: Europe/Berlin}
"""


def test_it_tells_how_long_the_holidays_of_each_calendar_are_known(tmp_path: Path) -> None:
    folder = shutil.copytree(BASE, tmp_path / "config")
    (folder / "calendars.yaml").write_text(TEXT, encoding="utf-8")
    router = load(folder, {"TEST_PASSWORD": "x"}).rulebook.router
    in_seoul_tomorrow = datetime(2026, 11, 24, 16, tzinfo=UTC)
    assert holidays_end_days(router, in_seoul_tomorrow) == {"day": 0, "berlin": 1}
    assert holidays_end_days(router, datetime(2026, 12, 1, tzinfo=UTC)) == {"day": -6, "berlin": -6}


def test_a_router_without_calendars_tells_of_none() -> None:
    class Switchboard:
        def decide(
            self, facts: CallFacts, at: datetime, queues: QueueStates = no_queues, switches: SwitchesOn = ALL_OFF
        ) -> Decision:
            raise NotImplementedError

        def ask(
            self,
            conditions: Sequence[Condition],
            facts: CallFacts,
            at: datetime,
            queues: QueueStates = no_queues,
            switches: SwitchesOn = ALL_OFF,
        ) -> Finding:
            raise NotImplementedError

    assert holidays_end_days(Switchboard(), datetime(2026, 12, 1, tzinfo=UTC)) == {}
