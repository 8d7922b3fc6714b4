"""The web server: what listens, what stands on every answer, and how faults are told.

Who may have what is said at the gate (:mod:`callrouter.web.gate`). Without accounts it serves its own machine alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog
from aiohttp import web

from callrouter.web.asking import MAX_BODY_BYTES, as_json
from callrouter.web.desks import Desks
from callrouter.web.doors import Doors
from callrouter.web.gate import Gate
from callrouter.web.leading import LeadDesk
from callrouter.web.listening import Listener
from callrouter.web.openapi import Fault
from callrouter.web.orders import Orders
from callrouter.web.sources import StatusSource
from callrouter.web.views import Views

_log = structlog.get_logger(__name__)

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "callrouter",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer. ``Server`` is also how ``callrouter doctor`` knows one of ours."""

_KEPT_HEADERS: Final = ("Allow", "Retry-After", "WWW-Authenticate")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer:
    """Serves while it is entered: ``async with WebServer("127.0.0.1", 8080, source, desks) as server: …``."""

    def __init__(
        self, host: str, port: int, source: StatusSource, desks: Desks | None = None, *, gate: Gate | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._gate = gate
        self._views, self._orders, self._doors = Views(source), Orders(source, desks or Desks()), Doors(source, gate)
        self._listener: Listener | None = None

    def attend(self, source: StatusSource, desks: Desks | None = None) -> None:
        """Ask these from now on: what a daemon tells and takes differs with its role, its address does not."""
        self._views.attend(source)
        self._orders.attend(source, desks or Desks())
        self._doors.attend(source)

    def attend_lead(self, desk: LeadDesk) -> None:
        """Have ``desk`` take orders to hand over."""
        self._orders.attend_lead(desk)

    @property
    def port(self) -> int:
        """The port that is listened on: once entered, the real one, also when 0 was asked for."""
        return self._port

    async def __aenter__(self) -> Self:
        """Listen. Raises UnreachableError when the address cannot be had."""
        listener = Listener(self._application(), HEADERS)
        self._port = await listener.open(self._host, self._port)
        self._listener = listener
        _log.info("web.listening", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no new connection, and give answers in progress a second."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self:
            await asyncio.Event().wait()

    def _application(self) -> web.Application:
        guards = [self._gate.guard] if self._gate is not None else []
        application = web.Application(middlewares=[_faults_as_json, *guards], client_max_size=MAX_BODY_BYTES)
        application.on_response_prepare.append(_add_headers)
        # GET, and HEAD with it (RFC 9110, 9.1), but for the orders; everything else is answered 405.
        for handlers in (self._views, self._orders, self._doors):
            handlers.add_to(application.router)
        return application


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


@web.middleware
async def _faults_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as exc:
        kept = {name: exc.headers[name] for name in _KEPT_HEADERS if name in exc.headers}
        body = msgspec.json.encode(Fault(exc.reason))
        return web.Response(body=body, status=exc.status, headers=kept, content_type="application/json")
    except Exception:
        # A defect in one answer must not be told to strangers, and must not go unseen either.
        _log.exception("web.answer_failed", path=request.path)
        fault = Fault("this could not be answered; the daemon's log says why")
        return as_json(fault, status=500)
