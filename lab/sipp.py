"""Callers and phones without sound: SIPp plays a scenario, counts, and keeps every message for assertions."""

import asyncio
import csv
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from lab import ports
from lab.asterisk import LabAsterisk
from lab.errors import LabError
from lab.paths import SCENARIOS
from lab.tools import ensure

POLL_S = 0.02
GRACE_S = 5.0
REGISTRATION_S = 3600
WATCH_S = 120.0


@dataclass(frozen=True, slots=True)
class SippResult:
    """What came out: ``errors`` is what SIPp complained of, ``statistics`` its last line of counters by name."""

    exit_status: int
    successful: int
    failed: int
    retransmissions: int
    errors: str
    statistics: Mapping[str, str]

    def check(self) -> Self:
        """Itself.

        Raises:
            LabError: a call did not go as the scenario says.
        """
        if self.exit_status != 0 or self.failed:
            raise LabError(f"{self.failed} calls failed, exit status {self.exit_status}: {self.errors[-2000:]}")
        return self


class Sipp:
    """One SIPp: ``async with Sipp("uac_talk", address="127.0.0.2", target=…) as call: await call.result()``.

    ``scenario`` is a file of ``lab/scenarios`` (its first line says what it does) or a path. A caller has a
    ``target`` (host:port) and dials ``service``; a phone has none and listens at ``port``. ``pause_ms`` is the pause
    of the scenario (SIPp's ``-d``), ``keys`` the words in brackets. It ends when ``count`` calls are done, or after
    ``timeout_s`` seconds. Without ``keeps_messages`` it has nothing to show for :meth:`received` and :meth:`sent`, and
    carries more calls.
    """

    def __init__(
        self,
        scenario: str | Path,
        *,
        address: str,
        port: int | None = None,
        target: str | None = None,
        service: str = "120",
        caller: str = "0552251234",
        display: str = "",
        count: int = 1,
        rate_per_s: float = 10.0,
        pause_ms: int = 0,
        timeout_s: float = 30.0,
        keys: Mapping[str, str] | None = None,
        keeps_messages: bool = True,
        options: tuple[str, ...] = (),
    ) -> None:
        self.scenario = scenario if isinstance(scenario, Path) else SCENARIOS / f"{scenario}.xml"
        self.address = address
        self.port = ports.free_udp(address) if port is None else port
        self.target = target
        self.service = service
        self.count = count
        self.rate_per_s = rate_per_s
        self.pause_ms = pause_ms
        self.timeout_s = timeout_s
        self.keys = {"caller": caller, "display": display, **(keys or {})}
        self.keeps_messages = keeps_messages
        self.options = options
        self._folder = Path()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def contact(self) -> str:
        """Where this phone is called."""
        return f"sip:{self.address}:{self.port}"

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(ensure, ["sipp"])
        self._folder = Path(tempfile.mkdtemp(prefix="sipp-"))
        with (self._folder / "output").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                start_new_session=True,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def result(self) -> SippResult:
        """Wait until it has ended; never longer than its ``timeout_s`` and 5 s."""
        process = self._running()
        try:
            async with asyncio.timeout(self.timeout_s + GRACE_S):
                await process.wait()
        except TimeoutError:
            await self.stop()
        return self._read_result(process.returncode if process.returncode is not None else -1)

    async def stop(self) -> None:
        """End it now, calls and all."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def finish(self) -> None:
        """Let it end by itself once its present calls are over (SIGUSR1)."""
        self._running().send_signal(signal.SIGUSR1)

    def received(self, start: str = "") -> list[str]:
        """The messages that came in, oldest first, that begin with ``start``, such as ``INVITE`` or ``SIP/2.0 200``."""
        return [text for text in self._messages("received") if text.startswith(start)]

    def sent(self, start: str = "") -> list[str]:
        """The messages that went out, as in :meth:`received`."""
        return [text for text in self._messages("sent") if text.startswith(start)]

    def moments(self) -> list[datetime]:
        """When messages came in or went out, oldest first; aware, by this machine's clock."""
        found = re.findall(r"^-{20,} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)", self._text("messages"), re.MULTILINE)
        return [datetime.fromisoformat(moment[:26]).astimezone() for moment in found]

    async def saw(self, start: str, *, timeout_s: float = 10.0, times: int = 1) -> str:
        """Wait for the ``times``-th incoming message whose first line begins with ``start``, and return it.

        Raises:
            LabError: it did not come within ``timeout_s`` seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                # SIPp tells us nothing: its trace file is all there is to look at.
                while len(found := self.received(start)) < times:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            lines = [text.partition("\n")[0].strip() for text in self.received()]
            raise LabError(f"no {start} at {self.contact} within {timeout_s} s; received: {lines}") from None
        return found[times - 1]

    # --- how it is done

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise LabError("this SIPp was not started; use it in an async with")
        return self._process

    def _command(self) -> list[str]:
        command = ["sipp", "-sf", str(self.scenario), "-i", self.address, "-mi", self.address, "-bind_local"]
        command += ["-p", str(self.port), "-s", self.service, "-m", str(self.count), "-r", f"{self.rate_per_s:g}"]
        command += ["-d", str(self.pause_ms), "-timeout", f"{self.timeout_s:g}s", "-timeout_error", "-nostdin"]
        command += ["-trace_err", "-error_file", "errors", "-trace_stat", "-stf", "statistics", "-fd", "1"]
        command += ["-trace_msg", "-message_file", "messages"] if self.keeps_messages else []
        command += self.options
        for key, value in self.keys.items():
            command += ["-key", key, value]
        return [*command, self.target] if self.target is not None else command

    def _text(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _messages(self, direction: str) -> list[str]:
        pattern = rf"^\w+ message {direction} [\[(]\d+[\])]? bytes[) ]*:\n\n(.*?)(?=^-{{20,}}|\Z)"
        text = self._text("messages").replace("\r", "")
        return re.findall(pattern, text, flags=re.MULTILINE | re.DOTALL)

    def _read_result(self, status: int) -> SippResult:
        rows = list(csv.DictReader(self._text("statistics").splitlines(), delimiter=";"))
        last = {str(name): str(value) for name, value in rows[-1].items()} if rows else {}
        return SippResult(
            exit_status=status,
            successful=int(last.get("SuccessfulCall(C)", 0)),
            failed=int(last.get("FailedCall(C)", 0)),
            retransmissions=int(last.get("Retransmissions(C)", 0)),
            errors=self._text("errors") or self._text("output")[-1500:],
            statistics=last,
        )


@asynccontextmanager
async def registered(asterisk: LabAsterisk, extension: str, phone: Sipp) -> AsyncIterator[None]:
    """Have ``extension`` ring at ``phone`` during the block, registered with its password as a real phone does.

    Raises:
        LabError: Asterisk does not accept the registration.
    """
    await _register(asterisk, extension, phone, REGISTRATION_S)
    try:
        yield
    finally:
        if asterisk.is_running():
            await _register(asterisk, extension, phone, 0)


class Lamp:
    """A key of a phone that watches a code: ``async with Lamp(asterisk, "201", "*21", address=…) as lamp``."""

    def __init__(self, asterisk: LabAsterisk, extension: str, code: str, *, address: str) -> None:
        self._phone = Sipp(
            "watch",
            address=address,
            target=asterisk.sip_address,
            service=code,
            timeout_s=WATCH_S,
            keys={"watcher": extension},
            options=("-au", extension, "-ap", asterisk.credentials.phone_passwords[extension]),
        )
        self._told = 0

    async def __aenter__(self) -> Self:
        await self._phone.__aenter__()
        return self

    async def __aexit__(self, *problem: object) -> None:
        await self._phone.__aexit__(*problem)

    async def until(self, state: str, *, timeout_s: float = 10.0) -> None:
        """Wait until it is told of ``state`` (RFC 4235: ``terminated``, ``early``, ``confirmed``).

        Raises:
            LabError: it is told nothing more within ``timeout_s`` seconds.
        """
        while True:
            self._told += 1
            told = await self._phone.saw("NOTIFY", timeout_s=timeout_s, times=self._told)
            if f"<state>{state}</state>" in told:
                return

    async def next(self, *, timeout_s: float = 10.0) -> bool:
        """Whether the lamp is lit, as it is told next (RFC 4235).

        Raises:
            LabError: it is told nothing within ``timeout_s`` seconds.
        """
        self._told += 1
        told = await self._phone.saw("NOTIFY", timeout_s=timeout_s, times=self._told)
        return "<state>confirmed</state>" in told


async def _register(asterisk: LabAsterisk, extension: str, phone: Sipp, expires_s: int) -> None:
    password = asterisk.credentials.phone_passwords[extension]
    async with Sipp(
        "register",
        address=phone.address,
        target=asterisk.sip_address,
        service=extension,
        timeout_s=10,
        keys={"phone_port": str(phone.port), "expires": str(expires_s)},
        options=("-au", extension, "-ap", password),
    ) as registration:
        (await registration.result()).check()
