"""Why a call or a leg ended: the cause values of ITU-T Q.850, as Asterisk uses them.

Source: ITU-T Q.850 (10/2018), table 1; Asterisk ``include/asterisk/causes.h``.
"""

from enum import IntEnum


class Cause(IntEnum):
    """Q.850 cause values that we tell apart; any other arrives as a plain number."""

    NOT_DEFINED = 0
    UNALLOCATED = 1
    NO_ROUTE_TRANSIT_NET = 2
    NO_ROUTE_DESTINATION = 3
    NORMAL_CLEARING = 16
    USER_BUSY = 17
    NO_USER_RESPONSE = 18
    NO_ANSWER = 19
    SUBSCRIBER_ABSENT = 20
    CALL_REJECTED = 21
    EXCHANGE_ROUTING_ERROR = 25
    """The call goes in a circle."""
    ANSWERED_ELSEWHERE = 26
    """Q.850: non-selected user clearing. Another phone has the call, and this one need not list it as missed."""
    DESTINATION_OUT_OF_ORDER = 27
    INVALID_NUMBER_FORMAT = 28
    NORMAL_UNSPECIFIED = 31
    NORMAL_CIRCUIT_CONGESTION = 34
    NETWORK_OUT_OF_ORDER = 38
    NORMAL_TEMPORARY_FAILURE = 41
    SWITCH_CONGESTION = 42
    REQUESTED_CHANNEL_UNAVAILABLE = 44
    """Also what Asterisk says of who talked, and whom it has ended because no sound came from there."""
    RECOVERY_ON_TIMER_EXPIRY = 102
    INTERWORKING = 127


CONGESTION = frozenset(
    {
        Cause.NORMAL_CIRCUIT_CONGESTION,
        Cause.NETWORK_OUT_OF_ORDER,
        Cause.SWITCH_CONGESTION,
        Cause.REQUESTED_CHANNEL_UNAVAILABLE,
    }
)
"""Causes that speak of the way to the counselor, never of the counselor."""
