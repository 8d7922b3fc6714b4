"""A small Asterisk that speaks ARI and misbehaves on demand.

It answers what a session needs to come up. Everything else is told to it: :meth:`FakeAri.on` sets what a request is
answered with, :meth:`FakeAri.emit` sends events, and the switches break things that a real Asterisk breaks only when
nobody looks.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

PATIENCE_S = 5.0
"""How long a test waits for what must happen."""

TIMESTAMP = "2026-11-24T03:54:20.183+0000"


@dataclass(frozen=True)
class Answer:
    """What a request is answered with. ``after`` delays it; ``times`` is how often it is sent (0: never)."""

    status: int = 204
    body: Any = None
    after: asyncio.Event | None = None
    times: int = 1

    @property
    def text(self) -> str:
        return "" if self.body is None else json.dumps(self.body)


@dataclass
class Seen:
    """A request as it arrived. ``way`` is ``http`` or the application of the websocket."""

    way: str
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


def channel(channel_id: str, *, application: str = "callrouter", state: str = "Up") -> dict[str, Any]:
    """A channel inside an application."""
    return {
        "id": channel_id,
        "name": f"PJSIP/{channel_id}",
        "state": state,
        "dialplan": {"app_name": "Stasis", "app_data": f"{application},inbound"},
    }


def arrival(channel_id: str) -> dict[str, Any]:
    """A StasisStart."""
    return {"type": "StasisStart", "timestamp": TIMESTAMP, "args": [], "channel": channel(channel_id)}


class FakeAri:
    """The scriptable server. Lists ``seen`` and ``connected`` only grow; :meth:`until` waits for a condition."""

    def __init__(self) -> None:
        self.url = ""
        self.version = "22.10.1"
        self.system_name = ""
        self.started = "2026-11-24T03:55:18.565+0000"
        self.user_is_known = True
        self.rest_over_websocket = True
        self.passes_on = True
        """Whether what somebody has it say arrives."""
        self.channels: list[dict[str, Any]] = []
        self.bridges: list[dict[str, Any]] = []
        self.endpoints: list[dict[str, Any]] = [{"technology": "PJSIP", "resource": "201", "channel_ids": []}]
        self.filter: list[dict[str, str]] = []
        self.filters_set = 0
        self.seen: list[Seen] = []
        self.connected: list[str] = []
        self.sockets: dict[str, web.WebSocketResponse | ClientWebSocketResponse] = {}
        self._answers: dict[str, Callable[[Seen], Answer]] = {}
        self._transports: dict[str, asyncio.WriteTransport] = {}
        self._changed = asyncio.Condition()

    # What a test tells it

    def on(self, line: str, answer: Answer | Callable[[Seen], Answer]) -> None:
        """Answer requests such as ``DELETE channels/1`` like this."""
        self._answers[line] = answer if callable(answer) else lambda _: answer

    def no_longer(self, line: str) -> None:
        """Answer these requests as usual again."""
        del self._answers[line]

    async def emit(self, event: dict[str, Any] | str, application: str = "callrouter") -> None:
        """Send an event, or any text."""
        text = event if isinstance(event, str) else json.dumps({"application": application, **event})
        await self.sockets[application].send_str(text)

    async def drop(self, application: str = "callrouter") -> None:
        """Lose a websocket without a good-bye."""
        del self.sockets[application]
        self._transports[application].abort()

    @asynccontextmanager
    async def dialling(
        self,
        port: int,
        *,
        site: str = "province",
        user: str = "callrouter",
        password: str = "secret",  # noqa: S107 - of nothing
        application: str = "callrouter",
        asterisk_id: str = "aa:bb",
        kept: Sequence[dict[str, Any]] = (),
        says: bool = True,
    ) -> AsyncIterator[ClientWebSocketResponse]:
        """Dial a daemon, tell it what was kept, and have events go that way. ``says``: whether anything is said."""
        credentials = {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
        uri = f"ws://127.0.0.1:{port}/{site}"
        async with (
            ClientSession() as session,
            session.ws_connect(uri, headers=credentials, protocols=("ari",)) as socket,
        ):
            about = {"application": application, "asterisk_id": asterisk_id, "timestamp": TIMESTAMP}
            for event in (*kept, {"type": "ApplicationRegistered"}) if says else ():
                await socket.send_json({**about, **event})
            self.sockets[application] = socket
            self.connected.append(application)
            await self._tell()
            yield socket

    def stop_reading(self, application: str) -> None:
        """Read nothing any more of a websocket, and keep it open."""
        transport = self._transports[application]
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    @property
    def command_applications(self) -> list[str]:
        """Applications of the command sockets that are connected now."""
        return sorted(name for name in self.sockets if "-cmd-" in name)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at whenever something arrives."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(condition)

    def requests(self, line: str) -> list[Seen]:
        """Those requests that came with this method and path."""
        return [seen for seen in self.seen if seen.line == line]

    # What it does by itself

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _usual_answer(self, seen: Seen) -> Answer:
        if not self.user_is_known:
            return Answer(401, {"error": "Authentication required"})
        if seen.method == "PUT" and seen.path.endswith("/eventFilter"):
            self.filter = json.loads(seen.body)["allowed"]
            self.filters_set += 1
            return Answer(200, self._application())
        usual = {
            "asterisk/info": {
                "system": {"version": self.version, "entity_id": "aa:bb"},
                "status": {"startup_time": self.started, "last_reload_time": self.started},
                "config": {"name": self.system_name},
            },
            "asterisk/ping": {"ping": "pong", "asterisk_id": "aa:bb", "timestamp": TIMESTAMP},
            "applications/callrouter": self._application(),
            "channels": self.channels,
            "bridges": self.bridges,
            "endpoints": self.endpoints,
        }
        if seen.method == "GET" and seen.path in usual:
            return Answer(200, usual[seen.path])
        return Answer(204)

    def _application(self) -> dict[str, Any]:
        return {
            "name": "callrouter",
            "channel_ids": [entry["id"] for entry in self.channels],
            "bridge_ids": [entry["id"] for entry in self.bridges],
            "events_allowed": self.filter,
        }

    async def _answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        await self._tell()
        if seen.line.startswith("POST events/user/") and self.passes_on:
            name = seen.path.rpartition("/")[2]
            event = {"type": "ChannelUserevent", "timestamp": TIMESTAMP, "eventname": name, "userevent": {}}
            await self.emit(event, seen.query["application"])
        answer = self._answers.get(seen.line, self._usual_answer)(seen)
        if answer.after is not None:
            await answer.after.wait()
        return answer

    async def _http(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path.removeprefix("/ari/")
        if path == "events" and request.headers.get("Upgrade"):
            return await self._websocket(request)
        body = await request.text()
        answer = await self._answer(Seen("http", request.method, path, dict(request.query), body))
        if answer.times == 0:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status, text=answer.text or None)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if not self.user_is_known:
            return web.Response(status=401)
        usual = self._answers.get("GET events")
        if usual is not None:
            return web.Response(status=usual(Seen("http", "GET", "events")).status)
        application = request.query["app"]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.WriteTransport)
        self._transports[application] = request.transport
        old = self.sockets.get(application)
        self.sockets[application] = socket
        if old is not None:
            await old.send_json({"type": "ApplicationReplaced", "timestamp": TIMESTAMP})
        self.connected.append(application)
        await self._tell()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._rest(socket, application, json.loads(message.data))
        if self.sockets.get(application) is socket:
            del self.sockets[application]
        await self._tell()
        return socket

    async def _rest(self, socket: web.WebSocketResponse, application: str, message: dict[str, Any]) -> None:
        """Requests of one websocket run one after another, as in Asterisk."""
        if not self.rest_over_websocket:
            return
        query = {entry["name"]: entry["value"] for entry in message.get("query_strings", ())}
        seen = Seen(application, message["method"], message["uri"], query, message.get("message_body", ""))
        answer = await self._answer(seen)
        response = {
            "type": "RESTResponse",
            "request_id": message["request_id"],
            "status_code": answer.status,
            "message_body": answer.text,
        }
        for _ in range(answer.times):
            await socket.send_json(response)


@asynccontextmanager
async def fake_ari(port: int = 0) -> AsyncIterator[FakeAri]:
    """A fake Asterisk on 127.0.0.1, on a free port unless one is given."""
    fake = FakeAri()
    application = web.Application()
    application.router.add_route("*", "/ari/{path:.*}", fake._http)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, bound_port = runner.addresses[0][:2]
    fake.url = f"http://{host}:{bound_port}"
    try:
        yield fake
    finally:
        await runner.cleanup()
