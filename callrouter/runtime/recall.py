"""What is remembered of callers, told with their calls as they come in, and kept as the exchange wants it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import msgspec

from callrouter.core import events as ev
from callrouter.core.ids import ChannelId, RegionName
from callrouter.core.inbound import CallFacts
from callrouter.core.remembering import remembered_as


class Memory(Protocol):
    """Knows callers by their numbers (E.164). Answers at once, from memory, and never raises."""

    def recall(self, number: str, at: datetime) -> RegionName | None:
        """The region that is remembered of this caller, unless its time was over before ``at``."""
        ...

    def remember(self, number: str, region: RegionName, until: datetime) -> None:
        """Keep a choice, in place of an earlier one."""
        ...

    def forget(self, number: str) -> bool:
        """Keep nothing of this caller any more; whether there was anything."""
        ...


class NoMemory:
    """Remembers nothing."""

    def recall(self, number: str, at: datetime) -> RegionName | None:
        """None."""
        return None

    def remember(self, number: str, region: RegionName, until: datetime) -> None:
        """Keeps nothing."""

    def forget(self, number: str) -> bool:
        """There was nothing."""
        return False


def with_memory(facts: CallFacts, memory: Memory, at: datetime) -> CallFacts:
    """What is known of a call, with what is remembered of its caller."""
    number = remembered_as(facts.caller)
    return facts if number is None else replace(facts, remembered=memory.recall(number, at))


def event_with_memory(event: ev.Event, memory: Memory, at: datetime, is_known: Callable[[ChannelId], bool]) -> ev.Event:
    """The event with what is remembered of every caller who is new in it: calls that are known stay as they began."""
    match event:
        case ev.CallArrived() if not is_known(event.channel):
            return msgspec.structs.replace(event, facts=with_memory(event.facts, memory, at))
        case ev.SiteUp():
            channels = {
                name: msgspec.structs.replace(seen, inbound=with_memory(seen.inbound, memory, at))
                if seen.inbound is not None and not is_known(name)
                else seen
                for name, seen in event.channels.items()
            }
            return msgspec.structs.replace(event, channels=channels)
        case _:
            return event
