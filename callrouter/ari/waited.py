"""What Asterisk has kept for us while nobody was connected, sorted by what the snapshot says.

An Asterisk that dials in keeps the events of the time in between, and tells them all when somebody answers. Taken as
news they would ring phones for callers who have given up, and set switches after their phones were told that nothing
was set. So what came in from the dialplan before the snapshot was asked for is judged by it: who is in it has waited
since then, who is not has gone again. All other events are told as they are: of what the snapshot has settled they
change nothing.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from callrouter.ari import wire
from callrouter.ari.sync import MissedChannel, SiteSnapshot


@dataclass(slots=True)
class _Gone:
    start: wire.StasisStart
    went_at: datetime
    cause: int = 0
    hung_up: bool = False


def sort_out(
    early: Sequence[wire.Event], snapshot: SiteSnapshot, asked_at: datetime, words: Set[str]
) -> tuple[SiteSnapshot, list[wire.Event]]:
    """The snapshot with who has waited and who was missed, and the events that are still to be told.

    ``asked_at`` is by Asterisk's clock, no later than the snapshot. ``words`` are the first arguments with which the
    dialplan sends channels in; others are our own legs.
    """
    inside = {channel.id for channel in (*snapshot.channels, *snapshot.legs)}
    waits: dict[str, float] = {}
    gone: dict[str, _Gone] = {}
    left: list[wire.Event] = []
    for event in early:
        if isinstance(event, wire.StasisStart) and event.timestamp <= asked_at and words & {*event.args[:1]}:
            if event.channel.id in inside:
                waits[event.channel.id] = (asked_at - event.timestamp).total_seconds()
            else:
                gone[event.channel.id] = _Gone(event, asked_at)
        elif not _is_end_of(event, gone):
            left.append(event)
    missed = tuple(_missed(one, asked_at) for one in gone.values())
    return replace(snapshot, waits=waits, missed=missed), left


def _is_end_of(event: wire.Event, gone: dict[str, _Gone]) -> bool:
    """Whether the event is of somebody who is gone; what it tells of that is noted."""
    channel = getattr(event, "channel", None)
    one = gone.get(channel.id) if channel is not None else None
    if one is None:
        return False
    match event:
        case wire.ChannelHangupRequest(cause=cause):
            one.hung_up, one.cause, one.went_at = True, one.cause or cause, event.timestamp
        case wire.StasisEnd():
            one.went_at = event.timestamp
        case _:
            pass
    return True


def _missed(one: _Gone, asked_at: datetime) -> MissedChannel:
    came_s = max(0.0, (asked_at - one.start.timestamp).total_seconds())
    went_s = min(came_s, max(0.0, (asked_at - one.went_at).total_seconds()))
    return MissedChannel(one.start.channel, one.start.args, came_s, went_s, one.cause, hung_up=one.hung_up)
