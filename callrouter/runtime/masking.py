"""Keeps residents' numbers and everybody's passwords out of the log.

Masked is every value of a field that holds a number by its name (:data:`NUMBER_KEYS`), and whatever looks like a
Korean or international number in any other text: messages, error texts, tracebacks, names of channels. Hidden are the
last four digits, as on the pages and in the records (:func:`callrouter.core.numbers.hide_tail`): ``0552251234`` →
``055225****``, ``010-5678-5678`` → ``010-5678-****``. Up to four digits it is no person's number (120, 1330, an
extension), and stays.

In free text a number without its area code cannot be told from any other count and stays: put numbers into fields.
"""

import math
import re
from collections.abc import Mapping
from datetime import date
from enum import Enum

from structlog.typing import EventDict, WrappedLogger

from callrouter.core.numbers import HIDDEN_DIGITS, hide_tail

NUMBER_KEYS = frozenset(
    {
        "ani",
        "callback",
        "callback_number",
        "caller",
        "caller_name",
        "caller_number",
        "callerid",
        "connected",
        "connected_number",
        "dialed_by",
        "from_number",
        "number",
        "phone",
        "resident",
        "to_number",
    }
)
"""Fields whose value is, or may be, a resident's number."""

SECRET_KEYS = frozenset({"api_key", "authorization", "cookie", "password", "secret", "token"})
"""Fields whose value is never shown."""

HIDDEN = "***"

_DEEPEST = 4
_LONGEST_TEXT = 20_000
"""What is longer is cut before it is searched: a log line is not a place for more."""

# A number may stand within a channel's name (PJSIP/0552251234-00000001) or beside Hangul, but not within a longer
# run of ASCII letters and digits, nor after a decimal point. Call ids come first: some of them have groups of nothing
# but digits, and a masked id could not be searched for.
_NUMBER = re.compile(
    r"""
    (?<![A-Za-z0-9])(?<![0-9]\.)
    (?:
        (?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})
      | (?:\+|00)?82[- ]?(?:\(0\))?0?[1-9][0-9]?[- .]?[0-9]{3,4}[- .]?[0-9]{4}   # +82-55-225-1234
      | \(?0[1-9][0-9]{0,2}\)?[- .]?[0-9]{3,4}[- .]?[0-9]{4}   # 055-225-1234, 0505-123-4567
      | \+[1-9][0-9]{7,14}   # E.164
    )
    (?![A-Za-z0-9])
    """,
    re.VERBOSE,
)
# What every match of the former has in it; told several times faster, and most texts have none.
_MAY_HOLD_NUMBER = re.compile(r"[0-9][0-9() .-]{6,}[0-9]")
_ONLY_A_NUMBER = re.compile(r"[+0-9() .-]+")
# Up to the last @ of the word: a password that should have been escaped and was not is hidden whole.
_URL_PASSWORD = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@"'<>]*):[^\s"'<>]*@""")
_QUERY_SECRET = re.compile(r"""\b(api_key|password|passwd|secret|token)=[^\s&"'<>]+""", re.IGNORECASE)


def mask_number(number: str) -> str:
    """One number with its last four digits replaced by stars; separators stay. One of up to four digits stays."""
    return hide_tail(number) if sum(char.isdigit() for char in number) > HIDDEN_DIGITS else number


def mask_text(text: str) -> str:
    """Free text with every number in it masked, and passwords in URLs and query strings hidden."""
    text = text[:_LONGEST_TEXT]
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    if "=" in text:
        text = _QUERY_SECRET.sub(rf"\1={HIDDEN}", text)
    if _MAY_HOLD_NUMBER.search(text) is None:
        return text
    return _NUMBER.sub(lambda match: match[0] if match["uuid"] else mask_number(match[0]), text)


def mask_event(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The structlog processor: every field masked, and made of what JSON knows.

    It belongs behind whatever turns exceptions into text, and before the renderer.
    """
    for key, value in event.items():
        # Made by the log itself on every line, and not worth searching.
        if key not in ("timestamp", "level"):
            event[key] = _masked(key, value, 0)
    return event


def _masked(key: str, value: object, depth: int) -> object:
    # By its name first: not even a number that is no text is shown.
    if key in SECRET_KEYS:
        return HIDDEN
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int):
        return _masked_number_field(str(value)) if key in NUMBER_KEYS and abs(value) > 9999 else value
    if isinstance(value, date):
        return value.isoformat()
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {mask_text(str(k)): _masked(str(k), v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_masked(key, item, depth + 1) for item in value]
    text = value if isinstance(value, str) else _shown(value)
    return _masked_number_field(text) if key in NUMBER_KEYS else mask_text(text)


def _shown(value: object) -> str:
    """The text of anything. A log line must not fail, even where an object's own ``__str__`` does."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _masked_number_field(text: str) -> str:
    """The value of a field that holds a number by its name: masked also where it does not look like one."""
    return mask_number(text) if _ONLY_A_NUMBER.fullmatch(text) else mask_text(text)
