"""Going back: a version of the history put into the folder, and then taken by the daemon; or nothing of it.

What runs must be what stands on disk, so the files are put in place first, all of them, and put back if the daemon does
not take them.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from callrouter.cli.versions import Source, text_of
from callrouter.cli.where import url_of
from callrouter.config.folder import files_of, is_inside, laid_out, locked, put_back, put_in_place
from callrouter.config.review import review
from callrouter.errors import ConfigError, UnreachableError
from callrouter.store.rules import Version, changed_files, open_rules
from callrouter.web.client import ask_reload, fetch_status
from callrouter.web.reload import ReloadReport, ReloadRequest

_LOOKED_AT = 100
"""Among so many of the newest versions the present files are looked for."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of it. ``kept`` has the files that were replaced, or, after a refusal, were put back."""

    version: Version
    report: ReloadReport
    kept: Path
    put_back: bool


def restore(place: Source, name: str, *, database_url: str, who: str, force: bool) -> Restored:
    """Put the version into the folder and have the daemon take it.

    Raises:
        ConfigError: the version does not pass the check any more; the folder has changes that never were live (and not
            ``force``); it cannot be written.
        DatabaseError: there is no such version.
        UnreachableError: the daemon or PostgreSQL cannot be reached. In every case the folder is as it was.
    """
    version = place.version(name)
    url = place.daemon_url or url_of(place.config)
    # Asked before anything is written: without a daemon there is nothing to go back.
    asyncio.run(fetch_status(url))
    _check(version)
    with locked(place.config, to_write=True):
        if not force:
            _refuse_unsaved(place.config, asyncio.run(_newest(database_url)))
        try:
            kept = put_in_place(version.rules.files, place.config)
        except OSError as exc:
            message = f"{place.config} cannot be written: {exc.strerror}; run this as a user who may change the files"
            raise ConfigError((message,)) from exc
    request = ReloadRequest(who, f"back to @{version.number}", version.rules.config_hash)
    try:
        report = asyncio.run(_ask(url, request))
    except UnreachableError:
        _undo(place.config, version, kept)
        raise
    return Restored(version, report, kept, put_back=not report.ok and _undo(place.config, version, kept))


async def _ask(url: str, request: ReloadRequest) -> ReloadReport:
    """The daemon's answer; if that is lost, what the daemon runs by tells."""
    try:
        return await ask_reload(url, request)
    except UnreachableError:
        status = await fetch_status(url)
        if status.service.config_hash != request.expect:
            raise
        return ReloadReport(True, True, request.expect, "unknown")


def _check(version: Version) -> None:
    with laid_out(version.rules.files) as folder:
        found = review(folder, os.environ, guarded=False)
    if not found.is_fine:
        faults = (*map(str, found.problems.errors), *map(str, found.failed))
        raise ConfigError((*faults, f"@{version.number} does not pass the check any more, and stays out"))


async def _newest(database_url: str) -> list[Version]:
    async with open_rules(database_url) as archive:
        return await archive.newest(_LOOKED_AT)


def _refuse_unsaved(directory: Path, known: list[Version]) -> None:
    """Changes that never were live exist nowhere else: nobody should lose them unawares."""
    ours = socket.gethostname(), str(directory.resolve())
    known = [one for one in known if (one.rules.host, one.rules.directory) == ours] or known
    if any(_present(directory, one.rules.files) == one.rules.files for one in known) or not known:
        return
    newest = known[0]
    changed = changed_files(newest.rules.files, _present(directory, newest.rules.files))
    raise ConfigError(
        (
            f"{directory}: changes of {', '.join(changed)} never went live (@{newest.number} is the newest that did),"
            " and callrouter diff shows them; reload them first, or give --force: they are kept aside then",
        )
    )


def _present(directory: Path, files: Mapping[str, str]) -> dict[str, str]:
    """The files of the folder, and those tables of exchanges that ``files`` has."""
    paths = {path.name: path for path in files_of(directory)}
    tables = {name: directory / name for name in files if name not in paths and is_inside(name)}
    tables = {name: path for name, path in tables.items() if path.is_file()}
    outside = {name: text for name, text in files.items() if not is_inside(name)}
    return {**{name: text_of(path) for name, path in {**paths, **tables}.items()}, **outside}


def _undo(directory: Path, version: Version, kept: Path) -> bool:
    """Put back what was there; not if someone has written since: then that stays, and ``kept`` has the rest."""
    with locked(directory, to_write=True):
        if _present(directory, version.rules.files) != version.rules.files:
            return False
        put_back(kept, directory)
    return True
