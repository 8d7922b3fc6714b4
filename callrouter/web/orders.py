"""What is ordered, each handed to the desk that takes such orders.

Orders are taken as JSON alone, which no page of another origin can send. Without accounts, recordings are given out to
nobody but the daemon's own machine.
"""

from typing import Final

from aiohttp import web

from callrouter.addresses import is_loopback
from callrouter.errors import CallrouterError
from callrouter.web.agents import AgentRequest
from callrouter.web.asking import as_json, as_report, asked_for, needed, one_line, only_one
from callrouter.web.calling_back import CallbackOrderRequest
from callrouter.web.calls import CallRequest
from callrouter.web.desks import Desks
from callrouter.web.gate import visitor_now
from callrouter.web.leading import HandOverRequest, LeadDesk, TakeOverRequest
from callrouter.web.own import is_own_call
from callrouter.web.recordings import DeleteRequest, FetchRequest, RecordingDesk
from callrouter.web.reload import ReloadRequest
from callrouter.web.remembered import ForgetRequest, Remembering
from callrouter.web.sources import StatusSource
from callrouter.web.supervision import SupervisionDesk, SupervisionRequest
from callrouter.web.switches import SwitchRequest

NOBODY_WAITS: Final = "no other daemon may wait here; see standby: in callrouter.yaml"


class Orders:
    """The handlers. A desk that is not there answers 503, with what it would take to have it."""

    def __init__(self, source: StatusSource, desks: Desks) -> None:
        self._lead: LeadDesk | None = None
        self.attend(source, desks)

    def attend(self, source: StatusSource, desks: Desks) -> None:
        """Hand orders to these from now on."""
        self._source, self._desks = source, desks

    def attend_lead(self, desk: LeadDesk) -> None:
        """Have ``desk`` take orders to hand over, whatever the role of the daemon."""
        self._lead = desk

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Take them."""
        router.add_post("/api/v1/callbacks", self._call_back)
        router.add_post("/api/v1/reload", self._reload)
        router.add_post("/api/v1/hand-over", self._hand_over)
        router.add_post("/api/v1/take-over", self._take_over)
        router.add_get("/api/v1/remembered", self._remembered)
        router.add_post("/api/v1/remembered/forget", self._forget)
        router.add_post("/api/v1/agents", self._agent)
        router.add_post("/api/v1/calls", self._call)
        router.add_get("/api/v1/recordings", self._list_recordings)
        router.add_post(r"/api/v1/recordings/{number:[0-9]{1,18}}/fetch", self._fetch_recording)
        router.add_post(r"/api/v1/recordings/{number:[0-9]{1,18}}/delete", self._delete_recording)
        router.add_post("/api/v1/switches", self._switch)
        router.add_get("/api/v1/calls/{call}/supervision", self._hearings)
        router.add_post("/api/v1/calls/{call}/supervision", self._supervise)

    async def _call_back(self, request: web.Request) -> web.Response:
        asked = await asked_for(
            request, CallbackOrderRequest, '{"request": "its id", "verb": "cancel", "who": "your name"}'
        )
        report = await needed(self._desks.callbacks, "nobody is called back here").order(asked)
        return as_report(report)

    async def _reload(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, ReloadRequest, '{"who": "your name"}')
        report = await needed(self._desks.reloader, "nothing can be reloaded here").reload(asked)
        return as_report(report)

    async def _hand_over(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, HandOverRequest, '{"who": "your name"}')
        report = await needed(self._lead, NOBODY_WAITS).hand_over(asked)
        return as_report(report)

    async def _take_over(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, TakeOverRequest, '{"who": "your name", "force": true}')
        report = await needed(self._lead, NOBODY_WAITS).take_over(asked)
        return as_report(report)

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
        return needed(self._desks.remembering, "nothing is remembered here")

    async def _agent(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, AgentRequest, '{"agent": "its name", "verb": "pause", "who": "your name"}')
        if (only := only_one()) not in (None, asked.agent):
            raise web.HTTPForbidden(reason=f"this account orders counselor {only} alone")
        report = await needed(self._desks.attendance, "no agent takes orders here").order(asked)
        return as_report(report)

    async def _call(self, request: web.Request) -> web.Response:
        example = '{"call": "its id or agent", "verb": "transfer", "target": "whom", "who": "your name"}'
        asked = await asked_for(request, CallRequest, example)
        only = only_one()
        if only is not None and not is_own_call(self._source.now(), asked.call, only):
            raise web.HTTPForbidden(reason=f"this account orders calls of counselor {only} alone")
        report = await needed(self._desks.conversations, "no call takes orders here").order(asked)
        return as_report(report)

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
        return as_report(report)

    def _tapes_for(self, request: web.Request) -> RecordingDesk:
        """Voices are for accounts that may hear them; without accounts, for whoever may log in to this machine."""
        if visitor_now() is not None:
            return self._tapes()
        if not is_loopback(request.remote or ""):
            raise web.HTTPForbidden(reason="recordings are given out and deleted on the daemon's own machine alone")
        return self._tapes()

    def _tapes(self) -> RecordingDesk:
        return needed(self._desks.recordings, "no recording is known here: there is no database")

    async def _switch(self, request: web.Request) -> web.Response:
        asked = await asked_for(request, SwitchRequest, '{"switch": "its name", "on": true, "who": "your name"}')
        report = await needed(self._desks.switcher, "no switch can be set here").switch(asked)
        return as_report(report)

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
        return as_report(report)

    def _supervisors(self) -> SupervisionDesk:
        return needed(self._desks.supervision, "no call can be heard here")
