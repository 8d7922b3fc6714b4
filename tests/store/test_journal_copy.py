"""A copy of the leader's journal: the whole at first, then what comes, and nothing twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.ids import CallId
from callrouter.errors import JournalError, StoreError
from callrouter.store import copied, journal_copy, journal_feed
from callrouter.store.copied import Copied
from callrouter.store.journal import Fact, Journal
from callrouter.store.journal_copy import JournalCopy, Part
from callrouter.store.journal_feed import JournalFeed
from tests.fakes import cdrs

KEEP_S = 86400.0
PATIENCE_S = 5.0


def bodies(calls: dict[CallId, list[Fact]]) -> dict[CallId, list[bytes]]:
    return {call: [fact.body for fact in facts] for call, facts in calls.items()}


def entry(name: str, becomes: str) -> AuditEntry:
    return AuditEntry(datetime.now(UTC), "kim", AuditKind.AGENT, name, "on", becomes, "api")


def parts(bodies: list[bytes]) -> list[Part]:
    return [Part(body, is_whole=True, is_last=place == len(bodies)) for place, body in enumerate(bodies, start=1)]


class Leader:
    """A journal that is copied."""

    def __init__(self, journal: Journal, feed: JournalFeed) -> None:
        self.journal = journal
        self.feed = feed
        self.reader = feed.listen()
        self.after = 0

    async def give_whole(self, copy: JournalCopy) -> None:
        self.after, found = await self.journal.whole(await copy.since())
        await copy.take(parts(found))

    async def give_next(self, copy: JournalCopy) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await copy.take([Part(await self.reader.next(self.after))])


@asynccontextmanager
async def leading(path: Path) -> AsyncIterator[Leader]:
    feed = JournalFeed()
    async with Journal(path, feed=feed, term=7) as journal:
        yield Leader(journal, feed)


@asynccontextmanager
async def copying(path: Path) -> AsyncIterator[JournalCopy]:
    async with JournalCopy(path, KEEP_S) as copy:
        yield copy


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return tmp_path / "ours.sqlite3"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return tmp_path / "theirs.sqlite3"


async def test_who_leads_with_a_copy_knows_what_the_leader_knew(ours: Path, theirs: Path) -> None:
    talks, waits, over, delivered = (cdrs.call_id() for _ in range(4))
    async with leading(ours) as leader, copying(theirs) as copy:
        journal = leader.journal
        journal.append_facts(talks, "opened", b"1")
        journal.append_facts(waits, "opened", b"2")
        journal.append_facts(over, "opened", b"3")
        journal.finish(cdrs.handled(call_id=over))
        journal.finish(cdrs.handled(call_id=delivered))
        journal.audit(entry("201", "paused"))
        numbers = {cdr.call_id: number for number, cdr in await journal.undelivered(10)}
        await journal.delivered([numbers[delivered]])
        await leader.give_whole(copy)
        journal.append_facts(talks, "connected", b"4")
        assert await journal.flush()
        await leader.give_next(copy)
        journal.audit(entry("201", "on"))
        assert await journal.flush()
        await leader.give_next(copy)
        await journal.delivered([numbers[over]])
        await leader.give_next(copy)
    async with Journal(theirs) as journal:
        assert journal.term == 8
        assert bodies(await journal.open_calls()) == {talks: [b"1", b"4"], waits: [b"2"]}
        assert bodies(await journal.calls_closed_within(60)) == {over: [b"3"]}
        assert [cdr.call_id for cdr in await journal.newest_cdrs(10)] == [over, delivered]
        assert await journal.undelivered(10) == []
        assert [one.becomes for one in await journal.newest_audit(AuditKind.AGENT)] == ["on"]
        assert [one.becomes for one in await journal.audit_of(AuditKind.AGENT)] == ["paused", "on"]


async def test_what_is_committed_while_the_whole_is_read_is_neither_missing_nor_there_twice(
    ours: Path, theirs: Path
) -> None:
    call = cdrs.call_id()
    async with leading(ours) as leader, copying(theirs) as copy:
        numbers = itertools.count()
        for _ in range(50):
            leader.journal.append_facts(call, "step", b"%d" % next(numbers))
        reading = asyncio.create_task(leader.give_whole(copy))
        while not reading.done():
            leader.journal.append_facts(call, "step", b"%d" % next(numbers))
            await asyncio.sleep(0)
        await reading
        for _ in range(50):
            leader.journal.append_facts(call, "step", b"%d" % next(numbers))
        assert await leader.journal.flush()
        handed_over = next(numbers)
        while await copied_rows(copy) < handed_over:
            await leader.give_next(copy)
    async with Journal(theirs) as journal:
        assert bodies(await journal.open_calls()) == {call: [b"%d" % number for number in range(handed_over)]}


async def copied_rows(copy: JournalCopy) -> int:
    return sum(len(copied.decode(body).facts) for body in await copy.leftovers())


async def test_what_a_call_came_to_elsewhere_replaces_what_was_known_of_it_here(ours: Path, theirs: Path) -> None:
    ours_too, gone = cdrs.call_id(), cdrs.call_id()
    async with Journal(theirs) as before:
        before.append_facts(ours_too, "opened", b"1")
        before.append_facts(ours_too, "offered", b"as it was here")
        before.append_facts(gone, "opened", b"only here")
        before.audit(entry("201", "paused"))
    async with leading(ours) as leader, copying(theirs) as copy:
        leader.journal.append_facts(ours_too, "opened", b"1")
        leader.journal.append_facts(ours_too, "offered", b"as it is there")
        leader.journal.audit(entry("202", "paused"))
        await leader.give_whole(copy)
    async with Journal(theirs) as after:
        assert bodies(await after.open_calls()) == {ours_too: [b"1", b"as it is there"]}
        assert [one.name for one in await after.newest_audit(AuditKind.AGENT)] == ["202"]


async def test_what_one_that_led_before_had_left_is_delivered_and_does_not_count_as_how_things_stand(
    ours: Path, theirs: Path
) -> None:
    over, both, half = (cdrs.call_id() for _ in range(3))
    async with Journal(theirs) as before:
        before.finish(cdrs.handled(call_id=over))
        before.finish(cdrs.handled(call_id=both, talk_s=1.0))
        before.append_facts(half, "opened", b"1")
        before.append_facts(half, "routed", b"2")
        before.audit(entry("201", "paused"))
    async with leading(ours) as leader, copying(theirs) as copy:
        journal = leader.journal
        journal.finish(cdrs.handled(call_id=both, talk_s=2.0))
        journal.audit(entry("201", "on"))
        unknown: dict[CallId, list[Fact]] = {}
        for body in await copy.leftovers():
            unknown |= await journal.take_in(copied.decode(body))
        for body in await copy.leftovers():  # the answer was lost, and it is said again
            await journal.take_in(copied.decode(body))
        assert bodies(unknown) == {half: [b"1", b"2"]}
        records = {cdr.call_id: cdr.talk_s for _, cdr in await journal.undelivered(10)}
        assert records == {over: cdrs.handled().talk_s, both: 2.0}
        assert [one.entry.becomes for one in await journal.undelivered_audit(10)] == ["paused", "on"]
        assert [one.becomes for one in await journal.newest_audit(AuditKind.AGENT)] == ["on"]


async def test_a_whole_that_breaks_off_leaves_the_copy_as_it_was(ours: Path, theirs: Path) -> None:
    call = cdrs.call_id()
    async with Journal(theirs) as before:
        before.append_facts(call, "opened", b"1")
    async with copying(theirs) as copy:
        await copy.take([Part(copied.encode(Copied(term=9)), is_whole=True)])
    async with Journal(theirs) as after:
        assert (bodies(await after.open_calls()), after.term) == ({call: [b"1"]}, 2)


async def test_who_is_too_slow_is_told_to_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_feed, "MOST_WAITING_BYTES", 100)
    feed = JournalFeed()
    reader = feed.listen()
    feed.note(Copied(delivered=["a"] * 100))
    with pytest.raises(StoreError, match="wait to be copied"):
        async with asyncio.timeout(PATIENCE_S):
            await reader.next(0)
    feed.leave(reader)


async def test_what_is_no_part_of_a_journal_is_refused(theirs: Path) -> None:
    async with copying(theirs) as copy:
        with pytest.raises(StoreError, match="cannot be read"):
            await copy.take([Part(b"\xc1")])


async def test_a_copy_is_not_made_over_a_journal_that_is_in_use(theirs: Path) -> None:
    async with Journal(theirs):
        with pytest.raises(JournalError, match="another callrouter"):
            async with copying(theirs):
                pass


async def test_a_damaged_copy_is_set_aside_and_begun_anew(ours: Path, theirs: Path) -> None:
    theirs.write_bytes(b"no journal" * 1000)
    call = cdrs.call_id()
    async with leading(ours) as leader, copying(theirs) as copy:
        leader.journal.append_facts(call, "opened", b"1")
        await leader.give_whole(copy)
    assert list(theirs.parent.glob("theirs.sqlite3.corrupt-*"))
    async with Journal(theirs) as after:
        assert bodies(await after.open_calls()) == {call: [b"1"]}


async def test_a_copy_forgets_what_is_old(ours: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_copy, "PRUNE_EVERY_S", 0.0)
    async with leading(ours) as leader, JournalCopy(theirs, -60.0) as copy:
        leader.journal.finish(cdrs.handled())
        ((number, _),) = await leader.journal.undelivered(1)
        await leader.journal.delivered([number])
        await leader.give_whole(copy)
        assert await copy.since() < 0
