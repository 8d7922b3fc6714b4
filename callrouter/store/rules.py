"""Versions of the rules: every set of files that went live, when, by whom, and its text."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from callrouter.errors import DatabaseError, StoreError
from callrouter.store.postgres import connect, reading
from callrouter.store.queries import query

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


class LiveRules(msgspec.Struct, frozen=True):
    """Rules that went live. ``id`` tells this event from all others (UUID)."""

    id: str
    at: datetime
    """Aware UTC, by the daemon's clock."""
    who: str
    """As told: the user of a command, ``SIGHUP``, ``file saved``, ``start``."""
    host: str
    directory: str
    """Whose they are: the machine, and the folder that the daemon reads."""
    config_hash: str
    digest: str
    """Of all the files, golden cases too; two events with the same are of the same text."""
    files: Mapping[str, str]
    """Text by name."""
    note: str = ""
    """Why, where there is something to say: ``back to @12``."""


@dataclass(frozen=True, slots=True)
class Version:
    """What PostgreSQL keeps of them; ``changed`` are the names of files that are not as in the version before."""

    number: int
    rules: LiveRules
    changed: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(LiveRules)


def encode_rules(rules: LiveRules) -> bytes:
    """As JSON, for the journal."""
    return msgspec.json.encode(rules)


def decode_rules(body: bytes) -> LiveRules:
    """What :func:`encode_rules` wrote.

    Raises:
        StoreError: the bytes are no rules of this version of the program.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise StoreError(f"the journal holds rules that cannot be read: {exc}") from exc


async def insert_rules(connection: "Connection", rules: LiveRules) -> None:
    """Add them as the next version, unless they are there, or are the latest of their daemon.

    The latest: a daemon that lost its journal tells at its start what PostgreSQL knows.

    Raises:
        asyncpg.PostgresError: nothing was added.
    """
    async with connection.transaction():
        await connection.execute(query("lock_rules"))
        await connection.execute(
            query("insert_rules"),
            uuid.UUID(rules.id),
            rules.at,
            rules.who.replace("\0", "\ufffd"),
            rules.host,
            rules.directory,
            rules.config_hash,
            rules.digest,
            rules.note.replace("\0", "\ufffd"),
            msgspec.json.encode(rules.files).decode(),
        )


class RulesArchive:
    """Reads versions over one connection. Every method raises DatabaseError or UnreachableError as ``reading`` does."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def newest(self, limit: int) -> list[Version]:
        """The newest versions, newest first."""
        async with reading("versions of the rules"):
            rows = await self._connection.fetch(query("newest_rules"), limit)
        return [_version(row) for row in rows]

    async def get(self, number: int) -> Version:
        """The version of that number.

        Raises:
            DatabaseError: there is none; with those that there are.
        """
        async with reading("versions of the rules"):
            row = await self._connection.fetchrow(query("get_rules"), number)
            bounds = await self._connection.fetchrow(query("rules_bounds"))
        if row is not None:
            return _version(row)
        first, last = (bounds["first"], bounds["last"]) if bounds is not None else (None, None)
        there = f"there are @{first} to @{last}" if first is not None else "none has been kept yet"
        raise DatabaseError(f"there is no version @{number}; {there}")

    async def of_hash(self, config_hash: str) -> Version | None:
        """The newest version of that hash, or None."""
        async with reading("versions of the rules"):
            row = await self._connection.fetchrow(query("rules_of_hash"), config_hash)
        return _version(row) if row is not None else None


@asynccontextmanager
async def open_rules(url: str) -> AsyncIterator[RulesArchive]:
    """An archive over a connection of its own.

    Raises:
        UnreachableError: the database cannot be reached.
    """
    connection = await connect(url, statement_timeout_s=60.0)
    try:
        yield RulesArchive(connection)
    finally:
        await connection.close(timeout=5.0)


def changed_files(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """The names of files that were added, removed or changed."""
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _version(row: asyncpg.Record) -> Version:
    files = _files(row["files"])
    earlier = row["earlier"]
    rules = LiveRules(
        id=str(row["id"]),
        at=row["went_live_at"],
        who=row["who"],
        host=row["host"],
        directory=row["directory"],
        config_hash=row["config_hash"],
        digest=row["digest"],
        files=files,
        note=row["note"],
    )
    return Version(row["version"], rules, changed_files(_files(earlier), files) if earlier is not None else ())


def _files(column: str) -> Mapping[str, str]:
    return msgspec.json.decode(column, type=dict[str, str])
