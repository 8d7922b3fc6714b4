"""Forgetting callers' choices on request, and saying who asked."""

import structlog

from callrouter.core.remembering import remembered_as
from callrouter.store.remembered import Remembered
from callrouter.web.remembered import ForgetReport, RememberedReport

log = structlog.get_logger(__name__)


class RememberedCallers:
    """Implements :class:`callrouter.web.remembered.Remembering` for the daemon that runs."""

    def __init__(self, remembered: Remembered) -> None:
        self._remembered = remembered

    def report(self) -> RememberedReport:
        """See the Protocol."""
        now = self._remembered.now
        return RememberedReport(now.callers, now.until, now.error)

    async def forget(self, number: str, who: str) -> ForgetReport | None:
        """See the Protocol."""
        known_as = remembered_as(number)
        return await self._done(int(self._remembered.forget(known_as)), who) if known_as is not None else None

    async def forget_all(self, who: str) -> ForgetReport:
        """See the Protocol."""
        return await self._done(self._remembered.forget_all(), who)

    async def _done(self, forgotten: int, who: str) -> ForgetReport:
        # Whose choice it was stands nowhere: the log would remember what is to be forgotten.
        log.info("memory.forgotten", callers=forgotten, who=who)
        await self._remembered.save()
        return ForgetReport(forgotten, self._remembered.now.callers, self._remembered.error)
