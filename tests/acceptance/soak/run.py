"""All of it: calls and faults for a time, and then the proof that all adds up."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from callrouter.core.cdr import Cdr
from callrouter.store.postgres import CdrSearch, open_archive
from tests.acceptance.soak import faults, people, rest
from tests.acceptance.soak.ground import Ground
from tests.acceptance.soak.records import Evidence, figures
from tests.acceptance.soak.sent_away import sent_away

SETTINGS = {"LIMITS_DEAD_MAN": "20s", "LIMITS_MISSES_BEFORE_PAUSE": "0", "LIMITS_REST_AFTER_NO_ANSWER": "1s"}
"""Of the daemons, beside how Asterisk is reached."""
LONG_WISHES_S = 10.0
"""So long before the end nobody begins what takes long."""
WARM = 0.6
"""After so much of the time the last daemon is warm: its growth is counted from there."""
DYING = 0.5
"""In so much of the time daemons are killed; that which then runs is to stay as small as it is."""
SHORT_S = 60.0
"""What is shorter has not time for everything: daemons are killed to the end, and their growth is not measured."""


MANY = 300
"""So many calls, and nearly everything has come to pass by chance."""


async def soak(ground: Ground, seconds: float, per_second: float, every_s: float) -> None:
    """Have calls and faults for so many seconds, and then prove that every call is recorded and nothing is left.

    Raises:
        AssertionError: something is not as it should be; all that is, not the first.
    """
    ground.is_short = seconds < SHORT_S
    log_start = len(ground.asterisk.log_text())
    before = [await rest.settled(office) for office in ground.crew.all]
    warm = await _happen(ground, seconds, per_second, every_s)
    found: list[str] = []
    for office, was in zip(ground.crew.all, before, strict=True):
        now, more = await rest.no_more_than(was, office)
        print(f"before: {was}\nafter:  {now}")
        found += more
    print(f"{len(ground.seen)} calls, {len(ground.legs)} calls to phones")
    _tell("faults", ground.struck)
    _tell("people", ground.done)

    cdrs = await _records(ground)
    away = sent_away(ground.asterisk.log_text()[log_start:])
    _tell("records", Counter(figures(cdrs)))
    print(f"{len(away)} calls were sent to the fallback")
    found += Evidence(ground.seen, ground.legs, cdrs, ground.away, away).disagreements()
    found += _grown(ground, warm)
    found += _missing(ground, cdrs)
    if found:
        _keep_traces(ground)
    assert not found, "\n".join(found)


async def _happen(ground: Ground, seconds: float, per_second: float, every_s: float) -> Mapping[int, int]:
    """Let it happen; how much memory each daemon, by its process, had when it was warm."""
    dying_s = seconds if ground.is_short else DYING * seconds
    end = time.monotonic() + seconds
    ground.wishes_s = end - LONG_WISHES_S
    async with AsyncExitStack() as stack:
        phones = people.Phones(ground)
        await phones.attend(stack)
        async with asyncio.TaskGroup() as all_:
            all_.create_task(people.residents(ground, seconds, per_second))
            strikes = all_.create_task(_strike(ground, dying_s, end, every_s))
            await asyncio.sleep(WARM * seconds)
            pids = [office.daemon.pid for office in ground.crew.all]
            warm = {pid: rest.resident_bytes(pid) for pid in pids}
            await strikes
        await rest.until_quiet(ground)
        phones.note()
    return warm


async def _strike(ground: Ground, dying_s: float, end: float, every_s: float) -> None:
    await faults.faults(ground, dying_s, every_s, fatal=True)
    await faults.faults(ground, end - time.monotonic(), every_s, fatal=False)


async def _records(ground: Ground) -> list[Cdr]:
    assert ground.office.database_url is not None
    async with open_archive(ground.office.database_url) as archive:
        return await archive.find(CdrSearch(limit=10 * people.MOST_CALLS))


def _grown(ground: Ground, warm: Mapping[int, int]) -> list[str]:
    """What there is more of than there may be, however long it lasted."""
    found = []
    for office in () if ground.is_short else ground.crew.all:
        was, now = warm[office.daemon.pid], rest.resident_bytes(office.daemon.pid)
        print(f"grown by {(now - was) / 1e6:.1f} MB from {was / 1e6:.1f} MB after {WARM:.0%} of the time")
        if now > was + rest.MOST_GROWTH_BYTES:
            found.append(f"{now} bytes of memory, {was} when it was warm")
    most = rest.MOST_STATE_BYTES + len(ground.seen) * rest.MOST_STATE_BYTES_A_CALL
    state_bytes = rest.state_bytes(ground.crew.state_dir)
    print(f"{state_bytes / 1e6:.1f} MB of journal and inputs")
    if state_bytes > most:
        found.append(f"{state_bytes} bytes of journal and inputs, {most} would do")
    for office in ground.crew.all:
        found += rest.complaints(office.daemon.log_text())
    return found


def _missing(ground: Ground, cdrs: list[Cdr]) -> list[str]:
    """What did not happen, though there was time: a soak in which nothing happens proves nothing."""
    came_to = figures(cdrs)
    wanted = ["handled", "abandoned"]
    if not ground.is_short:
        wanted += ["callback", "called back: reached", "passed on", "voicemail"]
    if len(ground.seen) >= MANY:
        wanted += ["called back: not-reached", "joined", "overflowed"]
    found = [f"no call came to be {what}" for what in wanted if not came_to.get(what)]
    if came_to.get("handled", 0) < len(ground.seen) / 10:
        found.append("hardly a call was handled")
    if sum(ground.struck.values()) < 2:
        found.append("hardly a fault struck")
    return found


def _tell(what: str, counted: Counter[str]) -> None:
    print(f"{what}: {', '.join(f'{name} {count}' for name, count in sorted(counted.items()))}")


def _keep_traces(ground: Ground) -> None:
    """Where somebody wants them: what the phones heard and said."""
    if folder := os.environ.get("SOAK_TRACES"):
        texts = [f"{line.phone.user} {line.call_id}\n{line.phone.trace(line.call_id)}" for line in ground.lines]
        Path(folder, "phones").write_text("\n\n".join(texts), encoding="utf-8")
