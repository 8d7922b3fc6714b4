"""What an earlier daemon left in the journal is dealt with once."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from callrouter.app.memory import remember, remember_lost_places
from callrouter.core import facts, naming
from callrouter.core.cdr import Cdr, OfferResult, Outcome
from callrouter.core.ids import AgentId, ChannelId, QueueName, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.output import Output
from callrouter.core.waiting_spec import QueueCare
from callrouter.store.journal import Journal
from callrouter.store.set_aside import records_set_aside
from tests.app.conftest import HALL, Parts
from tests.fakes import cdrs

CALL = cdrs.call_id()
AT = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
LATER = AT + timedelta(seconds=40)


def opened(site: SiteName = HALL) -> facts.Fact:
    return facts.Opened(AT, CALL, site, ChannelId("1.0"), CallFacts("120", site, "0552251234"))


def offered() -> list[facts.Fact]:
    channel = naming.leg_channel(CALL, 1)
    return [facts.Queued(AT, QueueName("main"), 1), facts.Offered(LATER, 1, AgentId("201"), None, channel)]


async def left(journal: Journal, history: Sequence[facts.Fact]) -> None:
    for fact in history:
        journal.append_facts(CALL, type(fact).__name__, msgspec.msgpack.encode(fact))
    assert await journal.flush()


async def dealt_with(parts: Parts, history: Sequence[facts.Fact]) -> list[Cdr]:
    """The CDRs that come of it. Whatever it was, another start finds nothing any more."""
    async with parts.journal as journal:
        await left(journal, history)
        await remember(parts.dispatcher, journal, [HALL])
        found = [cdr for _, cdr in await journal.undelivered(10)]
        assert not parts.dispatcher.exchange.calls, "it would hold up the end of the daemon"
        assert await journal.open_calls() == {}
    return found


async def test_a_call_that_can_be_taken_up_is(parts: Parts) -> None:
    async with parts.journal as journal:
        await left(journal, [opened()])
        await remember(parts.dispatcher, journal, [HALL])
        assert list(parts.dispatcher.exchange.calls) == [CALL]
        assert await journal.undelivered(10) == []


@pytest.mark.parametrize(("settled_s", "in_doubt"), [(None, False), (60.0, False), (0.0, True)])
async def test_what_asterisk_may_not_have_heard_is_in_doubt(
    parts: Parts, tmp_path: Path, settled_s: float | None, in_doubt: bool
) -> None:
    async with parts.journal as journal:
        if settled_s is not None:
            journal.settled(time.time() + settled_s)
        await left(journal, [opened()])
    later = Parts(tmp_path)
    async with later.journal as journal:
        await remember(later.dispatcher, journal, [HALL])
        assert later.dispatcher.exchange.calls[CALL].in_doubt is in_doubt


async def test_a_call_of_a_site_that_is_no_more_is_closed_with_an_estimated_end(parts: Parts) -> None:
    (cdr,) = await dealt_with(parts, [opened(SiteName("gone")), *offered()])
    assert (cdr.call_id, cdr.site, cdr.caller) == (CALL, "gone", "0552251234")
    assert (cdr.started_at, cdr.ended_at, cdr.outcome) == (AT, LATER, Outcome.ABANDONED)
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [("201", OfferResult.CALLER_GONE)]
    assert "ended_at is an estimate" in cdr.explanation


async def test_a_conversation_at_a_site_that_is_no_more_was_handled(parts: Parts) -> None:
    picked_up: list[facts.Fact] = [facts.PickedUp(LATER, naming.bridge(CALL, 1)), facts.Connected(LATER)]
    (cdr,) = await dealt_with(parts, [opened(SiteName("gone")), *offered(), *picked_up])
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "201")
    assert [leg.result for leg in cdr.legs] == [OfferResult.ANSWERED]


async def test_a_call_that_rang_at_several_phones_of_a_site_that_is_no_more_is_closed_with_all_of_them(
    parts: Parts,
) -> None:
    first, second, third = (naming.leg_channel(CALL, number) for number in (2, 3, 4))
    rang: list[facts.Fact] = [
        facts.OfferClosed(LATER, OfferResult.NO_ANSWER, 19),
        facts.Offered(LATER, 2, AgentId("201"), None, first),
        facts.AlsoOffered(LATER, 3, AgentId("202"), None, second),
        facts.AlsoOffered(LATER, 4, AgentId("203"), None, third),
        facts.LeadTaken(LATER, second),
        facts.AlsoClosed(LATER, first, OfferResult.BUSY, 17),
    ]
    (cdr,) = await dealt_with(parts, [opened(SiteName("gone")), *offered(), *rang])
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [
        ("201", OfferResult.NO_ANSWER),
        ("201", OfferResult.BUSY),
        ("203", OfferResult.CALLER_GONE),
        ("202", OfferResult.CALLER_GONE),
    ]


@pytest.mark.parametrize(
    "fact",
    [
        facts.AlsoRang(LATER, ChannelId("x")),
        facts.LeadTaken(LATER, ChannelId("x")),
        facts.AlsoClosed(LATER, ChannelId("x"), OfferResult.BUSY, 17),
    ],
)
@pytest.mark.parametrize("before", [0, 2])
async def test_a_history_of_phones_that_were_not_called_is_closed(parts: Parts, fact: facts.Fact, before: int) -> None:
    (cdr,) = await dealt_with(parts, [opened(), *offered()[:before], fact])
    assert (cdr.call_id, cdr.outcome) == (CALL, Outcome.ABANDONED)


async def test_a_history_that_contradicts_itself_is_closed(parts: Parts) -> None:
    (cdr,) = await dealt_with(parts, [opened(), opened(), facts.Connected(LATER)])
    assert (cdr.call_id, cdr.ended_at) == (CALL, LATER)


async def test_a_history_without_a_beginning_is_set_aside_and_told(parts: Parts) -> None:
    with capture_logs() as logs:
        assert await dealt_with(parts, [facts.Connected(LATER)]) == []
    assert "journal.history_set_aside" in [log["event"] for log in logs]
    assert [(one.call_id, one.why) for one in records_set_aside(parts.journal.path)] == [
        (CALL, "the beginning of its history cannot be read")
    ]


async def test_cdrs_that_were_set_aside_are_tried_again_at_a_start(parts: Parts) -> None:
    async with parts.journal as journal:
        journal.finish(cdrs.handled(call_id=CALL))
        ((number, cdr),) = await journal.undelivered(10)
        await journal.set_aside(number, "value out of range")
        await remember(parts.dispatcher, journal, [HALL])
        assert await journal.undelivered(10) == [(number, cdr)]


async def test_who_hung_up_while_waiting_before_the_daemon_ended_has_lost_a_place_that_is_known(parts: Parts) -> None:
    queues = parts.dispatcher.exchange.rulebook.queues
    name = next(iter(queues))
    care = replace(queues[name], care=QueueCare(redial_within_s=60.0))
    rules = replace(parts.dispatcher.exchange.rulebook, queues={**queues, name: care})
    parts.dispatcher.exchange.conduct.waiting.replace(rules, AT, Output())
    gone = facts.Released(LATER, facts.ReleaseReason.CALLER_HUNG_UP, 16)
    async with parts.journal as journal:
        await left(journal, [opened(), facts.Queued(AT, name, 7), gone])
        journal.finish(cdrs.abandoned(call_id=CALL))
        await remember_lost_places(parts.dispatcher, journal)
    regain = parts.dispatcher.exchange.conduct.waiting._lost.regain
    lost = regain(name, "0552251234", 60.0, LATER)
    assert lost is not None
    assert (lost.place, lost.queued_at) == (7, AT)


async def test_a_journal_that_does_not_tell_costs_nothing_but_places(parts: Parts) -> None:
    queues = parts.dispatcher.exchange.rulebook.queues
    name = next(iter(queues))
    care = replace(queues[name], care=QueueCare(redial_within_s=60.0))
    parts.dispatcher.exchange.conduct.waiting.replace(
        replace(parts.dispatcher.exchange.rulebook, queues={**queues, name: care}), AT, Output()
    )
    async with parts.journal as journal:
        pass
    with capture_logs() as logs:
        await remember_lost_places(parts.dispatcher, journal)
    assert [entry["event"] for entry in logs] == ["journal.lost_places_unknown"]
