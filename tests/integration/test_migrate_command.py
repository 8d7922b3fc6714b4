"""``callrouter migrate`` brings the schema up to date, for a daemon whose role may not."""

import asyncio

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.store.postgres import connect
from callrouter.store.schema import migrations

pytestmark = pytest.mark.postgres


def invoke(url: str) -> Result:
    return CliRunner().invoke(main, ["migrate", "--database-url", url, "--config", "/nowhere"])


async def test_what_is_missing_is_made_and_nothing_twice(empty_database: str) -> None:
    first = await asyncio.to_thread(invoke, empty_database)
    assert first.exit_code == 0, first.output
    assert f"version {migrations()[-1].version}: {migrations()[-1].name}" in first.stdout.splitlines()
    assert (await asyncio.to_thread(invoke, empty_database)).stdout == "the schema is up to date\n"
    connection = await connect(empty_database)
    assert await connection.fetchval("SELECT count(*) FROM callrouter.migration") == len(migrations())
    await connection.close()


async def test_a_role_that_may_not_and_a_server_that_is_away_are_told_apart(empty_database: str) -> None:
    connection = await connect(empty_database)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await connection.close()
    assert (await asyncio.to_thread(invoke, empty_database)).exit_code == 1
    assert (await asyncio.to_thread(invoke, "postgresql://nobody@127.0.0.1:1/nothing")).exit_code == 3
