"""Asking one part of the database: rows read and changed by named statements, foreign errors told as ours."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import asyncpg

from callrouter.store.queries import query

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

Translating = Callable[[], AbstractAsyncContextManager[None]]
"""Makes a block in which what goes wrong is translated, such as :func:`callrouter.store.postgres.translated`."""


class Rows:
    """Statements by their names over one connection. Every method raises what ``translating`` makes of an error."""

    def __init__(self, connection: "Connection", translating: Translating) -> None:
        self._connection = connection
        self._translating = translating

    async def fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        """The rows that the statement returns."""
        async with self._translating():
            rows: list[asyncpg.Record] = await self._connection.fetch(query(name), *values)
        return rows

    async def change(self, name: str, *values: object) -> bool:
        """Whether the UPDATE changed a row."""
        async with self._translating():
            done: str = await self._connection.execute(query(name), *values)
        return done != "UPDATE 0"
