"""The doctor looks at a real PostgreSQL."""

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from callrouter.doctor.database import check_database
from callrouter.doctor.finding import Level
from callrouter.store.postgres import connect
from callrouter.store.schema import migrations

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

NEWEST = migrations()[-1].version


async def verdict(url: str | None) -> tuple[Level, str, str]:
    (finding,) = await check_database(url)
    return finding.level, finding.text, finding.remedy


async def test_a_migrated_database_is_fine_and_stays_as_it_is(database: str, connection: "Connection") -> None:
    level, text, _ = await verdict(database)
    assert level is Level.OK
    assert text.startswith(f"reached; schema version {NEWEST}, and ")
    assert await connection.fetchval("SELECT count(*) FROM callrouter.cdr") == 0


async def test_an_empty_database_will_be_migrated_and_is_not_now(empty_database: str) -> None:
    level, text, _ = await verdict(empty_database)
    assert (level, text) == (
        Level.OK,
        f"reached; its schema is version 0, the daemon makes version {NEWEST} when it starts",
    )
    connection = await connect(empty_database)
    try:
        assert await connection.fetchval("SELECT to_regnamespace('callrouter')") is None
    finally:
        await connection.close()


async def test_a_role_without_rights_is_an_error(database: str, connection: "Connection") -> None:
    role = f"reader_{urlsplit(database).path[1:]}"
    await connection.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA callrouter TO {role}")
    await connection.execute(f"GRANT SELECT ON callrouter.migration TO {role}")
    await connection.execute(f"ALTER DATABASE {urlsplit(database).path[1:]} SET role = '{role}'")
    try:
        assert await verdict(database) == (
            Level.ERROR,
            f"{role} may not write CDRs",
            f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA callrouter TO {role}",
        )
        await connection.execute("UPDATE callrouter.migration SET version = version - 1000")
        level, text, _ = await verdict(database)
        assert (level, text) == (
            Level.ERROR,
            f"the schema is version {NEWEST - 1000} of {NEWEST}, and {role} may not change it",
        )
    finally:
        await connection.execute(f"ALTER DATABASE {urlsplit(database).path[1:]} RESET role")
        await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("granted", ["", "GRANT USAGE ON SCHEMA callrouter TO {role}"])
async def test_a_role_that_may_not_even_look_is_told_the_grants(
    database: str, connection: "Connection", granted: str
) -> None:
    name = urlsplit(database).path[1:]
    role = f"stranger_{name}"
    await connection.execute(f"CREATE ROLE {role} LOGIN; {granted.format(role=role)}")
    await connection.execute(f"ALTER DATABASE {name} SET role = '{role}'")
    try:
        level, text, remedy = await verdict(database)
        assert (level, text) == (Level.ERROR, f"{role} may not use the schema callrouter")
        assert remedy.startswith("as its owner: ")
        await connection.execute(remedy.removeprefix("as its owner: "))
        assert (await verdict(database))[0] is Level.OK
    finally:
        await connection.execute(f"ALTER DATABASE {name} RESET role")
        await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_read_only_database_is_an_error(database: str, connection: "Connection") -> None:
    await connection.execute(f"ALTER DATABASE {urlsplit(database).path[1:]} SET default_transaction_read_only = on")
    level, text, _ = await verdict(database)
    assert (level, text) == (Level.ERROR, "the database is read-only")


async def test_a_newer_schema_is_a_warning(database: str, connection: "Connection") -> None:
    await connection.execute("INSERT INTO callrouter.migration (version, name) VALUES (9000, 'future')")
    level, text, remedy = await verdict(database)
    assert level is Level.WARNING
    assert text.startswith("the schema is version 9000, made by a newer callrouter")
    assert remedy == "start the newer callrouter"


async def test_no_database_and_one_that_is_away_are_told_apart() -> None:
    assert (await verdict(None))[0] is Level.WARNING
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    level, text, _ = await verdict(f"postgresql://user:geheim@127.0.0.1:{port}/db")
    assert level is Level.ERROR
    assert "CDRs wait in the journal meanwhile" in text
    assert "geheim" not in text
