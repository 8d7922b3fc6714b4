"""This machine: folders, disk, ports, limits and time."""

import asyncio
import errno
import os
import pwd
import resource
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from callrouter.config import Loaded
from callrouter.config.accounts import account_file
from callrouter.doctor.finding import WAIT_S, Finding, error, ok, warning
from callrouter.errors import JournalError
from callrouter.store.journal_file import FILE_NAME
from callrouter.store.set_aside import records_set_aside

MEGABYTE: Final = 1_000_000
DISK_ERROR_BYTES: Final = 100 * MEGABYTE
DISK_WARNING_BYTES: Final = 1000 * MEGABYTE
FILES_NEEDED: Final = 1024
"""Open files for FastAGI sessions, web clients, websockets and the rest, with room to spare."""


def check_journal_folder(folder: Path) -> list[Finding]:
    """Whether the journal can be written there, or the folder be made; and whether the disk has room."""
    check = "journal"
    user = pwd.getpwuid(os.geteuid()).pw_name
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        remedy = f"install -d -o callrouter -m 0750 {folder}, or run this as the daemon's user"
        return [error(check, f"{place} cannot be written by {user}", remedy)]
    text = f"{folder} can be written by {user}" if place == folder else f"{folder} is not there yet and can be made"
    return [
        *_check_privacy(check, folder),
        ok(check, text),
        _check_room(check, place),
        *_check_set_aside(check, folder),
    ]


def _check_privacy(check: str, folder: Path) -> list[Finding]:
    """The journal in it is readable for the daemon alone; others should not even see what lies there."""
    mode = stat.S_IMODE(folder.stat().st_mode) if folder.is_dir() else 0
    if not mode & 0o027:
        return []
    text = f"{folder} is open to others (mode {mode:04o}); it holds callers' numbers"
    return [warning(check, text, f"chmod 0750 {folder}")]


def check_account_file(directory: Path) -> list[Finding]:
    """Hashes of passwords are nobody's business but the daemon's: who has them can try passwords at leisure."""
    path = account_file(directory)
    mode = stat.S_IMODE(path.stat().st_mode) if path is not None else 0
    if path is None or not mode & 0o007:
        return []
    text = f"{path} is open to others (mode {mode:04o}); it holds hashes of passwords"
    return [warning("accounts", text, f"chgrp callrouter {path}; chmod 0640 {path}")]


def _check_set_aside(check: str, folder: Path) -> list[Finding]:
    """Records that PostgreSQL would not take. No journal yet, or none that we may read, has nothing to tell."""
    try:
        aside = records_set_aside(folder / FILE_NAME)
    except JournalError:
        return []
    if not aside:
        return []
    text = f"{len(aside)} records of calls were set aside, the newest of {max(one.at for one in aside):%Y-%m-%d}"
    remedy = "callrouter cdr --set-aside says why; they are tried again whenever callrouter starts"
    return [warning(check, text, remedy)]


def _check_room(check: str, place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    text = f"{free / MEGABYTE:,.0f} MB are free on the disk of {place}"
    remedy = "make room: a full disk means that calls are not recorded"
    if free < DISK_ERROR_BYTES:
        return error(check, text, remedy)
    return warning(check, text, remedy) if free < DISK_WARNING_BYTES else ok(check, text)


async def check_port(check: str, host: str, port: int, *, ours: bool) -> Finding:
    """Whether the daemon can listen there, or does: ``ours`` says that a daemon of this configuration runs."""
    place = f"{host}:{port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(WAIT_S):
            listener = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    except TimeoutError:
        return error(check, f"{host} has no address within {WAIT_S:g} s", "write an address instead of a name")
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            return error(check, f"{place} cannot be had: {exc.strerror or exc}", "set another host or port")
        if ours:
            return ok(check, f"{place} is in use, as it should be: the daemon runs")
        return error(check, f"{place} is taken by another program", f"who has it: ss -lntp 'sport = :{port}'")
    listener.close()
    await listener.wait_closed()
    return ok(check, f"{place} is free")


def check_files() -> Finding:
    """The limit on open files, of this shell: the daemon's own is that of its unit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FILES_NEEDED:
        remedy = f"LimitNOFILE=8192 in the systemd unit; in a shell: ulimit -n {FILES_NEEDED}"
        return warning("files", f"only {soft} files may be open at once", remedy)
    return ok("files", f"{soft if soft >= 0 else 'any number of'} files may be open at once")


def check_time(loaded: Loaded) -> Finding:
    """What time it is where the calendars are."""
    now = datetime.now(UTC).astimezone(loaded.timezone)
    return ok("time", f"{now:%Y-%m-%d %H:%M:%S %z} in {loaded.timezone.key}, by which the calendars go")
