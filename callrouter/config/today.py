"""The day by which a configuration is complained of: what is right for ever needs no clock, and most of it is."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def now() -> datetime:
    """The time of this machine, UTC."""
    return datetime.now(UTC)


def today(zone: str) -> date:
    """The date in the zone of that name; in UTC if there is none, which is complained of elsewhere."""
    try:
        return now().astimezone(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return now().date()
