"""What is kept of a run: how it began, what it was told, and a digest of what it decided each time.

A file is a row of blocks, each with its length and checksum in front, so that a file cut anywhere reads as far as it
is whole. A block holds records, one after another, compressed together.
"""

import hashlib
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec

from callrouter.core.ids import CallId
from callrouter.core.output import Output
from callrouter.errors import CallrouterError

MAGIC: Final = b"callrouter inputs 1\n"
_HEAD: Final = Struct(">II")
_LONGEST_BLOCK: Final = 256 * 1024 * 1024


class InputsError(CallrouterError):
    """A file holds no inputs, or what it holds cannot be run again."""


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A daemon started; ``config_hash`` tells its rules."""

    at: datetime
    version: str
    config_hash: str


class Rules(msgspec.Struct, frozen=True, tag="rules"):
    """The text of rules that went live, by the names of their files, and what the environment put in its place."""

    config_hash: str
    files: dict[str, str]
    environment: dict[str, str]


class Recalled(msgspec.Struct, frozen=True, tag="recalled"):
    """What an earlier daemon had known was told: the name of the exchange's method, and what it was given."""

    at: datetime
    what: str
    arguments: tuple[msgspec.Raw, ...]
    decided: bytes


class Happened(msgspec.Struct, frozen=True, tag="event"):
    """An event; ``decided`` is the digest of what came out, empty if handling it raised."""

    at: datetime
    kind: str
    event: msgspec.Raw
    decided: bytes
    pins: tuple[bool, ...] = ()
    """Whether the PINs that were looked at were right. The digits are not kept."""


class GaveUp(msgspec.Struct, frozen=True, tag="gave-up"):
    """A call was sent to the dialplan's fallback, for handling an event of it raised."""

    at: datetime
    call: CallId
    why: str
    decided: bytes


Record = Began | Rules | Recalled | Happened | GaveUp

encoder: Final = msgspec.msgpack.Encoder()
_exact: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(list[Record])


def digest(out: Output | None) -> bytes:
    """Of all that was decided: eight bytes that differ if anything does. None: what is returned is not looked at."""
    if out is None:
        return b"-"
    # Notices are words for people: of a defect they hold addresses in memory, which no second run has.
    named = [(type(command).__name__, command) for command in out.commands]
    answers = [(ticket, type(answer).__name__, answer) for ticket, answer in out.answers]
    told = (named, out.facts, out.cdrs, out.audit, answers)
    return hashlib.blake2b(_exact.encode(told), digest_size=8).digest()


def pack(records: list[bytes]) -> bytes:
    """A block of encoded records."""
    body = zlib.compress(b"\xdd" + len(records).to_bytes(4) + b"".join(records), 6)
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def read(path: Path) -> Iterator[Record]:
    """The records of a file, as far as it is whole: a run that was killed leaves it cut, be it at its first byte.

    Raises:
        InputsError: the file cannot be read, or is no such file.
    """
    try:
        with path.open("rb") as file:
            if not MAGIC.startswith(file.read(len(MAGIC))):
                raise InputsError(f"{path} holds no inputs; name a file of the folder inputs of the state folder")
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                body = file.read(length) if length <= _LONGEST_BLOCK else b""
                if len(body) < length or zlib.crc32(body) != checksum:
                    return
                yield from _decoder.decode(zlib.decompress(body))
    except OSError as exc:
        raise InputsError(f"{path} cannot be read: {exc.strerror}") from exc
    except msgspec.MsgspecError as exc:
        raise InputsError(f"{path} holds records that this version does not know: {exc}") from exc
