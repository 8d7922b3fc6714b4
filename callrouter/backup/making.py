"""Making a backup while the daemon runs.

In this order: the journal, then PostgreSQL, then files of sound. So a record that is delivered meanwhile is in both,
and comes once (it has its id); the other way round it would be in neither.
"""

import contextlib
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import callrouter
from callrouter.ari.peer import peer_of
from callrouter.ari.recordings import open_recordings
from callrouter.backup import database
from callrouter.backup.archive import Manifest, Writer
from callrouter.config import Loaded
from callrouter.config.folder import locked
from callrouter.errors import CallrouterError, JournalError
from callrouter.store.journal_file import FILE_NAME
from callrouter.store.voicemail import open_messages

CONFIG, STATE, RECORDINGS, SOUNDS, VOICEMAIL = "config", "state", "recordings", "sounds", "voicemail"
DATABASE = "database.dump"
_MOST_MESSAGES = 100_000


async def make(
    loaded: Loaded, config: Path, target: Path, *, database_url: str | None, programs: Path | None = None
) -> Manifest:
    """Write the backup ``target``. ``database_url`` None: without records and messages.

    Raises:
        CallrouterError: it cannot be made; then there is none.
    """
    settings = loaded.settings
    with (
        Writer(target, version=callrouter.__version__, made_at=datetime.now(UTC)) as writer,
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch,
    ):
        _journal(writer, settings.state_dir / FILE_NAME, Path(scratch, FILE_NAME))
        if database_url is None:
            writer.left_out[DATABASE] = "there is no database, or it was not wanted"
        else:
            database.dump(database_url, Path(scratch, DATABASE), programs)
            writer.add(DATABASE, Path(scratch, DATABASE))
        _folder(writer, RECORDINGS, settings.recordings_dir, "*/*.wav")
        if database_url is not None:
            await _messages(writer, loaded, database_url)
        for name, site in settings.sites.items():
            _folder(writer, f"{SOUNDS}/{name}", site.sounds_dir, "**/*")
        with locked(config, to_write=False):
            _configuration(writer, config)
    return writer.manifest


def _journal(writer: Writer, path: Path, copy: Path) -> None:
    """As SQLite copies a file that another writes."""
    if not path.exists():
        writer.left_out[f"{STATE}/{FILE_NAME}"] = f"there is no {path}"
        return
    copy.touch(mode=0o600)
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            (verdict,) = target.execute("PRAGMA quick_check(1)").fetchone()
            (writer.journal,) = target.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as exc:
        raise JournalError(f"{path}: the journal cannot be copied ({exc}); run this as the daemon's user") from exc
    if verdict != "ok":
        raise JournalError(f"{path}: the journal is damaged ({verdict}); see what the daemon says of it")
    writer.add(f"{STATE}/{FILE_NAME}", copy)


def _folder(writer: Writer, name: str, folder: Path, pattern: str) -> None:
    for path in sorted(folder.glob(pattern)):
        if path.is_file():
            writer.add(f"{name}/{path.relative_to(folder)}", path)


def _configuration(writer: Writer, config: Path) -> None:
    """All files of the folder itself: rules, accounts, passwords and certificates beside them."""
    for path in sorted(config.iterdir()):
        if not path.is_file() or path.name.endswith(".schema.json"):
            continue
        try:
            path.open("rb").close()
        except PermissionError:
            writer.left_out[f"{CONFIG}/{path.name}"] = "it may not be read by this user"
        else:
            writer.add(f"{CONFIG}/{path.name}", path)


async def _messages(writer: Writer, loaded: Loaded, url: str) -> None:
    """The sound of callers' messages, which is with Asterisk."""
    async with open_messages(url) as archive:
        kept = await archive.find(limit=_MOST_MESSAGES)
    for message in kept:
        name = f"{VOICEMAIL}/{message.site}/{message.recording}.wav"
        site = loaded.settings.sites.get(message.site)
        if site is None:
            writer.left_out[name] = f"its site {message.site} is not in the configuration any more"
            continue
        try:
            async with open_recordings(peer_of(site)) as store:
                body = await store.read(message.recording)
        except CallrouterError as error:
            writer.left_out[name] = str(error)
            continue
        if body is None:
            writer.left_out[name] = f"the Asterisk of {message.site} has no file of it"
        else:
            writer.add_bytes(name, body)
