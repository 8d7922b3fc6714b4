"""Kamailio in front of several laboratory Asterisks, run on the very configuration that ``docs/kamailio`` shows."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self, TextIO

from lab import ports, processes
from lab.errors import LabError, NotReadyError
from lab.paths import INSTANCES, PROJECT, try_lock, write_atomically
from lab.phones import CARRIER_ADDRESS
from lab.tools import ensure, run_quietly

SHOWN = PROJECT / "docs/kamailio"
"""What an operator copies; the laboratory changes only the values of :func:`site_values` and the Asterisks."""

CONFIG = "kamailio.cfg"
SITE_CONFIG = "callrouter-site.cfg"
DISPATCHER_LIST = "dispatcher.list"
PID_FILE = "kamailio.pid"
EDGE_ADDRESS = "127.0.0.4"
PROGRAMS = ("kamailio", "kamcmd")
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
ASK_TIMEOUT_S = 5.0
POLL_S = 0.05

PING_S = 1
ANSWER_MS = 1000
KEEPALIVE_S = 30

_DEFINE = re.compile(r"^#!define (?P<name>\w+) .*$", re.MULTILINE)
_LISTEN = re.compile(r"^listen=.*$", re.MULTILINE)
_DESTINATION = re.compile(r"URI: (?P<uri>\S+)\s+FLAGS: (?P<flags>\w+)(?P<more>.*?)(?=URI: |\Z)", re.DOTALL)
_DUID = re.compile(r"DUID: (?P<duid>\S+)")
_LOAD = re.compile(r"DLGLOAD: (?P<load>\d+)")


class Rotation(StrEnum):
    """What Kamailio does with an Asterisk: the first letter of its ``FLAGS``."""

    ACTIVE = "A"
    TRYING = "T"
    INACTIVE = "I"
    DISABLED = "D"


@dataclass(frozen=True, slots=True)
class Destination:
    """An Asterisk as ``kamcmd dispatcher.list`` shows it: ``load`` is how many calls are counted at it."""

    name: str
    uri: str
    rotation: Rotation
    load: int


class LabKamailio:
    """One Kamailio with a folder and a port of its own: ``with LabKamailio(name, {"a": "127.0.0.1:5060"}) as edge:``.

    ``asterisks`` are names and SIP addresses. It can be made before they are, with :attr:`sip_address` known, and gets
    them by :meth:`serve` then. All methods block.
    """

    def __init__(
        self, name: str, asterisks: Mapping[str, str] | None = None, *, sip_port: int | None = None, carrier_port: int
    ) -> None:
        self.name = name
        self.sip_port = ports.kept_udp(EDGE_ADDRESS) if sip_port is None else sip_port
        self.carrier_port = carrier_port
        self.asterisks = dict(asterisks or {})
        self.state_dir = INSTANCES / name
        self.directory = self.state_dir / "kamailio"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: TextIO | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sip_address(self) -> str:
        """Where the carrier and the Asterisks send their requests."""
        return f"{EDGE_ADDRESS}:{self.sip_port}"

    @property
    def log_path(self) -> Path:
        """What it logs."""
        return self.directory / "log"

    # --- its life

    def start(self) -> None:
        """Start it and return when it can be asked.

        Raises:
            LabError: another process uses this instance.
            MissingToolError: there is no Kamailio, and it cannot be installed.
            NotReadyError: it ended, or is not ready within 15 s; the end of its log is quoted.
        """
        if self.is_running():
            return
        ensure(PROGRAMS)
        if self._lock is None:
            self._lock = try_lock(self.state_dir / "lock")
        if self._lock is None:
            raise LabError(f"Kamailio instance {self.name!r} is in use by another process ({self.state_dir / 'lock'})")
        self.end_leftover()
        self._write_files()
        command = ["kamailio", "-f", str(self.directory / CONFIG), "-DD", "-E", "-Y", str(self.directory), "-m", "32"]
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.directory,
            )
        processes.remember(self.directory / PID_FILE, self._process.pid)
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it. Fine when it is not running."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_TIMEOUT_S)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def end_leftover(self) -> None:
        """End the Kamailio that a killed laboratory left running; only for whoever holds the instance's lock."""
        pid = processes.recall(self.directory / PID_FILE)
        if pid is not None and str(self.directory / CONFIG) in processes.words(pid):
            # Its children end when it is told to; killed, it would leave them behind.
            processes.end(pid, signal.SIGTERM)

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.state_dir, ignore_errors=True)

    # --- asking and telling it

    def command(self, *words: str) -> str:
        """The answer of ``kamcmd`` to a command, such as ``dispatcher.list``.

        Raises:
            LabError: Kamailio does not take it, or does not answer.
        """
        done = run_quietly(["kamcmd", "-s", self._socket, *words], timeout_s=ASK_TIMEOUT_S)
        if done.returncode != 0 or done.stdout.startswith("error:"):
            raise LabError(f"kamcmd {' '.join(words)}: {done.stdout.strip()}")
        return done.stdout

    def destinations(self) -> dict[str, Destination]:
        """The Asterisks by name."""
        return read_destinations(self.command("dispatcher.list"))

    def serve(self, asterisks: Mapping[str, str]) -> None:
        """Have these Asterisks from now on, by a new list and ``dispatcher.reload``."""
        self.asterisks = dict(asterisks)
        self._write_list()
        self.command("dispatcher.reload")

    def set_rotation(self, name: str, state: str) -> None:
        """Take an Asterisk out of rotation (``dp``: disabled, and asked on) or in again (``ap``)."""
        self.command("dispatcher.set_state", state, "1", f"sip:{self.asterisks[name]}")

    def log_text(self) -> str:
        """All that it logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # --- how it is done

    @property
    def _socket(self) -> str:
        return f"unix:{self.directory}/ctl"

    def _write_files(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SHOWN / CONFIG, self.directory / CONFIG)
        values = {
            "CARRIER_ADDRESS": f'"{CARRIER_ADDRESS}"',
            "CARRIER_URI": f'"sip:{CARRIER_ADDRESS}:{self.carrier_port}"',
            "DISPATCHER_LIST": f'"{self.directory / DISPATCHER_LIST}"',
            "CONTROL_SOCKET": f'"{self._socket}"',
            "PING_S": str(PING_S),
            "ANSWER_MS": str(ANSWER_MS),
            "KEEPALIVE_S": str(KEEPALIVE_S),
            "KEEPALIVE_TIMER_S": "1",
        }
        shown = (SHOWN / SITE_CONFIG).read_text(encoding="utf-8")
        write_atomically(self.directory / SITE_CONFIG, site_config(shown, f"udp:{self.sip_address}", values))
        self._write_list()

    def _write_list(self) -> None:
        write_atomically(self.directory / DISPATCHER_LIST, dispatcher_list(self.asterisks))

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self.is_running():
                raise NotReadyError(f"Kamailio {self.name} ended at once:\n{self.log_text()[-3000:]}")
            try:
                self.command("core.uptime")
            except LabError:
                time.sleep(POLL_S)
            else:
                return
        raise NotReadyError(
            f"Kamailio {self.name} is not ready after {START_TIMEOUT_S:g} s:\n{self.log_text()[-3000:]}"
        )


def site_config(shown: str, listen: str, values: Mapping[str, str]) -> str:
    """The shown file of a place's own values with others instead; those not in ``values`` stay as they are shown.

    Raises:
        LabError: the shown file has no such value.
    """
    unknown = values.keys() - {match["name"] for match in _DEFINE.finditer(shown)}
    if unknown:
        raise LabError(f"{SITE_CONFIG} has no {', '.join(sorted(unknown))}")

    def define(match: re.Match[str]) -> str:
        name = match["name"]
        return f"#!define {name} {values[name]}" if name in values else match[0]

    return _LISTEN.sub(f"listen={listen}", _DEFINE.sub(define, shown))


def dispatcher_list(asterisks: Mapping[str, str]) -> str:
    """The list of Asterisks, by name and SIP address, as the shown one is written."""
    return "".join(f"1 sip:{address} 0 0 duid={name};maxload=400\n" for name, address in asterisks.items())


def read_destinations(text: str) -> dict[str, Destination]:
    """What ``kamcmd dispatcher.list`` says, by ``duid``."""
    found = {}
    for match in _DESTINATION.finditer(text):
        duid, load = _DUID.search(match["more"]), _LOAD.search(match["more"])
        name = duid["duid"] if duid else match["uri"]
        rotation = Rotation(match["flags"][0])
        found[name] = Destination(name, match["uri"], rotation, int(load["load"]) if load else 0)
    return found
