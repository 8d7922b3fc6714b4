"""The schema goes forward while the daemon of the version before writes into it, and while others read for long."""

import asyncio
import re
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from click.testing import CliRunner

from callrouter.cli import main
from callrouter.store import schema
from callrouter.store.postgres import connect
from callrouter.store.queries import query
from callrouter.store.schema import Migration, migrate, migrations

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

FIRST = 10
STALL_S = 2.0
"""How long an insert may wait behind a step, on a machine that does much else."""
_INSERT = re.compile(r"INSERT INTO callrouter\.(?P<table>\w+) \((?P<columns>[^)]*)\)", re.DOTALL)
AT = datetime(2026, 11, 24, 1, tzinfo=UTC)

OF_TYPE = {
    "uuid": uuid.UUID(int=7),
    "timestamptz": AT,
    "timestamp with time zone": AT,
    "integer": 1,
    "smallint": 1,
    "bigint": 1,
    "numeric": 1,
    "jsonb": "[]",
    "ARRAY": [],
    "boolean": False,
    "text": "x",
}
"""A value that a column of a type takes, where the table does not ask for one of a few words."""
WORDS = {
    "outcome": "handled",
    "disposition": "ANSWERED",
    "released_by": "caller",
    "result": "answered",
    "how": "answered",
    "mark": None,
    "return_of": None,
    "return_result": None,
    "return_tries": None,
    "destination": None,
}


def at_version(version: int) -> tuple[Migration, ...]:
    return tuple(step for step in migrations() if step.version <= version)


async def bring_to(connection: "Connection", version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: at_version(version))
        await migrate(connection)


async def insert_of_then(connection: "Connection", name: str) -> tuple[str, list[Any]] | None:
    """The insert as the code of the version that the database is at has it: with the columns that there are, alone.

    What a version wrote is what the steps up to it made; nothing was ever taken out of a statement. None: the table is
    not there yet.
    """
    found = _INSERT.search(query(name))
    assert found is not None, name
    types = {
        row["column_name"]: row["data_type"]
        for row in await connection.fetch(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'callrouter' AND table_name = $1",
            found["table"],
        )
    }
    columns = [column.strip() for column in found["columns"].split(",") if column.strip() in types]
    if not columns:
        return None
    numbers = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    values = [WORDS.get(column, OF_TYPE[types[column]]) for column in columns]
    return f"INSERT INTO callrouter.{found['table']} ({', '.join(columns)}) VALUES ({numbers})", values  # noqa: S608


def anew(values: Sequence[Any]) -> list[Any]:
    """The same row of another call."""
    own = uuid.uuid4()
    return [own if value == uuid.UUID(int=7) else (f"x{own}" if value == "x" else value) for value in values]


@pytest.mark.parametrize("version", range(FIRST, len(migrations()) + 1))
async def test_records_as_the_version_before_writes_them_go_on_into_the_new_schema(
    empty_database: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, old = await connect(empty_database), await connect(empty_database)
    try:
        await bring_to(owner, version - 1, monkeypatch)
        statement, values = await insert_of_then(old, "insert_cdr") or ("", [])
        others = [await insert_of_then(old, name) for name in ("insert_visit", "insert_message", "insert_audit")]
        waits: list[float] = []
        done = asyncio.Event()

        async def go_on() -> None:
            while not done.is_set() or len(waits) < 20:
                began_s = time.monotonic()
                await old.execute(statement, *anew(values))
                waits.append(time.monotonic() - began_s)

        writing = asyncio.create_task(go_on())
        while len(waits) < 20:  # noqa: ASYNC110 - it is under way
            await asyncio.sleep(0.001)
        await bring_to(owner, version, monkeypatch)
        done.set()
        await writing
        call = await old.fetchval("SELECT call_id FROM callrouter.cdr LIMIT 1")
        for one in others:
            if one is not None:
                await old.execute(one[0], *(call if value == uuid.UUID(int=7) else value for value in one[1]))

        assert await owner.fetchval("SELECT max(version) FROM callrouter.migration") == version
        assert await owner.fetchval("SELECT count(*) FROM callrouter.cdr") == len(waits)
        assert max(waits) < STALL_S
    finally:
        await owner.close()
        await old.close()


async def test_a_step_that_cannot_have_a_table_soon_lets_those_behind_it_go_and_the_command_tries_again(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_TIMEOUT_S", 0.2)
    monkeypatch.setattr("callrouter.cli.migrate.AGAIN_S", 0.05)
    report, old = await connect(empty_database), await connect(empty_database)
    try:
        await bring_to(old, len(migrations()) - 3, monkeypatch)  # one of the last three is about records
        statement, values = await insert_of_then(old, "insert_cdr") or ("", [])
        long = report.transaction()
        await long.start()
        await report.fetch("SELECT * FROM callrouter.cdr")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await migrate(old)
        words = ["migrate", "--database-url", empty_database, "--config", "/nowhere"]
        migrating = asyncio.create_task(asyncio.to_thread(CliRunner().invoke, main, words))
        waits = []
        for _ in range(40):
            began_s = time.monotonic()
            await old.execute(statement, *anew(values))
            waits.append(time.monotonic() - began_s)
            await asyncio.sleep(0.02)
        assert not migrating.done()
        await long.commit()
        result = await migrating
    finally:
        await report.close()
        await old.close()
    assert result.exit_code == 0, result.output
    assert "others use the tables; trying again" in result.output
    assert f"version {migrations()[-1].version}: " in result.output
    assert max(waits) < STALL_S
