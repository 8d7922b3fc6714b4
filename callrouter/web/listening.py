"""Connections of the web server: for how long they may say nothing, and what is no HTTP.

How many there may be is said in :mod:`callrouter.web.crowd`.

Anybody may connect who reaches the address. What he sends, and how slowly, costs the daemon neither its file
descriptors nor its log.
"""

import asyncio
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from callrouter.errors import UnreachableError
from callrouter.web.crowd import Crowd

_log = structlog.get_logger(__name__)

FIRST_REQUEST_S: Final = 20.0
"""For so long a connection may have sent no whole request line and headers."""
IDLE_S: Final = 75.0
"""For so long it stays open between two requests; proxies give theirs up after a minute."""
BACKLOG: Final = 128
LINGER_S: Final = 2.0
"""For so long what is still being sent is read, once it is refused."""
CLOSE_TIMEOUT_S: Final = 1.0
NO_HTTP: Final = b'{"error":"this is no HTTP that is understood here"}'

MAX_LINE_BYTES: Final = 4096
MAX_HEADER_BYTES: Final = 8190
MAX_HEADERS: Final = 64

_Request = web.BaseRequest


class Listener:
    """Takes connections for an application; ``headers`` are on what is answered to no HTTP, too."""

    def __init__(self, application: web.Application, headers: dict[str, str]) -> None:
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
        self._headers = headers
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; the port.

        Raises:
            UnreachableError: the address cannot be had.
        """
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                Crowd(self._manager, self._connection), host, port, backlog=BACKLOG
            )
        except OSError as exc:
            await self._runner.cleanup()
            raise UnreachableError(
                f"cannot listen for web pages on {host}:{port}: {exc.strerror or exc}; "
                "free the port, or set another host or port under web: in callrouter.yaml"
            ) from exc
        taken: int = self._server.sockets[0].getsockname()[1]
        return taken

    @property
    def _manager(self) -> web.Server:
        if self._runner.server is None:  # it is set up before it listens
            raise RuntimeError("the web server is not set up")
        return self._runner.server

    def _connection(self) -> "Connection":
        return Connection(self._manager, self._headers, asyncio.get_running_loop())

    async def close(self) -> None:
        """Take no new connection, and give answers in progress a second."""
        if self._server is not None:
            self._server.close()
            self._server = None
            await self._runner.cleanup()


class Connection(web.RequestHandler):
    """One of them."""

    __slots__ = ("_first", "_headers")

    def __init__(self, manager: web.Server, headers: dict[str, str], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # as web.AppRunner takes it
            keepalive_timeout=IDLE_S,
            lingering_time=LINGER_S,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            # What is small has no need to be packed, and what is packed may be of any size.
            auto_decompress=False,
        )
        self._headers = headers
        self._first: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for what it has to say."""
        super().connection_made(transport)
        self._first = asyncio.get_running_loop().call_later(FIRST_REQUEST_S, self._end_if_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Whoever was waited for is gone."""
        if self._first is not None:
            self._first.cancel()
        super().connection_lost(exc)

    def _end_if_silent(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self, request: _Request, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Anybody can send what is no HTTP: that is no error of ours, and tells him nothing of what we are made of."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        self.log_exception("no HTTP from %s", request.remote, exc_info=exc)
        answer = web.Response(body=NO_HTTP, status=400, content_type="application/json", headers=self._headers)
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **more: Any) -> None:
        """Errors of ours; of those of others, that there was one."""
        if isinstance(more.get("exc_info"), HttpProcessingError | web.RequestPayloadError):
            _log.debug("web.no_http", why=" ".join(str(more["exc_info"]).split()))
        else:
            super().log_exception(*args, **more)
