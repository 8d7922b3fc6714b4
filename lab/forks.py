"""Daemons forked off a process that has imported callrouter: a start costs what they do, and no second of imports.

For tests, which start hundreds. What follows the imports is the same; where the time that a start takes is itself what
is looked at, or the interpreter is to begin otherwise (another clock, ``TZ``), a daemon is started anew.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from lab.errors import LabError
from lab.paths import PROJECT

LONGEST: Final = 1 << 17
"""Bytes of a message: an environment, and some."""
POLL_S: Final = 0.01


class Fork:
    """A process, with what is used of :class:`subprocess.Popen`. ``returncode`` is negative where a signal ended it."""

    def __init__(self, forks: "Forks", pid: int) -> None:
        self._forks = forks
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """With what it ended; None while it runs."""
        if self.returncode is None:
            self.returncode = self._forks.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for its end. Raises TimeoutExpired after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(["callrouter"], timeout)
            time.sleep(POLL_S)
        return status

    def send_signal(self, number: int) -> None:
        """If it runs: until it was polled, its number is nobody else's."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process to fork off, begun with the first that is wanted; ``close()`` ends it, and not what it has forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ours: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Fork:
        """Fork ``callrouter`` with these ``arguments``, in a session of its own; what it says is added to ``log``.

        Raises:
            LabError: the process to fork off has ended.
        """
        asked = {"arguments": list(arguments), "environment": dict(environment), "log": str(log)}
        return Fork(self, self.ask(asked))

    def ask(self, what: Mapping[str, Any]) -> Any:
        """What the process answers."""
        with self._lock:
            if self._ours is None:
                self._ours = self._begin()
            try:
                self._ours.send(json.dumps(what).encode())
                return json.loads(self._ours.recv(LONGEST))
            except (OSError, ValueError) as exc:
                raise LabError("the process from which daemons are forked has ended") from exc

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.forks", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=PROJECT,
                start_new_session=True,
            )
        return ours

    def close(self) -> None:
        """No more."""
        if self._ours is not None and self._process is not None:
            self._ours.close()
            self._process.wait()
            self._ours = self._process = None


def serve(asker: socket.socket) -> None:
    """Fork, and tell what became of whom, until nobody asks any more."""
    while message := asker.recv(LONGEST):
        asked = json.loads(message)
        if "ended" in asked:
            answer = _ended(asked["ended"])
        else:
            answer = os.fork()
            if answer == 0:
                asker.close()
                _become(asked)
        with contextlib.suppress(BrokenPipeError):
            asker.send(json.dumps(answer).encode())


def _ended(pid: int) -> int | None:
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _become(asked: Mapping[str, Any]) -> NoReturn:
    os.setsid()
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["callrouter", *asked["arguments"]]
    sys.exit(importlib.import_module("callrouter.cli").main())


if __name__ == "__main__":
    importlib.import_module("callrouter.cli.run")
    gc.freeze()  # what is shared stays so
    serve(socket.socket(fileno=int(sys.argv[1])))
