"""The network between the daemon and Asterisk, which may fail while both go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from lab.asterisk import LabAsterisk

_BLOCK = 65_536


class Wire:
    """All that daemon and Asterisk say to each other; ``url`` is where the daemon finds Asterisk."""

    def __init__(self, asterisk: LabAsterisk) -> None:
        at = urlsplit(asterisk.ari.server_url)
        assert at.hostname is not None
        self._host, self._port = at.hostname, at.port or 80
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self.url = ""

    def cut(self) -> None:
        """Nothing comes through any more."""
        self._is_cut = True
        for writer in self._open:
            writer.close()

    def mend(self) -> None:
        """Who connects from now on gets through."""
        self._is_cut = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the daemon's, to its end."""
        if self._is_cut:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        both = {writer, far_writer}
        self._open |= both
        try:
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        finally:
            self._open -= both


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    except OSError:  # cut
        pass
    finally:
        writer.close()


@asynccontextmanager
async def wire_to(asterisk: LabAsterisk) -> AsyncIterator[Wire]:
    """A network that carries."""
    wire = Wire(asterisk)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    wire.url = f"http://{host}:{port}"
    try:
        yield wire
    finally:
        wire.cut()
        server.close()
