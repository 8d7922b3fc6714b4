"""PostgreSQL's own programs, by which the records come into a backup and out of it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from callrouter.errors import CallrouterError, UnreachableError
from callrouter.store.postgres import connected, reading

DUMP, RESTORE = "pg_dump", "pg_restore"
_TIMEOUT_S: Final = 3600.0


def dump(url: str, target: Path, programs: Path | None = None) -> None:
    """Write the schema ``callrouter``, as of one moment, to ``target``; ``programs`` is the folder of ``pg_dump``.

    Raises:
        CallrouterError: there is no such program, or it fails.
    """
    words = ["--format=custom", "--schema=callrouter", "--no-owner", "--no-privileges", f"--file={target}"]
    _run(DUMP, url, words, programs)


def restore(url: str, source: Path, programs: Path | None = None) -> None:
    """Put it into a database that has no such schema: all of it or nothing.

    Raises:
        CallrouterError: there is no such program, or it fails.
    """
    words = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run(RESTORE, url, [*words, str(source)], programs)


async def has_records(url: str) -> bool:
    """Whether the database has the schema.

    Raises:
        UnreachableError: it is away.
        DatabaseError: it says no.
    """
    async with connected(url) as connection, reading("the schema"):
        return bool(await connection.fetchval("SELECT to_regnamespace('callrouter') IS NOT NULL"))


def _run(program: str, url: str, words: list[str], programs: Path | None) -> None:
    found = shutil.which(program, path=str(programs) if programs is not None else None)
    if found is None:
        where = f" in {programs}" if programs is not None else ""
        raise UnreachableError(f"there is no {program}{where}; install postgresql-client, or give --without-database")
    plain, secret = _without_password(url)
    done = subprocess.run(
        [found, f"--dbname={plain}", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        env={**os.environ, **secret},
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        raise CallrouterError(f"{program} fails: {said[0]}")


def _without_password(url: str) -> tuple[str, Mapping[str, str]]:
    """The URL for a list of processes, and the password for the environment of one alone."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, {}
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}@{host}").geturl(), {"PGPASSWORD": unquote(parts.password)}
