"""``callrouter recording``: recorded conversations; listing and verifying them, fetching and deleting one."""

import asyncio
import hashlib
import json
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from callrouter.cli.database import config_for_database, database_option, database_place, moment
from callrouter.cli.documents import for_programs
from callrouter.cli.keeping import minutes, write_private
from callrouter.cli.looks import HIDE, note_numbers
from callrouter.cli.options import daemon_options, json_option
from callrouter.cli.orders import tell, who
from callrouter.cli.orders import why as as_note
from callrouter.cli.text import Column, plain, table
from callrouter.cli.where import daemon_url
from callrouter.config import load
from callrouter.core.ids import AgentId, CallId, QueueName
from callrouter.core.numbers import masked
from callrouter.core.tapes import MuteReason, TapeResult
from callrouter.errors import CallrouterError
from callrouter.store.recordings import Recording, RecordingSearch, open_recording_archive
from callrouter.store.sound_files import SoundFolder
from callrouter.web.client import ask_to_delete_recording, fetch_recording
from callrouter.web.recordings import DeleteRequest, FetchRequest

_EPILOG = """\b
Examples:
  callrouter recording list --agent 203 --since 2026-11-24
  callrouter recording verify
  callrouter recording fetch 12 talk.wav --note "complaint of 24 November"
  callrouter recording delete 12 --why "on request of the caller"
"""
_COLUMNS = (
    Column("id", 8, right=True),
    Column("begun", 19),
    Column("length", 7, right=True),
    Column("paused", 6, right=True),
    Column("queue", 14),
    Column("agent", 10),
    Column("caller", 14),
    Column("keep until", 10),
    Column("state", 40),
)


class Verdict(StrEnum):
    """What a file is, compared with what is known of it."""

    SOUND = "sound"
    ALTERED = "altered"
    MISSING = "missing"
    NOT_FETCHED = "not fetched yet"


@click.group(epilog=_EPILOG)
def recording() -> None:
    """List recorded conversations, compare their files with their checksums, fetch one, delete one.

    Which conversations are recorded, with what notice and for how long, stands in recording: of queues:.
    """


@recording.command("list", epilog="Example: callrouter recording list --queue changwon --since 2026-11-24")
@config_for_database
@database_option
@json_option
@click.option("--call", type=click.UUID, help="Those of one call.")
@click.option("--queue", help="Those of one queue.")
@click.option("--agent", help="Those of one counselor.")
@click.option("--since", help="Those that began then or later, local time if no zone is given.")
@click.option("--until", help="Those that began before then.")
@click.option("--deleted", is_flag=True, help="Those whose sound is deleted, too.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Newest first.")
@click.option("--mask/--no-mask", default=True, show_default=True, help=HIDE)
def list_recordings(
    config: Path,
    database_url: str | None,
    as_json: bool,
    call: UUID | None,
    queue: str | None,
    agent: str | None,
    mask: bool,
    **wanted: Any,
) -> None:
    """List recordings, the latest first.

    Exit status: 0 fine, 2 wrong usage, 3 the database cannot be reached.
    """
    place = database_place(config, database_url)
    search = RecordingSearch(
        call=CallId(str(call)) if call else None,
        queue=QueueName(queue) if queue else None,
        agent=AgentId(agent) if agent else None,
        since=moment("--since", wanted["since"], place.zone),
        until=moment("--until", wanted["until"], place.zone),
        deleted=wanted["deleted"],
        limit=wanted["limit"],
    )
    if not mask:
        note_numbers(place.url, "recording list", call=call, queue=queue, agent=agent, **wanted)
    found = asyncio.run(_find(place.url, search))
    if mask:
        found = [replace(one, caller=masked(one.caller)) for one in found]
    if as_json:
        click.echo(for_programs(list(map(asdict, found))))
    else:
        click.echo(table(_COLUMNS, (_cells(one, place.zone) for one in found)))


@recording.command(epilog="Example: callrouter recording verify --since 2026-11-01")
@config_for_database
@database_option
@json_option
@click.option("--since", help="Those that began then or later, local time if no zone is given.")
@click.pass_context
def verify(context: click.Context, /, config: Path, database_url: str | None, as_json: bool, since: str | None) -> None:
    """Compare the file of every recording that is kept with its SHA-256; on the daemon's machine, as its user.

    Exit status: 0 all are as they were, 1 one is altered or missing, 2 wrong usage, 3 the database cannot be reached.
    """
    place = database_place(config, database_url)
    loaded = place.loaded or load(config)
    search = RecordingSearch(since=moment("--since", since, place.zone), limit=1_000_000)
    found = [one for one in asyncio.run(_find(place.url, search)) if one.result is TapeResult.KEPT]
    folder = SoundFolder(loaded.settings.recordings_dir)
    verdicts = [(one, _verdict(folder, one)) for one in found]
    bad = [(one, verdict) for one, verdict in verdicts if verdict in (Verdict.ALTERED, Verdict.MISSING)]
    if as_json:
        click.echo(json.dumps([{"id": one.id, "file": one.file, "verdict": verdict} for one, verdict in verdicts]))
    else:
        for one, verdict in bad:
            click.echo(f"recording {one.id}: {one.file} is {verdict}")
        click.echo(f"{len(found)} recordings: {sum(verdict is Verdict.SOUND for _, verdict in verdicts)} as they were")
    context.exit(1 if bad else 0)


@recording.command(epilog='Example: callrouter recording fetch 12 talk.wav --note "complaint of 24 November"')
@click.argument("number", type=click.IntRange(1), metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--note", default="", help="Why, for the audit log.")
@daemon_options
@click.pass_context
def fetch(context: click.Context, /, number: int, file: Path, note: str, config: Path, url: str | None) -> None:
    """Write the recording ID to FILE (WAV), for the user alone to read. Who fetched it is kept in the audit log.

    Exit status: 0 done, 1 there is none, 2 wrong usage, 3 no daemon can be reached.
    """
    request = FetchRequest(who(), as_note(note, "--note"), "command")
    body = asyncio.run(fetch_recording(daemon_url(context, config, url), number, request))
    if isinstance(body, str):
        raise CallrouterError(body)
    write_private(file, body)
    click.echo(f"recording {number} is in {file}")


@recording.command(epilog='Example: callrouter recording delete 12 --why "on request of the caller"')
@click.argument("number", type=click.IntRange(1), metavar="ID")
@click.option("--why", required=True, help="For the audit log and the recording's row.")
@daemon_options
@json_option
@click.pass_context
def delete(context: click.Context, /, number: int, why: str, config: Path, url: str | None, as_json: bool) -> None:
    """Delete the recording ID: its sound at once and for good; that there was one, and who deleted it, stays on record.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    if not why.strip():
        raise click.BadParameter("say why: it stays on record", param_hint="--why")
    request = DeleteRequest(who(), as_note(why, "--why"), "command")
    report = asyncio.run(ask_to_delete_recording(daemon_url(context, config, url), number, request))
    tell(context, report, as_json=as_json)


async def _find(url: str, search: RecordingSearch) -> list[Recording]:
    async with open_recording_archive(url) as archive:
        return await archive.find(search)


def _verdict(folder: SoundFolder, one: Recording) -> Verdict:
    if one.file is None:
        return Verdict.NOT_FETCHED
    body = folder.read(one.file)
    if body is None:
        return Verdict.MISSING
    return Verdict.SOUND if hashlib.sha256(body).hexdigest() == one.sha256 else Verdict.ALTERED


def _cells(one: Recording, zone: Any) -> tuple[str, ...]:
    paused_s = sum((mute.until - mute.since).total_seconds() for mute in one.muted if mute.why is MuteReason.PAUSED)
    return (
        str(one.id),
        f"{one.begun_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        minutes(one.length_s),
        minutes(paused_s) if paused_s else "-",
        plain(one.queue),
        plain(one.agent),
        plain(one.caller),
        f"{one.keep_until.astimezone(zone):%Y-%m-%d}",
        plain(_state(one)),
    )


def _state(one: Recording) -> str:
    if one.result is TapeResult.FAILED:
        return f"failed: {one.why}"
    if one.deleted_at is not None:
        return f"deleted by {one.deleted_by}: {one.deleted_why}"
    return one.fault or ("kept" if one.file is not None else "not fetched yet")
