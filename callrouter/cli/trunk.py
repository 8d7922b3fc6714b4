"""``callrouter trunk``: what trunk groups carry now, and what they would have to."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import click

from callrouter.cli.database import DatabasePlace, config_for_database, database_option, database_place
from callrouter.cli.documents import for_programs
from callrouter.cli.options import daemon_options, json_option
from callrouter.cli.text import Column, table
from callrouter.cli.where import url_of
from callrouter.core.breaker import BreakerState
from callrouter.core.outbound_meter import LimitNow
from callrouter.core.stats import MemberOfTrunk, TenantOfTrunk, TrunkNow
from callrouter.report.erlang_b import LEAST_BLOCKING
from callrouter.report.trunk_plan import HourPlan, plan
from callrouter.store.trunk_rows import holdings
from callrouter.web.client import fetch_status

_EPILOG = """\b
Examples:
  callrouter trunk
  callrouter trunk --json
  callrouter trunk --json --limits
  callrouter trunk plan --weeks 4 --incoming carrier
"""
_GROUPS = (
    Column("trunk", 24),
    Column("title", 24),
    Column("in use", 6, right=True),
    Column("channels", 8, right=True),
    Column("peak", 5, right=True),
    Column("blocked", 7, right=True),
    Column("others", 6, right=True),
    Column("reserve", 7, right=True),
)
_TENANTS = (
    Column("trunk", 24),
    Column("tenant", 20),
    Column("in use", 6, right=True),
    Column("guarantee", 9, right=True),
    Column("ceiling", 7, right=True),
    Column("peak", 5, right=True),
    Column("blocked", 7, right=True),
)
_MEMBERS = (
    Column("trunk", 24),
    Column("member", 24),
    Column("site", 16),
    Column("in use", 6, right=True),
    Column("channels", 8, right=True),
    Column("state", 24),
)
_LIMITS = (
    Column("limit", 24),
    Column("tenant", 20),
    Column("of", 16),
    Column("used", 8, right=True),
    Column("allowed", 8, right=True),
    Column("blocked", 7, right=True),
)
_PLAN = (
    Column("trunk", 24),
    Column("hour", 11),
    Column("mean erlang", 11, right=True),
    Column("busiest", 8, right=True),
    Column("on", 10),
    Column("channels", 8, right=True),
)


@click.group(epilog=_EPILOG, invoke_without_command=True)
@daemon_options
@click.option("--limits", is_flag=True, help="With --json: the limits of calls that go out, instead.")
@json_option
@click.pass_context
def trunk(context: click.Context, /, config: Path, url: str | None, as_json: bool, limits: bool) -> None:
    """Show what trunk groups carry: in all, by tenant against its share, and by member; and what may still go out.

    Peaks and blocked calls count since the daemon started; `others` are channels that no call of ours has.

    Exit status: 0 fine, 3 no daemon can be reached.
    """
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(fetch_status(url or url_of(config)))
    if as_json:
        click.echo(for_programs(found.limits if limits else found.trunks))
    elif not found.trunks:
        click.echo("the rules have no trunk groups")
    else:
        of_limits = [table(_LIMITS, map(_limit, found.limits))] if found.limits else []
        click.echo("\n\n".join([*_tables(found.trunks), *of_limits]))


@trunk.command("plan", epilog="Example: callrouter trunk plan --weeks 4 --incoming carrier")
@click.option("--weeks", type=click.IntRange(1, 520), default=4, show_default=True, help="The last so many weeks.")
@click.option("--incoming", metavar="GROUP", help="The group by which calls came in whose records do not say it.")
@click.option(
    "--blocking",
    type=click.FloatRange(0.0001, 0.5),
    default=LEAST_BLOCKING,
    show_default=True,
    help="The share of calls that may find no channel.",
)
@json_option
@config_for_database
@database_option
def plan_command(
    weeks: int, incoming: str | None, blocking: float, as_json: bool, config: Path, database_url: str | None
) -> None:
    """Say how many channels each hour of the last weeks needed, by Erlang B, from the records in PostgreSQL.

    Counted is what calls held: the busiest hour of all days. Calls that a full group refused are not in it.

    Exit status: 0 fine, 2 wrong usage, 3 the database cannot be reached.
    """
    place = database_place(config, database_url)
    known = place.loaded.model.trunks if place.loaded is not None else None
    if incoming is not None and known is not None and incoming not in known:
        names = ", ".join(known) or "none"
        raise click.BadParameter(f"no trunk group {incoming!r}; there are: {names}", param_hint="--incoming")
    hours = asyncio.run(_planned(place, weeks, incoming, blocking))
    if as_json:
        click.echo(for_programs(hours))
    elif not hours:
        click.echo(f"no channel of a trunk group was held in the last {weeks} weeks")
    else:
        click.echo(table(_PLAN, map(_planned_row, hours)))


async def _planned(place: DatabasePlace, weeks: int, incoming: str | None, blocking: float) -> list[HourPlan]:
    until = datetime.now().astimezone(place.zone)
    since = until - timedelta(weeks=weeks)
    return await plan(holdings(place.url, since, until, incoming), weeks * 7, place.zone, blocking)


def _planned_row(hour: HourPlan) -> tuple[str, ...]:
    span = f"{hour.hour:02}:00-{(hour.hour + 1) % 24:02}:00"
    return (hour.trunk, span, f"{hour.mean:.2f}", f"{hour.busiest:.2f}", f"{hour.on:%Y-%m-%d}", str(hour.channels))


def _tables(trunks: tuple[TrunkNow, ...]) -> list[str]:
    tenants = [_tenant(group, share) for group in trunks for share in group.tenants]
    members = [_member(group, member) for group in trunks for member in group.members]
    tables = [table(_GROUPS, map(_group, trunks))]
    if tenants:
        tables.append(table(_TENANTS, tenants))
    return [*tables, table(_MEMBERS, members)]


def _group(group: TrunkNow) -> tuple[str, ...]:
    counts = (group.in_use, group.channels, group.peak, group.blocked, group.others, group.reserve)
    return (group.trunk, group.title, *map(str, counts))


def _tenant(group: TrunkNow, share: TenantOfTrunk) -> tuple[str, ...]:
    ceiling = "-" if share.ceiling is None else str(share.ceiling)
    counts = (str(share.in_use), str(share.guarantee), ceiling, str(share.peak), str(share.blocked))
    return (group.trunk, share.tenant or "-", *counts)


def _limit(limit: LimitNow) -> tuple[str, ...]:
    counts = (f"{limit.used:g}", str(limit.most), str(limit.blocked))
    return (limit.limit, limit.tenant or "all", limit.bound.replace("_", " "), *counts)


def _member(group: TrunkNow, member: MemberOfTrunk) -> tuple[str, ...]:
    return (group.trunk, member.endpoint, member.site or "-", str(member.in_use), str(member.channels), _state(member))


def _state(member: MemberOfTrunk) -> str:
    if not member.online:
        return "cannot be reached"
    return {
        BreakerState.CLOSED: "carries calls",
        BreakerState.OPEN: "rests after failures",
        BreakerState.HALF_OPEN: "is tried with one call",
    }[member.breaker]
