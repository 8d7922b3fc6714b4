"""The network between the daemon and others, which may fail while both ends go on."""

import asyncio
from pathlib import Path
from typing import Self


class Wire:
    """A way to a TCP port of this machine that can be cut and mended: ``async with Wire(8088) as wire: wire.url``.

    Instead of the port there may be the path of a Unix socket.
    """

    def __init__(self, to: int | Path) -> None:
        self._to = to
        self._port = 0
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._carries, self._carries_requests = asyncio.Event(), asyncio.Event()
        self._carries.set()
        self._carries_requests.set()
        self._bytes_per_s: float | None = None
        self._at_once = 65536

    @property
    def port(self) -> int:
        """What to connect to, on this machine."""
        return self._port

    @property
    def url(self) -> str:
        """What is behind it, by way of it."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def cut(self) -> None:
        """Break every connection, and let none in."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            end.transport.abort()
        self._carries.set()
        self._carries_requests.set()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def slow_down(self, bytes_per_s: float | None) -> None:
        """Carry no more than that each way on each connection from now on; None: as fast as it comes."""
        self._bytes_per_s = bytes_per_s
        self._at_once = 65536 if bytes_per_s is None else 512

    def swallow(self) -> None:
        """Carry nothing any more until it is cut, and tell neither end."""
        self._carries.clear()

    def swallow_requests(self) -> None:
        """Carry only what Asterisk says, not what is asked of it, until it is cut or told to go on."""
        self._carries_requests.clear()

    def go_on(self) -> None:
        """Carry what has been held back, and all that follows."""
        self._carries.set()
        self._carries_requests.set()

    async def mend(self) -> None:
        """Let connections in again, at the port where they were before."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            if isinstance(self._to, Path):
                there, to = await asyncio.open_unix_connection(self._to)
            else:
                there, to = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._ends.add(to)
        for source, sink, carries in ((reader, to, self._carries_requests), (there, writer, self._carries)):
            task = asyncio.create_task(self._carry(source, sink, carries))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, carries: asyncio.Event) -> None:
        try:
            while data := await source.read(self._at_once):
                await self._carries.wait()
                await carries.wait()
                if self._bytes_per_s is not None:
                    await asyncio.sleep(len(data) / self._bytes_per_s)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        sink.close()
        self._ends.discard(sink)
