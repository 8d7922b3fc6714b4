"""What was kept while nobody was connected is judged by the snapshot: who waits, who was missed, what is to be told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callrouter.ari import wire
from callrouter.ari.snapshots import Channel, ChannelState
from callrouter.ari.sync import MissedChannel, SiteSnapshot
from callrouter.ari.translate import FROM_DIALPLAN
from callrouter.ari.waited import sort_out

ASKED = datetime(2026, 11, 24, 3, 54, 20, tzinfo=UTC)
"""When the snapshot was asked for, by Asterisk's clock."""


def told(kind: str, channel: str, before_s: float, **fields: Any) -> wire.Event:
    """An event of so many seconds before the snapshot."""
    about = {"id": channel, "name": f"PJSIP/{channel}", "state": "Ring"}
    at = (ASKED - timedelta(seconds=before_s)).isoformat()
    message = wire.decode(json.dumps({"type": kind, "timestamp": at, "channel": about, **fields}))
    assert not isinstance(message, wire.RESTResponse | wire.Unknown)
    return message


def came(channel: str, before_s: float, *args: str) -> wire.Event:
    return told("StasisStart", channel, before_s, args=args)


def there(*channels: str) -> SiteSnapshot:
    inside = tuple(Channel(id=one, name=f"PJSIP/{one}", state=ChannelState.RING) for one in channels)
    return SiteSnapshot(0.0, 0.0, "aa:bb", ASKED, "22.10.1", inside, (), ())


def test_who_is_there_still_has_waited_since_he_came_and_is_not_told_of_as_news() -> None:
    snapshot, left = sort_out([came("1", 7.5, "inbound", "120")], there("1"), ASKED, FROM_DIALPLAN)

    assert (snapshot.waits, snapshot.missed, left) == ({"1": 7.5}, (), [])


def test_who_hung_up_was_missed_and_nothing_of_him_is_told() -> None:
    events = [
        came("1", 7.5, "inbound", "120"),
        told("ChannelDtmfReceived", "1", 6, digit="1", duration_ms=100),
        told("ChannelHangupRequest", "1", 5, cause=16),
        told("StasisEnd", "1", 4.5),
    ]
    snapshot, left = sort_out(events, there(), ASKED, FROM_DIALPLAN)

    assert left == []
    (missed,) = snapshot.missed
    assert (missed.channel.id, missed.args) == ("1", ("inbound", "120"))
    assert (missed.came_s, missed.went_s, missed.cause, missed.hung_up) == (7.5, 4.5, 16, True)


def test_whom_the_dialplan_took_back_was_missed_without_having_hung_up() -> None:
    events = [came("1", 7.5, "inbound", "120"), told("StasisEnd", "1", 2.5)]
    snapshot, _ = sort_out(events, there(), ASKED, FROM_DIALPLAN)

    assert [(one.came_s, one.went_s, one.hung_up) for one in snapshot.missed] == [(7.5, 2.5, False)]


def test_whose_end_was_lost_went_just_before() -> None:
    snapshot, _ = sort_out([came("1", 7.5, "inbound", "120")], there(), ASKED, FROM_DIALPLAN)

    assert [(one.went_s, one.hung_up) for one in snapshot.missed] == [(0.0, False)]


def test_nobody_went_before_he_came() -> None:
    """The end was told of an earlier life of the channel, or a clock was set."""
    events = [came("1", 1, "inbound", "120"), told("StasisEnd", "1", 3)]
    snapshot, _ = sort_out(events, there(), ASKED, FROM_DIALPLAN)

    assert [(one.came_s, one.went_s) for one in snapshot.missed] == [(1.0, 1.0)]


def test_a_code_that_was_dialled_while_nobody_was_there_to_take_it_does_nothing_later() -> None:
    events = [came("1", 7.5, "switch", "*21"), told("StasisEnd", "1", 2.5)]
    snapshot, left = sort_out(events, there(), ASKED, FROM_DIALPLAN)

    assert left == []
    assert isinstance(snapshot.missed[0], MissedChannel), "which a reader makes nothing of"


def test_who_came_after_the_snapshot_was_asked_for_is_news() -> None:
    event = came("1", -0.01, "inbound", "120")
    snapshot, left = sort_out([event], there(), ASKED, FROM_DIALPLAN)

    assert (left, snapshot.missed) == ([event], ())


@pytest.mark.parametrize("args", [(), ("leg",)])
def test_our_own_legs_and_all_else_are_told_as_they_came(args: tuple[str, ...]) -> None:
    events = [came("leg", 5, *args), told("ChannelDestroyed", "other", 4, cause=16), told("StasisEnd", "other", 4)]
    snapshot, left = sort_out(events, there(), ASKED, FROM_DIALPLAN)

    assert (left, snapshot.missed) == (events, ())
