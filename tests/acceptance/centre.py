"""The whole call centre as residents and counselors meet it: the sample configuration, the daemon, its records."""

import asyncio
import atexit
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from callrouter.cli.replay import kept_runs, rules_of
from callrouter.core.cdr import Cdr
from callrouter.replay.again import Again
from callrouter.replay.records import read
from callrouter.store.postgres import CdrSearch, open_archive
from lab import ports
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip, PhoneEvent
from lab.daemon import Daemon
from lab.desk_phone import DeskPhone
from lab.errors import LabError
from lab.forks import Forks
from lab.paths import PROJECT

TUESDAY_MORNING = "2026-11-24T10:00"
TUESDAY_EVENING = "2026-11-24T19:30"
PATIENCE_S = 10.0
POLL_S = 0.02

FORKS = Forks()
atexit.register(FORKS.close)

ONE_AGENT = re.compile(r'^  "(?P<extension>\d+)": .*\n', re.MULTILINE)


def sample_config(
    folder: Path,
    agents: Iterable[str],
    *,
    ring_timeout: str = "3s",
    wrap_up: str = "1s",
    max_wait: str = "10 min",
) -> Path:
    """The configuration that is shipped, with only these ``agents`` at work and other times."""
    shutil.copytree(PROJECT / "config", folder)
    wanted = set(agents)
    _edit(folder / "agents.yaml", ONE_AGENT, lambda line: line[0] if line["extension"] in wanted else "")
    _edit(
        folder / "queues.yaml", re.compile(r"^    ring_timeout: .*", re.MULTILINE), f"    ring_timeout: {ring_timeout}"
    )
    _edit(folder / "queues.yaml", re.compile(r"^    wrap_up: .*", re.MULTILINE), f"    wrap_up: {wrap_up}")
    _edit(folder / "routes.yaml", re.compile(r"max_wait: .*"), f"max_wait: {max_wait}")
    return folder


def _edit(path: Path, pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str]) -> None:
    text, found = pattern.subn(new, path.read_text(encoding="utf-8"))
    assert found, f"{path.name} has nothing like {pattern.pattern}"
    path.write_text(text, encoding="utf-8")


def edit(path: Path, pattern: str, new: str) -> None:
    """Write ``new`` in the one place where the sample has ``pattern``."""
    text, found = re.subn(pattern, new, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert found == 1, f"{path.name} has {pattern} {found} times"
    path.write_text(text, encoding="utf-8")


class Centre:
    """A daemon on the tests' Asterisk, with its own configuration, state and database.

    ``clock`` is when its day begins, None: now. All its daemons have that clock, as have those of other centres with
    the same ``clock_at_s`` (:class:`~lab.daemon.Daemon`). ``settings`` are more ``CALLROUTER_…`` variables, without
    that prefix, ``surroundings`` other variables; ``edit`` may change the configuration. ``anew``: a start is to take
    the time that it takes in a centre (:mod:`lab.forks`).
    """

    def __init__(
        self,
        asterisk: LabAsterisk,
        folder: Path,
        *,
        agi_port: int,
        database_url: str | None,
        agents: Iterable[str] = ("201",),
        clock: str | None = TUESDAY_MORNING,
        clock_at_s: float | None = None,
        settings: Mapping[str, str] | None = None,
        surroundings: Mapping[str, str] | None = None,
        edit: Callable[[Path], None] | None = None,
        anew: bool = False,
        **times: str,
    ) -> None:
        self.database_url = database_url
        config = sample_config(folder / "config", agents, **times)
        if edit is not None:
            edit(config)
        self._make_daemon = partial(
            Daemon,
            asterisk,
            folder,
            web_port=ports.kept_tcp(),
            agi_port=agi_port,
            config=config,
            database_url=database_url,
            surroundings=surroundings,
            forks=None if anew else FORKS,
        )
        self._settings = settings
        self._clock = (clock, clock_at_s or time.time())
        self.daemon = self._next_daemon(settings)

    async def start(self) -> None:
        """Have it take calls."""
        await asyncio.to_thread(self.daemon.start)

    async def restart(
        self, at: datetime | None = None, *, wait: bool = True, settings: Mapping[str, str] | None = None
    ) -> None:
        """Another daemon after the first has ended, on the same state; its clock has gone on, or is ``at``.

        ``settings`` are its own, in place of the first one's.
        """
        if at is not None:
            self._clock = (at.isoformat(), time.time())
        self.daemon = self._next_daemon(self._settings if settings is None else settings)
        await asyncio.to_thread(self.daemon.start, wait=wait)

    def _next_daemon(self, settings: Mapping[str, str] | None) -> Daemon:
        clock, at_s = self._clock
        return self._make_daemon(clock=clock, clock_at_s=at_s if clock is not None else None, settings=settings)

    async def kill(self) -> None:
        """The daemon dies at once, with all that has happened in its journal."""
        await self.until("the journal is on disk", lambda status: not status["journal"]["waiting"])
        await self.kill_in_the_act()

    async def kill_in_the_act(self) -> None:
        """The daemon dies at once; the journal may lose the last hundredths of a second."""
        await asyncio.to_thread(self.daemon.kill)

    def assert_same_again(self, state_dir: Path | None = None) -> None:
        """All that came in, run again through the same core in this process, is decided as the daemons decided it.

        ``state_dir`` is where the daemons have their state, if not where this one would have it alone.
        """
        for path in kept_runs(state_dir or self.daemon.state_dir):
            for step in Again(read(path), rules_of).steps():
                assert step.is_same, f"{path.name}, input #{step.number}: {step.kind} {step.event}\n{step.output}"

    async def freeze(self) -> None:
        """The daemon hangs: its sockets stay open, and nothing is read or done."""
        self.daemon.freeze()

    async def status(self) -> dict[str, Any]:
        """What ``/api/v1/status`` says now."""
        return await asyncio.to_thread(self.daemon.status)

    async def until(
        self, what: str, holds: Callable[[dict[str, Any]], bool], *, timeout_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Wait until the status document is as wanted, and return it.

        Raises:
            LabError: it is not so within ``timeout_s`` seconds; with the document and the daemon's log.
        """
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(timeout_s):
                # The daemon tells nobody what changes: it is asked.
                while not holds(status := await self.status()):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(f"not within {timeout_s:g} s: {what}\n{status}\n{self.daemon.log_tail()}") from None
        return status

    async def talk(self, resident: Baresip, phone: Baresip) -> None:
        """Have a resident dial 120 and talk to the counselor at ``phone``, who is to be rung."""
        await resident.dial("120")
        await self.taken(phone)

    async def taken(self, phone: Baresip) -> PhoneEvent:
        """Have the counselor at ``phone``, who is to be rung, take the call; what rang."""
        rang = await phone.incoming()
        await self.picked_up(phone)
        return rang

    async def picked_up(self, phone: Baresip) -> None:
        """Have the counselor at ``phone``, which rings, take the call: until he can speak to the caller, he has not."""
        await phone.accept()
        await phone.established()

        def talks(status: dict[str, Any]) -> bool:
            there = {agent["agent"] for agent in status["agents"] if agent["phone"] == f"PJSIP/{phone.user}"}
            return any(call["agent"] in there and call["state"] == "connected" for call in status["calls"])

        await self.until(f"the counselor at {phone.user} talks to a caller", talks)

    async def until_connected(self, calls: int) -> None:
        """Wait until so many callers can speak with whoever took their call."""
        await self.until(
            f"{calls} talk", lambda status: [c["state"] for c in status["calls"]].count("connected") == calls
        )

    async def until_waiting(self, callers: int) -> None:
        """Wait until so many callers stand in line."""
        await self.until(
            f"{callers} callers wait", lambda status: sum(q["waiting"] for q in status["queues"]) == callers
        )

    async def until_agent(self, agent: str, state: str, *, timeout_s: float = PATIENCE_S) -> None:
        """Wait until a counselor is in ``state``."""
        await self.until(
            f"counselor {agent} is {state}",
            lambda status: any(a["agent"] == agent and a["state"] == state for a in status["agents"]),
            timeout_s=timeout_s,
        )

    async def until_call(self, state: str) -> None:
        """Wait until the only call is in ``state``."""
        await self.until(f"the call is {state}", lambda status: [c["state"] for c in status["calls"]] == [state])

    async def until_call_states(self, *states: str) -> None:
        """Wait until the calls are in these states, in any order."""
        await self.until(f"the calls are {states}", lambda s: sorted(c["state"] for c in s["calls"]) == sorted(states))

    async def cdrs(self, count: int = 1, *, timeout_s: float = PATIENCE_S) -> list[Cdr]:
        """The ``count`` CDRs that are in PostgreSQL, in the order in which the calls came in.

        Raises:
            LabError: there are not exactly so many within ``timeout_s`` seconds.
        """
        assert self.database_url is not None
        found: list[Cdr] = []
        try:
            async with asyncio.timeout(timeout_s), open_archive(self.database_url) as archive:
                # Rows come when the daemon has written them, and nobody tells when.
                while len(found := await archive.find(CdrSearch())) < count:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(f"{len(found)} of {count} CDRs:\n{found}\n{self.daemon.log_tail()}") from None
        assert len(found) == count, f"more CDRs than calls: {found}"
        return sorted(found, key=lambda call: call.started_at)

    async def cdr(self) -> Cdr:
        """The only CDR."""
        (only,) = await self.cdrs()
        return only


People = Callable[..., Awaitable[Baresip]]
"""The fixtures ``caller``, ``outside`` and ``counselor``."""
Desk = Callable[..., Awaitable[DeskPhone]]
"""The fixture ``desk``."""
MakeCentre = Callable[..., Awaitable[Centre]]
"""The fixture ``centre``."""
