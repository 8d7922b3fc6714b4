"""Somebody between the daemon and a real Asterisk who meddles with orders, over HTTP and over the websockets."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from aiohttp import web

_HOP_BY_HOP = frozenset({"host", "connection", "upgrade", "content-length", "transfer-encoding", "keep-alive"})
_TEXT = aiohttp.WSMsgType.TEXT


@dataclass(frozen=True, slots=True)
class Meddling:
    """What becomes of orders such as ``POST channels/[^/]+/answer``.

    ``status`` is answered in Asterisk's place; or it is done ``late_s`` seconds later; or the answer is lost
    (``untold``), or comes ``twice``. So often at the most: ``times``. From a ``last`` one on no order gets through.
    """

    orders: str
    status: int | None = None
    late_s: float = 0.0
    untold: bool = False
    twice: bool = False
    last: bool = False
    times: int = 1_000_000


class Meddler:
    """``async with Meddler(asterisk.ari.server_url) as meddler: meddler.url``; ``meddling`` may change at any time."""

    def __init__(self, server_url: str) -> None:
        self._to = server_url
        self.url = ""
        self.meddling: Meddling | None = None
        self.met: Counter[str] = Counter()
        """How many orders each meddling has met."""
        self.shut = asyncio.Event()
        """Set by a ``last`` order; until it is cleared nothing gets through."""
        self._late: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        application = web.Application()
        application.router.add_route("*", "/ari/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._late:
            task.cancel()
        await self._runner.cleanup()
        await self._session.close()

    def _of(self, method: str, path: str) -> Meddling | None:
        meddling = self.meddling
        if meddling is None or re.fullmatch(meddling.orders, f"{method} {path}") is None:
            return None
        self.met[meddling.orders] += 1
        if meddling.last:
            self.shut.set()
        return meddling if self.met[meddling.orders] <= meddling.times else None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path.removeprefix("/ari/")
        if path == "events":
            return await self._websocket(request)
        meddling = self._of(request.method, path)
        if self.shut.is_set():
            await asyncio.Event().wait()
        if meddling is not None and meddling.status is not None:
            return web.Response(status=meddling.status)
        await asyncio.sleep(meddling.late_s if meddling is not None else 0)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        body = await request.read()
        async with self._session.request(
            request.method, f"{self._to}{request.raw_path}", headers=headers, data=body or None
        ) as answer:
            text = await answer.read()
            if meddling is not None and meddling.untold:
                await asyncio.Event().wait()
            return web.Response(status=answer.status, body=text, content_type=answer.content_type)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        headers = {"Authorization": request.headers["Authorization"]}
        async with self._session.ws_connect(f"{self._to}{request.raw_path}", headers=headers, max_msg_size=0) as there:
            here = web.WebSocketResponse(max_msg_size=0)
            await here.prepare(request)
            told: dict[str, Meddling] = {}
            ways = [
                asyncio.create_task(self._orders(here, there, told)),
                asyncio.create_task(self._answers(there, here, told)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await here.close()
            return here

    async def _orders(
        self, here: web.WebSocketResponse, there: aiohttp.ClientWebSocketResponse, told: dict[str, Meddling]
    ) -> None:
        async for message in here:
            if message.type is not _TEXT:
                continue
            order: dict[str, Any] = json.loads(message.data)
            meddling = self._of(order["method"], order["uri"])
            if self.shut.is_set():
                continue
            if meddling is None:
                await there.send_str(message.data)
            elif meddling.status is not None:
                answer = {"type": "RESTResponse", "request_id": order["request_id"], "status_code": meddling.status}
                await here.send_json({**answer, "message_body": ""})
            else:
                told[order["request_id"]] = meddling
                self._later(meddling.late_s, there.send_str, message.data)

    def _later(self, after_s: float, send: Callable[[str], Awaitable[None]], text: str) -> None:
        async def wait_and_send() -> None:
            await asyncio.sleep(after_s)
            await send(text)

        task = asyncio.create_task(wait_and_send())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _answers(
        self, there: aiohttp.ClientWebSocketResponse, here: web.WebSocketResponse, told: dict[str, Meddling]
    ) -> None:
        async for message in there:
            if message.type is not _TEXT:
                continue
            meddling = None
            if '"RESTResponse"' in message.data:
                meddling = told.pop(json.loads(message.data)["request_id"], None)
            for _ in range(1 if meddling is None else 0 if meddling.untold else 1 + meddling.twice):
                await here.send_str(message.data)
