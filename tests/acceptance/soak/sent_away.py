"""Which calls Asterisk sent to its fallback, as its log tells."""

import re
from datetime import UTC, datetime

_SENT = re.compile(
    r"^\[(?P<at>[^\]]+)\].* callrouter is away: \S+ for (?P<dialed>\d+) goes to the fallback", re.MULTILINE
)


def sent_away(log: str) -> dict[str, datetime]:
    """When, by the number that was dialled; aware."""
    return {
        found["dialed"]: datetime.strptime(found["at"], "%Y-%m-%d %H:%M:%S.%f").astimezone(UTC)
        for found in _SENT.finditer(log)
    }
