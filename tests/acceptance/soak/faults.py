"""What goes wrong; each fault ends with all as it was before."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg

from tests.acceptance.centre import POLL_S, Centre
from tests.acceptance.duo import Duo
from tests.acceptance.soak.ground import Deck, Ground

Fault = Callable[[Ground], Coroutine[Any, Any, None]]
SETTLES_S = 20.0


class Solo:
    """One daemon alone."""

    def __init__(self, office: Centre) -> None:
        self.leader = office

    @property
    def all(self) -> tuple[Centre, ...]:
        """It alone."""
        return (self.leader,)

    @property
    def state_dir(self) -> Path:
        """Where it has its journal."""
        return self.leader.daemon.state_dir

    async def kill(self) -> None:
        """It dies, and is started anew."""
        await self.leader.kill_in_the_act()
        await self.leader.restart()

    async def settle(self) -> None:
        """Wait until it has Asterisk."""
        await self.leader.until("the site is up", lambda status: all(site["up"] for site in status["sites"]))


class Two:
    """Two daemons, of which one waits."""

    def __init__(self, duo: Duo) -> None:
        self._duo = duo
        self.leader, self._other = duo.a, duo.b

    @property
    def all(self) -> tuple[Centre, ...]:
        """Both, the leader first."""
        return (self.leader, self._other)

    @property
    def state_dir(self) -> Path:
        """Where they have their journal."""
        return self._duo.state_dir

    async def kill(self) -> None:
        """The leader dies, the other takes over, and it is started anew and waits."""
        dead, since_s = self.leader, time.monotonic()
        await dead.kill_in_the_act()
        await self._change(since_s)
        await self._duo.again(dead)

    async def hand_over(self) -> None:
        """The leader hands over to the other."""
        since_s = time.monotonic()
        await self._duo.order_to_hand_over(self.leader)
        await self._change(since_s)

    async def hang(self) -> None:
        """The leader hangs until the other has taken over, and then waits.

        If it held the journal's file in that moment, the other has ended it, and says so.
        """
        hung, since_s = self.leader, time.monotonic()
        await hung.freeze()
        await self._change(since_s)
        if f'"standby.leader_ended", "pid": {hung.daemon.pid},' in self.leader.daemon.log_text():
            await self._duo.again(hung)
            return
        hung.daemon.thaw()
        await self._duo.until_role(hung, "standby")

    async def settle(self) -> None:
        """Wait until one leads, which has Asterisk, and the other waits: a fault may have changed them.

        Raises:
            AssertionError: that does not come about.
        """
        deadline = time.monotonic() + SETTLES_S
        while time.monotonic() < deadline:
            for leader, other in (self.all, self.all[::-1]):
                if await _leads(leader):
                    self.leader, self._other = leader, other
                    return
            await asyncio.sleep(POLL_S)
        raise AssertionError("\n".join(f"nobody leads: {office.daemon.log_tail()}" for office in self.all))

    async def _change(self, since_s: float) -> None:
        self.leader, self._other = self._other, self.leader
        await self._duo.until_in_charge(self.leader, since_s)


async def _leads(office: Centre) -> bool:
    try:
        status = await office.status()
    except OSError:  # it is frozen, say
        return False
    leading = status["leading"]
    is_up = status["ready"] and all(site["up"] for site in status["sites"])
    return bool(is_up and leading["role"] == "leading" and leading["waiting"])


# --- the faults


async def kill_the_daemon(ground: Ground) -> None:
    crew = ground.crew
    assert isinstance(crew, Solo | Two)
    await ground.without_daemon(crew.kill)


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
    for office in ground.crew.all:
        routes = office.daemon.config / "routes.yaml"
        text = routes.read_text(encoding="utf-8")
        routes.write_text(f"{text}# changed\n", encoding="utf-8")
    done = await asyncio.to_thread(ground.office.daemon.run, "reload")
    assert done.returncode == 0, done.stderr


async def hand_over(ground: Ground) -> None:
    crew = ground.crew
    assert isinstance(crew, Two)
    await ground.without_daemon(crew.hand_over)


async def hang_until_relieved(ground: Ground) -> None:
    crew = ground.crew
    assert isinstance(crew, Two)
    await ground.without_daemon(crew.hang)


FATAL: tuple[Fault, ...] = (kill_the_daemon,)
"""Those that end a process."""
FAULTS: tuple[Fault, ...] = (
    cut_the_wire,
    end_the_databases_connections,
    freeze_the_daemon,
    change_the_rules,
    freeze_asterisk,
)
OF_TWO: tuple[Fault, ...] = (hand_over, hang_until_relieved)


def chosen(ground: Ground, *, fatal: bool) -> tuple[Fault, ...]:
    """What may strike."""
    of_two = OF_TWO if isinstance(ground.crew, Two) else ()
    return (*(FATAL if fatal else ()), *FAULTS, *of_two)


async def faults(ground: Ground, seconds: float, every_s: float, *, fatal: bool) -> None:
    """Faults, each kind once before any twice, in an order of chance, until the time is over."""
    end = time.monotonic() + seconds
    deck = Deck(ground.chance, chosen(ground, fatal=fatal))
    while True:
        await asyncio.sleep(every_s)
        if time.monotonic() >= end:
            return
        fault = deck.draw()
        await fault(ground)
        ground.struck[fault.__name__] += 1
