"""``make run``: the whole call centre on this machine, until Ctrl-C."""

import os
from contextlib import closing
from datetime import UTC, datetime
from typing import TextIO

import click

from callrouter.config import Loaded, load
from callrouter.errors import ConfigError
from lab.centre import CONFIG, PREFIX, Centre, CentrePorts, settings_of
from lab.errors import LabError
from lab.greeting import greeting
from lab.news import News
from lab.opening import Beginning, beginning
from lab.options import instance_option, option, port_option
from lab.paths import INSTANCES, LAB, RUN_LOCK, try_lock
from lab.progress import say
from lab.record import RunRecord
from lab.signals import Signals

FINE, BROKEN, INTERRUPTED = 0, 1, 130
"""Exit statuses: stopped as asked; a part ended by itself, or badly; interrupted before it was ready."""

WATCH_S = 0.25
AFTER_A_FAULT_S = 1.0
"""How long the daemon may drain when another part has ended by itself: its calls cannot go on as they should."""

EPILOG = """\b
Examples:
  make run                             the day begins at the next opening, if the centre is closed now
  make run CLOCK=now                   the real time
  make run CLOCK=2026-11-28T02:00      as if it were a Saturday night
  make run LAB_INSTANCE=second LAB_SIP_PORT=5070 LAB_HTTP_PORT=8089 LAB_WEB_PORT=8081 LAB_AGI_PORT=4574
"""


@click.command(epilog=EPILOG)
@instance_option
@port_option("sip-port", 5060, "Where phones register and callers call.")
@port_option("http-port", 8088, "Asterisk's HTTP server.")
@port_option("web-port", 8080, "The daemon's pages and API.")
@port_option("agi-port", 4573, "Where the daemon answers FastAGI.")
@port_option("rtp-start", 10000, "The first of 1000 ports for speech.")
@option("clock", "When the daemon's day begins: now, or an instant. Default: now, or when the centre opens.")
@click.pass_context
def command(context: click.Context, /, instance: str, clock: str | None, **where: int) -> None:
    """Have the whole call centre up, and say how to use it, until Ctrl-C.

    Exit status: 0 stopped as asked, 1 a part ended by itself, 2 wrong usage, 3 something that is needed is missing,
    130 interrupted before it was ready.
    """
    loaded = _rules()
    begins = beginning(loaded, clock or None, datetime.now(UTC))
    where_ports = CentrePorts(**{name.removesuffix("_port"): port for name, port in where.items()})
    signals = Signals()
    with closing(_alone(instance)):
        signals.install()
        centre = Centre(instance, where_ports, clock=begins.clock, environ=os.environ)
        status = _run(centre, loaded, begins, signals)
    context.exit(status)


def _rules() -> Loaded:
    """The configuration; its faults are told, with exit status 1."""
    try:
        return load(CONFIG, {f"{PREFIX}{name}": value for name, value in settings_of(os.environ).items()}, guarded=True)
    except ConfigError as exc:
        raise click.ClickException(f"the configuration has faults:\n{exc}") from exc


def _alone(instance: str) -> TextIO:
    """The lock that makes this the only ``make run`` of the instance.

    Raises:
        LabError: another one has it, or the folder is another user's.
    """
    path = INSTANCES / instance / RUN_LOCK
    try:
        lock = try_lock(path)
    except PermissionError as exc:
        raise LabError(f"{LAB} belongs to another user; run this as that user, or remove it: make clean") from exc
    if lock is not None:
        return lock
    try:
        record = RunRecord.read(instance)
    except LabError:
        record = None
    state = f"is up: {record.web_url}/" if record else "is just being started or stopped"
    raise LabError(
        f"this call centre {state} (by process {path.read_text(encoding='utf-8') or 'unknown'}); stop that one with"
        " Ctrl-C in its terminal, or have a second one beside it, with LAB_INSTANCE and ports of its own:"
        " .venv/bin/python -m lab run --help"
    )


def _run(centre: Centre, loaded: Loaded, begins: Beginning, signals: Signals) -> int:
    """Start, keep up, stop; the exit status."""
    drain_s = loaded.settings.drain_s
    status = FINE
    try:
        centre.start(signals)
        signals.only_count()
        fault = _keep_up(centre, greeting(centre, loaded.settings.title, begins), signals)
        if fault is not None:
            say(f"\n{fault}\nSo all of it is stopped.", is_error=True)
            status, drain_s = BROKEN, AFTER_A_FAULT_S
        else:
            say("\nStopping.")
    except KeyboardInterrupt:
        say("\nStopping before it was ready.")
        status = INTERRUPTED
    finally:
        signals.only_count()
        ended_well = centre.stop(signals, drain_s=drain_s)
    return status if ended_well else BROKEN


def _keep_up(centre: Centre, greeting: str, signals: Signals) -> str | None:
    """Let it be found, and watch it, until asked to stop; or what has ended by itself."""
    record = centre.record()
    record.write(centre.command_environment())
    try:
        say(greeting)
        news = News(centre.daemon.log_path)
        while not signals.wait(WATCH_S):
            if (fault := centre.fault()) is not None:
                return fault
            for line in news.fresh():
                say(f"  {line}")
        return None
    finally:
        record.remove()
