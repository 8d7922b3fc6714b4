"""The web server: page, API, health and metrics, without a resident's whole number; and orders.

Who may have what is said at the gate (:mod:`callrouter.web.gate`). Without accounts it serves its own machine alone,
and recordings are given out to nobody else. Orders are taken as JSON alone, which no page of another origin can send.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import resources
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec
import structlog
from aiohttp import web

from callrouter.errors import CallrouterError, UnreachableError
from callrouter.web.agents import AgentRequest, AgentsDocument, AttendanceDesk
from callrouter.web.asking import as_json, asked_for, one_line, only_one
from callrouter.web.callback import callbacks_document
from callrouter.web.calling_back import CallbackDesk, CallbackOrderRequest
from callrouter.web.calls import CallRequest, ConversationDesk
from callrouter.web.doors import Doors
from callrouter.web.gate import Gate, Visitor, visitor_now
from callrouter.web.leading import HandOverRequest, LeadDesk, TakeOverRequest
from callrouter.web.metrics import Metrics
from callrouter.web.openapi import Fault, Liveness, Readiness, openapi
from callrouter.web.own import is_own_call, own_status
from callrouter.web.page import page
from callrouter.web.readiness import hindrances, remarks
from callrouter.web.recordings import DeleteRequest, FetchRequest, RecordingDesk
from callrouter.web.reload import Reloader, ReloadRequest
from callrouter.web.remembered import ForgetRequest, Remembering
from callrouter.web.sources import StatusSource
from callrouter.web.status import StatusDocument, agent_of, status_document
from callrouter.web.supervision import SupervisionDesk, SupervisionRequest
from callrouter.web.switches import Switcher, SwitchesDocument, SwitchRequest
from callrouter.web.voicemail import voicemail_document

_log = structlog.get_logger(__name__)

MAX_LINE_BYTES: Final = 4096
MAX_HEADER_BYTES: Final = 8190
MAX_HEADERS: Final = 64
MAX_BODY_BYTES: Final = 4096
CLOSE_TIMEOUT_S: Final = 1.0

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

_STATIC: Final = {"status.css": "text/css", "status.js": "text/javascript", "login.js": "text/javascript"}
_KEPT_HEADERS: Final = ("Allow", "Retry-After", "WWW-Authenticate")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Order = TypeVar("_Order", bound=msgspec.Struct)


class WebServer:
    """Serves while it is entered: ``async with WebServer("127.0.0.1", 8080, source) as server: …``."""

    def __init__(
        self,
        host: str,
        port: int,
        source: StatusSource,
        reloader: Reloader | None = None,
        remembering: Remembering | None = None,
        switcher: Switcher | None = None,
        attendance: AttendanceDesk | None = None,
        conversations: ConversationDesk | None = None,
        supervision: SupervisionDesk | None = None,
        recordings: RecordingDesk | None = None,
        callbacks: CallbackDesk | None = None,
        *,
        gate: Gate | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._lead: LeadDesk | None = None
        self._gate = gate
        self._doors = Doors(source, gate)
        self._runner: web.AppRunner | None = None
        self.attend(
            source,
            reloader,
            remembering,
            switcher,
            attendance,
            conversations,
            supervision,
            recordings,
            callbacks,
        )

    def attend(
        self,
        source: StatusSource,
        reloader: Reloader | None = None,
        remembering: Remembering | None = None,
        switcher: Switcher | None = None,
        attendance: AttendanceDesk | None = None,
        conversations: ConversationDesk | None = None,
        supervision: SupervisionDesk | None = None,
        recordings: RecordingDesk | None = None,
        callbacks: CallbackDesk | None = None,
    ) -> None:
        """Ask these from now on: what a daemon tells and takes differs with its role, its address does not."""
        self._source = source
        self._reloader = reloader
        self._remembering = remembering
        self._switcher = switcher
        self._attendance = attendance
        self._supervision = supervision
        self._conversations = conversations
        self._recordings = recordings
        self._callback_desk = callbacks
        self._doors.attend(source)
        self._metrics = Metrics(source)

    def attend_lead(self, desk: LeadDesk) -> None:
        """Have ``desk`` take orders to hand over and to take over."""
        self._lead = desk

    @property
    def port(self) -> int:
        """The port that is listened on: once entered, the real one, also when 0 was asked for."""
        return self._port

    async def __aenter__(self) -> Self:
        """Listen. Raises UnreachableError when the address cannot be had."""
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            shutdown_timeout=CLOSE_TIMEOUT_S,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as exc:
            await runner.cleanup()
            raise UnreachableError(
                f"cannot listen for web pages on {self._host}:{self._port}: {exc.strerror or exc}; "
                "free the port, or set another host or port under web: in callrouter.yaml"
            ) from exc
        self._runner = runner
        self._port = runner.addresses[0][1]
        _log.info("web.listening", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no new connection, and give answers in progress a second."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self:
            await asyncio.Event().wait()

    def _application(self) -> web.Application:
        guards = [self._gate.guard] if self._gate is not None else []
        application = web.Application(middlewares=[_faults_as_json, *guards], client_max_size=MAX_BODY_BYTES)
        application.on_response_prepare.append(_add_headers)
        # GET, and HEAD with it (RFC 9110, 9.1), but for the orders; everything else is answered 405.
        application.router.add_get("/", self._page)
        self._doors.add_to(application.router)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._metrics_text)
        application.router.add_get("/api/v1/status", self._status)
        application.router.add_get("/api/v1/queues", self._queues)
        application.router.add_get("/api/v1/voicemail", self._voicemail)
        application.router.add_get("/api/v1/callbacks", self._callbacks)
        application.router.add_post("/api/v1/callbacks", self._call_back)
        application.router.add_get("/api/v1/openapi.json", _openapi)
        application.router.add_post("/api/v1/reload", self._reload)
        application.router.add_post("/api/v1/hand-over", self._hand_over)
        application.router.add_post("/api/v1/take-over", self._take_over)
        application.router.add_get("/api/v1/remembered", self._remembered)
        application.router.add_post("/api/v1/remembered/forget", self._forget)
        application.router.add_get("/api/v1/agents", self._agents)
        application.router.add_post("/api/v1/agents", self._agent)
        application.router.add_post("/api/v1/calls", self._call)
        application.router.add_get("/api/v1/recordings", self._list_recordings)
        application.router.add_post(r"/api/v1/recordings/{number:\d{1,18}}/fetch", self._fetch_recording)
        application.router.add_post(r"/api/v1/recordings/{number:\d{1,18}}/delete", self._delete_recording)
        application.router.add_get("/api/v1/switches", self._switches)
        application.router.add_post("/api/v1/switches", self._switch)
        application.router.add_get("/api/v1/calls/{call}/supervision", self._hearings)
        application.router.add_post("/api/v1/calls/{call}/supervision", self._supervise)
        for name, content_type in _STATIC.items():
            application.router.add_get(f"/static/{name}", _static(name, content_type))
        return application

    def _document(self) -> StatusDocument:
        source = self._source
        boxes, queues = source.voicemail().boxes, source.callbacks().queues
        return status_document(
            source.now(), source.counters(), source.health(), boxes, queues, source.live(), source.surges()
        )

    def _document_for(self, visitor: Visitor | None) -> StatusDocument:
        document = self._document()
        return document if visitor is None or visitor.only is None else own_status(document, visitor.only)

    async def _page(self, _: web.Request) -> web.Response:
        visitor = visitor_now()
        account = visitor.account.title or visitor.name if visitor is not None else None
        text = page(self._document_for(visitor), self._source.health().timezone, account)
        return web.Response(text=text, content_type="text/html")

    async def _status(self, _: web.Request) -> web.Response:
        return as_json(self._document_for(visitor_now()))

    async def _queues(self, _: web.Request) -> web.Response:
        return as_json(self._source.live())

    async def _voicemail(self, _: web.Request) -> web.Response:
        return as_json(voicemail_document(self._source.voicemail()))

    async def _callbacks(self, _: web.Request) -> web.Response:
        return as_json(callbacks_document(self._source.callbacks()))

    async def _call_back(self, request: web.Request) -> web.Response:
        asked = await asked_for(
            request, CallbackOrderRequest, '{"request": "its id", "verb": "cancel", "who": "your name"}'
        )
        if self._callback_desk is None:
            raise web.HTTPServiceUnavailable(reason="nobody is called back here")
        report = await self._callback_desk.order(asked)
        return as_json(report, status=200 if report.ok else 409)

    async def _reload(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, ReloadRequest, '{"who": "your name"}')
        if self._reloader is None:
            raise web.HTTPServiceUnavailable(reason="nothing can be reloaded here")
        report = await self._reloader.reload(asked)
        return as_json(report, status=200 if report.ok else 409)

    async def _hand_over(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, HandOverRequest, '{"who": "your name"}')
        if self._lead is None:
            raise web.HTTPServiceUnavailable(reason="no other daemon may wait here; see standby: in callrouter.yaml")
        report = await self._lead.hand_over(asked)
        return as_json(report, status=200 if report.ok else 409)

    async def _take_over(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, TakeOverRequest, '{"who": "your name", "force": true}')
        if self._lead is None:
            raise web.HTTPServiceUnavailable(reason="no other daemon may wait here; see standby: in callrouter.yaml")
        report = await self._lead.take_over(asked)
        return as_json(report, status=200 if report.ok else 409)

    async def _remembered(self, _: web.Request) -> web.Response:
        return as_json(self._memory().report())

    async def _forget(self, request: web.Request) -> web.Response:
        example = '{"number": "010-1234-5678"} or {"all": true}'
        asked = await asked_for(request, ForgetRequest, example)
        if asked.all is (asked.number is not None):
            raise web.HTTPBadRequest(reason=f"send {example}")
        if asked.number is None:
            return as_json(await self._memory().forget_all(asked.who))
        report = await self._memory().forget(asked.number, asked.who)
        if report is None:
            raise web.HTTPBadRequest(reason="nothing is ever remembered of such a number; write it as 010-1234-5678")
        return as_json(report)

    def _memory(self) -> Remembering:
        if self._remembering is None:
            raise web.HTTPServiceUnavailable(reason="nothing is remembered here")
        return self._remembering

    async def _agents(self, _: web.Request) -> web.Response:
        now, only = self._source.now(), only_one()
        return as_json(AgentsDocument(now.at, tuple(agent_of(one) for one in now.agents if only in (None, one.agent))))

    async def _agent(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, AgentRequest, '{"agent": "its name", "verb": "pause", "who": "your name"}')
        if (only := only_one()) not in (None, asked.agent):
            raise web.HTTPForbidden(reason=f"this account orders counselor {only} alone")
        if self._attendance is None:
            raise web.HTTPServiceUnavailable(reason="no agent takes orders here")
        report = await self._attendance.order(asked)
        return as_json(report, status=200 if report.ok else 409)

    async def _call(self, request: web.Request) -> web.Response:
        example = '{"call": "its id or agent", "verb": "transfer", "target": "whom", "who": "your name"}'
        asked = await asked_for(request, CallRequest, example)
        only = only_one()
        if only is not None and not is_own_call(self._source.now(), asked.call, only):
            raise web.HTTPForbidden(reason=f"this account orders calls of counselor {only} alone")
        if self._conversations is None:
            raise web.HTTPServiceUnavailable(reason="no call takes orders here")
        report = await self._conversations.order(asked)
        return as_json(report, status=200 if report.ok else 409)

    async def _list_recordings(self, _: web.Request) -> web.Response:
        try:
            return as_json(await self._tapes().recordings())
        except CallrouterError as exc:
            raise web.HTTPServiceUnavailable(reason=one_line(exc)) from exc

    async def _fetch_recording(self, request: web.Request) -> web.StreamResponse:
        asked = await asked_for(request, FetchRequest, '{"who": "your name"}')
        try:
            found = await self._tapes_for(request).fetch(int(request.match_info["number"]), asked)
        except CallrouterError as exc:
            raise web.HTTPServiceUnavailable(reason=one_line(exc)) from exc
        if isinstance(found, str):
            raise web.HTTPNotFound(reason=found)
        return web.FileResponse(found, headers={"Content-Type": "audio/wav"})

    async def _delete_recording(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, DeleteRequest, '{"who": "your name", "why": "on request of the caller"}')
        try:
            report = await self._tapes_for(request).delete(int(request.match_info["number"]), asked)
        except CallrouterError as exc:
            raise web.HTTPServiceUnavailable(reason=one_line(exc)) from exc
        return as_json(report, status=200 if report.ok else 409)

    def _tapes_for(self, request: web.Request) -> RecordingDesk:
        """Voices are for accounts that may hear them; without accounts, for whoever may log in to this machine."""
        if visitor_now() is not None:
            return self._tapes()
        try:
            is_here = ip_address(request.remote or "").is_loopback
        except ValueError:
            is_here = False
        if not is_here:
            raise web.HTTPForbidden(reason="recordings are given out and deleted on the daemon's own machine alone")
        return self._tapes()

    def _tapes(self) -> RecordingDesk:
        if self._recordings is None:
            raise web.HTTPServiceUnavailable(reason="no recording is known here: there is no database")
        return self._recordings

    async def _switches(self, _: web.Request) -> web.Response:
        now = self._source.now()
        return as_json(SwitchesDocument(now.at, now.switches))

    async def _switch(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, SwitchRequest, '{"switch": "its name", "on": true, "who": "your name"}')
        if self._switcher is None:
            raise web.HTTPServiceUnavailable(reason="no switch can be set here")
        report = await self._switcher.switch(asked)
        return as_json(report, status=200 if report.ok else 409)

    async def _hearings(self, request: web.Request) -> web.Response:
        found = self._supervisors().hearings(request.match_info["call"])
        if found is None:
            raise web.HTTPNotFound(reason="there is no such call in progress; /api/v1/status has those that are")
        return as_json(found)

    async def _supervise(self, request: web.Request) -> web.Response:
        asked = await asked_for(
            request, SupervisionRequest, '{"verb": "listen", "phone": "a supervisor", "who": "your name"}'
        )
        report = await self._supervisors().order(request.match_info["call"], asked)
        return as_json(report, status=200 if report.ok else 409)

    def _supervisors(self) -> SupervisionDesk:
        if self._supervision is None:
            raise web.HTTPServiceUnavailable(reason="no call can be heard here")
        return self._supervision

    async def _healthz(self, _: web.Request) -> web.Response:
        alive = self._source.health().dispatcher_alive
        return as_json(Liveness(alive), status=200 if alive else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        health = self._source.health()
        against = hindrances(health)
        return as_json(Readiness(not against, against, remarks(health)), status=503 if against else 200)

    async def _metrics_text(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


async def _openapi(_: web.Request) -> web.Response:
    return web.Response(body=openapi(), content_type="application/json")


def _static(name: str, content_type: str) -> _Handler:
    body = resources.files("callrouter.web").joinpath("static", name).read_bytes()

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return answer


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
