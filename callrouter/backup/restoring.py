"""A call centre out of a backup, on this machine or another.

What the daemon did after the backup was made nobody here knows. Records come once all the same: each has its id. But
who was to be called back may have been called: so nobody is, by itself, unless that is wanted.
"""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from callrouter.backup import database
from callrouter.backup.archive import Manifest, extract, verified
from callrouter.backup.making import CONFIG, DATABASE, RECORDINGS, SOUNDS, STATE, VOICEMAIL
from callrouter.config import Loaded, load
from callrouter.config.folder import files_of
from callrouter.core.facts import Opened
from callrouter.core.ids import SiteName
from callrouter.errors import CallrouterError, ConfigError
from callrouter.store import journal_file
from callrouter.store.journal_file import FILE_NAME

HELD = "restored from a backup: whether he was called since it was made is not known; see callrouter callback list"


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of it, in sentences, and how many requests to be called back are held."""

    manifest: Manifest
    told: tuple[str, ...]
    held: int


async def restore(
    file: Path,
    config: Path,
    environ: Mapping[str, str],
    *,
    database_url: str | None,
    with_database: bool,
    force: bool,
    call_back: bool,
    programs: Path | None = None,
) -> Restored:
    """Put all that is in ``file`` in its place. ``force``: also where something is, which is kept aside.

    Raises:
        CallrouterError: the file is damaged, made by a newer version, or something is in the way: then nothing was
            done.
        UnreachableError: the database is away.
    """
    manifest = verified(file)
    _check_version(file, manifest)
    with tempfile.TemporaryDirectory(prefix="callrouter-restore-") as folder:
        laid = Path(folder)
        extract(file, laid)
        loaded = _loaded(laid / CONFIG, config, environ)
        settings = loaded.settings
        url = (database_url or settings.database_url) if with_database else None
        is_empty = url is not None and DATABASE in manifest.files and not await database.has_records(url)
        _refuse_what_is_there(config, settings.state_dir, force=force)
        told = []
        if is_empty and url is not None:
            database.restore(url, laid / DATABASE, programs)
            told.append("PostgreSQL: the records are in the database again")
        elif DATABASE in manifest.files:
            told.append(f"PostgreSQL: {'it has records, and stays as it is' if url else 'left as it is'}")
        told.append(_configuration(laid / CONFIG, config))
        held, said = _state(laid / STATE, settings.state_dir, call_back=call_back)
        told.append(said)
        told += _sound(laid, loaded)
    return Restored(manifest, tuple(told), held)


def _check_version(file: Path, manifest: Manifest) -> None:
    knows = journal_file.VERSION
    if manifest.journal is not None and manifest.journal > knows:
        raise CallrouterError(
            f"{file} was made by callrouter {manifest.version}, whose journal has version {manifest.journal}; this"
            f" callrouter knows {knows}: restore it with that version"
        )


def _loaded(laid: Path, config: Path, environ: Mapping[str, str]) -> Loaded:
    """The rules of the backup, as they will be read in their place."""
    if not laid.is_dir():
        raise ConfigError(("the backup has no rules; it cannot be known where its files belong",))
    loaded = load(laid, environ)
    relative = loaded.settings.state_dir
    if not relative.is_absolute():
        raise ConfigError(
            (f"state.dir is {relative}, not a place that is the same everywhere; set CALLROUTER_STATE_DIR",)
        )
    return loaded


def _refuse_what_is_there(config: Path, state_dir: Path, *, force: bool) -> None:
    there = []
    if config.is_dir() and files_of(config):
        there.append(f"{config} has rules")
    if (state_dir / FILE_NAME).exists():
        there.append(f"{state_dir} has a journal")
    if there and not force:
        raise CallrouterError(f"{' and '.join(there)}; give --force: what is there is kept aside then")
    if state_dir.is_dir():
        with journal_file.lock(state_dir / FILE_NAME):
            pass  # a daemon that runs has it, and is told of


def _configuration(laid: Path, config: Path) -> str:
    config.mkdir(parents=True, exist_ok=True, mode=0o750)
    aside = _aside(config, [path for path in config.iterdir() if path.is_file()])
    for path in sorted(laid.iterdir()):
        _place(path, config / path.name, like=config)
    return f"{config}: the rules{aside}"


def _state(laid: Path, state_dir: Path, *, call_back: bool) -> tuple[int, str]:
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    if not (laid / FILE_NAME).exists():
        return 0, f"{state_dir}: no journal was in it"
    path = state_dir / FILE_NAME
    held = 0 if call_back else _hold(laid / FILE_NAME)
    with journal_file.lock(path):
        there = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]
        aside = _aside(state_dir, [one for one in there if one.exists()])
        _place(laid / FILE_NAME, path, like=state_dir)
        _own(path.with_name(path.name + ".lock"), state_dir)
    return held, f"{path}: calls, switches, and who had logged out or paused{aside}"


def _hold(journal: Path) -> int:
    """Have no request to be called back go on by itself; how many there are. They stay in the list for people."""
    opened = "SELECT call_id, body FROM fact WHERE kind = ? AND call_id NOT IN (SELECT call_id FROM outbox)"
    close = "INSERT INTO outbox (at, call_id, body, fault) VALUES (?, ?, x'', ?)"
    with contextlib.closing(sqlite3.connect(journal)) as connection, connection:
        rows = connection.execute(opened, (Opened.__name__,)).fetchall()
        held = [call for call, body in rows if _is_to_be_called(body)]
        connection.executemany(close, [(time.time(), call, HELD) for call in held])
    return len(held)


def _is_to_be_called(body: bytes) -> bool:
    try:
        return msgspec.msgpack.decode(body, type=Opened).request is not None
    except msgspec.DecodeError:
        return False  # the daemon cannot read it either, and calls nobody because of it


def _sound(laid: Path, loaded: Loaded) -> list[str]:
    settings, told = loaded.settings, []
    if count := _tree(laid / RECORDINGS, settings.recordings_dir):
        told.append(f"{settings.recordings_dir}: {count} recorded conversations")
    for site in (laid / SOUNDS).iterdir() if (laid / SOUNDS).is_dir() else ():
        if (known := settings.sites.get(SiteName(site.name))) is not None and (count := _tree(site, known.sounds_dir)):
            told.append(f"{known.sounds_dir}: {count} announcements")
    place = settings.state_dir / "restored-voicemail"
    if count := _tree(laid / VOICEMAIL, place):
        remedy = (
            "copy those of each site into its Asterisk's folder of recordings, usually /var/spool/asterisk/recording"
        )
        told.append(f"{place}: {count} messages of callers; {remedy}")
    return told


def _tree(laid: Path, folder: Path) -> int:
    """Put files in their places; those that are there stay. How many were in the backup."""
    paths = [path for path in sorted(laid.rglob("*")) if path.is_file()]
    for path in paths:
        target = folder / path.relative_to(laid)
        if not target.exists():
            for parent in reversed((target.parent, *target.parent.parents)):
                if not parent.exists():
                    parent.mkdir(mode=0o700 if VOICEMAIL in str(parent) or laid.name == RECORDINGS else 0o755)
                    _own(parent, parent.parent)
            _place(path, target, like=target.parent)
    return len(paths)


def _aside(folder: Path, paths: list[Path]) -> str:
    """Keep what is there in a folder beside; how that is told."""
    if not paths:
        return ""
    kept = Path(tempfile.mkdtemp(prefix=f"before-restore-{time.strftime('%Y%m%dT%H%M%S')}-", dir=folder))
    for path in paths:
        path.rename(kept / path.name)
    return f"; what was there is in {kept}"


def _place(source: Path, target: Path, *, like: Path) -> None:
    """Move a file to where it belongs, owned as the folder is, its mode as it was."""
    try:
        beside = target.with_name(f".{target.name}.restoring")
        shutil.copyfile(source, beside)
        beside.chmod(source.stat().st_mode & 0o777)
        _own(beside, like)
        beside.replace(target)
    except OSError as exc:
        raise CallrouterError(f"{target} cannot be written: {exc.strerror}; run this as root") from exc


def _own(path: Path, like: Path) -> None:
    if os.geteuid() == 0 and path.exists():
        stat = like.stat()
        os.chown(path, stat.st_uid, stat.st_gid)
