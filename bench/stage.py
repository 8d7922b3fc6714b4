"""An Asterisk played from memory: what ARI says and answers during a call, without any telephony.

One process plays it for the daemon, so that the daemon's own processor time can be told from Asterisk's, and a change
of it from the weather. The texts are as long as Asterisk's; calls are all alike, answered after a while and ended by
the caller.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

APPLICATION = "callrouter"
RINGS_S = 0.1
TALKS_S = 1.0
NOW = "2026-11-24T10:00:00.000+0900"
_INFO = {
    "system": {"version": "22.10.1", "entity_id": "02:00:00:00:00:01"},
    "status": {"startup_time": NOW, "last_reload_time": NOW},
}


def _channel(channel: str, name: str, state: str, number: str, application: str) -> dict[str, Any]:
    return {
        "id": channel,
        "name": name,
        "state": state,
        "protocol_id": "b0b3fb3b-21f5-4b4f-9a8f-3a0b0f7f6c55",
        "caller": {"name": "", "number": number},
        "connected": {"name": "", "number": ""},
        "accountcode": "",
        "dialplan": {
            "context": "callrouter-inbound",
            "exten": "120",
            "priority": 4,
            "app_name": "Stasis" if application else "AppDial2",
            "app_data": application or "(Outgoing Line)",
        },
        "creationtime": NOW,
        "language": "ko",
    }


class Stage:
    """The server's side: its event and command sockets, and the calls in progress.

    ``requests`` counts what the daemon asked for, by method and kind of thing; ``ended`` how many calls came through.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: dict[str, int] = {}
        self.ended = 0
        self.changed = asyncio.Event()
        self._filter: list[Any] = []
        self._events: web.WebSocketResponse | None = None
        self._callers: dict[str, str] = {}
        """The caller's channel by that of the leg."""
        self._channels: dict[str, dict[str, Any]] = {}
        """Those that are there now: the daemon compares."""

    async def ring_up(self, number: int) -> None:
        """A resident dials 120."""
        caller = f"1764000000.{number}"
        self._channels[caller] = self._caller(caller, "Up")
        await self._say("StasisStart", args=["inbound", "120"], channel=self._caller(caller, "Ring"))

    async def settle(self, calls: int) -> None:
        """Wait until so many calls have ended."""
        while self.ended < calls:
            self.changed.clear()
            await self.changed.wait()

    def _caller(self, caller: str, state: str) -> dict[str, Any]:
        return _channel(caller, f"PJSIP/carrier-{caller[-8:]}", state, "0553311234", f"{APPLICATION},inbound,120")

    def _leg(self, leg: str, state: str, *, is_inside: bool = False) -> dict[str, Any]:
        return _channel(leg, f"PJSIP/1001-{leg[11:19]}", state, "", f"{APPLICATION},agent" if is_inside else "")

    async def _say(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "timestamp": NOW, **fields, "asterisk_id": "02:00:00:00:00:01"}
        if self._events is not None:
            await self._events.send_str(json.dumps({**event, "application": APPLICATION}, separators=(",", ":")))

    # What a command leads to.

    async def _react(self, method: str, path: str) -> None:
        match method, path.split("/"):
            case "POST", ["channels", leg] if leg.startswith("callrouter-"):
                await self._dial(leg, "")
                await self._dial(leg, "RINGING")
                asyncio.get_running_loop().call_later(RINGS_S, self._soon, self._answer, leg)
            case "POST", ["bridges", bridge, "addChannel"]:
                leg = bridge.replace("bridge", "leg")
                asyncio.get_running_loop().call_later(TALKS_S, self._soon, self._hang_up, self._callers[leg])
            case "DELETE", ["channels", leg] if leg in self._callers:
                await self._say(
                    "ChannelHangupRequest", channel=self._leg(leg, "Up", is_inside=True), soft=True, cause=16
                )
                await self._say("StasisEnd", channel=self._leg(leg, "Up"))
                await self._destroy(self._leg(leg, "Up"))
                del self._callers[leg]
                self.ended += 1
                self.changed.set()
            case _:
                pass

    def _soon(self, act: Callable[[str], Any], about: str) -> None:
        task = asyncio.ensure_future(act(about))
        _running.add(task)
        task.add_done_callback(_running.discard)

    async def _dial(self, leg: str, status: str) -> None:
        await self._say(
            "Dial", dialstatus=status, forward="", dialstring="1001/sip:1001@127.0.0.3", peer=self._leg(leg, "Ringing")
        )

    async def _answer(self, leg: str) -> None:
        await self._dial(leg, "ANSWER")
        self._channels[leg] = self._leg(leg, "Up", is_inside=True)
        await self._say("StasisStart", args=["agent"], channel=self._leg(leg, "Up", is_inside=True))

    async def _hang_up(self, caller: str) -> None:
        await self._say("ChannelHangupRequest", channel=self._caller(caller, "Up"), cause=16)
        await self._say("StasisEnd", channel=self._caller(caller, "Up"))
        await self._destroy(self._caller(caller, "Up"))

    async def _destroy(self, channel: dict[str, Any]) -> None:
        del self._channels[channel["id"]]
        await self._say("ChannelDestroyed", channel=channel, cause=16, cause_txt="Normal Clearing", tech_cause=200)

    # HTTP and websockets.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request below ``/ari/``."""
        path = request.path.removeprefix("/ari/")
        if path == "events":
            return await self._serve_socket(request)
        if path.endswith("/eventFilter"):
            self._filter = (await request.json())["allowed"]
        status, body = self._reply(request.method, path)
        await self._react(request.method, path)
        return web.Response(status=status, text=body)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if request.query["app"] == APPLICATION:
            self._events = socket
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._serve_command(socket, json.loads(message.data))
        return socket

    async def _serve_command(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        method, path = asked["method"], asked["uri"]
        what = "/".join(part for part in path.split("/") if not any(map(str.isdigit, part)))
        self.requests[f"{method} {what}"] = self.requests.get(f"{method} {what}", 0) + 1
        status, body = self._reply(method, path)
        query = {entry["name"]: entry["value"] for entry in asked.get("query_strings", ())}
        if "originator" in query:
            leg = path.removeprefix("channels/")
            self._callers[leg] = query["originator"]
            self._channels[leg] = self._leg(leg, "Ringing")
        answer = {
            "type": "RESTResponse",
            "transaction_id": "",
            "request_id": asked["request_id"],
            "status_code": status,
            "reason_phrase": "OK",
            "uri": path,
            "content_type": "application/json" if body else "",
            "message_body": body,
        }
        await socket.send_str(json.dumps(answer, separators=(",", ":")))
        await self._react(method, path)

    def _reply(self, method: str, path: str) -> tuple[int, str]:
        application = {"name": APPLICATION, "channel_ids": list(self._channels), "events_allowed": self._filter}
        match method, path.split("/"):
            case "GET", ["asterisk", "info"]:
                found: Any = _INFO
            case "GET", ["asterisk", "ping"]:
                found = {"ping": "pong", "asterisk_id": "02:00:00:00:00:01", "timestamp": NOW}
            case (_, ["applications", *_]):
                found = application
            case "GET", ["endpoints"]:
                found = [{"technology": "PJSIP", "resource": "1001", "state": "online", "channel_ids": []}]
            case "GET", ["channels"]:
                found = list(self._channels.values())
            case "GET", ["bridges"]:
                found = []
            case "POST", ["channels", leg]:
                found = self._leg(leg, "Down")
            case "POST", ["bridges", bridge]:
                found = {"id": bridge, "technology": "simple_bridge", "bridge_type": "mixing", "channels": []}
            case _:
                return 204, ""
        return 200, json.dumps(found, separators=(",", ":"))


_running: set["asyncio.Future[Any]"] = set()


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A stage on 127.0.0.1, on a free port."""
    played = Stage()
    application = web.Application()
    application.router.add_route("*", "/ari/{path:.*}", played.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        played.url = f"http://{host}:{port}"
        yield played
    finally:
        await runner.cleanup()
