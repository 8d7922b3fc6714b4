"""``callrouter run``: the daemon."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import click
import uvloop

from callrouter.app import run_daemon
from callrouter.cli.options import config_option, instant
from callrouter.config import load
from callrouter.descriptors import raise_limit
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.logs import configure_logging


@click.command(epilog="Example: callrouter run --config /etc/callrouter")
@config_option
@click.option(
    "--lab-clock",
    "lab_clock",
    default=None,
    envvar="CALLROUTER_LAB_CLOCK",
    help="Begin at this instant (2026-11-24T19:30) instead of now: for trying rules in a laboratory only.",
)
@click.option(
    "--lab-clock-at",
    "lab_clock_at_s",
    default=None,
    type=float,
    envvar="CALLROUTER_LAB_CLOCK_AT",
    help="When it was that instant, in seconds of the machine's clock since 1970: daemons told the same agree. "
    "Default: as this one begins.",
)
def run(config: Path, lab_clock: str | None, lab_clock_at_s: float | None) -> None:
    """Route calls until SIGTERM; then take no new calls and let those in progress end.

    SIGHUP has it take the configuration anew, as callrouter reload does.

    A second signal ends it at once. Calls in progress go on without the daemon, and the next one takes them up.
    """
    loaded = load(config, os.environ, guarded=True)
    configure_logging(loaded.settings.logging.format, loaded.settings.logging.level)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    raise_limit()
    clock = SteadyClock()
    if lab_clock is not None:
        gone_s = 0.0 if lab_clock_at_s is None else time.time() - lab_clock_at_s
        clock = SteadyClock(instant(lab_clock, loaded.timezone, "--lab-clock") + timedelta(seconds=gone_s))
        click.echo(f"warning: the clock of this daemon begins at {lab_clock}; its records tell that time", err=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_daemon(config, loaded, clock))
