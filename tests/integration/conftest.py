"""A real PostgreSQL for the tests: one private server a session, a fresh copy of a migrated database a test."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from callrouter.store.embedded import EmbeddedPostgres
from callrouter.store.postgres import connect
from callrouter.store.schema import migrate

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that a server of another user can reach. Not below pytest's own: each new session closes that again."""
    with tempfile.TemporaryDirectory(prefix="callrouter-test-") as folder:
        yield Path(folder)


def _other_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def _sql(url: str, statement: str) -> None:
    connection = await connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres(open_folder: Path) -> Iterator[str]:
    """The URL of the session's server; its database ``migrated`` is the template."""
    server = EmbeddedPostgres(open_folder / "session")
    url = server.start()

    async def make_template() -> None:
        await _sql(url, "CREATE DATABASE migrated")
        connection = await connect(_other_database(url, "migrated"))
        try:
            await migrate(connection)
        finally:
            await connection.close()

    try:
        asyncio.run(make_template())
        yield url
    finally:
        server.stop()


@pytest.fixture
async def empty_database(postgres: str) -> AsyncIterator[str]:
    """The URL of a database that callrouter has never seen."""
    name = f"empty{next(_numbers)}"
    await _sql(postgres, f"CREATE DATABASE {name}")
    yield _other_database(postgres, name)
    await _sql(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[str]:
    """The URL of a migrated database of the test's own."""
    name = f"test{next(_numbers)}"
    await _sql(postgres, f"CREATE DATABASE {name} TEMPLATE migrated")
    yield _other_database(postgres, name)
    await _sql(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def connection(database: str) -> AsyncIterator["Connection"]:
    """A connection to the test's own database."""
    opened = await connect(database)
    yield opened
    await opened.close()
