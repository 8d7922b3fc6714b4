"""``callrouter coverage``: what becomes of every kind of call in every minute of a year?"""

import json
import os
from datetime import datetime
from pathlib import Path

import click

from callrouter.cli import EXIT_NO
from callrouter.cli.coverage_text import as_data, lines
from callrouter.cli.options import config_option, json_option, switch_option, switches_on
from callrouter.config import Loaded, load
from callrouter.config.problems import nearest
from callrouter.core.conditions import queues_as
from callrouter.core.ids import RegionName
from callrouter.core.numbers import parse
from callrouter.core.routing import Ruleset
from callrouter.proof.findings import findings, last_resort
from callrouter.proof.kinds import Chosen
from callrouter.proof.picture import picture
from callrouter.proof.proving import prove

_EPILOG = """\b
Examples:
  callrouter coverage --year 2027
  callrouter coverage --year 2027 --region changwon --svg changwon.svg
  callrouter coverage --year 2027 --switch typhoon
  callrouter coverage --year 2027 --json | jq '.rules[] | {rule, minutes}'
"""


@click.command(epilog=_EPILOG)
@config_option
@json_option
@click.option("--year", type=click.IntRange(1971, 9989), help="The year, in the configuration's time zone; this one.")
@click.option("--region", help="Only calls from this region, a name of regions:.")
@click.option("--dialed", help="Only calls to this number.")
@switch_option
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Also draw the year, into this file.")
@click.option("--no-catch-all", is_flag=True, help="Take it for a fault that a call falls to the last route.")
def coverage(
    config: Path,
    as_json: bool,
    year: int | None,
    region: str | None,
    dialed: str | None,
    switches: tuple[str, ...],
    svg: Path | None,
    no_catch_all: bool,
) -> None:
    """Prove what becomes of every kind of call in every minute of a year.

    Nothing is sampled: minutes that no calendar tells apart are one, calls that no rule tells apart are one, and each
    kind of call is decided at each moment by the very code that routes calls.

    Exit status: 0 fine, 1 a rule takes no call, a queue has no agent, a call goes round in a circle, or holidays are
    not known to the end of the year (with --no-catch-all also: a call falls to the last route).
    """
    loaded = load(config, os.environ)
    router = loaded.rulebook.router
    assert isinstance(router, Ruleset)  # noqa: S101 - what load() compiles
    number = year if year is not None else datetime.now(loaded.timezone).year
    on = switches_on(switches, loaded.rulebook)
    queues = queues_as(loaded.rulebook.usual_queues())
    proof = prove(router, number, loaded.timezone, queues, _chosen(loaded, region, dialed), on)
    if not proof.kinds:
        raise click.BadParameter(f"no call comes from {region}: no number leads there", param_hint="--region")
    found = findings(proof, loaded.rulebook)
    if no_catch_all:
        found = (*found, *last_resort(proof))
    if svg is not None:
        _write(svg, picture(proof, _title(loaded, region, dialed)))
    if as_json:
        click.echo(json.dumps(as_data(proof, loaded.rulebook, found), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(lines(proof, loaded.rulebook, found)))
    if found:
        raise SystemExit(EXIT_NO)


def _chosen(loaded: Loaded, region: str | None, dialed: str | None) -> Chosen | None:
    """What was asked for; None if nothing was left out."""
    if region is None and dialed is None:
        return None
    regions = loaded.model.regions
    if region is not None and region not in regions:
        raise click.BadParameter(f"unknown region {region!r}; {nearest(region, regions)}", param_hint="--region")
    name = RegionName(region) if region is not None else None
    return Chosen(name, (parse(dialed).national or dialed) if dialed is not None else None)


def _title(loaded: Loaded, region: str | None, dialed: str | None) -> str:
    """Whose year the picture shows."""
    where = loaded.model.regions[region].title if region is not None else None
    return " · ".join(part for part in (loaded.model.service.title, where, dialed) if part)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}; name another file"
        raise click.BadParameter(message, param_hint="--svg") from error
