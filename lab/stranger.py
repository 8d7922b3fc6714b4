"""Someone in the telephone network who writes into his headers what he likes, byte by byte: SIPp does not let him."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Self

from lab import ports, sip
from lab.errors import LabError

PATIENCE_S = 10.0
_SDP = (
    "v=0\r\no=lab 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
    "a=rtpmap:8 PCMA/8000\r\n"
)


class Stranger:
    """Calls from one address: ``async with Stranger(CARRIER_ADDRESS, asterisk.sip_address) as stranger``."""

    def __init__(self, address: str, server: str) -> None:
        self._address = address
        self._port = ports.free_udp(address)
        self._host, _, port = server.partition(":")
        self._server = (self._host, int(port))
        self._answers: dict[str, asyncio.Queue[sip.Message]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Ears(self._hear), local_addr=(self._address, self._port)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()

    async def call(
        self, sender: bytes, more: Sequence[bytes] = (), *, dialed: bytes = b"120", talk_s: float = 0.0
    ) -> int:
        """Call, hang up after the answer, and say what the final answer was; 0: there was none within the patience.

        ``sender`` is what stands before the tag in From, ``more`` are whole headers.
        """
        call = secrets.token_hex(8)
        heard: asyncio.Queue[sip.Message] = asyncio.Queue()
        self._answers[call] = heard
        body = _SDP.format(host=self._address, port=ports.free_udp(self._address)).encode()
        self._send("INVITE", 1, call, sender, dialed, (*more, b"Content-Type: application/sdp"), body)
        try:
            final = await _final(heard, "INVITE")
        except TimeoutError:
            return 0
        to = next((value for name, value in final.headers if name == "to"), "").encode()
        self._send("ACK", 1, call, sender, dialed, to=to)
        if final.status == 200:
            await asyncio.sleep(talk_s)
            self._send("BYE", 2, call, sender, dialed, to=to)
            ended = await _final(heard, "BYE")
            if ended.status not in (200, 481):
                raise LabError(f"hanging up is answered {ended.start}")
        del self._answers[call]
        return final.status

    def _send(
        self,
        method: str,
        number: int,
        call: str,
        sender: bytes,
        dialed: bytes,
        more: Sequence[bytes] = (),
        body: bytes = b"",
        to: bytes = b"",
    ) -> None:
        uri = b"sip:%s@%s:%d" % (dialed, self._host.encode(), self._server[1])
        here = f"{self._address}:{self._port}"
        lines = [
            method.encode() + b" " + uri + b" SIP/2.0",
            f"Via: SIP/2.0/UDP {here};rport;branch={sip.new_branch()}".encode(),
            b"From: " + sender + f";tag=s{call}".encode(),
            b"To: " + (to or b"<" + uri + b">"),
            f"Call-ID: {call}".encode(),
            f"CSeq: {number} {method}".encode(),
            f"Contact: <sip:stranger@{here}>".encode(),
            b"Max-Forwards: 70",
            *more,
            b"Content-Length: %d" % len(body),
        ]
        if self._transport is None:
            raise LabError("the stranger is not there; use it in an async with")
        self._transport.sendto(b"\r\n".join(lines) + b"\r\n\r\n" + body, self._server)

    def _hear(self, data: bytes) -> None:
        message = sip.parse(data)
        heard = self._answers.get(message.header("call-id"))
        if message.is_response and heard is not None:
            heard.put_nowait(message)
        elif not message.is_response and self._transport is not None:  # the far end hangs up
            kept = [(name, value) for name in ("via", "from", "to", "call-id", "cseq") for value in message.all(name)]
            self._transport.sendto(sip.render("SIP/2.0 200 OK", kept), self._server)


class _Ears(asyncio.DatagramProtocol):
    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hear it."""
        self._hear(data)


async def _final(heard: "asyncio.Queue[sip.Message]", method: str) -> sip.Message:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await heard.get()
            if message.method == method and message.status >= 200:
                return message
