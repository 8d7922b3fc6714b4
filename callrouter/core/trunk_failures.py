"""What the end of a leg says of the trunk that carried it."""

from callrouter.core.causes import CONGESTION, Cause
from callrouter.core.cdr import OfferResult

_OF_THE_TRUNK = CONGESTION | {
    Cause.NO_ROUTE_TRANSIT_NET,
    Cause.NO_ROUTE_DESTINATION,
    Cause.DESTINATION_OUT_OF_ORDER,
    Cause.RECOVERY_ON_TIMER_EXPIRY,
}
"""Causes that, of a call over a trunk, speak of the way. Not 20: so a far exchange says that a phone there is off."""

SHOWS_THE_WAY = frozenset(
    {
        OfferResult.ANSWERED,
        OfferResult.BUSY,
        OfferResult.REJECTED,
        OfferResult.UNREACHABLE,
        OfferResult.NOT_CONFIRMED,
        OfferResult.LOST,
    }
)
"""Results that somebody behind the trunk brought about, or the far exchange: it works."""


def is_failure(cause: int, *, rang: bool) -> bool:
    """Whether a leg over a trunk that was not answered, and ended so (Q.850), failed for the trunk.

    Without an answer of any kind (SIP 408), only if it did not ring.
    """
    return cause in _OF_THE_TRUNK or (cause == Cause.NO_USER_RESPONSE and not rang)
