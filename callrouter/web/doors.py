"""What is served about accounts: logging in and out, whole numbers, and the audit log."""

from typing import Final

from aiohttp import web

from callrouter.core.audit import AuditKind
from callrouter.errors import CallrouterError
from callrouter.web.asking import as_json, asked_for, one_line, queried
from callrouter.web.gate import Gate, visitor_now
from callrouter.web.login import LoginDesk, LoginRequest, login_page, session_document
from callrouter.web.numbers import NumberRequest, whole_number
from callrouter.web.sources import StatusSource
from callrouter.web.trail import AuditSearchRequest

NO_ACCOUNTS: Final = "there are no accounts; callrouter account add makes the first"
NO_LOG: Final = "there is no audit log to be read here: there is no database"


class Doors:
    """The handlers."""

    def __init__(self, source: StatusSource, gate: Gate | None) -> None:
        self._source = source
        self._gate = gate
        self._logins = LoginDesk(gate) if gate is not None else None

    def attend(self, source: StatusSource) -> None:
        """Ask it from now on."""
        self._source = source

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Serve them."""
        router.add_get("/login", self._login_page)
        router.add_get("/api/v1/session", self._session)
        router.add_post("/api/v1/session", self._log_in)
        router.add_delete("/api/v1/session", self._log_out)
        router.add_get("/api/v1/audit", self._audit)
        router.add_post("/api/v1/calls/{call}/number", self._number)

    async def _login_page(self, _: web.Request) -> web.Response:
        self._login_desk()
        return web.Response(text=login_page(self._source.health().title), content_type="text/html")

    async def _session(self, request: web.Request) -> web.Response:
        visitor = visitor_now()
        if visitor is None:
            raise web.HTTPNotFound(reason=NO_ACCOUNTS)
        return as_json(session_document(visitor.account))

    async def _log_in(self, request: web.Request) -> web.Response:
        desk = self._login_desk()
        account = await desk.begin(
            request, await asked_for(request, LoginRequest, '{"account": "kim", "password": "…"}')
        )
        answer = as_json(session_document(account))
        desk.let_in(request, answer, account)
        return answer

    async def _log_out(self, request: web.Request) -> web.Response:
        visitor, answer = visitor_now(), web.Response(status=204)
        if visitor is not None:
            self._login_desk().end(request, answer, visitor)
        return answer

    def _login_desk(self) -> LoginDesk:
        if self._logins is None or self._gate is None or self._gate.accounts() is None:
            raise web.HTTPNotFound(reason=NO_ACCOUNTS)
        return self._logins

    async def _audit(self, request: web.Request) -> web.Response:
        search = queried(request, AuditSearchRequest, "?since=2026-11-24T00:00:00Z&limit=100")
        if self._gate is None:
            raise web.HTTPServiceUnavailable(reason=NO_LOG)
        try:
            found = await self._gate.notary.trail.find(search)
        except CallrouterError as exc:
            raise web.HTTPServiceUnavailable(reason=one_line(exc)) from exc
        if found is None:
            raise web.HTTPServiceUnavailable(reason=NO_LOG)
        return as_json(found)

    async def _number(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, NumberRequest, '{"note": "why"}')
        visitor = visitor_now()
        if visitor is None or self._gate is None:
            raise web.HTTPForbidden(reason=f"whole numbers are shown to accounts alone; {NO_ACCOUNTS}")
        found = whole_number(self._source, request.match_info["call"])
        if found is None:
            raise web.HTTPNotFound(reason="there is no such call in progress, and nobody of it is to be called back")
        notary = self._gate.notary
        entry = notary.entry(
            AuditKind.NUMBER, found.call, "seen", who=asked.who, via=visitor.via,
            account=visitor.name, address=visitor.address, note=asked.note,
        )  # fmt: skip
        if not await notary.trail.keep(entry):
            raise web.HTTPServiceUnavailable(reason="the journal cannot note who sees it; see that the disk has room")
        return as_json(found)
