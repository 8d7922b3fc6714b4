"""The rules that the daemon is measured with: the sample's regions and calendars, and everybody in one queue."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.competitors import RING_S
from lab.paths import PROJECT

WEEKDAY_MORNING = "2026-11-24T10:00"
"""When the daemon's day begins: the rules are to be the same at whatever time the benchmark runs."""
TAKEN_FROM_THE_SAMPLE = ("callrouter.yaml", "regions.yaml", "calendars.yaml", "prompts.yaml", "trunks.yaml")

# No announcement before the queue, which would answer the call: there would be no ringing to wait for.
QUEUES = f"""\
queues:
  gyeongnam:
    title: 경상남도
    sound: ringback
    ring_timeout: {RING_S}s
    wrap_up: 0s
"""
ROUTES = """\
plans:
  wait: [{queue: gyeongnam, max_wait: 10 min}, hangup]
routes:
  - {id: changwon-day, when: {tenant: changwon, calendar: weekday-day}, plan: wait}
  - {id: changwon-night, when: {tenant: changwon, calendar: weekday-night}, plan: wait}
  - {id: gyeongnam-day, when: {calendar: weekday-day}, plan: wait}
  - {id: gyeongnam-night, when: {calendar: weekday-night}, plan: wait}
  - {id: closed, do: [hangup]}
"""


def write_rules(folder: Path, extensions: Sequence[str]) -> Path:
    """The sample's routes without announcements, for these counselors in one queue; returns ``folder``."""
    folder.mkdir(parents=True)
    for name in TAKEN_FROM_THE_SAMPLE:
        shutil.copy(PROJECT / "config" / name, folder)
    agents = "".join(
        f'  "{extension}": {{name: "{extension}", site: gyeongnam, endpoint: PJSIP/{extension},'
        " queues: [gyeongnam], tenant: gyeongnam}\n"
        for extension in extensions
    )
    (folder / "agents.yaml").write_text(f"agents:\n{agents}", encoding="utf-8")
    (folder / "queues.yaml").write_text(QUEUES, encoding="utf-8")
    (folder / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    return folder
