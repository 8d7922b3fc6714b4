"""``callrouter run``: the daemon."""

import asyncio
import os
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
def run(config: Path, lab_clock: str | None) -> None:
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
        clock = SteadyClock(instant(lab_clock, loaded.timezone, "--lab-clock"))
        click.echo(f"warning: the clock of this daemon begins at {lab_clock}; its records tell that time", err=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_daemon(config, loaded, clock))
