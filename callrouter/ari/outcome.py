"""What became of a request: the outcomes that the exchange has to tell apart, and nothing more."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import msgspec

from callrouter.errors import AriProtocolError

T = TypeVar("T")


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    """2xx."""
    REFUSED = "refused"
    """Asterisk answered no: bad request, no right, or it could not (an endpoint that is not registered is a 500)."""
    GONE = "gone"
    """404: the channel, bridge or playback is no more."""
    CONFLICT = "conflict"
    """409, 412, 422: it exists, but not in a state that allows this, or the id is taken."""
    UNKNOWN = "unknown"
    """No answer: it may have been done. A POST may be repeated only with the same id of our own."""


class Doubt(StrEnum):
    """Why an outcome is unknown."""

    TIMED_OUT = "timed out"
    CONNECTION_LOST = "connection lost"
    NOT_SENT = "not sent"
    """Asterisk was not reachable: it certainly has not seen the request."""
    TOO_MANY = "too many pending"
    """Not sent either: the bound on pending requests was reached."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Outcome of a request, with Asterisk's answer if there was one.

    ``status`` is the HTTP status (0 without an answer); ``body`` is JSON text, empty for most commands.
    """

    outcome: Outcome
    status: int = 0
    body: bytes | str = b""
    doubt: Doubt | None = None

    def read(self, kind: type[T]) -> T:
        """The body as a snapshot, such as ``reply.read(Channel)`` or ``reply.read(tuple[Channel, ...])``.

        Raises :class:`AriProtocolError` when the body is something else.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise AriProtocolError(
                f"Asterisk answered {self.status} with a body that cannot be read"
                f" ({str(error)[:200]}): {self.body[:200]!r}"
            ) from error

    @property
    def was_sent(self) -> bool:
        """Whether Asterisk may have seen the request."""
        return self.doubt not in (Doubt.NOT_SENT, Doubt.TOO_MANY)


_BY_STATUS = {
    **dict.fromkeys(range(200, 300), Outcome.DONE),
    404: Outcome.GONE,
    409: Outcome.CONFLICT,
    412: Outcome.CONFLICT,
    422: Outcome.CONFLICT,
}


def answered(status: int, body: bytes | str = b"") -> Reply:
    """The reply for an answer with this HTTP status."""
    return Reply(_BY_STATUS.get(status, Outcome.REFUSED), status, body)


def unanswered(doubt: Doubt) -> Reply:
    """The reply for a request that got no answer."""
    return Reply(Outcome.UNKNOWN, doubt=doubt)
