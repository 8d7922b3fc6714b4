"""Two daemons on the tests' Asterisk, with one journal or as if on two machines: one leads, the other waits."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from callrouter.web.client import ask_hand_over
from callrouter.web.leading import HandOverRequest
from lab import ports
from lab.asterisk import LabAsterisk
from tests.acceptance.centre import POLL_S, TUESDAY_MORNING, Centre

IN_CHARGE_WITHIN_S = 5.0
"""What is promised: how long after its death, or its falling silent, the leader has a successor."""


class Duo:
    """Daemons ``a`` and ``b``. At first ``a`` leads. Unless in ``one_folder``, each has a state folder of its own."""

    def __init__(
        self,
        asterisk: LabAsterisk,
        folder: Path,
        *,
        agi_port: int,
        database_url: str | None,
        agents: Iterable[str] = ("201",),
        settings: Mapping[str, str] | None = None,
        a_settings: Mapping[str, str] | None = None,
        b_settings: Mapping[str, str] | None = None,
        clock: str | None = TUESDAY_MORNING,
        edit: Callable[[Path], None] | None = None,
        one_folder: bool = True,
        **times: str,
    ) -> None:
        began_s = time.time()
        self.state_dir = folder / "state"

        own = {"a": dict(a_settings or {}), "b": dict(b_settings or {})}
        if one_folder:
            own = {name: {"STATE_DIR": str(self.state_dir), **settings} for name, settings in own.items()}
        else:
            addresses = [f"127.0.0.1:{ports.kept_tcp()}" for _ in own]
            lines = zip(own, addresses, reversed(addresses), strict=True)
            for name, listen, peer in lines:
                own[name] = {
                    "STANDBY_LISTEN": listen,
                    "STANDBY_PEER": peer,
                    "STANDBY_SECRET": "a secret of the tests, and of nobody",
                    **own[name],
                }

        def make(name: str) -> Centre:
            return Centre(
                asterisk,
                folder / name,
                agi_port=agi_port,
                database_url=database_url,
                agents=agents,
                clock=clock,
                clock_at_s=began_s,
                settings={
                    "STANDBY_ENABLED": "yes",
                    "SERVICE_DRAIN": "1s",
                    **(settings or {}),
                    **own[name],
                },
                edit=edit,
                surroundings=None,
                anew=True,
                **times,
            )

        self._make = make
        self.a = make("a")
        self.b: Centre

    async def start(self) -> None:
        """Have ``a`` lead and ``b`` wait."""
        await self.a.start()
        self.b = self._make("b")
        await self.stand_by(self.b)

    async def stop(self, leader: Centre, other: Centre) -> tuple[float, int | None]:
        """Have ``leader`` end; how long it took (seconds) until ``other`` was in charge, and its exit status."""
        stopped_s = time.monotonic()
        leader.daemon.terminate()
        took_s = await self.until_in_charge(other, stopped_s)
        return took_s, await asyncio.to_thread(leader.daemon.wait_ended)

    async def again(self, dead: Centre) -> None:
        """Start another in place of one that has ended; it waits."""
        await dead.restart(wait=False)
        await self.until_role(dead, "standby")

    async def stand_by(self, centre: Centre) -> None:
        """Start it, and see that it waits."""
        await asyncio.to_thread(centre.daemon.start, wait=False)
        await self.until_role(centre, "standby")

    def end(self) -> None:
        """Kill both."""
        for centre in (self.a, getattr(self, "b", None)):
            if centre is not None:
                centre.daemon.kill()

    async def until_role(self, centre: Centre, role: str, *, timeout_s: float = 15.0) -> dict[str, Any]:
        """Wait until it is ``role``; its status then."""
        deadline = time.monotonic() + timeout_s
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            assert centre.daemon.is_running(), centre.daemon.log_tail()
            with contextlib.suppress(OSError):
                status = await centre.status()
                if status["leading"]["role"] == role:
                    return status
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"not {role}: {status.get('leading')}\n{centre.daemon.log_tail()}")

    async def until_in_charge(self, centre: Centre, since_s: float) -> float:
        """Wait until it leads and takes calls; how long after ``since_s`` (monotonic) it did."""
        await self.until_role(centre, "leading", timeout_s=IN_CHARGE_WITHIN_S + 5)
        await centre.until("it takes calls", lambda status: bool(status["ready"]))
        took_s = time.monotonic() - since_s
        assert took_s < IN_CHARGE_WITHIN_S, f"{took_s:.1f} s\n{centre.daemon.log_tail()}"
        return took_s

    async def hand_over(self, leader: Centre) -> None:
        """Have ``leader`` hand over as an operator does."""
        told = await asyncio.to_thread(leader.daemon.run, "hand-over")
        assert told.returncode == 0, told.stderr + leader.daemon.log_tail()

    async def order_to_hand_over(self, leader: Centre) -> None:
        """The same over HTTP, which is quicker than to start a program."""
        report = await ask_hand_over(leader.daemon.url, HandOverRequest("test"))
        assert report.ok, report.message + leader.daemon.log_tail()


async def until_copied(leader: Centre) -> None:
    """Wait until the other has all of the journal."""

    def is_copied(status: dict[str, Any]) -> bool:
        copy = status["leading"]["copy"]
        return not status["journal"]["waiting"] and copy is not None and copy["is_whole"] and not copy["behind"]

    await leader.until("the other has a copy", is_copied)
