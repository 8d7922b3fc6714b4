"""Opening and reading a websocket to Asterisk, with aiohttp's errors translated."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol
from urllib.parse import quote

import aiohttp
from aiohttp import web
from yarl import URL

from callrouter.ari.peer import Peer
from callrouter.ari.wire import MAX_MESSAGE_BYTES
from callrouter.errors import AriRejectedError, UnreachableError

CONNECT_TIMEOUT_S: Final = 5.0
HEARTBEAT_S: Final = 10.0
"""How often a ping goes out on a silent websocket; a pong that is missing for half of it closes the socket."""

ASK_AGAIN_S: Final = 0.05
"""How often it is looked whether we may connect."""

CLOSE_TIMEOUT_S: Final = 1.0
"""How long Asterisk may take to say good-bye."""

UNREACHABLE: Final = (aiohttp.ClientError, OSError, TimeoutError)
"""What aiohttp raises when the other side is not there (any more)."""


class Events(Protocol):
    """A websocket on which an application's events come, whoever has opened it."""

    @property
    def asterisk_id(self) -> str:
        """Which Asterisk is at its other end, if that one said so; empty: nobody knows."""

    async def read(self) -> str:
        """The next text message. Raises :class:`UnreachableError` when the websocket is at its end."""


class Dialled:
    """One that we have opened."""

    asterisk_id = ""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket

    async def read(self) -> str:
        """See the Protocol."""
        return await read_text(self._websocket)


@asynccontextmanager
async def dialled(session: aiohttp.ClientSession, peer: Peer) -> AsyncIterator[Events]:
    """The events of the peer's application, on a websocket that we open; raises as :func:`open_websocket` does."""
    async with open_websocket(session, peer, peer.application) as websocket:
        yield Dialled(websocket)


@asynccontextmanager
async def open_websocket(
    session: aiohttp.ClientSession, peer: Peer, application: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A websocket on which ``application`` lives.

    Raises :class:`AriRejectedError` when Asterisk does not let us in, :class:`UnreachableError` when it is not there
    or still loading.
    """
    url = URL(f"{peer.rest_url}events?app={quote(application, safe='')}", encoded=True)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            websocket = await session.ws_connect(
                url,
                heartbeat=HEARTBEAT_S,
                max_msg_size=MAX_MESSAGE_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
            )
    except aiohttp.WSServerHandshakeError as error:
        raise _refusal(error, peer, application) from error
    except UNREACHABLE as error:
        why = str(error) or f"no answer within {CONNECT_TIMEOUT_S:g} s"
        raise UnreachableError(f"cannot reach Asterisk at {peer.url}: {why}; is it running?") from error
    try:
        yield websocket
    finally:
        await websocket.close()


async def allowed(may_connect: Callable[[], bool]) -> None:
    """Wait until a connection may be made."""
    while not may_connect():  # noqa: ASYNC110 - what it depends on tells nobody
        await asyncio.sleep(ASK_AGAIN_S)


def _refusal(error: aiohttp.WSServerHandshakeError, peer: Peer, application: str) -> Exception:
    if error.status in (401, 403):
        return AriRejectedError(
            f"Asterisk at {peer.url} refuses user {peer.user!r} ({error.status});"
            f" compare user and password with [{peer.user}] in ari.conf, which must not be read_only",
            error.status,
        )
    if error.status == 400:
        return AriRejectedError(
            f"Asterisk at {peer.url} refuses the application name {application!r} (400); choose another", 400
        )
    return UnreachableError(
        f"Asterisk at {peer.url} answers {error.status} instead of a websocket; it may be loading still,"
        " or res_ari and res_http_websocket are not loaded"
    )


async def read_text(websocket: aiohttp.ClientWebSocketResponse | web.WebSocketResponse) -> str:
    """The next text message. Raises :class:`UnreachableError` when the websocket is at its end."""
    while True:
        message = await websocket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            text: str = message.data
            return text
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise UnreachableError(_ending(message, websocket))


def _ending(message: aiohttp.WSMessage, websocket: aiohttp.ClientWebSocketResponse | web.WebSocketResponse) -> str:
    if message.type is aiohttp.WSMsgType.ERROR:
        return f"the websocket to Asterisk failed: {message.data or websocket.exception()!r}"
    return f"Asterisk closed the websocket (code {websocket.close_code})"


def expected(error: Exception, *kinds: type[Exception]) -> Exception:
    """The error itself, or the first in a group, if it is of these kinds; raises it if not, for it is a defect.

    A task group whose child fails while the group is being cancelled reports the failure and drops the cancellation
    (Python before 3.13), so that the caller would go on: the cancellation is raised again here.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error
    if not isinstance(error, ExceptionGroup):
        if isinstance(error, kinds):
            return error
        raise error
    known, others = error.split(kinds)
    if known is None or others is not None:
        raise error
    first: Exception = known.exceptions[0]
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first
