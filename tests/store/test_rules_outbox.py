"""Versions of the rules wait in the journal until PostgreSQL has them."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callrouter.store import journal_file
from callrouter.store.journal import Journal
from tests.fakes import cdrs, rules


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    async with Journal(path) as opened:
        yield opened


async def test_versions_come_back_oldest_first_and_once_each(journal: Journal) -> None:
    first, second = rules.live("1"), rules.live("2", note="why")
    journal.keep_rules(first)
    journal.keep_rules(second)
    assert journal.cdr_waiting.is_set()
    ((number, found),) = await journal.undelivered_rules()
    assert found == first
    await journal.rules_delivered(number)
    ((number, found),) = await journal.undelivered_rules()
    assert found == second
    await journal.rules_delivered(number)
    assert await journal.undelivered_rules() == []


async def test_the_text_that_is_live_already_is_no_new_version(path: Path) -> None:
    async with Journal(path) as journal:
        journal.keep_rules(rules.live("1"))
        journal.keep_rules(rules.live("1", who="start"))
        ((number, _),) = await journal.undelivered_rules()
        await journal.rules_delivered(number)
        assert await journal.undelivered_rules() == []
    async with Journal(path) as journal:
        journal.keep_rules(rules.live("1", who="start"))
        assert await journal.undelivered_rules() == []
        journal.keep_rules(rules.live("2"))
        journal.keep_rules(rules.live("1", note="back to @1"))
        ((number, _),) = await journal.undelivered_rules()
        await journal.rules_delivered(number)
        ((_, back),) = await journal.undelivered_rules()
    assert back.note == "back to @1"


async def test_what_was_handed_over_survives_the_end_of_the_daemon(path: Path) -> None:
    async with Journal(path) as journal:
        journal.keep_rules(rules.live("1"))
    async with Journal(path) as journal:
        ((_, found),) = await journal.undelivered_rules()
    assert found.files == {"routes.yaml": "1"}


async def test_one_that_is_refused_is_out_of_the_way_and_tried_again_later(journal: Journal) -> None:
    journal.keep_rules(rules.live("1"))
    journal.keep_rules(rules.live("2"))
    ((number, _),) = await journal.undelivered_rules()
    await journal.set_rules_aside(number, "too much")
    ((_, found),) = await journal.undelivered_rules()
    assert found.files == {"routes.yaml": "2"}
    await journal.take_up_again()
    ((_, found),) = await journal.undelivered_rules()
    assert found.files == {"routes.yaml": "1"}


async def test_one_that_cannot_be_read_is_set_aside(path: Path, journal: Journal) -> None:
    journal.keep_rules(rules.live("1"))
    journal.keep_rules(rules.live("2"))
    await journal.flush()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE rules SET body = x'00' WHERE seq = 1")
    other.close()
    ((_, found),) = await journal.undelivered_rules()
    assert found.files == {"routes.yaml": "2"}


async def test_a_journal_of_the_version_before_is_taken_up_with_its_records(path: Path) -> None:
    with sqlite3.connect(path) as old:
        old.executescript(f"{journal_file._MIGRATIONS[0]} PRAGMA user_version = 1;")
    old.close()
    async with Journal(path) as journal:
        journal.finish(cdrs.handled())
        journal.keep_rules(rules.live("1"))
        assert len(await journal.undelivered(10)) == 1
        assert len(await journal.undelivered_rules()) == 1
        assert journal.health.well
