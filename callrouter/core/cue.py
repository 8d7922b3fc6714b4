"""A signal to a call, with what it carries."""

import msgspec

from callrouter.core.agent import Agent
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.ids import ChannelId
from callrouter.core.states import Signal


class Cue(msgspec.Struct, frozen=True, gc=False):
    """A signal and what it carries."""

    signal: Signal
    cause: int = Cause.NORMAL_CLEARING
    agent: Agent | None = None
    result: OfferResult = OfferResult.NO_ANSWER
    """For a ring that is cut short: how the offer counts."""
    to_dialplan: bool = False
    """The caller lives on in the dialplan, where we did not send him."""
    length_s: float | None = None
    """How long was spoken in a recording that is over; None: not known."""
    why: str = ""
    """Why a recording failed."""
    digit: str = ""
    """The key that was pressed."""
    channel: ChannelId = ChannelId("")
    """Which leg it is told of, where a call may have several."""
    estimated: bool = False
    """The time is that of our finding out, not of its happening."""
    failed: bool = False
    """The announcement was not heard to its end."""
