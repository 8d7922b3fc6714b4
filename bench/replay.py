"""``python -m bench.replay``: the daemon's processor time for a call, measured without Asterisk.

The daemon runs as in production, with its journal and PostgreSQL, against a :mod:`bench.stage`. Two versions of it are
compared by turns, within seconds of each other: so the machine's other work falls on both alike.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.processes import cpu_s
from bench.rules import WEEKDAY_MORNING, write_rules
from bench.stage import Stage, stage
from callrouter.store.embedded import EmbeddedPostgres
from lab import ports
from lab.errors import LabError
from lab.paths import LAB, PROJECT

READY_S = 20.0
END_S = 30.0
TAIL_S = 0.5
POLL_S = 0.05
COUNSELORS = 300


@dataclass(slots=True)
class Version:
    """One version of the daemon, running: its stage, its process, and milliseconds of processor time a call."""

    project: Path
    stage: Stage
    pid: int
    costs: list[float] = field(default_factory=list)


@click.command(epilog="Example: python -m bench.replay --rounds 10 --project . --project ../as-it-was")
@click.option("--rate", type=click.FloatRange(1, 500), default=80, show_default=True, help="Calls a second.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=4, show_default=True, help="How long calls come in.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=5, show_default=True, help="Beside one that warms up.")
@click.option(
    "--project",
    "projects",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Folder with a callrouter/ to run; several are compared with the first.  [default: this one]",
)
@click.option("--tell-pids", is_flag=True, help="Print the daemons' process ids, for a profiler.")
def main(rate: float, seconds: float, rounds: int, projects: tuple[Path, ...], tell_pids: bool) -> None:
    """Print what a call costs the daemon, a line for each round, and the medians."""
    folder = LAB / f"replay-{os.getpid()}"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = EmbeddedPostgres(folder / "postgres")
        database_url = postgres.start()
        stack.callback(postgres.stop)
        asyncio.run(
            _compare(folder, database_url, projects or (PROJECT,), round(rate * seconds), rate, rounds, tell_pids)
        )


async def _compare(
    folder: Path, database_url: str, projects: Sequence[Path], calls: int, rate: float, rounds: int, tell_pids: bool
) -> None:
    async with AsyncExitStack() as stack:
        versions = [
            await stack.enter_async_context(_running(project, folder / str(number), database_url))
            for number, project in enumerate(projects)
        ]
        if tell_pids:
            click.echo(" ".join(str(version.pid) for version in versions))
        for version in versions:
            await _measure(version, calls, rate)
        for _ in range(rounds):
            for version in versions:
                version.costs.append(await _measure(version, calls, rate))
            click.echo("  ".join(f"{version.costs[-1]:6.2f}" for version in versions))
    for version in versions:
        ratios = [ours / theirs for ours, theirs in zip(version.costs, versions[0].costs, strict=True)]
        asked = version.stage.requests.items()  # lamps are set when the daemon connects, not for a call
        commands = sum(count for what, count in asked if "deviceStates" not in what) / version.stage.ended
        click.echo(
            f"{version.project}: {statistics.median(version.costs):.2f} ms a call,"
            f" {statistics.median(ratios):.2f} of the first, {commands:.1f} commands a call"
        )


@asynccontextmanager
async def _running(project: Path, folder: Path, database_url: str) -> AsyncIterator[Version]:
    async with stage() as played:
        port = ports.kept_tcp()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CALLROUTER_")},
            "CALLROUTER_ARI_URL": played.url,
            "CALLROUTER_ARI_PASSWORD": "nobody asks",
            "CALLROUTER_WEB_PORT": str(port),
            "CALLROUTER_AGI_PORT": str(ports.kept_tcp()),
            "CALLROUTER_STATE_DIR": str(folder / "state"),
            "CALLROUTER_DATABASE_URL": database_url,
            "CALLROUTER_LOGGING_LEVEL": "warning",
            "CALLROUTER_LAB_CLOCK": WEEKDAY_MORNING,
        }
        config = write_rules(folder / "config", [str(number) for number in range(1001, 1001 + COUNSELORS)])
        command = [sys.executable, "-m", "callrouter", "run", "--config", str(config)]
        daemon = await asyncio.create_subprocess_exec(
            *command, cwd=project, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            await _until_ready(port, daemon)
            yield Version(project, played, daemon.pid)
        finally:
            if daemon.returncode is None:
                daemon.kill()
            await daemon.wait()


async def _until_ready(port: int, daemon: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(READY_S):
            while not await asyncio.to_thread(_is_ready, port):
                if daemon.returncode is not None:
                    raise LabError(f"the daemon ended with {daemon.returncode}")
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise LabError(f"the daemon is not ready after {READY_S:g} s") from None


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def _measure(version: Version, calls: int, rate: float) -> float:
    """Processor time of a call, in milliseconds.

    Raises:
        LabError: not all calls have come through within 30 s.
    """
    first, before = version.stage.ended, cpu_s(version.pid)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(calls):
        await asyncio.sleep(began + number / rate - loop.time())
        await version.stage.ring_up(first + number)
    try:
        async with asyncio.timeout(END_S):
            await version.stage.settle(first + calls)
    except TimeoutError:
        ended = version.stage.ended - first
        raise LabError(f"only {ended} of {calls} calls came through; the daemon is of {version.project}") from None
    await asyncio.sleep(TAIL_S)
    return (cpu_s(version.pid) - before) * 1000.0 / calls


if __name__ == "__main__":
    main(prog_name="python -m bench.replay")
