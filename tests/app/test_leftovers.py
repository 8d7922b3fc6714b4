"""What the journal of one that led before had left: nothing of it is lost, and no caller has two records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from callrouter.app.leftovers import JournalSource
from callrouter.core import facts
from callrouter.core.ids import CallId, ChannelId
from callrouter.core.inbound import CallFacts
from callrouter.errors import StoreError
from callrouter.store import copied
from callrouter.store.copied import Copied
from callrouter.store.journal import Journal
from callrouter.store.journal_feed import JournalFeed
from tests.app.conftest import HALL
from tests.fakes import cdrs

PATIENCE_S = 5.0


def opened(call: CallId, channel: str) -> tuple[str, bytes]:
    fact = facts.Opened(datetime.now(UTC), call, HALL, ChannelId(channel), CallFacts("120", HALL, "0552251234"))
    return "Opened", msgspec.msgpack.encode(fact)


def left(*calls: tuple[CallId, str, bytes]) -> bytes:
    at = datetime.now(UTC).timestamp()
    return copied.encode(Copied(facts=[(at, call, kind, body) for call, kind, body in calls]))


@pytest.fixture
async def feed() -> JournalFeed:
    return JournalFeed()


@pytest.fixture
async def journal(tmp_path: Path, feed: JournalFeed) -> AsyncIterator[Journal]:
    async with Journal(tmp_path / "journal.sqlite3", feed=feed) as opened_journal:
        yield opened_journal


async def test_a_call_that_died_with_a_machine_has_a_record_that_says_so(journal: Journal, feed: JournalFeed) -> None:
    call = cdrs.call_id()
    await JournalSource(journal, feed).take_in(left((call, *opened(call, "1.1"))))
    ((_, cdr),) = await journal.undelivered(10)
    assert (cdr.call_id, cdr.caller, cdr.talk_s) == (call, "0552251234", 0.0)
    assert "estimate" in cdr.explanation, "nobody saw its end"


async def test_a_caller_whom_the_successor_met_as_a_stranger_has_one_record(
    journal: Journal, feed: JournalFeed
) -> None:
    ours, theirs = cdrs.call_id(), cdrs.call_id()
    journal.append_facts(ours, *opened(ours, "1.1"))
    await JournalSource(journal, feed).take_in(left((theirs, *opened(theirs, "1.1"))))
    assert await journal.undelivered(10) == []
    assert list(await journal.open_calls()) == [ours]


async def test_a_call_that_the_successor_knows_goes_on_as_it_is(journal: Journal, feed: JournalFeed) -> None:
    call = cdrs.call_id()
    journal.append_facts(call, *opened(call, "1.1"))
    await JournalSource(journal, feed).take_in(left((call, *opened(call, "1.1")), (call, "Answered", b"later")))
    assert [len(known) for known in (await journal.open_calls()).values()] == [1]
    assert await journal.undelivered(10) == []


async def test_what_cannot_be_read_makes_no_record_and_no_fault(journal: Journal, feed: JournalFeed) -> None:
    source = JournalSource(journal, feed)
    await source.take_in(left((cdrs.call_id(), "Opened", b"\xc1")))
    assert await journal.undelivered(10) == []
    with pytest.raises(StoreError):
        await source.take_in(b"\xc1")


async def test_who_copies_is_told_the_whole_and_then_each_commit(journal: Journal, feed: JournalFeed) -> None:
    call = cdrs.call_id()
    journal.append_facts(call, *opened(call, "1.1"))
    async with aclosing(JournalSource(journal, feed).stream(0.0)) as parts, asyncio.timeout(PATIENCE_S):
        first, second = await anext(parts), await anext(parts)
        assert [(is_whole, is_last) for _, is_whole, is_last in (first, second)] == [(True, False), (True, True)]
        assert copied.decode(first[0]).term == 1
        journal.append_facts(call, "Answered", b"2")
        body, is_whole, _ = await anext(parts)
        assert (copied.decode(body).facts[0][3], is_whole) == (b"2", False)
    assert not feed._readers
