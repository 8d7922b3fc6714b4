"""Saving a file of the configuration, taken as an order to reload.

Editors save in steps: they write beside and rename, truncate and write, touch a file twice. What comes within a moment
is one change. What is half written all the same is refused like any other fault, and read again when it is whole.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NoReturn, Protocol

import structlog
from watchfiles import Change, awatch

from callrouter.config.folder import counts
from callrouter.web.reload import ReloadReport

log = structlog.get_logger(__name__)

WHO: Final = "file saved"
QUIET_MS: Final = 300
"""So long nothing may change before what has changed is read."""
LONGEST_MS: Final = 5_000
"""Changes that do not end are read after that long."""
LOOK_MS: Final = 1_000
"""How often it is looked whether the folder is still the one that is watched."""
TRY_AGAIN_S: Final = 5.0
"""After a folder could not be watched."""


class SaveReloader(Protocol):
    """Takes new rules: :class:`callrouter.app.reload.ConfigReloader`."""

    async def is_behind(self) -> bool:
        """Whether the files say something else than what is in force."""
        ...

    async def reload_when_free(self, who: str) -> ReloadReport:
        """Once nothing else is under way."""
        ...


class FolderWatch:
    """Watches a folder as a task: ``run()`` until cancelled."""

    def __init__(self, directory: Path, reloader: SaveReloader, *, try_again_s: float = TRY_AGAIN_S) -> None:
        self.watching = asyncio.Event()
        """Set while nothing that is saved is missed."""
        self._directory = directory
        self._reloader = reloader
        self._try_again_s = try_again_s

    async def run(self) -> NoReturn:
        """Reload after every change, through whatever becomes of the folder: it may be replaced, or vanish for a time.

        Whenever watching begins the files are compared with what is in force: they may have been saved before.
        """
        told: str | None = None
        while True:
            try:
                await self._watch()
            except Exception as exc:  # what the watcher's own language raises has no common root
                if str(exc) != told:
                    told = str(exc)
                    remedy = "saving a file is no order until then; use callrouter reload"
                    log.warning("config.not_watched", directory=str(self._directory), why=told, remedy=remedy)
                self.watching.clear()
                await asyncio.sleep(self._try_again_s)
            else:
                told = None
                self.watching.clear()

    async def _watch(self) -> None:
        """Until the folder is another one."""
        watched = _identity(self._directory)
        changes = awatch(
            self._directory,
            watch_filter=_is_ours,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            recursive=False,
        )
        async with contextlib.aclosing(changes):
            await self._follow(changes, watched)

    async def _follow(self, changes: AsyncIterator[set[tuple[Change, str]]], watched: tuple[int, int]) -> None:
        async for found in changes:
            changed = bool(found)
            if not self.watching.is_set():
                log.info("config.watched", directory=str(self._directory))
                changed = changed or await self._reloader.is_behind()
                self.watching.set()
            if changed:
                await self._reloader.reload_when_free(WHO)
            if _identity(self._directory) != watched:
                log.info("config.folder_replaced", directory=str(self._directory))
                return


def _identity(directory: Path) -> tuple[int, int]:
    """Which folder stands under that name now. Raises OSError if there is none."""
    stat = directory.stat()
    return stat.st_dev, stat.st_ino


def _is_ours(_: Change, path: str) -> bool:
    return counts(Path(path).name)
