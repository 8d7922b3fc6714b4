"""Bringing the database's schema up to date: forward only, safe to run by several daemons at once.

Every migration only adds, so a daemon of the version before goes on working beside the new one. A step that waits for a
table, behind a long report, has everybody wait who comes after it: so it gives up soon, and is tried again.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import structlog

from callrouter.store.queries import query

if TYPE_CHECKING:
    from asyncpg import Connection, Record

log = structlog.get_logger(__name__)

_FILE = re.compile(r"(?P<version>[0-9]{4})_(?P<name>\w+)\.sql")
_TABLE = """
    CREATE SCHEMA IF NOT EXISTS callrouter;
    CREATE TABLE IF NOT EXISTS callrouter.migration (
        version integer PRIMARY KEY,
        name text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    );
"""
_MIGRATION_TIMEOUT_S = 600.0
"""A new index on years of calls takes its time."""
LOCK_TIMEOUT_S = 5.0
"""How long a step waits for a table that others use, and all who come after it with it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All steps, in order."""
    found = []
    for file in resources.files("callrouter.store").joinpath("migrations").iterdir():
        if match := _FILE.fullmatch(file.name):
            found.append(Migration(int(match["version"]), match["name"], file.read_text("utf-8")))
    return tuple(sorted(found, key=lambda step: step.version))


async def migrate(connection: "Connection[Record]") -> tuple[Migration, ...]:
    """Apply the steps that are missing, all or none; those that were applied.

    Raises:
        asyncpg.LockNotAvailableError: others use a table for longer than ``LOCK_TIMEOUT_S``; nothing was done.
        asyncpg.PostgresError: the role may not do it, or the database is read-only.
    """
    newest = migrations()[-1].version
    # Looked up first, without a lock: the usual case, and one that a role without rights to create may be in.
    if await connection.fetchval(query("has_migrations")):
        version = await connection.fetchval(query("schema_version"))
        if version >= newest:
            return ()
    async with connection.transaction():
        patience = f"{_MIGRATION_TIMEOUT_S:.0f}s"
        await connection.execute(f"SET LOCAL statement_timeout = '{patience}'; SET LOCAL lock_timeout = '{patience}'")
        await connection.execute(query("lock_migrations"), timeout=_MIGRATION_TIMEOUT_S)
        await connection.execute(_TABLE)
        version = await connection.fetchval(query("schema_version"))
        missing = tuple(step for step in migrations() if step.version > version)
        # Only now: whoever migrates at the same time is waited for as long as that takes.
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S:.3f}s'")
        for step in missing:
            await connection.execute(step.sql, timeout=_MIGRATION_TIMEOUT_S)
            await connection.execute(query("record_migration"), step.version, step.name)
    for step in missing:
        log.info("database.migrated", version=step.version, name=step.name)
    return missing
