"""Who may be remembered, and for how long: the region that a caller chose with a key, if he agreed with another.

Consent is a question of its own (:attr:`callrouter.core.plan.Menu.asks_consent`). It is not put to a caller with whom
it could not be kept.
The core never looks anything up: what is remembered of a caller comes in with the call
(:attr:`callrouter.core.inbound.CallFacts.remembered`) and goes out as a command, so a call that is replayed from its
facts is decided as it was.
"""

from typing import Final

from callrouter.core.inbound import CallerKind
from callrouter.core.numbers import Number, parse

LEAST_S: Final = 3600.0
MOST_S: Final = 365 * 86_400.0
"""The longest that any configuration may have a choice remembered."""

_RESIDENTS = frozenset({CallerKind.LANDLINE, CallerKind.MOBILE, CallerKind.INTERNET, CallerKind.FOREIGN})
"""Lines that stay with whoever calls from them. Personal numbers (050) pass from hand to hand; offices are many."""


def may_be_remembered(caller: Number) -> bool:
    """Whether a choice made from this number may be kept for its next call."""
    return caller.kind in _RESIDENTS and caller.e164 is not None


def remembered_as(caller: str) -> str | None:
    """The number (E.164) by which this caller is known again; None for who is never remembered."""
    number = parse(caller)
    return number.e164 if may_be_remembered(number) else None
