"""The figures of the day over a restart, from the journal."""

from datetime import timedelta
from pathlib import Path

import structlog

from callrouter.app.counting import remember_today
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import CdrVisit, VisitEnd
from callrouter.core.duty import Duty
from callrouter.core.live import live
from callrouter.core.rulebook import Rulebook
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from tests.app.conftest import a_dispatcher
from tests.fakes import cdrs


async def test_the_next_daemon_counts_what_is_in_the_journal_delivered_or_not(
    dispatcher: Dispatcher, journal: Journal, rules: Rulebook
) -> None:
    queue, name = next(iter(rules.queues)), next(iter(rules.agents))
    begin = dispatcher.exchange.today.begin
    waits = (CdrVisit(queue, begin, begin + timedelta(seconds=9), VisitEnd.ABANDONED),)
    of_today = {"started_at": begin, "queued_at": begin, "ended_at": waits[0].left_at, "queue": queue}
    for _ in range(2):
        journal.finish(cdrs.abandoned(visits=waits, legs=(), **of_today))
    ((number, _), _) = await journal.undelivered(9)
    await journal.delivered([number])
    yesterday = begin - timedelta(hours=2)
    journal.finish(cdrs.abandoned(visits=waits, legs=(), **{**of_today, "started_at": yesterday}))
    journal.audit(AuditEntry(yesterday, "kim", AuditKind.AGENT, name, Duty.ON, Duty.OFF, "command"))

    following = a_dispatcher(rules, journal)
    now = max(following.exchange.today.since, begin + timedelta(seconds=10))
    await remember_today(following, journal, lambda: now)
    figures = live(following.exchange, now)
    assert figures.since == begin
    assert [(one.queue, one.today.abandoned) for one in figures.queues if one.today.offered] == [(queue, 2)]
    agent = following.exchange.floor.agents[name]
    assert following.exchange.today.spent(agent, now).logged_in_s == 0


async def test_where_the_journal_cannot_be_read_the_day_counts_from_now_on_and_that_is_said(
    rules: Rulebook, tmp_path: Path
) -> None:
    closed = Journal(tmp_path / "closed.sqlite")
    following = a_dispatcher(rules, closed)
    since = following.exchange.today.since
    with structlog.testing.capture_logs() as told:
        await remember_today(following, closed, lambda: since)
    assert following.exchange.today.since == since
    assert [(line["event"], line["counts_since"]) for line in told] == [("today.not_remembered", since.isoformat())]
