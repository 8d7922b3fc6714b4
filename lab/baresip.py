"""A phone with real sound: one baresip process, told what to do and asked what happens over its ``ctrl_tcp``.

Works with baresip 1.0 and 1.1 (Debian 12 and 13). It needs no sound card: it speaks a WAV file or silence, and
records both directions with its ``sndfile`` module.
"""

import asyncio
import json
import re
import shutil
import tempfile
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab import audio, ports
from lab.errors import LabError, NotReadyError
from lab.paths import LAB
from lab.tools import ensure

MODULE_FOLDERS = ("/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules")
MODULES = ("g711", "aufile", "aubridge", "sndfile")
START_TIMEOUT_S = 10.0
START_TRIES = 3
_TAKEN = "Address already in use"
END_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0

INCOMING = "CALL_INCOMING"
RINGING = "CALL_RINGING"
PROGRESS = "CALL_PROGRESS"
ESTABLISHED = "CALL_ESTABLISHED"
CLOSED = "CALL_CLOSED"


INVITE = re.compile(r"^INVITE sip:.*?(?:\r?\n){2}", re.MULTILINE | re.DOTALL)
FROM = re.compile(r'^From: *(?:"(?P<name>[^"]*)" *)?<sip:(?P<number>[^@>]+)@', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """Something that happened to a phone: ``kind`` as baresip names it, ``reason`` its parameter.

    ``at_s`` is ``time.monotonic()`` when it was read.
    """

    kind: str
    reason: str
    peer: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Caller:
    """What a phone shows of who calls."""

    name: str
    number: str


class Baresip:
    """One phone: ``async with Baresip("201", "127.0.0.3", server=…, password=…) as phone:``.

    With a password it registers at ``server`` before the block is entered; without one it is a number of the
    telephone network, which calls from its own ``address``. ``tone_hz`` is what it says all the time, None silence.
    It takes calls at ``port``, or at any that is free. It ends itself after ``lifetime_s`` seconds, whatever becomes of
    its owner.
    """

    def __init__(
        self,
        user: str,
        address: str,
        *,
        server: str,
        password: str | None = None,
        tone_hz: float | None = None,
        display_name: str = "",
        port: int | None = None,
        lifetime_s: float = 600.0,
    ) -> None:
        self.user = user
        self.address = address
        self.server = server
        self.password = password
        self.tone_hz = tone_hz
        self.display_name = display_name
        self.port = port
        self.lifetime_s = lifetime_s
        self.directory = Path()
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._events: dict[str, deque[PhoneEvent]] = defaultdict(deque)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Condition()
        self._tokens = 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(ensure, ["baresip"])
        self.directory = Path(tempfile.mkdtemp(prefix=f"phone-{self.user}-"))
        try:
            await self._start_somewhere()
            if self.password is not None:
                await self._await_registration()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    # --- what a person does with it

    async def dial(self, number: str) -> None:
        """Call ``number`` at the server; returns at once, see :meth:`established`."""
        await self.command("dial", f"sip:{number}@{self.server}")

    async def accept(self) -> None:
        """Take the call that rings."""
        await self.command("accept")

    async def hang_up(self) -> None:
        """End the call; a call that still rings here is rejected with 486 Busy Here."""
        await self.command("hangup")

    async def crash(self) -> None:
        """The phone loses its power: it says nothing more, to anybody."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def hold(self) -> None:
        """Put the other side on hold (re-INVITE, ``sendonly``)."""
        await self.command("hold")

    async def resume(self) -> None:
        """Take the other side back."""
        await self.command("resume")

    async def transfer(self, number: str) -> None:
        """Ask the server to pass the call on to ``number`` (REFER, RFC 3515)."""
        await self.command("transfer", f"sip:{number}@{self.server}")

    async def press(self, key: str) -> None:
        """Press a key of the telephone during the call; sent as RFC 4733 events."""
        await self.command("sndcode", key)

    async def incoming(self, timeout_s: float = 10.0) -> PhoneEvent:
        """Wait until this phone rings; ``peer`` is who calls."""
        return await self.expect(INCOMING, timeout_s=timeout_s)

    async def established(self, timeout_s: float = 10.0) -> PhoneEvent:
        """Wait until two-way speech is set up.

        Raises:
            LabError: the call ended instead, or ``timeout_s`` seconds passed.
        """
        return await self.expect(ESTABLISHED, timeout_s=timeout_s, fails_on=CLOSED)

    async def closed(self, timeout_s: float = 10.0) -> PhoneEvent:
        """Wait until the call is over; ``reason`` is what the other side said."""
        return await self.expect(CLOSED, timeout_s=timeout_s)

    # --- what it knows

    def seen(self, kind: str) -> bool:
        """Whether an event of ``kind`` is there that nobody has waited for yet."""
        return bool(self._events[kind])

    def heard(self) -> Path:
        """The recording of the far side of the latest call; complete once the call is over.

        Raises:
            LabError: nothing was recorded.
        """
        recordings = sorted(self.directory.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime_ns)
        if not recordings:
            raise LabError(f"phone {self.user} recorded nothing\n{self.trace()[-2000:]}")
        return recordings[-1]

    def shows(self) -> Caller:
        """Who calls, as the phone shows it, by the latest call that came in.

        Raises:
            LabError: none came in.
        """
        caller = caller_shown(self.trace())
        if caller is None:
            raise LabError(f"phone {self.user} was not called")
        return caller

    async def printed(self, text: str, timeout_s: float = 10.0) -> None:
        """Wait until baresip has printed ``text``, which stands in a SIP message, say.

        Raises:
            LabError: it has not within ``timeout_s`` seconds.
        """
        deadline = time.monotonic() + timeout_s
        while text not in self.trace():
            if time.monotonic() > deadline:
                raise LabError(f"phone {self.user}: no {text!r} within {timeout_s} s\n{self.trace()[-1500:]}")
            await asyncio.sleep(0.05)

    def trace(self) -> str:
        """All that baresip printed, every SIP message included."""
        path = self.directory / "output"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    async def expect(self, kind: str, *, timeout_s: float = 10.0, fails_on: str | None = None) -> PhoneEvent:
        """The next event of ``kind`` that nobody has waited for yet.

        Raises:
            LabError: none within ``timeout_s`` seconds, or one of the kind ``fails_on`` came first.
        """
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.seen(kind) or (fails_on is not None and self.seen(fails_on)))
        except TimeoutError:
            known = [event.kind for events in self._events.values() for event in events]
            raise LabError(
                f"phone {self.user}: no {kind} within {timeout_s} s; unread events: {known}\n{self.trace()[-1500:]}"
            ) from None
        if not self.seen(kind) and fails_on is not None:
            event = self._events[fails_on].popleft()
            raise LabError(f"phone {self.user}: {event.kind} ({event.reason}) instead of {kind}")
        return self._events[kind].popleft()

    async def command(self, name: str, parameters: str = "") -> str:
        """Give baresip a command of its menu and return its answer.

        Raises:
            LabError: it refused, or did not answer.
        """
        if self._writer is None:
            raise LabError(f"phone {self.user} is not running")
        self._tokens += 1
        token = str(self._tokens)
        answer = self._answers[token] = asyncio.get_running_loop().create_future()
        message = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._writer.write(b"%d:%b," % (len(message), message))
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._writer.drain()
                reply = await answer
        except (OSError, TimeoutError) as exc:
            raise LabError(f"phone {self.user} did not answer the command {name} {parameters}") from exc
        finally:
            self._answers.pop(token, None)
        if not reply.get("ok"):
            raise LabError(f"phone {self.user} refused {name} {parameters}: {reply.get('data')}")
        return str(reply.get("data", ""))

    # --- how it is done

    async def _start_somewhere(self) -> None:
        """Start at ports of its own; at others, where somebody took one of them between our look and its own."""
        for tries_left in reversed(range(START_TRIES)):
            try:
                await self._start()
            except NotReadyError:
                if self.port is not None or not tries_left or _TAKEN not in self.trace():
                    raise
                await self._stop()
            else:
                return

    async def _start(self) -> None:
        control = ports.free_tcp(self.address)
        self._write_config(control)
        with (self.directory / "output").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                "baresip",
                "-4",
                "-s",
                "-f",
                str(self.directory),
                "-t",
                str(int(self.lifetime_s)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        reader, self._writer = await self._connect(control)
        self._reading = asyncio.create_task(self._read(reader), name=f"phone {self.user}")

    async def _await_registration(self) -> None:
        """Ask until registered: the answer of a quick server comes before we are connected to hear the event."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            state = await self.command("reginfo")
            if "OK" in state.replace(self.user, ""):
                return
            if "ERR" in state:
                break
            await asyncio.sleep(0.05)
        raise NotReadyError(f"phone {self.user} cannot register at {self.server}:\n{self.trace()[-2000:]}")

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                return await asyncio.open_connection(self.address, port)
            except OSError:
                if self._process is None or self._process.returncode is not None:
                    break
                await asyncio.sleep(0.05)
        raise NotReadyError(f"phone {self.user} does not start:\n{self.trace()[-2000:]}")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Sort netstrings (``12:{…},``) into answers and events until baresip closes."""
        try:
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads((await reader.readexactly(length + 1))[:-1])
                if message.get("response"):
                    answer = self._answers.get(str(message.get("token")))
                    if answer is not None and not answer.done():
                        answer.set_result(message)
                elif message.get("event"):
                    await self._note(message)
        except (asyncio.IncompleteReadError, OSError):
            return

    async def _note(self, message: dict[str, Any]) -> None:
        event = PhoneEvent(
            kind=str(message.get("type")),
            reason=str(message.get("param", "")),
            peer=str(message.get("peeruri", "")),
            at_s=time.monotonic(),
        )
        async with self._changed:
            self._events[event.kind].append(event)
            self._changed.notify_all()

    async def _end(self) -> None:
        await self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def _stop(self) -> None:
        if self._writer is not None:
            self._writer.close()
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(END_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _write_config(self, control_port: int) -> None:
        sip_port = ports.free_sip(self.address) if self.port is None else self.port
        host = self.server if self.password is not None else f"{self.address}:{sip_port}"
        name = f'"{self.display_name}" ' if self.display_name else ""
        account = f"{name}<sip:{self.user}@{host}>;answermode=manual;audio_codecs=pcma,pcmu;ptime=20"
        if self.password is None:
            account += ";regint=0"
        else:
            account += f";auth_user={self.user};auth_pass={self.password};regint=300"
        config = [
            f"sip_listen {self.address}:{sip_port}",
            f"net_interface {self.address}",
            "rtp_ports 40000-49999",
            f"module_path {module_folder()}",
            *(f"module {name}.so" for name in MODULES),
            "module_tmp account.so",
            "module_app menu.so",
            "module_app ctrl_tcp.so",
            f"ctrl_tcp_listen {self.address}:{control_port}",
            # A phone that speaks must also hear, or its side of the sound is not decoded: aubridge is a silent device.
            "audio_player aubridge,nobody",
            f"audio_source aufile,{tone_file(self.tone_hz)}",
            "audio_alert aubridge,nobody",
            "ring_aufile none",
            "auplay_srate 8000",
            "ausrc_srate 8000",
            f"snd_path {self.directory}",
            "call_max_calls 4",
        ]
        (self.directory / "config").write_text("\n".join(config) + "\n", encoding="utf-8")
        (self.directory / "accounts").write_text(account + "\n", encoding="utf-8")
        (self.directory / "contacts").write_text("", encoding="utf-8")


def caller_shown(trace: str) -> Caller | None:
    """The caller's name and number in the last INVITE that a phone with this ``trace`` received; None if there is none.

    A phone of ours that calls sends INVITEs with its own name: it is not to be asked.
    """
    invites = INVITE.findall(trace)
    found = FROM.search(invites[-1]) if invites else None
    return Caller(found["name"] or "", found["number"]) if found else None


def module_folder() -> Path:
    """The folder with baresip's modules.

    Raises:
        LabError: there is none in the usual places.
    """
    for pattern in MODULE_FOLDERS:
        for folder in sorted(Path("/").glob(pattern[1:])):
            if (folder / "ctrl_tcp.so").exists():
                return folder
    raise LabError(f"baresip's modules are not in {', '.join(MODULE_FOLDERS)}")


def tone_file(frequency_hz: float | None) -> Path:
    """A WAV of two minutes of the tone (of silence for None), made on first use."""
    path = LAB / "tones" / ("silence.wav" if frequency_hz is None else f"{frequency_hz:g}.wav")
    if not path.exists():
        audio.write_tone(path, frequency_hz or 0, amplitude=0.0 if frequency_hz is None else 0.4)
    return path
