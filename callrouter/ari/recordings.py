"""The store of recordings of an Asterisk: their bytes, and their end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from callrouter.ari import operations
from callrouter.ari.http import HttpChannel, http_session
from callrouter.ari.operations import Request
from callrouter.ari.outcome import Outcome, Reply
from callrouter.ari.peer import Peer
from callrouter.core.ids import RecordingId
from callrouter.errors import UnreachableError

TIMEOUT_S: Final = 30.0
READ_TIMEOUT_S: Final = 300.0
"""An hour of speech is 58 MB, and the line between two halls is not fast."""

Send = Callable[[Request, float], Awaitable[Reply]]


class RecordingStore:
    """What an Asterisk keeps; ``send`` is a way to it, ``name`` how people call it."""

    def __init__(self, name: str, send: Send) -> None:
        self._name = name
        self._send = send

    async def read(self, recording: RecordingId) -> bytes | None:
        """The WAV file, or None if there is none of that name.

        Raises:
            UnreachableError: Asterisk does not answer, or not with the file.
        """
        reply = await self._send(operations.get_recording_file(recording), READ_TIMEOUT_S)
        if reply.outcome is Outcome.GONE:
            return None
        if reply.outcome is not Outcome.DONE or not isinstance(reply.body, bytes):
            raise self._refused("give out", recording, reply)
        return reply.body

    async def stop(self, recording: RecordingId) -> None:
        """See to it that it is over, and its file complete.

        Raises:
            UnreachableError: Asterisk does not answer, or does not do it.
        """
        reply = await self._send(operations.stop_recording(recording), TIMEOUT_S)
        if reply.outcome not in (Outcome.DONE, Outcome.GONE):
            raise self._refused("end", recording, reply)

    async def delete(self, recording: RecordingId) -> None:
        """Have it no more; it may be gone already.

        Raises:
            UnreachableError: Asterisk does not answer, or does not do it.
        """
        reply = await self._send(operations.delete_recording(recording), TIMEOUT_S)
        if reply.outcome not in (Outcome.DONE, Outcome.GONE):
            raise self._refused("delete", recording, reply)

    def _refused(self, what: str, recording: RecordingId, reply: Reply) -> UnreachableError:
        why = f"no answer ({reply.doubt})" if reply.doubt is not None else f"the answer is {reply.status}"
        return UnreachableError(
            f"the Asterisk of {self._name} does not {what} the recording {recording}: {why};"
            " see that it runs, and that its ARI user may write"
        )


@asynccontextmanager
async def open_recordings(peer: Peer) -> AsyncIterator[RecordingStore]:
    """The store of one Asterisk, over a connection of its own."""
    http = HttpChannel(peer)
    async with http_session(peer, websockets=0) as session:
        # No task group: what is raised in the caller's block would come out of one wrapped.
        serving = asyncio.create_task(http.run(session))
        await asyncio.sleep(0)  # it takes requests from its first step on
        try:
            yield RecordingStore(peer.site, http.call)
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
