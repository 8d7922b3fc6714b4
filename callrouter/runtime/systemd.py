"""Telling systemd how the daemon is, and that it is alive.

Without ``$NOTIFY_SOCKET`` (started by hand, or in a container) everything here does nothing. A notification that cannot
be delivered is logged and is never a reason to fail: calls matter more. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

STATUS_EVERY_S: Final = 1.0
"""How often the status line is looked at; what has not changed is not sent."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The service manager that started us, if one did.

    ``address`` is the notification socket's, ready for :meth:`socket.socket.sendto`; ``watchdog_s`` is the silence
    after which the manager kills us, in seconds, and None if it does not watch.
    """

    address: str | None
    watchdog_s: float | None

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ, *, pid: int | None = None) -> "ServiceManager":
        """From ``$NOTIFY_SOCKET``, ``$WATCHDOG_USEC`` and ``$WATCHDOG_PID`` (``pid`` is our own unless given)."""
        address = _address(environ.get("NOTIFY_SOCKET", ""))
        watchdog_s = _watchdog_s(environ, os.getpid() if pid is None else pid)
        return cls(address, watchdog_s if address else None)

    @property
    def beat_s(self) -> float | None:
        """How often to send a sign of life: twice in the time that is allowed; None if nobody watches."""
        return None if self.watchdog_s is None else self.watchdog_s / 2

    def ready(self, status: str = "") -> bool:
        """We are up: those that wait for us may start. Like all of these, tells whether it could be sent."""
        return self._send("READY=1", status)

    def stopping(self, status: str = "") -> bool:
        """We have begun to stop."""
        return self._send("STOPPING=1", status)

    def status(self, status: str) -> bool:
        """What ``systemctl status`` shows beside us, one line."""
        return self._send("", status)

    def alive(self) -> bool:
        """One sign of life for the watchdog."""
        return self._send("WATCHDOG=1")

    async def keep_alive(self, is_healthy: Callable[[], bool]) -> None:
        """Send signs of life for as long as ``is_healthy`` says yes, until cancelled; without a watchdog, return.

        Not healthy means silence, which ends in being killed and restarted unless health comes back in time. The
        event loop's own health is proven by this being run at all.
        """
        if self.beat_s is None:
            return
        was_healthy = True
        while True:
            healthy = is_healthy()
            if healthy:
                self.alive()
            elif was_healthy:
                _log.error("systemd.watchdog_withheld", watchdog_s=self.watchdog_s)
            was_healthy = healthy
            await asyncio.sleep(self.beat_s)

    async def keep_status(self, line: Callable[[], str], every_s: float = STATUS_EVERY_S) -> None:
        """Tell how we are whenever ``line`` says something new, until cancelled; without a manager, return."""
        if self.address is None:
            return
        told = ""
        while True:
            now = line()
            sent = now == told or self.status(now)
            told = now if sent else told
            # A manager that does not listen is not asked so often: each time is a line in the log.
            await asyncio.sleep(every_s if sent else 10 * every_s)

    def _send(self, assignment: str, status: str = "") -> bool:
        if self.address is None:
            return False
        # A line break in the status would start another assignment.
        lines = [assignment, f"STATUS={' '.join(status.split())}" if status else ""]
        message = "\n".join(line for line in lines if line).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(message, self.address)
        except OSError as exc:
            _log.warning("systemd.not_notified", message=message.decode(), error=str(exc))
            return False
        return True


def _address(text: str) -> str | None:
    if text.startswith("/"):
        return text
    if text.startswith("@") and len(text) > 1:
        return "\0" + text[1:]  # an abstract socket
    if text:
        _log.warning("systemd.address_not_understood", address=text, remedy="only unix sockets are supported")
    return None


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """The allowed silence in seconds; None if it is not meant for this process."""
    usec = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    if not (usec.isascii() and usec.isdigit() and int(usec) > 0):
        if usec:
            _log.warning("systemd.watchdog_not_understood", watchdog_usec=usec)
        return None
    return int(usec) / 1_000_000
