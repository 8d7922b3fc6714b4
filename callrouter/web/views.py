"""What is told: the page, the state of all that is, health and metrics, without a resident's whole number."""

from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Final

from aiohttp import web

from callrouter.web.agents import AgentsDocument
from callrouter.web.asking import as_json, only_one
from callrouter.web.callback import callbacks_document
from callrouter.web.gate import Visitor, visitor_now
from callrouter.web.metrics import Metrics
from callrouter.web.openapi import Liveness, Readiness, openapi
from callrouter.web.own import own_status
from callrouter.web.page import page
from callrouter.web.readiness import hindrances, remarks
from callrouter.web.sources import StatusSource
from callrouter.web.status import StatusDocument, agent_of, status_document
from callrouter.web.switches import SwitchesDocument
from callrouter.web.voicemail import voicemail_document

_STATIC: Final = {"status.css": "text/css", "status.js": "text/javascript", "login.js": "text/javascript"}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Views:
    """The handlers. Each asks ``source`` when it is asked."""

    def __init__(self, source: StatusSource) -> None:
        self.attend(source)

    def attend(self, source: StatusSource) -> None:
        """Ask it from now on."""
        self._source = source
        self._metrics = Metrics(source)

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Serve them."""
        router.add_get("/", self._page)
        router.add_get("/healthz", self._healthz)
        router.add_get("/readyz", self._readyz)
        router.add_get("/metrics", self._metrics_text)
        router.add_get("/api/v1/status", self._status)
        router.add_get("/api/v1/queues", self._queues)
        router.add_get("/api/v1/agents", self._agents)
        router.add_get("/api/v1/switches", self._switches)
        router.add_get("/api/v1/voicemail", self._voicemail)
        router.add_get("/api/v1/callbacks", self._callbacks)
        router.add_get("/api/v1/openapi.json", _openapi)
        for name, content_type in _STATIC.items():
            router.add_get(f"/static/{name}", _static(name, content_type))

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

    async def _agents(self, _: web.Request) -> web.Response:
        now, only = self._source.now(), only_one()
        return as_json(AgentsDocument(now.at, tuple(agent_of(one) for one in now.agents if only in (None, one.agent))))

    async def _switches(self, _: web.Request) -> web.Response:
        now = self._source.now()
        return as_json(SwitchesDocument(now.at, now.switches))

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
