"""The daemon as a process of its own: started, waited for, stopped, killed; its log kept for whoever asks."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from callrouter.web.client import LOCAL_TOKEN_FILE
from lab import processes
from lab.asterisk import LabAsterisk
from lab.errors import LabError, NotReadyError
from lab.forks import Fork, Forks
from lab.paths import PROJECT

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.02
PID_FILE = "daemon.pid"


class Daemon:
    """``callrouter run`` against a lab Asterisk: ``with Daemon(asterisk, folder, web_port=…, agi_port=…) as daemon:``.

    ``folder`` gets the state directory and the log. ``clock`` is the instant at which the daemon's day begins
    (``2026-11-24T10:00``), or, with ``clock_at_s`` (seconds of the machine's clock since 1970), the instant that it was
    then: so the next daemon has the clock of the one before. ``settings`` are more ``CALLROUTER_…`` variables, without
    that prefix, ``surroundings`` other variables. With ``forks`` it is forked off what has callrouter imported, unless
    ``surroundings`` are to hold for the interpreter. All methods block.
    """

    def __init__(
        self,
        asterisk: LabAsterisk,
        folder: Path,
        *,
        web_port: int,
        agi_port: int,
        config: Path = PROJECT / "config",
        clock: str | None = None,
        clock_at_s: float | None = None,
        database_url: str | None = None,
        settings: Mapping[str, str] | None = None,
        surroundings: Mapping[str, str] | None = None,
        forks: Forks | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{web_port}"
        self.log_path = folder / "daemon.log"
        self.state_dir = folder / "state"
        self.config = config
        self.database_url = database_url
        self._folder = folder
        self._process: subprocess.Popen[bytes] | Fork | None = None
        self._forks = forks if not surroundings else None
        self._asterisk = asterisk
        self._own = {
            "CALLROUTER_WEB_PORT": str(web_port),
            "CALLROUTER_AGI_PORT": str(agi_port),
            "CALLROUTER_STATE_DIR": str(self.state_dir),
            **({"CALLROUTER_LAB_CLOCK": clock} if clock else {}),
            **({"CALLROUTER_LAB_CLOCK_AT": str(clock_at_s)} if clock_at_s is not None else {}),
        }
        self._surroundings = surroundings or {}
        self._settings = {f"CALLROUTER_{name}": value for name, value in (settings or {}).items()}

    @property
    def environment(self) -> dict[str, str]:
        """What the daemon's own commands need to find the same things."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALLROUTER_")}
        access = self._asterisk.ari
        return {
            **inherited,
            "CALLROUTER_ARI_URL": access.server_url,
            "CALLROUTER_ARI_USER": access.user,
            "CALLROUTER_ARI_PASSWORD": access.password,
            "CALLROUTER_ARI_SOUNDS_DIR": str(self._asterisk.sounds_dir / "callrouter"),
            **self._own,
            **({"CALLROUTER_DATABASE_URL": self.database_url} if self.database_url else {}),
            **self._settings,
            **self._surroundings,
        }

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._process is None:
            raise LabError("the daemon was not started")
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, *, wait: bool = True) -> None:
        """Start it, and unless told otherwise wait until it takes calls.

        Raises:
            NotReadyError: it ended, or is not ready in time; with the end of its log.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = self._begin(["run", "--config", str(self.config)])
        processes.remember(self._folder / PID_FILE, self._process.pid)
        if wait:
            self.wait_ready()

    def _begin(self, arguments: Sequence[str]) -> subprocess.Popen[bytes] | Fork:
        if self._forks is not None:
            return self._forks.run(arguments, self.environment, self.log_path)
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "callrouter", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=PROJECT,
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until ``/readyz`` says yes."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if self._process is not None and self._process.poll() is not None:
                raise NotReadyError(f"the daemon ended with {self._process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise NotReadyError(f"the daemon is not ready after {timeout_s:g} s:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def is_ready(self) -> bool:
        """Whether it takes calls."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own http URL
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def exit_status(self) -> int | None:
        """With what it ended; None while it runs, or was not started. Negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def is_running(self) -> bool:
        """Whether the process lives (a frozen one does)."""
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to drain (SIGTERM); see :meth:`wait_ended`."""
        if self._process is None:
            raise LabError("the daemon was not started")
        self._process.terminate()

    def freeze(self) -> None:
        """Let it hang (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def wait_ended(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Wait for its end; the exit status."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise LabError(f"the daemon does not end within {timeout_s:g} s:\n{self.log_tail()}") from exc

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)

    def status(self, *, timeout_s: float = 5.0) -> dict[str, Any]:
        """What ``/api/v1/status`` says; OSError if it does not."""
        request = urllib.request.Request(f"{self.url}/api/v1/status", headers=self._permit())  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - our own http URL
            document: dict[str, Any] = json.load(answer)
            return document

    def order(self, what: str, asked: Mapping[str, Any], *, timeout_s: float = 5.0) -> dict[str, Any]:
        """What the API answers to an order, taken or not; OSError if it does not."""
        request = urllib.request.Request(  # noqa: S310 - our own
            f"{self.url}/api/v1/{what}",
            data=json.dumps(asked).encode(),
            headers={**self._permit(), "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - our own http URL
                document: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as refusal:
            document = json.load(refusal)
        return document

    def _permit(self) -> dict[str, str]:
        """What lets this machine in, where there are accounts."""
        try:
            token = (self.state_dir / LOCAL_TOKEN_FILE).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return {}
        return {"Authorization": f"Bearer {token}"}

    def run(self, *arguments: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Another ``callrouter`` command with the same configuration and environment."""
        return subprocess.run(
            [sys.executable, "-m", "callrouter", *arguments, "--config", str(self.config)],
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def log_text(self) -> str:
        """All that it logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self.log_text().splitlines()[-lines:])


def end_leftover(folder: Path) -> bool:
    """End the daemon that a killed laboratory left running in ``folder``; whether there was one.

    Only for whoever is the only user of that folder. A process whose environment does not name the folder's state
    directory is a stranger, and left alone.
    """
    pid = processes.recall(folder / PID_FILE)
    if pid is None or f"CALLROUTER_STATE_DIR={folder / 'state'}" not in processes.environment(pid):
        return False
    processes.end(pid)
    return True
