"""Tasks that look after what is in the database, pass after pass, through every failure of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import NoReturn, TypeVar

from callrouter.errors import CallrouterError

_Archive = TypeVar("_Archive")


class Passes:
    """The passes of one task. ``tell`` is told why, once, when something keeps it from its work."""

    def __init__(self, tell: Callable[[str], None], poll_s: float) -> None:
        self._tell = tell
        self._poll_s = poll_s
        self._last_error = ""
        self._is_troubled = False

    async def run(
        self,
        opened: Callable[[], AbstractAsyncContextManager[_Archive]],
        look_after: Callable[[_Archive], Awaitable[None]],
    ) -> NoReturn:
        """``look_after`` what was ``opened``, every ``poll_s`` seconds until cancelled."""
        while True:
            try:
                async with opened() as archive:
                    while True:
                        await look_after(archive)
                        await asyncio.sleep(self._poll_s)
            except CallrouterError as exc:
                self.note(str(exc))
            await asyncio.sleep(self._poll_s)

    @contextmanager
    def one(self) -> Iterator[None]:
        """One pass; if it comes to its end without trouble, the next trouble is news again."""
        self._is_troubled = False
        yield
        if not self._is_troubled:
            self._last_error = ""

    def note(self, error: str) -> None:
        """Tell of it once, not at every pass."""
        self._is_troubled = True
        if error != self._last_error:
            self._tell(error)
            self._last_error = error
