"""The figures of the day over a restart, from the journal."""

from datetime import datetime, timedelta
from pathlib import Path

import structlog

from callrouter.app.counting import remember_today
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import CdrVisit, VisitEnd
from callrouter.core.duty import Duty
from callrouter.core.ids import QueueName
from callrouter.core.live import live
from callrouter.core.rulebook import Rulebook
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from tests.app.conftest import a_dispatcher
from tests.fakes import cdrs


def finish_two(journal: Journal, queue: QueueName, at: datetime) -> None:
    """Two callers who hung up after 9 s."""
    waits = (CdrVisit(queue, at, at + timedelta(seconds=9), VisitEnd.ABANDONED),)
    for _ in range(2):
        journal.finish(
            cdrs.abandoned(visits=waits, legs=(), started_at=at, queued_at=at, ended_at=waits[0].left_at, queue=queue)
        )


async def test_the_next_daemon_counts_what_is_in_the_journal_delivered_or_not(
    dispatcher: Dispatcher, journal: Journal, rules: Rulebook
) -> None:
    queue, name = next(iter(rules.queues)), next(iter(rules.agents))
    begin = dispatcher.exchange.today.begin
    yesterday = begin - timedelta(hours=2)
    journal.finish(cdrs.abandoned(started_at=yesterday, ended_at=yesterday, queue=queue, legs=()))
    journal.audit(AuditEntry(yesterday, "kim", AuditKind.AGENT, name, Duty.ON, Duty.OFF, "command"))
    finish_two(journal, queue, begin)

    await journal.delivered([number for number, _ in await journal.undelivered(2)])
    following = a_dispatcher(rules, journal)
    now = max(following.exchange.today.since, begin + timedelta(seconds=10))
    await remember_today(following, journal, lambda: now)
    figures = live(following.exchange, now)
    assert figures.since == begin
    assert [(one.queue, one.today.abandoned) for one in figures.queues if one.today.offered] == [(queue, 2)]
    agent = following.exchange.floor.staff.agents[name]
    assert following.exchange.today.spent(agent, now).logged_in_s == 0


async def test_a_journal_that_has_nothing_of_before_today_counts_from_its_first_call_on(
    dispatcher: Dispatcher, journal: Journal, rules: Rulebook
) -> None:
    began = dispatcher.exchange.today.begin + timedelta(microseconds=1000)
    finish_two(journal, next(iter(rules.queues)), began)
    following = a_dispatcher(rules, journal)
    await remember_today(following, journal, lambda: began + timedelta(seconds=9))
    assert following.exchange.today.since == began


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
