"""``callrouter voicemail``: the messages that callers left; listing, hearing, and deleting them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click

from callrouter.ari.peer import peer_of
from callrouter.ari.recordings import RecordingStore, open_recordings
from callrouter.cli.database import database_option, database_url_of
from callrouter.cli.documents import for_programs
from callrouter.cli.keeping import minutes, write_private
from callrouter.cli.looks import HIDE, note, note_numbers
from callrouter.cli.options import config_option, json_option, user_name
from callrouter.cli.text import Column, plain, table
from callrouter.config import Loaded, load
from callrouter.core.audit import AuditKind
from callrouter.core.ids import BoxName, SiteName
from callrouter.core.numbers import masked
from callrouter.errors import CallrouterError
from callrouter.store.voicemail import Message, MessageArchive, open_messages

_EPILOG = """\b
Examples:
  callrouter voicemail list --unheard
  callrouter voicemail save 12 message.wav
  callrouter voicemail heard 12 --by 201
  callrouter voicemail delete 12
"""
_COLUMNS = (
    Column("id", 8, right=True),
    Column("left", 19),
    Column("length", 7, right=True),
    Column("box", 16),
    Column("caller", 14),
    Column("region", 14),
    Column("heard", 30),
)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    return config_option(database_option(command))


def _by(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--by", default=user_name, show_default="who is logged in", help="Who does it.")(command)


@click.group(epilog=_EPILOG)
def voicemail() -> None:
    """List the messages that callers left, save one as a file, mark it as heard, delete it.

    Exit status: 0 fine, 1 no such message, 2 wrong usage, 3 the database or Asterisk cannot be reached.
    """


@voicemail.command("list", epilog="Example: callrouter voicemail list --box night --unheard")
@_options
@json_option
@click.option("--box", help="Those of one box.")
@click.option("--unheard", is_flag=True, help="Those that nobody has heard.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--mask/--no-mask", default=True, show_default=True, help=HIDE)
def list_messages(
    config: Path, database_url: str | None, as_json: bool, box: str | None, unheard: bool, limit: int, mask: bool
) -> None:
    """List messages: those that nobody has heard first, of them the oldest; then the latest of the others."""
    loaded = load(config)
    url = database_url_of(loaded, database_url)

    async def find() -> list[Message]:
        async with open_messages(url) as archive:
            return await archive.find(BoxName(box) if box else None, unheard=unheard, limit=limit)

    if not mask:
        note_numbers(url, "voicemail list", box=box, unheard=unheard, limit=limit)
    found = asyncio.run(find())
    if mask:
        found = [replace(message, caller=masked(message.caller)) for message in found]
    if as_json:
        click.echo(for_programs(list(map(asdict, found))))
    else:
        click.echo(table(_COLUMNS, (_cells(message, loaded.timezone) for message in found)))


@voicemail.command(epilog="Example: callrouter voicemail save 12 message.wav")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_options
def save(number: int, file: Path, config: Path, database_url: str | None) -> None:
    """Fetch the message ID from its Asterisk, and write it to FILE (WAV), for the user alone to read.

    That does not mark it as heard. Who fetches it is in the audit log before.
    """
    loaded = load(config)
    url = database_url_of(loaded, database_url)

    async def fetch() -> bytes:
        async with (
            _message(loaded, database_url, number) as (_, message),
            _recordings(loaded, message.site) as store,
        ):
            await asyncio.to_thread(note, url, AuditKind.RECORDING, message.recording, "kept", "fetched")
            body = await store.read(message.recording)
        if body is None:
            raise CallrouterError(f"the Asterisk of {message.site} has no file of message {number}")
        return body

    write_private(file, asyncio.run(fetch()))
    click.echo(f"message {number} is in {file}")


@voicemail.command(epilog="Example: callrouter voicemail heard 12 --by 201")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@_options
@_by
def heard(number: int, config: Path, database_url: str | None, by: str) -> None:
    """Mark the message ID as heard: it is counted and shown as new no more."""
    loaded = load(config)

    async def mark() -> str:
        async with _message(loaded, database_url, number) as (archive, message):
            is_new = await archive.hear(number, datetime.now(UTC), by)
        return "is heard" if is_new else f"was heard before, by {message.heard_by}"

    click.echo(f"message {number} {asyncio.run(mark())}")


@voicemail.command(epilog="Example: callrouter voicemail delete 12")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@_options
@_by
def delete(number: int, config: Path, database_url: str | None, by: str) -> None:
    """Delete the message ID: its sound at once and for good; that there was one, and whose, stays on record."""
    loaded = load(config)
    url = database_url_of(loaded, database_url)

    async def remove() -> None:
        async with _message(loaded, database_url, number) as (archive, message):
            await asyncio.to_thread(note, url, AuditKind.RECORDING, message.recording, "kept", "deleted")
            async with _recordings(loaded, message.site) as store:
                await store.delete(message.recording)
            await archive.delete(number, datetime.now(UTC), by)

    asyncio.run(remove())
    click.echo(f"message {number} is deleted")


@contextlib.asynccontextmanager
async def _message(loaded: Loaded, url: str | None, number: int) -> AsyncIterator[tuple[MessageArchive, Message]]:
    """The message of that id, and where it is noted.

    Raises:
        CallrouterError: there is none, or none any more.
    """
    async with open_messages(database_url_of(loaded, url)) as archive:
        message = await archive.get(number)
        if message is None or message.deleted_at is not None:
            gone = "is deleted" if message is not None else "does not exist"
            raise CallrouterError(f"message {number} {gone}; callrouter voicemail list shows those that there are")
        yield archive, message


@contextlib.asynccontextmanager
async def _recordings(loaded: Loaded, name: SiteName) -> AsyncIterator[RecordingStore]:
    site = loaded.settings.sites.get(name)
    if site is None:
        raise CallrouterError(f"the site {name}, where the message is, is not in the configuration any more")
    loaded.require_secrets()
    async with open_recordings(peer_of(site)) as store:
        yield store


def _cells(message: Message, zone: tzinfo) -> tuple[str, ...]:
    return (
        str(message.id),
        f"{message.left_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        minutes(message.duration_s),
        message.box,
        plain(message.caller),
        plain(message.region),
        _heard(message, zone),
    )


def _heard(message: Message, zone: Any) -> str:
    if message.fault is not None:
        return plain(message.fault)
    if message.heard_at is None:
        return "new"
    return plain(f"{message.heard_at.astimezone(zone):%m-%d %H:%M} {message.heard_by}")
