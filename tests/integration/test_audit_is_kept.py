"""The audit log in PostgreSQL is appended to and never altered, by the daemon's role least of all."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.store.audit import AuditSearch, open_audit_log
from callrouter.store.audit_delivery import AuditErrand
from callrouter.store.delivery import CdrWriter, DeliveryLimits
from callrouter.store.journal import Journal
from callrouter.store.postgres import connect
from tests.docs.markdown import ROOT, blocks
from tests.fakes import cdrs
from tests.integration.delivering import running

pytestmark = pytest.mark.postgres

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

AT = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
QUICK = DeliveryLimits(connect_s=2, statement_s=1, first_pause_s=0.02, longest_pause_s=0.1, poll_s=0.1, rest_s=0.0)
ENTRIES = [
    AuditEntry(
        AT + timedelta(days=day), "kim", AuditKind.LOGIN, "kim", "", "in", "page", account="kim", address="192.0.2.1"
    )
    for day in range(3)
]


@pytest.fixture
async def owner(journal: Journal, database: str) -> AsyncIterator["Connection"]:
    """Whose tables they are, with three entries in the log."""
    connection = await connect(database)
    for one in ENTRIES:
        journal.audit(one)
    await AuditErrand(journal).deliver(connection)
    yield connection
    await connection.close()


async def found(url: str) -> list[AuditEntry]:
    async with open_audit_log(url) as log:
        return await log.find(AuditSearch())


async def test_entries_read_back_with_account_and_address(owner: "Connection", database: str) -> None:
    assert await found(database) == list(reversed(ENTRIES))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE callrouter.audit SET who = 'lee'",
        "UPDATE callrouter.audit SET note = 'x' WHERE who = 'kim'",
        "DELETE FROM callrouter.audit WHERE at < now()",
        "TRUNCATE callrouter.audit",
        "INSERT INTO callrouter.audit OVERRIDING SYSTEM VALUE SELECT * FROM callrouter.audit"
        " ON CONFLICT (id) DO UPDATE SET who = 'lee'",
    ],
)
async def test_nobody_alters_what_is_there_the_owner_neither(
    owner: "Connection", database: str, statement: str
) -> None:
    with pytest.raises(asyncpg.PostgresError) as refused:
        await owner.execute(statement)
    assert "callrouter.audit is appended to and never altered" in str(refused.value)
    assert await found(database) == list(reversed(ENTRIES))


async def test_old_entries_go_by_the_purge_which_says_so(owner: "Connection", database: str) -> None:
    removed = await owner.fetchval("SELECT callrouter.purge_audit($1, 'lee', 'kept for a day')", AT + timedelta(days=1))
    assert removed == 1
    purge, *left = await found(database)
    assert left == [ENTRIES[2], ENTRIES[1]]
    assert (purge.kind, purge.who, purge.name, purge.was, purge.via) == (
        AuditKind.PURGE,
        "lee",
        "audit",
        "1",
        "database",
    )
    assert purge.note.startswith("kept for a day (role ")
    with pytest.raises(asyncpg.PostgresError, match="never altered"):
        await owner.execute("DELETE FROM callrouter.audit")
    with pytest.raises(asyncpg.PostgresError, match="who purges the audit log, and why, must be said"):
        await owner.execute("SELECT callrouter.purge_audit(now(), 'lee', '')")


GRANTS = next(
    block.text for block in blocks(ROOT / "docs" / "operator.md") if "REVOKE ALL ON callrouter.audit" in block.text
)


@pytest.fixture
async def daemons_url(owner: "Connection", database: str) -> AsyncIterator[str]:
    """The database for a role that was given what docs/operator.md says, and owns nothing."""
    role = f"daemon_{urlsplit(database).path[1:]}"
    given = [
        line for line in GRANTS.splitlines() if not line.startswith(("CREATE ROLE callrouter_owner", "CREATE DATA"))
    ]
    own = await owner.fetchval("SELECT current_user")
    text = "\n".join(given).replace("callrouter_daemon", role).replace("callrouter_owner", own)
    await owner.execute(text)
    parts = urlsplit(database)
    yield parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
    await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_the_daemon_works_with_a_role_that_owns_nothing(
    daemons_url: str, journal: Journal, database: str
) -> None:
    async with running(CdrWriter(journal, daemons_url, QUICK, errands=(AuditErrand(journal),))) as writer:
        journal.finish(cdrs.handled())
        journal.audit(ENTRIES[0])
        assert await writer.drain(10)
        assert (writer.health.set_aside, writer.health.errands_refused) == (0, {"audit": 0})
    assert len(await found(daemons_url)) == 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE callrouter.audit SET who = 'lee'",
        "DELETE FROM callrouter.audit",
        "TRUNCATE callrouter.audit",
        "ALTER TABLE callrouter.audit DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_is_kept ON callrouter.audit",
        "DROP TABLE callrouter.audit",
        "SELECT callrouter.purge_audit(now(), 'lee', 'all of it')",
        "SET callrouter.purging = 'audit'; DELETE FROM callrouter.audit",
        "CREATE OR REPLACE FUNCTION callrouter.audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
    ],
)
async def test_that_role_appends_to_the_log_and_nothing_else(daemons_url: str, database: str, statement: str) -> None:
    connection = await asyncpg.connect(daemons_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()
    assert await found(database) == list(reversed(ENTRIES))
