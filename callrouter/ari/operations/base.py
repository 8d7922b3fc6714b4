"""What a request to ARI is, and how an operation is declared.

On a websocket Asterisk runs requests one after another, and some wait for a playback that runs on their channel, with
everything behind them waiting too. ``may_block`` marks those; a caller that knows that nothing plays there passes
``may_block=False`` and gets the fast way.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote

import msgspec


class Method(StrEnum):
    """HTTP methods of ARI."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


class Request(msgspec.Struct, frozen=True):
    """One REST request, ready for either transport.

    ``path`` is percent-encoded and begins after ``/ari/``; ``query`` is not encoded; ``body`` is JSON text.
    """

    method: Method
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    may_block: bool = False
    is_file: bool = False
    """What is answered is a file, and may be long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Declaration of one operation, in the words of Asterisk's description.

    ``since`` names the versions that brought it, one for each branch, as the description does.
    """

    name: str
    method: Method
    path: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    body: bool = False
    since: tuple[str, ...] = ("12.0.0",)
    may_block: bool = False
    _pattern: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", _PLACE.sub("%s", self.path))

    def request(
        self,
        *parts: str,
        query: tuple[tuple[str, str], ...] = (),
        body: str | None = None,
        may_block: bool | None = None,
    ) -> Request:
        """The request for these path ``parts``, in the order of the path's places."""
        return Request(
            self.method,
            self._pattern % tuple(map(path_part, parts)),
            query,
            body,
            self.may_block if may_block is None else may_block,
        )


_PLACE: Final = re.compile(r"\{\w+\}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*").fullmatch
_encode: Final = msgspec.json.Encoder().encode


def path_part(value: str) -> str:
    """Percent-encode one part of a path (RFC 3986); a leading dot too, so that no part reads as ``..``.

    Raises :class:`ValueError` for an empty part: the path would mean another operation.
    """
    if _PLAIN(value):
        return value
    if not value:
        raise ValueError("an ARI path part must not be empty; give the id of the channel, bridge or playback")
    encoded = quote(value, safe="")
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


def json_body(value: object) -> str:
    """JSON text for the body of a request."""
    return _encode(value).decode()


def given(**parameters: str | int | None) -> tuple[tuple[str, str], ...]:
    """Query parameters without those that were not given."""
    return tuple((name, str(value)) for name, value in parameters.items() if value is not None)
