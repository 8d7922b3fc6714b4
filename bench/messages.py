"""What SIPp's short message log tells: when callers were told that it rings, and what was sent twice.

One line a message, fields apart by tabs: date, time, seconds since 1970 with microseconds, ``S`` or ``R`` (sent,
received), Call-ID, CSeq, first line. SIPp's own response times tick in 4 ms; these do not.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

SENT = "S"
RECEIVED = "R"
_FIELDS = 7


class Message(NamedTuple):
    """One message; ``at_s`` is in seconds since 1970."""

    at_s: float
    direction: str
    call: str
    cseq: str
    start: str


def read(lines: Iterable[str]) -> Iterator[Message]:
    """The messages of a log; a last line that SIPp did not finish is left out."""
    for line in lines:
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) == _FIELDS and line.endswith("\n"):
            _, _, at_s, direction, call, cseq, start = fields
            yield Message(float(at_s), direction, call, cseq, start)


def ringing_ms(messages: Iterable[Message]) -> list[float]:
    """From the first INVITE sent to the first 180 received, in milliseconds, of each call that came so far."""
    invited: dict[str, float] = {}
    rang: dict[str, float] = {}
    for message in messages:
        if message.direction == SENT and message.start.startswith("INVITE "):
            invited.setdefault(message.call, message.at_s)
        elif message.direction == RECEIVED and message.start.startswith("SIP/2.0 180") and message.call in invited:
            rang.setdefault(message.call, message.at_s)
    return [(at_s - invited[call]) * 1000.0 for call, at_s in rang.items()]


def retransmissions(messages: Iterable[Message]) -> int:
    """How many requests and final answers were sent again, by either side.

    Provisional answers do not count: 180 may well be said twice.
    """
    seen: set[tuple[str, str, str, str]] = set()
    again = 0
    for message in messages:
        if message.start.startswith("SIP/2.0 1"):
            continue
        key = (message.direction, message.call, message.cseq, message.start)
        again += key in seen
        seen.add(key)
    return again
