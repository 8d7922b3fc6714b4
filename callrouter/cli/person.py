"""``callrouter person``: what is kept of one resident; shown, handed out, erased. Each look is in the audit log."""

import asyncio
import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from callrouter.ari.peer import peer_of
from callrouter.ari.recordings import open_recordings
from callrouter.cli.database import database_option, database_url_of
from callrouter.cli.documents import for_programs
from callrouter.cli.keeping import write_private
from callrouter.cli.options import config_option, json_option
from callrouter.cli.orders import who
from callrouter.cli.orders import why as as_note
from callrouter.cli.text import plain
from callrouter.config import Loaded, load
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.numbers import masked, parse
from callrouter.errors import CallrouterError
from callrouter.store.personal import PersonalData, open_personal
from callrouter.store.sound_files import SoundFolder
from callrouter.store.voicemail import Message

_EPILOG = """\b
Examples:
  callrouter person find 055-225-1234 --why "request of 27 November"
  callrouter person export - person.zip --why "request of 27 November" < number
  callrouter person erase 055-225-1234 --why "request of 27 November"
"""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option("--why", required=True, help="On whose request; for the audit log.")(command)
    return config_option(database_option(command))


@click.group(epilog=_EPILOG)
def person() -> None:
    """Find, hand out or erase what is kept of a resident, by his number, in whatever form it was written.

    With - the number is read from the standard input, where no list of processes shows it.

    Exit status: 0 fine, 1 nothing is kept of him, or it cannot be done, 2 wrong usage, 3 the database or an Asterisk
    cannot be reached.
    """


@person.command(epilog='Example: callrouter person find 055-225-1234 --why "request of 27 November"')
@click.argument("number")
@json_option
@_options
@click.pass_context
def find(
    context: click.Context, number: str, *, config: Path, database_url: str | None, why: str, as_json: bool
) -> None:
    """Say what is kept of NUMBER."""
    loaded, number = load(config), _number(number)
    found = asyncio.run(_found(database_url_of(loaded, database_url), number, "found", as_note(why, "--why")))
    if as_json:
        click.echo(for_programs(_document(found)))
    else:
        click.echo(_told(found, number))
        _tell_elsewhere(loaded)
    context.exit(1 if found.is_empty else 0)


@person.command(epilog='Example: callrouter person export 055-225-1234 person.zip --why "request of 27 November"')
@click.argument("number")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_options
@click.pass_context
def export(
    context: click.Context, number: str, file: Path, *, config: Path, database_url: str | None, why: str
) -> None:
    """Write all that is kept of NUMBER into FILE: a ZIP with data.json and the sound, for the user alone to read."""
    loaded, number = load(config), _number(number)
    found = asyncio.run(_found(database_url_of(loaded, database_url), number, "exported", as_note(why, "--why")))
    if found.is_empty:
        click.echo(f"nothing is kept of {masked(number)}", err=True)
        context.exit(1)
    sounds, missing = asyncio.run(_sounds(loaded, found))
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", for_programs(_document(found)))
        for name, sound in sounds.items():
            archive.writestr(name, sound)
        if missing:
            archive.writestr("missing.json", json.dumps(missing, ensure_ascii=False, indent=2))
    write_private(file, body.getvalue())
    click.echo(f"{_told(found, number)}\n{len(sounds)} files of sound; all of it is in {file}")
    for name, reason in missing.items():
        click.echo(f"{name} is not in it: {reason}", err=True)
    context.exit(1 if missing else 0)


@person.command(epilog='Example: callrouter person erase 055-225-1234 --why "request of 27 November"')
@click.argument("number")
@_options
@click.pass_context
def erase(context: click.Context, number: str, *, config: Path, database_url: str | None, why: str) -> None:
    """Take NUMBER out of all records, and have messages and recordings deleted.

    Records of calls stay without the number, so that what was counted goes on being right. Requests to be called back
    are deleted. What the daemon keeps beside PostgreSQL is told.
    """
    loaded, number = load(config), _number(number)
    url, entry = database_url_of(loaded, database_url), _entry(number, "erased", as_note(why, "--why"))

    async def take_out() -> PersonalData:
        async with open_personal(url) as store:
            return await store.erase(number, entry)

    found = asyncio.run(take_out())
    if found.is_empty:
        click.echo(f"nothing is kept of {masked(number)}", err=True)
    else:
        click.echo(f"{_told(found, number)}\nerased; the daemon deletes the sound within seconds")
    _tell_elsewhere(loaded)
    context.exit(1 if found.is_empty else 0)


def _number(text: str) -> str:
    number = sys.stdin.readline().strip() if text == "-" else text
    if parse(number).e164 is None:
        raise click.BadParameter("that is no number; write it as 055-225-1234 or +82552251234", param_hint="NUMBER")
    return number


def _entry(number: str, what: str, note: str) -> AuditEntry:
    return AuditEntry(datetime.now(UTC), who(), AuditKind.PERSON, masked(number), "", what, "command", note=note)


async def _found(url: str, number: str, what: str, note: str) -> PersonalData:
    async with open_personal(url) as store:
        await store.note(_entry(number, what, note))
        return await store.find(number)


def _document(found: PersonalData) -> dict[str, list[Any]]:
    return {
        "calls": found.calls,
        "messages": list(map(asdict, found.messages)),
        "recordings": list(map(asdict, found.recordings)),
        "callbacks": list(map(asdict, found.callbacks)),
    }


def _told(found: PersonalData, number: str) -> str:
    kept = sum(one.deleted_at is None for one in found.messages)
    kept += sum(one.deleted_at is None for one in found.recordings)
    waiting = sum(one.done_at is None for one in found.callbacks)
    return (
        f"{masked(number)}: {len(found.calls)} calls, {len(found.messages)} messages and {len(found.recordings)}"
        f" recordings ({kept} with sound), {len(found.callbacks)} requests to be called back ({waiting} open)"
    )


def _tell_elsewhere(loaded: Loaded) -> None:
    """What no database tells of."""
    days = max(7.0, loaded.settings.inputs_keep_s / 86400)
    click.echo(
        f"the daemon's journal and inputs, and Asterisk's log, hold numbers for up to {days:g} days more; what a caller"
        " let be remembered is forgotten by: callrouter remembered forget",
        err=True,
    )


async def _sounds(loaded: Loaded, found: PersonalData) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files of sound by their names, and those that could not be had, with the reason."""
    sounds: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    folder = SoundFolder(loaded.settings.recordings_dir)
    for recording in found.recordings:
        if recording.deleted_at is not None:
            continue
        name = f"recording-{recording.id}.wav"
        try:
            body = await asyncio.to_thread(folder.read, recording.file) if recording.file is not None else None
        except CallrouterError as error:
            missing[name] = str(error)
            continue
        if body is None:
            missing[name] = "its file is not in the folder of recordings" if recording.file else "not fetched yet"
        else:
            sounds[name] = body
    for message in found.messages:
        if message.deleted_at is None:
            await _add_message(loaded, message, sounds, missing)
    return sounds, missing


async def _add_message(loaded: Loaded, message: Message, sounds: dict[str, bytes], missing: dict[str, str]) -> None:
    name, site = f"message-{message.id}.wav", loaded.settings.sites.get(message.site)
    if site is None:
        missing[name] = f"its site {message.site} is not in the configuration any more"
        return
    try:
        async with open_recordings(peer_of(site)) as store:
            body = await store.read(message.recording)
    except CallrouterError as error:
        missing[name] = plain(str(error))
        return
    if body is None:
        missing[name] = f"the Asterisk of {message.site} has no file of it"
    else:
        sounds[name] = body
