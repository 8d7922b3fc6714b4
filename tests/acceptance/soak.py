"""Calls at a steady rate while faults strike at random: what drives them, and what must be true afterwards."""

import asyncio
import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from callrouter.core.cdr import Cdr
from callrouter.store.postgres import CdrSearch, open_archive
from lab.asterisk import LabAsterisk
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from lab.testing import DEADLINE_S
from tests.acceptance.centre import Centre
from tests.acceptance.phones import phone_that
from tests.acceptance.wire import Wire

SCENARIOS = {
    **dict.fromkeys(("201", "202", "203", "204"), "uas_answer"),
    "205": "uas_decline",
    "206": "uas_ring_forever",
}
"""What each counselor's phone does."""
AGENTS = tuple(SCENARIOS)
MOST_CALLS = 5000
AGREES_S = 1.0
"""By how much a record's length may differ from what the caller saw."""
STARTS_S = 2.0
"""The same of its beginning: Asterisk may have been stopped for that long."""
QUIET_S = 60.0
MOST_GROWTH_BYTES = 64 * 1024 * 1024
SPARE_FILES = 8
"""So many more files may be open than at the beginning: connections that are kept alive."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A call as its caller saw it."""

    number: str
    began_at: datetime
    ended_at: datetime
    entered: bool
    """Asterisk took it: it said more than that it tries."""

    @property
    def length_s(self) -> float:
        return (self.ended_at - self.began_at).total_seconds()


@dataclass(slots=True)
class Ground:
    """Where it happens."""

    asterisk: LabAsterisk
    office: Centre
    wire: Wire
    chance: random.Random
    away: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When no daemon could take a call, or answer for one."""
    struck: Counter[str] = field(default_factory=Counter)
    seen: list[Seen] = field(default_factory=list)

    async def without_daemon(self, what: Callable[[], Awaitable[None]]) -> None:
        """Do something during which calls go to the fallback."""
        begun = datetime.now().astimezone()
        await what()
        self.away.append((begun, datetime.now().astimezone()))

    def was_away(self, call: Seen) -> bool:
        """Whether a call met a time without a daemon."""
        margin = timedelta(seconds=DEADLINE_S + 2)
        return any(begun - margin <= call.ended_at and call.began_at <= over + margin for begun, over in self.away)


async def call(ground: Ground, number: str) -> None:
    """One resident, who hangs up some time after he was answered, by a voice or by a counselor."""
    pause_ms = int(1000 * ground.chance.choice((0.1, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0)))
    target = ground.asterisk.sip_address
    async with Sipp(
        "uac_talk", address=CARRIER_ADDRESS, target=target, caller=number, count=1, pause_ms=pause_ms, timeout_s=40
    ) as resident:
        await resident.result()
        moments, answers = resident.moments(), resident.received("SIP/2.0")
    entered = any(not line.startswith("SIP/2.0 100") for line in answers)
    if moments:
        ground.seen.append(Seen(number, moments[0], moments[-1], entered))


async def callers(ground: Ground, seconds: float, per_second: float) -> None:
    """Residents, one after another, until the time is over and the last has hung up."""
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as residents:
        for number in range(MOST_CALLS):
            if time.monotonic() >= end:
                return
            residents.create_task(call(ground, f"0552{number:06}"))
            await asyncio.sleep(ground.chance.expovariate(per_second))


# --- faults; each ends with all as it was before


async def kill_the_daemon(ground: Ground) -> None:
    async def kill() -> None:
        await ground.office.kill_in_the_act()
        await ground.office.restart()

    await ground.without_daemon(kill)


async def freeze_the_daemon(ground: Ground) -> None:
    async def freeze() -> None:
        ground.office.daemon.freeze()
        await asyncio.sleep(ground.chance.uniform(0.2, 1.5))
        ground.office.daemon.thaw()

    await ground.without_daemon(freeze)


async def freeze_asterisk(ground: Ground) -> None:
    async def freeze() -> None:
        ground.asterisk.freeze()
        await asyncio.sleep(ground.chance.uniform(0.2, 1.5))
        ground.asterisk.thaw()

    await ground.without_daemon(freeze)


async def cut_the_wire(ground: Ground) -> None:
    async def cut() -> None:
        await ground.wire.cut()
        await asyncio.sleep(ground.chance.uniform(0.0, 1.0))
        await ground.wire.mend()
        await ground.office.until("the site is up", lambda status: all(site["up"] for site in status["sites"]))

    await ground.without_daemon(cut)


async def end_the_databases_connections(ground: Ground) -> None:
    assert ground.office.database_url is not None
    connection = await asyncpg.connect(ground.office.database_url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    finally:
        await connection.close()


async def change_the_rules(ground: Ground) -> None:
    routes = ground.office.daemon.config / "routes.yaml"
    text = routes.read_text(encoding="utf-8")
    routes.write_text(f"{text}# changed\n", encoding="utf-8")
    done = await asyncio.to_thread(ground.office.daemon.run, "reload")
    assert done.returncode == 0, done.stderr


FAULTS: tuple[Callable[[Ground], Awaitable[None]], ...] = (
    kill_the_daemon,
    cut_the_wire,
    end_the_databases_connections,
    freeze_the_daemon,
    change_the_rules,
    freeze_asterisk,
)


async def faults(ground: Ground, seconds: float, every_s: float) -> None:
    """Faults, each kind once before any twice, in an order of chance, until the time is over."""
    end = time.monotonic() + seconds
    due: list[Callable[[Ground], Awaitable[None]]] = []
    while True:
        await asyncio.sleep(every_s)
        if time.monotonic() >= end:
            return
        if not due:
            due = ground.chance.sample(FAULTS, len(FAULTS))
        fault = due.pop()
        await fault(ground)
        ground.struck[fault.__name__] += 1


async def run(ground: Ground, seconds: float, per_second: float, every_s: float) -> None:
    """All of it: phones, residents, faults."""
    async with AsyncExitStack() as phones:
        for extension, scenario in SCENARIOS.items():
            phone = phone_that(
                ground.asterisk,
                scenario,
                extension,
                count=MOST_CALLS,
                pause_ms=int(1000 * ground.chance.uniform(0.1, 1.0)),
                timeout_s=seconds + 3 * QUIET_S,
            )
            await phones.enter_async_context(phone)
        async with asyncio.TaskGroup() as both:
            both.create_task(callers(ground, seconds, per_second))
            both.create_task(faults(ground, seconds, every_s))
        await until_quiet(ground)


# --- what must be true afterwards


async def until_quiet(ground: Ground) -> None:
    """Wait until nobody is on the line: nothing is left in Asterisk, nor in the daemon."""
    deadline = time.monotonic() + QUIET_S
    while (left := await _left(ground)) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.2)
    assert not left, f"left behind: {left}"


async def _left(ground: Ground) -> dict[str, object]:
    status = await ground.office.status()
    channels = await asyncio.to_thread(ground.asterisk.channels)
    bridges = await asyncio.to_thread(ground.asterisk.get, "bridges")
    found = {
        "channels": [channel["name"] for channel in channels],
        "bridges": [bridge["id"] for bridge in bridges],
        "calls": status["calls"],
        "trunks": [(trunk["trunk"], trunk["in_use"]) for trunk in status["trunks"] if trunk["in_use"]],
        "agents": [one for one in status["agents"] if one["state"] in ("reserved", "ringing", "on-call")],
    }
    return {what: one for what, one in found.items() if one}


async def check_records(ground: Ground) -> None:
    """Every call that its caller saw has one record, whose times agree with his, and there is no other."""
    assert ground.office.database_url is not None
    expected = {one.number for one in ground.seen if one.entered and not ground.was_away(one)}
    cdrs: list[Cdr] = []
    deadline = time.monotonic() + QUIET_S
    while time.monotonic() < deadline:
        async with open_archive(ground.office.database_url) as archive:
            cdrs = await archive.find(CdrSearch(limit=2 * MOST_CALLS))
        if expected <= {cdr.caller for cdr in cdrs}:
            break
        await asyncio.sleep(0.2)
    by_number: dict[str, list[Cdr]] = defaultdict(list)
    for cdr in cdrs:
        by_number[cdr.caller].append(cdr)
    seen = {one.number: one for one in ground.seen}
    problems = [f"{number}: {len(found)} records" for number, found in by_number.items() if len(found) > 1]
    problems += [f"{number}: no record" for number in sorted(expected - by_number.keys())]
    problems += [f"{number}: nobody called" for number in sorted(by_number.keys() - seen.keys())]
    for number, one in seen.items():
        for cdr in by_number.get(number, ()):
            problems += _disagreements(ground, one, cdr)
    assert not problems, "\n".join(problems)


def _disagreements(ground: Ground, one: Seen, cdr: Cdr) -> list[str]:
    found = []
    late_s = (cdr.started_at - one.began_at).total_seconds()
    if abs(late_s) > STARTS_S:
        found.append(f"{one.number}: begins {late_s:.1f} s after the caller's")
    length_s = (cdr.ended_at - cdr.started_at).total_seconds()
    if not ground.was_away(one) and abs(length_s - one.length_s) > AGREES_S:
        found.append(f"{one.number}: {length_s:.1f} s, and the caller saw {one.length_s:.1f} s: {cdr.explanation}")
    if abs(cdr.wait_s + cdr.ring_s + cdr.talk_s - length_s) > 0.002:
        found.append(f"{one.number}: {cdr.wait_s} + {cdr.ring_s} + {cdr.talk_s} is not {length_s}")
    return found


def open_files(pid: int) -> int:
    """How many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_bytes(pid: int) -> int:
    """How much memory a process has."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
