"""``python -m bench.restart``: how soon after its start a daemon is in charge of the calls of one that was killed.

A conversation, a phone that rings and a caller who waits outlive every kill. Beside it, by turns: the least that the
start of any program in Python costs that connects to Asterisk and asks what is there. What Asterisk's own restart takes
is told once, at the end, for that ends every call.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import click

from bench.figures import percentile
from bench.rules import WEEKDAY_MORNING, write_rules
from callrouter.store.embedded import EmbeddedPostgres
from lab import ports
from lab.asterisk import LabAsterisk
from lab.daemon import Daemon
from lab.errors import LabError
from lab.paths import LAB, PROJECT
from lab.phones import CARRIER_ADDRESS, Phone
from lab.sipp import Sipp

PHONES_ADDRESS = "127.0.0.3"
STATES = ["connected", "offered", "queued"]
PATIENCE_S, POLL_S, LASTS_S = 30.0, 0.01, 3600.0
PROMISED_S = 3.0


@click.command(epilog="Example: python -m bench.restart --rounds 30")
@click.option("--rounds", type=click.IntRange(1, 1000), default=20, show_default=True, help="Kills and starts.")
@click.option("--name", default="bench-restart", show_default=True, help="Laboratory instance.")
def main(rounds: int, name: str) -> None:
    """Print seconds from the start of a process until it is in charge: median, 90 of 100, and the longest."""
    folder = LAB / name
    answering, ringing = (ports.kept_udp(PHONES_ADDRESS) for _ in range(2))
    phones = tuple(
        Phone(extension, static_contact=f"sip:{extension}@{PHONES_ADDRESS}:{port}")
        for extension, port in (("1001", answering), ("1002", ringing))
    )
    asterisk = LabAsterisk(
        name, sip_port=ports.kept_udp(), http_port=ports.kept_tcp(), rtp_range=(12000, 12999), phones=phones, verbose=0
    )
    with ExitStack() as stack:
        asterisk.start()
        stack.callback(asterisk.remove)
        shutil.rmtree(folder, ignore_errors=True)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = EmbeddedPostgres(folder / "postgres")
        database_url = postgres.start()
        stack.callback(postgres.stop)
        daemon = Daemon(
            asterisk,
            folder / "daemon",
            web_port=ports.kept_tcp(),
            agi_port=ports.kept_tcp(),
            config=write_rules(folder / "config", [phone.extension for phone in phones]),
            clock=WEEKDAY_MORNING,
            database_url=database_url,
            settings={"LOGGING_LEVEL": "warning"},
        )
        stack.callback(daemon.kill)
        daemon.start()
        ours, bare = asyncio.run(_measure(asterisk, daemon, answering, ringing, rounds))
        daemon.kill()
        began_s = time.monotonic()
        asterisk.restart()
        asterisk_s = time.monotonic() - began_s
    _tell("in charge of three calls", ours)
    _tell("bare start of a client", bare)
    click.echo(f"{'Asterisk itself, once':26s}  {asterisk_s:.2f}   (all its calls end)")
    click.echo(f"promised: {PROMISED_S:g} s; kept in {sum(one < PROMISED_S for one in ours)} of {len(ours)}")


def _tell(what: str, seconds: Sequence[float]) -> None:
    figures = (statistics.median(seconds), percentile(seconds, 90), max(seconds))
    click.echo(f"{what:26s}  median {figures[0]:.2f}  p90 {figures[1]:.2f}  max {figures[2]:.2f} s")


async def _measure(
    asterisk: LabAsterisk, daemon: Daemon, answering: int, ringing: int, rounds: int
) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    bare: list[float] = []
    async with _three_calls(asterisk, daemon, answering, ringing):
        for _ in range(rounds):
            await asyncio.to_thread(daemon.kill)
            ours.append(await _in_charge(daemon))
            bare.append(await asyncio.to_thread(_bare_start, asterisk))
            click.echo(f"{ours[-1]:6.2f} {bare[-1]:6.2f}", err=True)
    return ours, bare


@asynccontextmanager
async def _three_calls(asterisk: LabAsterisk, daemon: Daemon, answering: int, ringing: int) -> AsyncIterator[None]:
    """One talks, one hears a phone ring, one waits, for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        for scenario, extension, port in (("uas_answer", "1001", answering), ("uas_ring_forever", "1002", ringing)):
            phone = Sipp(scenario, address=PHONES_ADDRESS, port=port, service=extension, timeout_s=LASTS_S)
            await stack.enter_async_context(phone)
        for number in range(len(STATES)):
            caller = Sipp(
                "uac_talk",
                address=CARRIER_ADDRESS,
                target=asterisk.sip_address,
                caller=f"055225000{number}",
                pause_ms=round(LASTS_S * 1000),
                timeout_s=LASTS_S,
            )
            await stack.enter_async_context(caller)
            await _until(daemon, STATES[: number + 1])
        yield


async def _until(daemon: Daemon, states: Sequence[str]) -> None:
    """Wait until it takes calls, and has these.

    Raises:
        LabError: it has not within 30 s.
    """
    deadline = time.monotonic() + PATIENCE_S
    found: list[str] = []
    while time.monotonic() < deadline:
        try:
            status = await asyncio.to_thread(daemon.status)
        except OSError:  # it does not listen yet
            status = {"ready": False, "calls": []}
        found = sorted(call["state"] for call in status["calls"])
        if status["ready"] and found == sorted(states):
            return
        await asyncio.sleep(POLL_S)
    raise LabError(f"calls are {found}, not {list(states)}\n{daemon.log_tail()}")


async def _in_charge(daemon: Daemon) -> float:
    began_s = time.monotonic()
    await asyncio.to_thread(daemon.start, wait=False)
    await _until(daemon, STATES)
    return time.monotonic() - began_s


def _bare_start(asterisk: LabAsterisk) -> float:
    access = asterisk.ari
    environment = {**os.environ, "BARE_URL": access.url, "BARE_AUTHORIZATION": access.headers["Authorization"]}
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-m", "bench.bare_start"], cwd=PROJECT, env=environment, check=True)
    return time.monotonic() - began_s


if __name__ == "__main__":
    main(prog_name="python -m bench.restart")
