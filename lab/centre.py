"""The whole call centre on this machine: PostgreSQL, Asterisk, the announcements and the daemon, as one thing."""

import json
import os
import signal
import time
import urllib.error
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from callrouter.errors import UnreachableError
from callrouter.store.embedded import EmbeddedPostgres
from callrouter.survival import CLOCK
from lab import daemon as daemons
from lab import ports, tools
from lab.asterisk import LabAsterisk
from lab.daemon import Daemon
from lab.errors import LabError
from lab.paths import INSTANCES, POSTGRES, PROJECT
from lab.progress import say, step
from lab.record import RunRecord, shown
from lab.rootfs import asterisk_version, find_or_build
from lab.signals import Signals

CONFIG = PROJECT / "config"
PREFIX = "CALLROUTER_"
DATABASE_URL = f"{PREFIX}DATABASE_URL"
OURS = frozenset({"CONFIG", "DATABASE_URL", "LAB_CLOCK", "STATE_DIR", "WEB_PORT", "AGI_PORT"})
"""Variables (without the prefix) that are set for the daemon here, whatever stands in the person's environment."""

POLL_S = 0.1
SPEAK_TIMEOUT_S = 600.0
DATABASE_S = 5.0
AT_ONCE_S = 15.0
"""How long a daemon that was told to end at once may still take."""

LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class CentrePorts:
    """Where the parts listen, all on loopback; ``rtp_start`` is the first of 1000 ports for speech."""

    sip: int = 5060
    http: int = 8088
    web: int = 8080
    agi: int = 4573
    rtp_start: int = 10000


class Centre:
    """``start()`` brings all parts up, ``fault()`` tells when one has ended by itself, ``stop()`` ends them in order.

    ``clock`` is the instant at which the daemon's day begins, None for the real time. ``environ`` may hold the URL of
    a database to use instead of a private PostgreSQL, and further settings of the daemon. All methods block.
    """

    def __init__(self, name: str, where: CentrePorts, *, clock: str | None, environ: Mapping[str, str]) -> None:
        self.name = name
        self.ports = where
        self.asterisk = LabAsterisk(
            name,
            sip_port=where.sip,
            http_port=where.http,
            rtp_range=(where.rtp_start, where.rtp_start + 999),
            global_variables={"CALLROUTER_AGI": f"127.0.0.1:{where.agi}", **_survival_clock(clock)},
        )
        self.folder = INSTANCES / name / "daemon"
        self.daemon = Daemon(
            self.asterisk,
            self.folder,
            web_port=where.web,
            agi_port=where.agi,
            config=CONFIG,
            clock=clock,
            database_url=environ.get(DATABASE_URL) or None,
            settings={"LOGGING_FORMAT": "console", **settings_of(environ)},
        )
        self.postgres = None if self.daemon.database_url else EmbeddedPostgres(POSTGRES / name)

    # --- starting

    def start(self, signals: Signals) -> None:
        """Have all of it up, installing what is missing; a line is said for each step.

        Raises:
            LabError: a program is missing, a port is taken, or a part does not come up. What was started is running
                still: :meth:`stop` ends it.
        """
        self._have_programs()
        self.asterisk.take()
        self._end_leftovers()
        self._check_ports()
        try:
            self._start_database(signals)
        except UnreachableError as exc:
            raise LabError(str(exc)) from exc
        self._start_asterisk()
        self._speak()
        self._start_daemon()

    def _have_programs(self) -> None:
        with step("programs") as this:
            # PostgreSQL refuses to run as root, and gets a user of its own then.
            tools.ensure(["espeak-ng", *(["useradd"] if self.postgres is not None and os.geteuid() == 0 else [])])
            home = find_or_build()
            version = asterisk_version(home.command("-V"))
            this.text = f"espeak-ng; Asterisk {version} ({shown(home.root) if home.is_chroot else home.program})"

    def _end_leftovers(self) -> None:
        """A ``make run`` that was killed leaves its parts running."""
        ended = [
            name
            for name, there in (
                ("daemon", daemons.end_leftover(self.folder)),
                ("Asterisk", self.asterisk.end_leftover()),
            )
            if there
        ]
        if ended:
            say(f"  ended what a killed `make run` had left running: {', '.join(ended)}")

    def _check_ports(self) -> None:
        self.asterisk.check_ports()
        ports.require_tcp(self.ports.web, "web")
        ports.require_tcp(self.ports.agi, "FastAGI")

    def _start_database(self, signals: Signals) -> None:
        if self.postgres is None:
            say(f"  PostgreSQL yours, by {DATABASE_URL}")
            return
        # A data directory that is half made when we are interrupted could never be started.
        with step("PostgreSQL") as this, signals.held():
            self.daemon.database_url = self.postgres.start()
            this.text = f"private, in {shown(self.postgres.data_dir)}"

    def _start_asterisk(self) -> None:
        with step("Asterisk") as this:
            done = self.daemon.run("dialplan")
            if done.returncode != 0:
                raise LabError(f"the rules cannot be rendered as a dialplan: {done.stderr.strip()}")
            self.asterisk.survival = done.stdout
            self.asterisk.start()
            this.text = f"SIP {self.asterisk.sip_address}, HTTP 127.0.0.1:{self.ports.http}"

    def _speak(self) -> None:
        with step("prompts") as this:
            done = self.daemon.run("prompts", "--json", timeout_s=SPEAK_TIMEOUT_S)
            if done.returncode != 0:
                raise LabError(f"the announcements cannot be spoken: {done.stderr.strip()}")
            states = Counter(prompt["state"] for prompt in json.loads(done.stdout)["prompts"])
            this.text = ", ".join(f"{count} {state}" for state, count in states.items())

    def _start_daemon(self) -> None:
        with step("daemon") as this:
            log = self.daemon.log_path
            if log.exists():
                log.replace(log.with_suffix(".log.old"))
            self.daemon.start()
            remarks = self._await_database()
            this.text = f"{self.daemon.url}/, FastAGI 127.0.0.1:{self.ports.agi}"

        for remark in remarks:
            say(f"  warning: {remark}")

    def _await_database(self) -> list[str]:
        """What the daemon remarks, once it has its database or after a while: calls are taken without one, too."""
        deadline = time.monotonic() + DATABASE_S
        while True:
            status = self.daemon.status()
            if status["database"]["connected"] or time.monotonic() > deadline:
                return list(status["remarks"])
            time.sleep(POLL_S)

    # --- while it runs

    def record(self) -> RunRecord:
        """How others find it."""
        return RunRecord.of_this_process(
            self.name,
            sip_port=self.ports.sip,
            http_port=self.ports.http,
            web_url=self.daemon.url,
            config=str(CONFIG),
        )

    def command_environment(self) -> dict[str, str]:
        """What callrouter's own commands need to speak to this centre."""
        ours = {name: value for name, value in self.daemon.environment.items() if name.startswith(PREFIX)}
        ours.pop(f"{PREFIX}LAB_CLOCK", None)
        return {**ours, f"{PREFIX}CONFIG": str(CONFIG)}

    def fault(self) -> str | None:
        """Which part has ended by itself, with the end of its log; None while all run."""
        if not self.daemon.is_running():
            ended = f"the daemon ended by itself with exit status {self.daemon.exit_status()}"
            return _with_log(ended, self.daemon.log_path)
        if not self.asterisk.is_running():
            return _with_log("Asterisk ended by itself", self.asterisk.log_path)
        if self.postgres is not None and self.postgres.pid is None:
            return _with_log("PostgreSQL ended by itself", self.postgres.data_dir / "log")
        return None

    # --- stopping

    def stop(self, signals: Signals, *, drain_s: float) -> bool:
        """End what runs: the daemon, then Asterisk, then PostgreSQL; whether all ended well.

        The daemon has ``drain_s`` seconds for the calls in progress. Another request to stop meanwhile ends it at
        once, a third one kills it.
        """
        all_well = True
        with ExitStack() as stack:  # each is stopped whatever becomes of the one before
            stack.callback(self._stop_postgres)
            stack.callback(self._stop_asterisk)
            if self.daemon.is_running():
                all_well = _drain(self.daemon, signals, drain_s)
        return all_well

    def _stop_asterisk(self) -> None:
        if self.asterisk.is_running():
            with step("Asterisk") as this:
                self.asterisk.stop()
                this.text = "stopped"
        else:
            self.asterisk.stop()  # gives the instance back

    def _stop_postgres(self) -> None:
        if self.postgres is not None and self.postgres.pid is not None:
            with step("PostgreSQL") as this:
                self.postgres.stop()
                this.text = "stopped"


def _survival_clock(clock: str | None) -> dict[str, str]:
    """Have the rendered rules stay at the instant at which the daemon's day begins, if that is not now."""
    return {} if clock is None else {CLOCK: f"{datetime.fromisoformat(clock).timestamp():.0f}"}


def _drain(daemon: Daemon, signals: Signals, drain_s: float) -> bool:
    """Have the daemon take no more calls and end after those in progress; whether it ended well."""
    with step("daemon") as this:
        daemon.terminate()
        if not _ends(daemon, signals, drain_s):
            daemon.terminate()
            if not _ends(daemon, signals, AT_ONCE_S):
                daemon.kill()
        status = daemon.exit_status()
        ended_well = status in (0, -signal.SIGTERM)  # the latter if it was only about to start
        this.text = "stopped" if ended_well else f"ended with exit status {status}; see {shown(daemon.log_path)}"
    return ended_well


def _ends(daemon: Daemon, signals: Signals, limit_s: float) -> bool:
    """Wait for the daemon's end; False when asked again to stop, or after ``limit_s`` seconds."""
    asked, told = signals.count, 0
    deadline = time.monotonic() + limit_s
    while daemon.is_running():
        if signals.count > asked or time.monotonic() > deadline:
            return False
        calls = _calls(daemon)
        if calls not in (0, told):
            say(f"  waiting for {calls} call{'s' if calls > 1 else ''} to end; Ctrl-C again does not wait")
        told = calls
        time.sleep(POLL_S)
    return True


def _calls(daemon: Daemon) -> int:
    """How many calls are in progress; none known counts as none."""
    try:
        return len(daemon.status(timeout_s=1.0)["calls"])
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return 0


def settings_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Further settings of the daemon (without ``CALLROUTER_``), such as the log's level, in a person's environment."""
    given = {name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX)}
    return {name: value for name, value in given.items() if name not in OURS and not name.startswith("ARI_")}


def _with_log(what: str, path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return "\n".join([f"{what}; the end of {shown(path)}:", *(f"  {line}" for line in lines[-LAST_LINES:])])
