"""Numbers that calls go out to: what kind each is, and so whether it may be dialled at all.

Whoever can make a PBX dial can make it pay: premium-rate and foreign numbers are where stolen calls go. Source for the
Korean forms: the numbering plan of the Republic of Korea (MSIT notice on the administration of telecommunication
numbers).
"""

import re
from enum import StrEnum

from callrouter.core.inbound import CallerKind
from callrouter.core.numbers import Number, parse


class NumberClass(StrEnum):
    """What kind of number is called, by what it costs and whom it reaches."""

    LANDLINE = "landline"
    MOBILE = "mobile"
    INTERNET = "internet"
    """070."""
    PERSONAL = "personal"
    """050: forwarded to wherever its owner says."""
    EMERGENCY = "emergency"
    """112, 119 and the like."""
    SHORT = "short"
    """Other special numbers (110, 1345, 1588-0000, 055-120)."""
    TOLL_FREE = "toll-free"
    """080."""
    PREMIUM = "premium"
    """060: the caller pays for what is said there."""
    INTERNATIONAL = "international"
    UNKNOWN = "unknown"
    """No number that the plan knows."""


USUAL: frozenset[NumberClass] = frozenset(
    {
        NumberClass.LANDLINE,
        NumberClass.MOBILE,
        NumberClass.INTERNET,
        NumberClass.EMERGENCY,
        NumberClass.SHORT,
        NumberClass.TOLL_FREE,
    }
)
"""What may be dialled where nothing else is said."""

_EMERGENCY = frozenset({"111", "112", "113", "117", "118", "119", "122", "125"})
_INTERNATIONAL_PREFIX = re.compile(r"(\+|00)(?!82)", re.ASCII)

_BY_KIND = {
    CallerKind.LANDLINE: NumberClass.LANDLINE,
    CallerKind.MOBILE: NumberClass.MOBILE,
    CallerKind.INTERNET: NumberClass.INTERNET,
    CallerKind.PERSONAL: NumberClass.PERSONAL,
    CallerKind.FOREIGN: NumberClass.INTERNATIONAL,
}


_IN_ENDPOINT = re.compile(r"(?:^[A-Za-z0-9]+/|sips?:)(?P<number>\+?[0-9-]+)@", re.ASCII)
"""``PJSIP/0552111120@carrier``, ``PJSIP/carrier/sip:0552111120@192.0.2.1``."""


def number_in(endpoint: str) -> str:
    """The national number that a dial string calls over a trunk; empty if it is an extension over there, or none."""
    return parse(written_in(endpoint)).national


def written_in(endpoint: str) -> str:
    """The number that a dial string calls over a trunk, as it is written there; empty if it has none."""
    found = _IN_ENDPOINT.search(endpoint)
    return found["number"] if found is not None else ""


def classify(text: str) -> NumberClass:
    """The kind of the number that is dialled as ``text``. Never raises."""
    number = parse(text)
    if number.kind is CallerKind.SERVICE:
        return _special(number)
    kind = _BY_KIND.get(number.kind)
    if kind is None:
        # Whatever a carrier takes for a call abroad is one, whether or not the number exists.
        return NumberClass.INTERNATIONAL if _INTERNATIONAL_PREFIX.match(text.strip()) else NumberClass.UNKNOWN
    return kind


def _special(number: Number) -> NumberClass:
    if number.national in _EMERGENCY:
        return NumberClass.EMERGENCY
    return {"060": NumberClass.PREMIUM, "080": NumberClass.TOLL_FREE}.get(number.national[:3], NumberClass.SHORT)
