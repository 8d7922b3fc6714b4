"""Fresh call ids."""

import secrets
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from callrouter.core.ids import CallId


def new_call_id(now: Callable[[], datetime]) -> CallId:
    """A UUID of version 7 (RFC 9562): it begins with the time in milliseconds, so ids sort as calls came in."""
    milliseconds = int(now().timestamp() * 1000) & ((1 << 48) - 1)
    noise = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (noise >> 62) << 64 | 0b10 << 62 | noise & ((1 << 62) - 1)
    return CallId(str(UUID(int=value)))
