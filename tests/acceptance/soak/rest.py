"""What is left when nobody is on the line: nothing more than there was before."""

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.acceptance.centre import Centre
from tests.acceptance.ordering import read
from tests.acceptance.soak.ground import Ground

QUIET_S = 60.0
SETTLES_S = 10.0
POLL_S = 0.5
_TASKS = re.compile(r'^callrouter_tasks\{doing="([^"]+)"\} (\S+)$', re.MULTILINE)
_NUMBERED = re.compile(r"\d+")
_DEFECT = re.compile(r'"level": "(?:error|critical)"|"event": "exchange\.(?:impossible-event|written-off)"|^Traceback')

_HANGS = re.compile(r'"event": "(?:journal\.fenced|standby\.leader_ended)"|"error": "database is locked"')
"""That another leads by now; that it ended the one that hung, and could not write before."""

SPARE_FILES, SPARE_THREADS, SPARE_CONNECTIONS = 8, 8, 2
"""So many more there may be than before: connections that are kept alive, threads of pools that had not been needed."""
MOST_GROWTH_BYTES = 24 * 1024 * 1024
"""By how much a daemon that has been through some of it may grow by the end, however long that takes."""
MOST_STATE_BYTES, MOST_STATE_BYTES_A_CALL = 4 * 1024 * 1024, 32 * 1024
"""Of journal and inputs."""
_OF_ASKING = "RequestHandler."
"""Tasks of the web server for whoever asks it, as we do."""


@dataclass(frozen=True, slots=True)
class AtRest:
    """What a daemon has while nobody calls, by kind."""

    tasks: Mapping[str, int]
    files: Mapping[str, int]
    threads: Mapping[str, int]
    connections: int
    """PostgreSQL's, of all daemons."""
    resident_bytes: int

    def __str__(self) -> str:
        return (
            f"{sum(self.tasks.values())} tasks, {sum(self.files.values())} files, {sum(self.threads.values())} threads,"
            f" {self.connections} connections to PostgreSQL, {self.resident_bytes / 1e6:.1f} MB"
        )

    def more_than(self, before: "AtRest") -> list[str]:
        """What there is more of than before, a line each."""
        more = {
            what: self.tasks[what] - before.tasks.get(what, 0) for what in self.tasks if not what.startswith(_OF_ASKING)
        }
        found = [f"{count} more tasks {what}" for what, count in more.items() if count > 0]
        for what, now, then, spare in (
            ("files", self.files, before.files, SPARE_FILES),
            ("threads", self.threads, before.threads, SPARE_THREADS),
        ):
            if sum(now.values()) > sum(then.values()) + spare:
                found.append(f"more {what}: {dict(now)}, before {dict(then)}")
        if self.connections > before.connections + SPARE_CONNECTIONS:
            found.append(f"{self.connections} connections to PostgreSQL, before {before.connections}")
        return found


async def until_quiet(ground: Ground) -> None:
    """Wait until nobody is on the line: nothing is left in Asterisk, nor in the daemon.

    Raises:
        AssertionError: something is, after a minute.
    """
    deadline = time.monotonic() + QUIET_S
    while (left := await _left(ground)) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.2)
    assert not left, f"left behind: {left}\n{ground.office.daemon.log_tail()}"


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
        "records that wait": status["journal"]["waiting"] or status["database"]["backlog"],
        "database": not status["database"]["connected"] and "away",
    }
    return {what: one for what, one in found.items() if one}


async def settled(office: Centre) -> AtRest:
    """What a daemon has once it begins nothing more of itself."""
    deadline = time.monotonic() + SETTLES_S
    was, now = None, await at_rest(office)
    while (was is None or was.tasks != now.tasks) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        was, now = now, await at_rest(office)
    return now


async def no_more_than(before: AtRest, office: Centre) -> tuple[AtRest, list[str]]:
    """What a daemon has, and what of it is more than before: what was lost may just be coming back."""
    deadline = time.monotonic() + SETTLES_S
    now = await at_rest(office)
    while now.more_than(before) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        now = await at_rest(office)
    return now, now.more_than(before)


async def at_rest(office: Centre) -> AtRest:
    """What a daemon has now."""
    pid, metrics = office.daemon.pid, await read(office, "/metrics")
    return AtRest(
        tasks={name: int(float(count)) for name, count in _TASKS.findall(metrics)},
        files=Counter(_files(pid)),
        threads=Counter(_threads(pid)),
        connections=await _connections(office),
        resident_bytes=resident_bytes(pid),
    )


def _files(pid: int) -> Iterator[str]:
    folder = Path(f"/proc/{pid}/fd")
    for name in os.listdir(folder):
        try:
            target = os.readlink(folder / name)
        except FileNotFoundError:
            continue
        yield _NUMBERED.sub("#", target.rpartition("/")[2])


def _threads(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield _NUMBERED.sub("#", (task / "comm").read_text(encoding="utf-8").strip())


async def _connections(office: Centre) -> int:
    assert office.database_url is not None
    connection = await asyncpg.connect(office.database_url)
    try:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    finally:
        await connection.close()
    return found


def resident_bytes(pid: int) -> int:
    """How much memory a process has."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def state_bytes(folder: Path) -> int:
    """What journal and inputs take on the disk."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def complaints(log: str) -> list[str]:
    """What a daemon's log has that tells of a defect, a line each; what a leader that hung has to do with is none."""
    return [line for line in log.splitlines() if _DEFECT.search(line) and not _HANGS.search(line)]
