"""When the daemon's day begins: now, or, where a caller would only hear that the centre is closed, when it opens.

Asks the rules that route calls, so that it knows what they know of nights, weekends and holidays.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from callrouter.cli.options import instant
from callrouter.config import Loaded
from callrouter.core.decision import Decision
from callrouter.core.ids import SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.routing import Ruleset
from lab.phones import CARRIER, RESIDENT_NUMBER, SERVICE_NUMBER

FARTHEST = timedelta(days=400)
NOW = "now"


@dataclass(frozen=True, slots=True)
class Beginning:
    """The instant at which the daemon's day begins.

    ``clock`` is what the daemon is told, None for the real time. ``is_open``: somebody will answer then.
    ``instead_of`` is the real time, if it was left because the centre is closed.
    """

    at: datetime
    clock: str | None
    is_open: bool
    instead_of: datetime | None = None


def beginning(loaded: Loaded, wanted: str | None, now: datetime) -> Beginning:
    """The beginning that a person ``wanted`` (``now``, or an instant), or by default one at which somebody answers.

    Raises:
        click.BadParameter: ``wanted`` is neither.
    """
    local = now.astimezone(loaded.timezone)
    if wanted == NOW:
        return Beginning(local, None, not decide(loaded, now).closed)
    if wanted is not None:
        at = instant(wanted, loaded.timezone, "--clock")
        return Beginning(at, at.isoformat(), not decide(loaded, at).closed)
    opens = next_opening(loaded, now)
    if opens is None:
        return Beginning(local, None, False)
    if opens == now:
        return Beginning(local, None, True)
    opens = opens.astimezone(loaded.timezone)
    return Beginning(opens, opens.isoformat(), True, instead_of=local)


def next_opening(loaded: Loaded, at: datetime) -> datetime | None:
    """The first instant from ``at`` on when a resident reaches more than an announcement; None within 400 days."""
    router = loaded.rulebook.router
    calendars = router.calendars.values() if isinstance(router, Ruleset) else ()
    last = at + FARTHEST
    while decide(loaded, at).closed:
        # Rules depend on the time by calendars only: between two of their changes, nothing changes.
        changes = [change for calendar in calendars if (change := calendar.next_change(at)) is not None]
        if not changes or min(changes) > last:
            return None
        at = min(changes)
    return at


def decide(loaded: Loaded, at: datetime) -> Decision:
    """What the rules say to the laboratory's resident who dials the service then."""
    site = next(iter(loaded.settings.sites), SiteName(""))
    return loaded.rulebook.router.decide(CallFacts(SERVICE_NUMBER, site, RESIDENT_NUMBER, trunk=CARRIER), at)
