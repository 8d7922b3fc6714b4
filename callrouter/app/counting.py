"""The figures of the day over a restart: counted anew from what the journal has of it."""

from collections.abc import Callable
from datetime import datetime

import structlog

from callrouter.core.audit import AuditKind
from callrouter.errors import JournalError
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal

log = structlog.get_logger(__name__)


async def remember_today(dispatcher: Dispatcher, journal: Journal, now: Callable[[], datetime]) -> None:
    """Count again what earlier daemons have counted of the day. If that cannot be read, the day counts from now on.

    The journal has it all: it keeps delivered records for days, and whoever is in charge writes one.
    """
    today = dispatcher.exchange.today
    try:
        cdrs = await journal.cdrs_since(today.begin)
        duties = await journal.audit_of(AuditKind.AGENT)
    except JournalError as error:
        log.warning("today.not_remembered", why=str(error), counts_since=today.since.isoformat())
        return
    dispatcher.exchange.restore_today(cdrs, duties, now())
    log.info("today.remembered", calls=len(cdrs), changes=len(duties))
