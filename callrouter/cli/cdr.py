"""``callrouter cdr``: finding calls and looking at one."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from callrouter.cli import cdr_text
from callrouter.cli.database import MOMENT, config_for_database, database_option, database_place, moment
from callrouter.cli.looks import HIDE, note_numbers
from callrouter.cli.options import json_option
from callrouter.config import load
from callrouter.core.cdr import Cdr, Outcome
from callrouter.core.ids import DestinationName
from callrouter.core.numbers import forms, masked, parse
from callrouter.errors import JournalError, UnreachableError
from callrouter.runtime.masking import mask_text
from callrouter.store.journal_file import FILE_NAME
from callrouter.store.postgres import CdrSearch, open_archive
from callrouter.store.set_aside import records_set_aside

_EPILOG = """\b
Examples:
  callrouter cdr --since 2026-11-24 --queue night --outcome abandoned
  callrouter cdr 019ab3c4-5d6e-7f80
  callrouter cdr --set-aside
  callrouter cdr --since 2026-11-01 --until 2026-12-01 --limit 100000 --csv > november.csv
"""


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option("--since", metavar=MOMENT, help="Calls that began then or later, local time if no zone is given."),
        click.option("--until", metavar=MOMENT, help="Calls that began before then."),
        click.option("--caller", help="The caller's number, as it is in the CDR."),
        click.option("--region"),
        click.option("--tenant"),
        click.option("--queue"),
        click.option("--agent"),
        click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome])),
        click.option("--rule", help="The rule that decided."),
        click.option("--switch", help="A switch that was on when the call was routed."),
        click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Newest first."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(epilog=_EPILOG)
@click.argument("call_id", required=False)
@_filters
@config_for_database
@database_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
@click.option("--set-aside", is_flag=True, help="List the records that could not be delivered, and why.")
@click.option("--mask/--no-mask", default=True, show_default=True, help=HIDE)
@click.pass_context
def cdr(
    context: click.Context,
    /,
    call_id: str | None,
    config: Path,
    database_url: str | None,
    as_json: bool,
    as_csv: bool,
    set_aside: bool,
    mask: bool,
    **filters: Any,
) -> None:
    """List the calls that fit, newest first; or show the one of CALL_ID (its beginning is enough) with its legs.

    With --set-aside: the records that wait in the daemon's journal because PostgreSQL would not take them, or because
    they cannot be read; run it on the daemon's machine, as its user. They are tried again whenever the daemon starts.

    With --no-mask: who looks, and at what, is in the audit log before anything is shown.

    Exit status: 0 fine, 1 no such call, 2 wrong usage, 3 the database cannot be reached.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if set_aside:
        _show_set_aside(config, as_json=as_json, mask=mask)
        return
    place = database_place(config, database_url)
    asked = dict(filters)
    search = _search(filters, place.zone)
    if not mask:
        asked |= {"caller": masked(asked["caller"]) if asked["caller"] else None}
        note_numbers(place.url, call_id or "cdr", **({} if call_id else asked))
    found = asyncio.run(_find(place.url, call_id, search))
    if call_id and not found:
        click.echo(f"no call has the id {call_id}", err=True)
        context.exit(1)
    calls = [_without_number(call) for call in found] if mask else found
    if as_json:
        click.echo(cdr_text.as_json(calls[0] if call_id else calls))
    elif as_csv:
        cdr_text.write_csv(sys.stdout, calls, place.zone)
    elif call_id:
        click.echo(cdr_text.in_full(calls[0], place.zone))
    else:
        click.echo(cdr_text.table(calls, place.zone))


def _show_set_aside(config: Path, *, as_json: bool, mask: bool) -> None:
    loaded = load(config)
    try:
        found = records_set_aside(loaded.settings.state_dir / FILE_NAME)
    except JournalError as exc:
        raise UnreachableError(str(exc)) from exc
    if mask:
        found = [replace(one, why=mask_text(one.why)) for one in found]
    click.echo(cdr_text.aside_as_json(found) if as_json else cdr_text.aside(found, loaded.timezone))


def _search(filters: dict[str, Any], zone: tzinfo | None) -> CdrSearch:
    outcome = filters.pop("outcome")
    return CdrSearch(
        since=moment("--since", filters.pop("since"), zone),
        until=moment("--until", filters.pop("until"), zone),
        outcome=Outcome(outcome) if outcome else None,
        **filters,
    )


async def _find(url: str, call_id: str | None, search: CdrSearch) -> list[Cdr]:
    async with open_archive(url) as archive:
        if call_id is None:
            return await archive.find(search)
        call = await archive.get(call_id)
        return [call] if call else []


def _without_number(call: Cdr) -> Cdr:
    hidden = masked(call.caller)
    explanation = call.explanation
    for form in forms(call.caller):  # the trace of the decision may quote the number too
        explanation = explanation.replace(form, hidden)
    callback = replace(call.callback, number=masked(call.callback.number)) if call.callback is not None else None
    return replace(
        call,
        caller=hidden,
        explanation=mask_text(explanation),  # and those of others who were called in
        callback=callback,
        destination=_hidden(call.destination),
        legs=tuple(replace(leg, destination=_hidden(leg.destination)) for leg in call.legs),
    )


def _hidden(destination: DestinationName | None) -> DestinationName | None:
    """Who was called by a number, and not by the name that the rules have for it, is somebody outside."""
    if destination is None or parse(destination).e164 is None:
        return destination
    return DestinationName(masked(destination))
