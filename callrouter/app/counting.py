"""The figures of the day, and what went out, over a restart: counted anew from what the journal has of it."""

from collections.abc import Callable
from datetime import datetime

import structlog

from callrouter.core.audit import AuditKind
from callrouter.core.outbound_meter import KEPT
from callrouter.errors import JournalError
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal

log = structlog.get_logger(__name__)


async def remember_outward(dispatcher: Dispatcher, journal: Journal, now: Callable[[], datetime]) -> None:
    """Count again what went out in the last day, and is over. If that cannot be read, limits count from now on."""
    since = now() - KEPT
    try:
        cdrs, _ = await journal.cdrs_since(since)
    except JournalError as error:
        log.warning("outbound.not_remembered", why=str(error))
        return
    dispatcher.restore_outward(cdrs, since)


async def remember_today(dispatcher: Dispatcher, journal: Journal, now: Callable[[], datetime]) -> None:
    """Count again what earlier daemons have counted of the day. If that cannot be read, the day counts from now on.

    The journal keeps delivered records for days. One without any record of before today is perhaps new, on another
    machine or after a damage: then the day counts from its first call on.
    """
    today = dispatcher.exchange.today
    try:
        cdrs, has_whole_day = await journal.cdrs_since(today.begin)
        duties = await journal.audit_of(AuditKind.AGENT)
    except JournalError as error:
        log.warning("today.not_remembered", why=str(error), counts_since=today.since.isoformat())
        return
    first = min((cdr.started_at for cdr in cdrs), default=today.since)
    dispatcher.restore_today(cdrs, duties, today.begin if has_whole_day else first, now())
    log.info("today.remembered", calls=len(cdrs), counts_since=today.since.isoformat())
