"""``callrouter callback``: requests to be called back; listing them, and noting what became of each."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click
import msgspec

from callrouter.cli.database import database_option, database_place
from callrouter.cli.documents import for_programs
from callrouter.cli.looks import note_numbers
from callrouter.cli.options import config_option, daemon_options, json_option, user_name
from callrouter.cli.orders import tell, who
from callrouter.cli.text import Column, plain, table
from callrouter.cli.where import daemon_url
from callrouter.core.ids import QueueName
from callrouter.core.numbers import masked, parse
from callrouter.errors import CallrouterError
from callrouter.store.callback import CallbackRequest, CallbackResult, open_callbacks
from callrouter.web.calling_back import CallbackOrderRequest, CallbackWord
from callrouter.web.client import ask_callback, fetch_callbacks

_EPILOG = """\b
Examples:
  callrouter callback list --open --numbers
  callrouter callback tried 12
  callrouter callback done 12 --result reached --note "passport, answered"
  callrouter callback call-now 12
"""
_COLUMNS = (
    Column("id", 8, right=True),
    Column("asked", 19),
    Column("queue", 16),
    Column("number", 18),
    Column("region", 14),
    Column("topic", 12),
    Column("tries", 5, right=True),
    Column("state", 40),
)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    return config_option(database_option(command))


@click.group(epilog=_EPILOG)
def callback() -> None:
    """List the callers who asked to be called back, note what became of each, have one called now or no more.

    Exit status: 0 fine, 1 no such request, 2 wrong usage, 3 the database cannot be reached.
    """


@callback.command("list", epilog="Example: callrouter callback list --open --queue desk --numbers")
@_options
@json_option
@click.option("--queue", help="Those of one queue.")
@click.option("--open", "only_open", is_flag=True, help="Those that nobody has done.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--numbers", is_flag=True, help="Show whole numbers, to call them; the audit log tells who did.")
def list_requests(
    config: Path,
    database_url: str | None,
    as_json: bool,
    queue: str | None,
    only_open: bool,
    limit: int,
    numbers: bool,
) -> None:
    """List requests: the open ones first, of them the oldest; then those that were done last."""
    place = database_place(config, database_url)

    async def find() -> list[CallbackRequest]:
        async with open_callbacks(place.url) as archive:
            return await archive.find(QueueName(queue) if queue else None, only_open=only_open, limit=limit)

    if numbers:
        note_numbers(place.url, "callback list", queue=queue, open=only_open, limit=limit)
    found = asyncio.run(find())
    if as_json:
        shown = found if numbers else [replace(request, number=masked(request.number)) for request in found]
        click.echo(for_programs(list(map(asdict, shown))))
    else:
        click.echo(table(_COLUMNS, (_cells(request, place.zone, whole=numbers) for request in found)))


@callback.command(epilog='Example: callrouter callback done 12 --result reached --note "passport, answered"')
@click.argument("number", type=click.IntRange(1), metavar="ID")
@_options
@click.option(
    "--result",
    type=click.Choice([result.value for result in CallbackResult]),
    required=True,
    help="reached; not-reached: given up; cancelled: the caller wants it no more.",
)
@click.option("--note", default="", help="A few words for whoever reads the list.")
@click.option("--by", default=user_name, show_default="who is logged in", help="Who does it.")
def done(number: int, config: Path, database_url: str | None, result: str, note: str, by: str) -> None:
    """Close the request ID, with what became of it. The caller may ask anew then."""
    url = database_place(config, database_url).url

    async def finish() -> None:
        async with open_callbacks(url) as archive:
            if not await archive.finish(number, datetime.now(UTC), by, CallbackResult(result), note):
                raise _not_open(number, await archive.get(number))

    asyncio.run(finish())
    click.echo(f"request {number} is done: {result}")


@callback.command(epilog="Example: callrouter callback tried 12")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@_options
def tried(number: int, config: Path, database_url: str | None) -> None:
    """Count one more call in vain for the request ID, which stays open."""
    url = database_place(config, database_url).url

    async def count() -> int:
        async with open_callbacks(url) as archive:
            is_noted = await archive.note_try(number, datetime.now(UTC))
            request = await archive.get(number)
            if not is_noted or request is None:
                raise _not_open(number, request)
            return request.tries

    tries = asyncio.run(count())
    click.echo(f"request {number} was tried {'once' if tries == 1 else f'{tries} times'}")


@callback.command(epilog="Example: callrouter callback show 12")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@daemon_options
@json_option
@click.pass_context
def show(context: click.Context, /, number: int, config: Path, url: str | None, as_json: bool) -> None:
    """Show the request ID as the running daemon sees it: whether it calls by itself, and how far that has come.

    Exit status: 0 fine, 1 no such request is listed, 3 no daemon can be reached.
    """
    found = asyncio.run(fetch_callbacks(daemon_url(context, config, url)))
    request = next((one for one in found.callbacks if one.id == number), None)
    if request is None:
        raise CallrouterError(f"request {number} is not listed; callrouter callback list shows those that there are")
    if as_json:
        click.echo(for_programs(request))
        return
    for key, value in msgspec.structs.asdict(request).items():
        click.echo(f"{key:<11}{'-' if value is None else plain(str(value))}")


def _order(word: CallbackWord, text: str) -> None:
    """Add the command that gives one order."""

    def give(context: click.Context, /, request: str, config: Path, url: str | None, as_json: bool) -> None:
        order = CallbackOrderRequest(plain(request), word, who(), "command")
        tell(context, asyncio.run(ask_callback(daemon_url(context, config, url), order)), as_json=as_json)

    command: Callable[..., None] = daemon_options(json_option(click.pass_context(give)))
    command = click.argument("request", metavar="ID")(command)
    statuses = "Exit status: 0 done, 1 refused, 3 no daemon can be reached."
    callback.command(word, help=f"{text}\n\n{statuses}", epilog=f"Example: callrouter callback {word} 12")(command)


_order(
    "call-now",
    "Have the daemon call the request ID back as soon as a counselor is free, whatever the hours are. ID may also be"
    " the call in which it was asked for.",
)
_order("cancel", "Have the daemon call the request ID back no more: it is closed as cancelled.")


def _not_open(number: int, request: CallbackRequest | None) -> CallrouterError:
    if request is None:
        return CallrouterError(f"request {number} does not exist; callrouter callback list shows those that there are")
    return CallrouterError(f"request {number} is done already, by {request.done_by}: {request.result}")


def _cells(request: CallbackRequest, zone: tzinfo | None, *, whole: bool) -> tuple[str, ...]:
    return (
        str(request.id),
        f"{request.asked_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        request.queue,
        parse(request.number).display if whole else masked(request.number),
        request.region,
        request.topic or "-",
        str(request.tries),
        _state(request, zone),
    )


def _state(request: CallbackRequest, zone: tzinfo | None) -> str:
    if request.done_at is None:
        return "open"
    note = f": {request.note}" if request.note else ""
    return f"{request.result} {request.done_at.astimezone(zone):%m-%d %H:%M} {request.done_by}{note}"
