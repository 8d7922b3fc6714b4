"""The least that ARI itself costs: a correct application without rules, queue, journal or timers.

``python -m bench.bare_ari`` takes the calls of its application over two websockets, one for filtered events and one for
commands, with the libraries that the daemon uses. A caller gets the phone that has been idle longest, and hears ringing
once it rings; whoever hangs up ends the call. It survives nothing: no lost socket, no refused phone, no caller who
gives up before a phone is free.
"""

import asyncio
import itertools
import os
import sys
from collections import deque
from dataclasses import dataclass
from typing import Literal

import aiohttp
import msgspec
import uvloop
from aiohttp import WSMsgType

APPLICATION = "bench-bare"
INBOUND = "inbound"
EVENTS = ("StasisStart", "StasisEnd", "ChannelDestroyed", "ChannelHangupRequest", "Dial")


class _Party(msgspec.Struct, frozen=True):
    number: str = ""


class _Channel(msgspec.Struct):
    id: str
    caller: _Party = _Party()


class _Event(msgspec.Struct):
    """All that is read of an event, or of the answer to a command."""

    type: str
    channel: _Channel | None = None
    peer: _Channel | None = None
    args: list[str] = []
    dialstatus: str = ""
    status_code: int = 0
    uri: str = ""


_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Call:
    caller: str
    leg: str
    phone: str
    bridge: str
    has_parted: bool = False


class Switchboard:
    """The calls in progress and the idle phones; ``commands`` goes out in order."""

    def __init__(self, phones: list[str]) -> None:
        self.idle = deque(phones)
        self.commands: list[bytes] = []
        self.written = asyncio.Event()
        self._waiting: deque[_Channel] = deque()
        self._calls: dict[str, _Call] = {}
        self._numbers = itertools.count(1)

    def take(self, text: str) -> None:
        """Do what an event asks for."""
        event = _decode(text)
        channel = event.peer or event.channel
        if channel is None:
            return
        if event.type == "StasisStart" and event.args[:1] == [INBOUND]:
            self._waiting.append(channel)
            self._offer()
        elif (call := self._calls.get(channel.id)) is None:
            return
        elif event.type == "StasisStart":
            self._connect(call)
        elif event.type == "Dial" and event.dialstatus == "RINGING":
            self._command("POST", f"channels/{call.caller}/ring")
        elif event.type in ("ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"):
            self._part(call, channel.id, is_gone=event.type == "ChannelDestroyed")

    def _offer(self) -> None:
        if not self._waiting or not self.idle:
            return
        caller, number, phone = self._waiting.popleft(), next(self._numbers), self.idle.popleft()
        call = _Call(caller.id, f"bare-{number}-leg", phone, f"bare-{number}-bridge")
        self._calls[call.caller] = self._calls[call.leg] = call
        self._command(
            "POST",
            f"channels/{call.leg}",
            endpoint=phone,
            app=APPLICATION,
            appArgs="agent",
            originator=call.caller,
            callerId=f'"" <{caller.caller.number}>',
        )

    def _connect(self, call: _Call) -> None:
        self._command("POST", f"channels/{call.caller}/answer")
        self._command("POST", f"bridges/{call.bridge}", type="mixing")
        # Else Asterisk would invite the phone a second time, to say who calls.
        quietly = {"channel": f"{call.caller},{call.leg}", "inhibitConnectedLineUpdates": "true"}
        self._command("POST", f"bridges/{call.bridge}/addChannel", **quietly)

    def _part(self, call: _Call, channel: str, *, is_gone: bool) -> None:
        """One of the two leaves: the other is hung up, once; the phone is free when its leg has gone."""
        if not call.has_parted:
            call.has_parted = True
            self._command("DELETE", f"channels/{call.leg if channel == call.caller else call.caller}")
        if is_gone and channel == call.leg:
            del self._calls[call.caller], self._calls[call.leg]
            self.idle.append(call.phone)
            self._command("DELETE", f"bridges/{call.bridge}")
            self._offer()

    def _command(self, method: str, uri: str, **query: str) -> None:
        strings = [{"name": name, "value": value} for name, value in query.items()]
        message = {"type": "RESTRequest", "request_id": "", "method": method, "uri": uri, "query_strings": strings}
        self.commands.append(_encode(message))
        self.written.set()


async def _read(events: aiohttp.ClientWebSocketResponse[Literal[True]], board: Switchboard) -> None:
    while (message := await events.receive()).type is WSMsgType.TEXT:
        board.take(message.data)
    raise ConnectionError(f"the websocket ended: {message!r}")


async def _write(commands: aiohttp.ClientWebSocketResponse[Literal[True]], board: Switchboard) -> None:
    while True:
        await board.written.wait()
        board.written.clear()
        waiting, board.commands = board.commands, []
        for frame in waiting:
            await commands.send_frame(frame, WSMsgType.TEXT)


async def _check(commands: aiohttp.ClientWebSocketResponse[Literal[True]]) -> None:
    """Read the answers; a channel or bridge that is gone already is no trouble."""
    while (message := await commands.receive()).type is WSMsgType.TEXT:
        answer = _decode(message.data)
        if answer.status_code >= 400 and answer.status_code != 404:
            print(f"bare ARI: {answer.status_code} to {answer.uri}", file=sys.stderr)
    raise ConnectionError(f"the websocket ended: {message!r}")


async def serve(url: str, headers: dict[str, str], phones: list[str]) -> None:
    """Take calls until the connection is lost or the task is cancelled. Prints a line when ready."""
    board = Switchboard(phones)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{url}/events?app={APPLICATION}") as events,
        session.ws_connect(f"{url}/events?app={APPLICATION}-cmd") as commands,
    ):
        allowed = {"allowed": [{"type": name} for name in EVENTS]}
        async with session.put(f"{url}/applications/{APPLICATION}/eventFilter", json=allowed) as answer:
            answer.raise_for_status()
        print("ready", flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(_read(events, board))
            group.create_task(_write(commands, board))
            group.create_task(_check(commands))


def main() -> None:
    """Environment: ``BARE_URL`` (ending in ``/ari``), ``BARE_AUTHORIZATION``, ``BARE_PHONES`` (apart by commas)."""
    headers = {"Authorization": os.environ["BARE_AUTHORIZATION"]}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(os.environ["BARE_URL"], headers, os.environ["BARE_PHONES"].split(",")))


if __name__ == "__main__":
    main()
