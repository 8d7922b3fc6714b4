"""Rules that went live, as tests need them."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from callrouter.config.source import HASH_DIGITS, digest_of
from callrouter.store.rules import LiveRules

NOON = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
"""12:00 in Korea, a Tuesday."""

_numbers = itertools.count()


def live(text: str = "routes: []\n", **changes: Any) -> LiveRules:
    """Rules of one file with that text, live a minute after those before."""
    files = changes.pop("files", {"routes.yaml": text})
    digest = digest_of(files)
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "at": NOON + timedelta(minutes=next(_numbers)),
        "who": "kim",
        "host": "hall",
        "directory": "/etc/callrouter",
        "config_hash": digest[:HASH_DIGITS],
        "digest": digest,
        "files": files,
    }
    return LiveRules(**{**values, **changes})
