"""A desk phone with several lines, which passes the call of one on to the other (RFC 3891): baresip cannot do that.

It registers, is called, calls, holds, and sends REFER with Replaces. Its lines have real sound (G.711).
"""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from lab import ports, sip
from lab.errors import LabError
from lab.sip import Message
from lab.speech import Keypad, Speech

PATIENCE_S = 10.0
LEAVE_S = 5.0
"""So long a phone that is switched off waits to hear that it is not registered any more, on a busy machine, too."""
REGISTRATION_S = 3600
MOST_TRACED = 2000
"""So many messages are kept to be shown."""
ALLOW = "INVITE, ACK, CANCEL, BYE, NOTIFY, OPTIONS"
_CHALLENGED = (401, 407)


class Line:
    """One call of the phone; ``peer`` is who is at the other end, as the phone shows it."""

    def __init__(self, phone: "DeskPhone", call_id: str, local: str, remote: str, target: str) -> None:
        self.phone = phone
        self.call_id = call_id
        self.local_tag = secrets.token_hex(4)
        self.local = local
        self.remote = remote
        """The value of the header that names the far end, with its tag once that is known."""
        self.target = target
        self.speech = Speech(phone.address, phone.tone_hz) if phone.has_sound else Keypad(phone.address)
        self.status = 0
        """Of a call that was dialled: the last answer."""
        self.told: list[str] = []
        """What became of the transfer that was asked for, as the NOTIFYs had it."""
        self.invited: Message | None = None
        self.invitation = ("", 0)
        """Branch and number of the INVITE that was sent."""
        self.direction = "sendrecv"
        self.is_up = False
        self.is_over = False
        self.begun_at = datetime.now(UTC)
        """When it was called, or called; aware, as are the next two."""
        self.up_at: datetime | None = None
        self.over_at: datetime | None = None
        self.cseq = 100
        self._changed = asyncio.Condition()

    @property
    def peer(self) -> str:
        """The number at the far end."""
        return sip.uri_of(self.remote).removeprefix("sip:").partition("@")[0]

    @property
    def called(self) -> str:
        """The number that was called, of a call that came in."""
        return self.invited.start.split(" ")[1].removeprefix("sip:").partition("@")[0] if self.invited else ""

    # --- what a person does with it

    async def answer(self) -> None:
        """Take the call that rings; nothing, if it does not any more."""
        await self.speech.open()
        if self.is_over:
            await self.speech.close()
        elif self.invited is not None:
            self.speech.speak_to(self.invited.body)
            self.phone.respond(self.invited, 200, "OK", line=self, body=self.description())
            await self.become_up()

    async def decline(self) -> None:
        """Reject the call that rings: 486 Busy Here."""
        if self.invited is not None and not self.is_over:
            self.phone.respond(self.invited, 486, "Busy Here", line=self)
        await self.end()

    async def hang_up(self) -> None:
        """End the call, or the attempt to call."""
        if self.is_over:
            return
        if self.is_up:
            await self.phone.request(self, "BYE")
            await self.end()
        else:
            self.phone.cancel(self)
            await self.closed()

    async def press(self, keys: str) -> None:
        """Press keys (RFC 4733), one after another."""
        await self.speech.press(keys)

    async def hold(self) -> None:
        """Put the far end on hold."""
        await self._reinvite("sendonly")

    async def resume(self) -> None:
        """Take the far end back."""
        await self._reinvite("sendrecv")

    async def transfer_to(self, other: "Line") -> int:
        """Ask that the far ends of this line and of the other be connected; what the server says at once."""
        replaced = f"{other.call_id};to-tag={sip.tag_of(other.remote)};from-tag={other.local_tag}"
        return await self.refer(other.peer, replaced)

    async def refer(self, number: str, replaced: str = "") -> int:
        """Ask for a transfer to ``number``, in place of the call ``replaced`` (RFC 3891) if one is named."""
        quoted = replaced.replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
        uri = f"sip:{number}@{self.phone.server}{f'?Replaces={quoted}' if quoted else ''}"
        answer = await self.phone.request(self, "REFER", [("Refer-To", f"<{uri}>"), ("Referred-By", self.phone.own)])
        return answer.status

    # --- what it waits for

    async def rings(self) -> None:
        """Wait until the far phone rings.

        Raises:
            LabError: it does not.
        """
        await self._until(lambda: self.status == 180 or self.is_up or self.is_over, "ring")
        if self.status != 180:
            raise LabError(f"line to {self.peer}: {self.status} instead of ringing")

    async def established(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the far end has answered.

        Raises:
            LabError: it does not within ``timeout_s`` seconds.
        """
        await self._until(lambda: self.is_up or self.is_over, "answer", timeout_s)
        if not self.is_up:
            raise LabError(f"line to {self.peer}: {self.status} instead of an answer")

    async def closed(self, timeout_s: float | None = PATIENCE_S) -> int:
        """Wait until the call is over; the last answer to it.

        Raises:
            LabError: it is not within ``timeout_s`` seconds; None: wait for ever.
        """
        await self._until(lambda: self.is_over, "end", timeout_s)
        return self.status

    async def transferred(self) -> str:
        """Wait until it is said what became of the transfer: ``200 OK``, say."""
        await self._until(lambda: any(not told.startswith("1") for told in self.told), "say of the transfer")
        return self.told[-1]

    def heard(self) -> Path:
        """A recording of the far side.

        Raises:
            LabError: the phone has no sound.
        """
        if not isinstance(self.speech, Speech):
            raise LabError(f"phone {self.phone.user} has no sound")
        return self.speech.heard()

    # --- for the phone

    def description(self) -> str:
        """What it can hear and say, and where (RFC 4566)."""
        lines = ["v=0", f"o=- 1 {self.cseq} IN IP4 {self.phone.address}", "s=-", f"c=IN IP4 {self.phone.address}"]
        lines += ["t=0 0", f"m=audio {self.speech.port} RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000"]
        lines += ["a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", f"a={self.direction}"]
        return "\r\n".join(lines) + "\r\n"

    async def note(self, status: int) -> None:
        """The far end said something of the call."""
        self.status = status
        await self._wake()

    async def note_transfer(self, told: str) -> None:
        """Something is said of the transfer."""
        self.told.append(told)
        await self._wake()

    async def become_up(self) -> None:
        """Speech is set up."""
        self.is_up = self.speech.speaks = True
        self.up_at = self.up_at or datetime.now(UTC)
        await self._wake()

    async def end(self) -> None:
        """The call is over."""
        self.over_at = self.over_at or datetime.now(UTC)
        self.is_over, self.is_up = True, False
        await self.speech.close()
        await self._wake()

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, holds: Callable[[], bool], what: str, timeout_s: float | None = PATIENCE_S) -> None:
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            raise LabError(f"line to {self.peer} does not {what}\n{self.phone.trace()}") from None

    async def _reinvite(self, direction: str) -> None:
        self.direction = direction
        self.speech.speaks = direction == "sendrecv"
        answer = await self.phone.request(self, "INVITE", body=self.description())
        if answer.status != 200:
            raise LabError(f"line to {self.peer}: {answer.start} to {direction}")
        self.phone.acknowledge(self, answer)


class DeskPhone(asyncio.DatagramProtocol):
    """One phone: ``async with DeskPhone("201", "127.0.0.3", server=…, password=…) as phone``.

    It is registered meanwhile, and not any more when the block is left, if Asterisk hears that. Without a password it
    does not register: it is one of the telephone network, which calls from its own address.
    It takes calls at ``port``, or at any that is free. Without ``has_sound`` its lines say nothing but keys.
    """

    def __init__(
        self,
        user: str,
        address: str,
        *,
        server: str,
        password: str = "",
        tone_hz: float | None = None,
        port: int | None = None,
        has_sound: bool = True,
    ) -> None:
        self.user = user
        self.address = address
        self.server = server
        self.password = password
        self.tone_hz = tone_hz
        self.has_sound = has_sound
        self.port = port or ports.free_udp(address)
        self.lines: dict[str, Line] = {}
        self._ringing: asyncio.Queue[Line] = asyncio.Queue()
        self._answers: dict[str, asyncio.Queue[Message]] = {}
        self._said: dict[tuple[str, str], bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._trace: deque[str] = deque(maxlen=MOST_TRACED)
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def own(self) -> str:
        """The phone's own address, as others write it."""
        return f"<sip:{self.user}@{self.server}>"

    @property
    def contact(self) -> str:
        """Where the phone is called."""
        return f"<sip:{self.user}@{self.address}:{self.port}>"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, self.port))
        if self.password:
            await self._register(REGISTRATION_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self.lines.values():
            await line.speech.close()
        for task in self._tasks:
            task.cancel()
        if self.password:
            with contextlib.suppress(LabError, TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._register(0)
        if self._transport is not None:
            self._transport.close()

    async def incoming(self, timeout_s: float | None = PATIENCE_S) -> Line:
        """Wait until the phone rings.

        Raises:
            LabError: it does not within ``timeout_s`` seconds; None: wait for ever.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ringing.get()
        except TimeoutError:
            raise LabError(f"phone {self.user} does not ring\n{self.trace()}") from None

    async def dial(self, number: str) -> Line:
        """Call ``number`` on one more line; returns at once."""
        uri = f"sip:{number}@{self.server}"
        line = Line(self, secrets.token_hex(8), self.own, f"<{uri}>", uri)
        self.lines[line.call_id] = line
        await line.speech.open()
        self._do(self._dial(line))
        return line

    def trace(self, call_id: str = "") -> str:
        """The last messages, in and out: all, or those of one call."""
        return "\n".join(message for message in self._trace if call_id in message)

    # --- requests of ours

    async def request(
        self, line: Line, method: str, headers: list[tuple[str, str]] | None = None, body: str = ""
    ) -> Message:
        """Ask something within a call, with the password if that is wanted; the final answer.

        Raises:
            LabError: there is none.
        """
        answer = await self._ask(line, method, headers or [], body)
        if answer.status not in _CHALLENGED:
            return answer
        challenge = answer.header("www-authenticate") or answer.header("proxy-authenticate")
        name = "Authorization" if answer.status == 401 else "Proxy-Authorization"
        value = sip.authorization(challenge, method, line.target, self.user, self.password)
        return await self._ask(line, method, [*(headers or []), (name, value)], body)

    async def _ask(self, line: Line, method: str, headers: list[tuple[str, str]], body: str) -> Message:
        line.cseq += 1
        branch = sip.new_branch()
        answers = self._answers[branch] = asyncio.Queue()
        if method == "INVITE":
            line.invitation = (branch, line.cseq)
        self._send(self._request(line, method, branch, line.cseq, headers, body))
        try:
            async with asyncio.timeout(PATIENCE_S if line.is_up or method != "INVITE" else 6 * PATIENCE_S):
                while True:
                    answer = await answers.get()
                    if tag := sip.tag_of(answer.header("to")):
                        line.remote = f"<{sip.uri_of(line.remote)}>;tag={tag}"
                    if answer.status >= 200:
                        break
                    await line.note(answer.status)
        except TimeoutError:
            raise LabError(f"phone {self.user}: no answer to {method}\n{self.trace()}") from None
        if method == "INVITE" and answer.status >= 300:
            ack = self._request(line, "ACK", branch, line.cseq, [], "")
            self._send(ack)
        if answer.status in _CHALLENGED and not line.is_up:  # it is asked anew, as if for the first time
            line.remote = f"<{sip.uri_of(line.remote)}>"
        return answer

    def acknowledge(self, line: Line, answer: Message) -> None:
        """Say that the answer to an INVITE has come."""
        line.target = sip.uri_of(answer.header("contact")) or line.target
        self._send(self._request(line, "ACK", sip.new_branch(), line.invitation[1], [], ""))

    def cancel(self, line: Line) -> None:
        """Give up calling."""
        branch, number = line.invitation
        self._send(self._request(line, "CANCEL", branch, number, [], "", tagged=False))

    async def _dial(self, line: Line) -> None:
        answer = await self.request(line, "INVITE", body=line.description())
        await line.note(answer.status)
        if answer.status != 200:
            await line.end()
            return
        self.acknowledge(line, answer)
        line.speech.speak_to(answer.body)
        await line.become_up()

    async def _register(self, expires_s: int) -> None:
        line = Line(self, secrets.token_hex(8), self.own, self.own, f"sip:{self.server}")
        answer = await self.request(line, "REGISTER", [("Expires", str(expires_s))])
        if answer.status != 200:
            raise LabError(f"phone {self.user} cannot register at {self.server}: {answer.start}")

    def _request(
        self,
        line: Line,
        method: str,
        branch: str,
        number: int,
        headers: list[tuple[str, str]],
        body: str,
        *,
        tagged: bool = True,
    ) -> bytes:
        remote = line.remote if tagged else f"<{sip.uri_of(line.remote)}>"
        head = [
            ("Via", f"SIP/2.0/UDP {self.address}:{self.port};branch={branch}"),
            ("From", f"{line.local};tag={line.local_tag}"),
            ("To", remote),
            ("Call-ID", line.call_id),
            ("CSeq", f"{number} {method}"),
            ("Contact", self.contact),
            ("Max-Forwards", "70"),
            ("Allow", ALLOW),
            *headers,
        ]
        if body:
            head.append(("Content-Type", "application/sdp"))
        return sip.render(f"{method} {line.target} SIP/2.0", head, body)

    # --- requests of others

    def datagram_received(self, data: bytes, addr: object) -> None:
        """A message came in."""
        if not data.strip():
            return
        self._note("<<<", data)
        message = sip.parse(data)
        if message.is_response:
            queue = self._answers.get(message.branch)
            if queue is not None and message.method != "CANCEL":
                queue.put_nowait(message)
            return
        said = self._said.get((message.branch, message.method))
        if said is not None:
            self._send(said)  # it did not hear us the first time
        elif message.method != "ACK":
            self._do(self._react(message))

    async def _react(self, message: Message) -> None:
        line = self.lines.get(message.header("call-id"))
        match message.method:
            case "INVITE" if line is None:
                self._ring(message)
            case "INVITE" if line is not None and line.invited is not None and line.invited.branch == message.branch:
                self.respond(message, 180, "Ringing", line=line)  # it was asked again, since we were not heard
            case "INVITE" if line is not None:
                line.speech.speak_to(message.body)
                self.respond(message, 200, "OK", line=line, body=line.description())
            case "CANCEL" if line is not None and line.invited is not None:
                self.respond(message, 200, "OK", line=line)
                if not line.is_up:  # else it was answered just before
                    self.respond(line.invited, 487, "Request Terminated", line=line)
                    await line.end()
            case "BYE" if line is not None:
                self.respond(message, 200, "OK", line=line)
                await line.end()
            case "NOTIFY" if line is not None:
                self.respond(message, 200, "OK", line=line)
                await line.note_transfer(message.body.strip().removeprefix("SIP/2.0 "))
            case "OPTIONS":
                self.respond(message, 200, "OK", line=line)
            case _:
                self.respond(message, 481, "Call/Transaction Does Not Exist", line=line)

    def _ring(self, message: Message) -> None:
        target = sip.uri_of(message.header("contact"))
        line = Line(self, message.header("call-id"), message.header("to"), message.header("from"), target)
        line.invited = message
        self.lines[line.call_id] = line
        self.respond(message, 180, "Ringing", line=line)
        self._ringing.put_nowait(line)

    def respond(self, message: Message, status: int, reason: str, *, line: Line | None, body: str = "") -> None:
        """Answer a request."""
        to = message.header("to")
        if line is not None and not sip.tag_of(to):
            to = f"{to};tag={line.local_tag}"
        head = [("Via", via) for via in message.all("via")]
        head += [("From", message.header("from")), ("To", to), ("Call-ID", message.header("call-id"))]
        head += [("CSeq", message.header("cseq")), ("Contact", self.contact), ("Allow", ALLOW)]
        if body:
            head.append(("Content-Type", "application/sdp"))
        data = sip.render(f"SIP/2.0 {status} {reason}", head, body)
        if status >= 200:
            self._said[message.branch, message.method] = data
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self._transport is None:
            raise LabError(f"phone {self.user} is off")
        host, _, port = self.server.partition(":")
        self._note(">>>", data)
        self._transport.sendto(data, (host, int(port)))

    def _note(self, way: str, data: bytes) -> None:
        self._trace.append(f"{datetime.now(UTC):%T.%f} {way} {data.decode('utf-8', 'replace')}")

    def _do(self, what: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
