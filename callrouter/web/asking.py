"""What is asked for, read from requests, and answers made of documents."""

import asyncio
from typing import Final, Protocol, TypeVar

import msgspec
from aiohttp import web

from callrouter.core.ids import AgentId
from callrouter.core.numbers import masked, parse
from callrouter.web.gate import Visitor, asking, visitor_now

MAX_BODY_BYTES: Final = 4096
BODY_S: Final = 10.0
"""Within so long a body must be there."""
LEAST_DIGITS: Final = 7
"""What has fewer is no number of somebody outside."""
_UNSAID: Final = frozenset({"who", "via", "number"})
"""What an order says that the audit log has in columns of its own, or must not have."""

_Order = TypeVar("_Order", bound=msgspec.Struct)


def as_json(value: msgspec.Struct, *, status: int = 200) -> web.Response:
    """The answer that has it."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


class Report(Protocol):
    """What became of an order: an answer of ours."""

    @property
    def ok(self) -> bool:
        """Whether it is as was asked for."""
        ...


_Desk = TypeVar("_Desk")


def as_report(report: Report) -> web.Response:
    """The answer that says what became of an order: 409 if nothing has changed."""
    return web.Response(
        body=msgspec.json.encode(report), status=200 if report.ok else 409, content_type="application/json"
    )


def needed(desk: _Desk | None, without: str) -> _Desk:
    """The desk that takes an order; where there is none, the answer is 503 with what it is ``without``."""
    if desk is None:
        raise web.HTTPServiceUnavailable(reason=without)
    return desk


async def asked_for(request: web.Request, kind: type[_Order], example: str) -> _Order:
    """What is asked for, from the body; nothing at all stands for ``{}``. Where there are accounts, ``who`` is one."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="send JSON: Content-Type: application/json")
    body = await _body(request)
    try:
        said = msgspec.json.decode(body or b"{}")
        visitor = visitor_now()
        if visitor is not None and isinstance(said, dict) and "who" in kind.__struct_fields__:
            # Whoever it says it is from must at least be a name, although the account's counts.
            msgspec.convert({"who": visitor.name, **said}, type=kind)
            _note_order(said)
            said = _as_of(visitor, said)
        return msgspec.convert(said, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        why = " ".join(str(exc).split())
        raise web.HTTPBadRequest(reason=f"send {example} ({why})") from exc


async def _body(request: web.Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise web.HTTPUnsupportedMediaType(reason="send it as it is, without Content-Encoding")
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout(reason=f"send what is asked for within {BODY_S:g} s") from exc
    except (web.RequestPayloadError, ConnectionError) as exc:
        raise web.HTTPBadRequest(reason=f"the body cannot be read ({one_line(exc)})") from exc


def _note_order(said: dict[str, object]) -> None:
    """What is asked for, for the audit log; numbers in it as people see them."""
    order = asking()
    order.who = said.get("who")
    words = (f"{key}={_told(value)}" for key, value in said.items() if key not in _UNSAID and value not in ("", None))
    order.said = " ".join(words)


def _told(value: object) -> str:
    text = str(value)
    return masked(text) if sum(map(str.isdigit, text)) >= LEAST_DIGITS and parse(text).national else text


def _as_of(visitor: Visitor, said: dict[str, object]) -> dict[str, object]:
    """The order as one of the account; only commands of this machine say by themselves who gives them."""
    via = {} if visitor.via == "command" or "via" not in said else {"via": "api"}
    return {**said, "who": visitor.gives(said.get("who")), **via}


def queried(request: web.Request, kind: type[_Order], example: str) -> _Order:
    """What is asked for, from the query."""
    try:
        return msgspec.convert(dict(request.query), type=kind, strict=False)
    except msgspec.MsgspecError as exc:
        raise web.HTTPBadRequest(reason=f"write {example} ({one_line(exc)})") from exc


def only_one() -> AgentId | None:
    """The one counselor that this is about for who asks; None: all of them."""
    visitor = visitor_now()
    return visitor.only if visitor is not None else None


def one_line(error: Exception) -> str:
    """What it says, as HTTP can."""
    return " ".join(str(error).split())
