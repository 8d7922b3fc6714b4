"""What two daemons on two machines say to one another, and how each proves that it knows their secret.

The line is TLS with a certificate that the leader makes for itself: it keeps strangers from reading, and vouches for
nobody. That is what the secret is for: each side shows with it (HMAC-SHA-256, RFC 2104) that it sees the very
certificate that the other shows or sees, so that nobody can stand in between. The secret itself is never sent.
"""

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

import msgspec

NONCE_BYTES: Final = 32
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_STRANGE_BYTES: Final = 4096
"""Of a message of somebody who has not shown yet who he is."""


class Hello(msgspec.Struct, tag="h", array_like=True):
    """The leader's first word."""

    nonce: bytes


class Proof(msgspec.Struct, tag="p", array_like=True):
    """The answer, and the leader's answer to that: ``nonce`` is empty in the second."""

    nonce: bytes
    mac: bytes


class Wants(msgspec.Struct, tag="w", array_like=True):
    """Who waits wants a copy, with records from ``since`` on, and has said before what his own journal had left."""

    since: float


class Left(msgspec.Struct, tag="l", array_like=True):
    """Something that may be in the journal of who waits alone."""

    body: bytes


class Waiting(msgspec.Struct, tag="W", array_like=True):
    """Who waits is alive. ``reaches``: an Asterisk; ``copied``: the number of the last rows that are on his disk."""

    reaches: bool
    copied: int


class Beat(msgspec.Struct, tag="b", array_like=True):
    """The leader is alive."""

    term: int
    proofs: int


class Rows(msgspec.Struct, tag="r", array_like=True):
    """Something of the leader's journal."""

    number: int
    body: bytes
    is_whole: bool
    is_last: bool


class Yours(msgspec.Struct, tag="y", array_like=True):
    """Take over."""


class Robbed(msgspec.Struct, tag="x", array_like=True):
    """A stranger took the application."""


Word = Hello | Proof | Wants | Left | Waiting | Beat | Rows | Yours | Robbed

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Word)


class NoFriendError(Exception):
    """The other end does not know the secret, or does not speak as we do."""


ENDED: Final = (OSError, EOFError, NoFriendError)
"""What is raised where the line has ended, or is none."""


def say(writer: asyncio.StreamWriter, word: Word) -> None:
    """Send it, as far as that can be told."""
    body = _encoder.encode(word)
    writer.write(len(body).to_bytes(4, "big") + body)


async def hear(reader: asyncio.StreamReader, most_bytes: int = MOST_BYTES) -> Word:
    """The next word.

    Raises:
        NoFriendError: it is none.
        OSError, EOFError: the line has ended.
    """
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > most_bytes:
        raise NoFriendError(f"a message of {length} bytes")
    try:
        word: Word = _decoder.decode(await reader.readexactly(length))
    except (msgspec.MsgspecError, ValueError) as exc:
        raise NoFriendError(str(exc)) from exc
    return word


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """What both know."""

    value: bytes

    async def prove_as_leader(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, der: bytes) -> None:
        """See that the other knows the secret, and show that we do. ``der`` is the certificate that we show.

        Raises:
            NoFriendError: it does not.
            OSError, EOFError: the line has ended.
        """
        ours = secrets.token_bytes(NONCE_BYTES)
        say(writer, Hello(ours))
        answer = await hear(reader, MOST_STRANGE_BYTES)
        if not isinstance(answer, Proof) or len(answer.nonce) != NONCE_BYTES:
            raise NoFriendError("it shows nothing")
        if not hmac.compare_digest(answer.mac, self._mac(b"waits", ours, answer.nonce, der)):
            raise NoFriendError("its secret is another, or somebody stands in between")
        say(writer, Proof(b"", self._mac(b"leads", ours, answer.nonce, der)))

    async def prove_as_waiting(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, der: bytes) -> None:
        """Show that we know the secret, and see that the other does. ``der`` is the certificate that we see.

        Raises: as above.
        """
        hello = await hear(reader, MOST_STRANGE_BYTES)
        if not isinstance(hello, Hello) or len(hello.nonce) != NONCE_BYTES:
            raise NoFriendError("it does not begin as a leader does")
        ours = secrets.token_bytes(NONCE_BYTES)
        say(writer, Proof(ours, self._mac(b"waits", hello.nonce, ours, der)))
        answer = await hear(reader, MOST_STRANGE_BYTES)
        if not isinstance(answer, Proof) or not hmac.compare_digest(
            answer.mac, self._mac(b"leads", hello.nonce, ours, der)
        ):
            raise NoFriendError("its secret is another, or somebody stands in between")

    def _mac(self, role: bytes, leaders: bytes, waiting: bytes, der: bytes) -> bytes:
        text = b"callrouter standby 1\0" + role + b"\0" + leaders + waiting + hashlib.sha256(der).digest()
        return hmac.digest(self.value, text, "sha256")
