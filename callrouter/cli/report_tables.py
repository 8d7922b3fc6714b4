"""The tables of a report, read from PostgreSQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

import click

from callrouter.config.load import Loaded
from callrouter.core.service_level import ServiceGoal
from callrouter.report.grouping import AgentReport, By, QueueReport
from callrouter.report.occupancy import OccupancyReport, Person
from callrouter.report.tables import CALLS, OCCUPANCY, OFFERS, PAUSES, Pause, Table
from callrouter.store.report_rows import agent_offers, duties, queue_visits, queued_calls, talks


@dataclass(frozen=True, slots=True)
class Asked:
    """Which calls: those that began in ``[begin, end)``. Counselors' time is told up to ``now``, if that is earlier."""

    url: str
    begin: datetime
    end: datetime
    now: datetime
    by: By
    zone: tzinfo | None
    loaded: Loaded | None


async def calls_table(asked: Asked) -> Table:
    """Calls by anything but counselors: by queue each wait counts, by anything else each call.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away (so for all of these).
        DatabaseError: it said no.
    """
    into = QueueReport(asked.by, asked.zone, _goals(asked.loaded))
    rows = queue_visits if asked.by is By.QUEUE else queued_calls
    async for call in rows(asked.url, asked.begin, asked.end):
        into.add(call)
    return Table("calls", (asked.by.value,), CALLS, [((name,), tally) for name, tally in into.groups()], into.total)


async def offers_table(asked: Asked) -> Table:
    """Offers by counselors."""
    into = AgentReport()
    async for offer in agent_offers(asked.url, asked.begin, asked.end):
        into.add(offer)
    return Table("offers", ("agent",), OFFERS, [((name,), tally) for name, tally in into.groups()], into.total)


async def occupancy_tables(asked: Asked) -> list[Table]:
    """Counselors' time, and what they paused for."""
    people, wrap_up_s = _people(asked.loaded)
    until = max(asked.begin, asked.now)
    into = OccupancyReport(people, wrap_up_s, asked.begin, until)
    async for duty in duties(asked.url, asked.begin, until):
        into.said(duty)
    async for talk in talks(asked.url, asked.begin, until):
        into.talked(talk)
    by = By.AGENT if asked.by in (By.TOPIC, By.WRAP_UP) else asked.by
    total = into.total()
    spent = [((name,), tally) for name, tally in into.groups(by, asked.zone)]
    pauses = [((agent, reason), Pause(seconds)) for agent, reason, seconds in into.pauses()]
    return [
        Table("occupancy", (by.value,), OCCUPANCY, spent, total),
        Table("pauses", ("agent", "reason"), PAUSES, pauses, Pause(total.paused_s)),
    ]


def _goals(loaded: Loaded | None) -> Mapping[str, ServiceGoal]:
    """What each queue is measured by now; without a sound configuration nothing is known of them."""
    if loaded is None:
        click.echo("note: no sound configuration; queues are measured by 80 % in 20 s", err=True)
        return {}
    return {name: queue.goal for name, queue in loaded.rulebook.queues.items()}


def _people(loaded: Loaded | None) -> tuple[Mapping[str, Person], Mapping[str, float]]:
    """The counselors of now, and how long the work after a call of each queue takes."""
    if loaded is None:
        click.echo("note: no sound configuration; who is logged in and works after calls is not known", err=True)
        return {}, {}
    rules = loaded.rulebook
    people: dict[str, Person] = {}
    for agent, spec in rules.agents.items():
        people[agent] = Person(spec.tenant, spec.queues, spec.wrap_up_s)
    return people, {name: queue.wrap_up_s for name, queue in rules.queues.items()}
