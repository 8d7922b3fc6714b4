"""Callers who came in while nobody listened: those who are there still, and those who have gone again."""

from datetime import timedelta

import msgspec
import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.causes import Cause
from callrouter.core.cdr import Cdr, Disposition, Outcome, ReleasedBy
from callrouter.core.ids import CallId, ChannelId
from callrouter.core.inbound import CallFacts
from callrouter.core.states import CallState
from tests.core.driver import CITY, HALL, Driver, agent, rulebook

CHANNEL = ChannelId("resident")
FACTS = CallFacts("120", HALL, "0552251234")


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook(agent("kim", trunk=CITY)))


def missed(hall: Driver, *, cause: int = 17, to_dialplan: bool = False) -> ev.SiteUp:
    """What a site that comes up tells: somebody came 9 s ago, and was gone 4 s ago."""
    one = ev.CallMissed(CallId("missed"), CHANNEL, FACTS, 9.0, 4.0, cause, to_dialplan)
    return msgspec.structs.replace(hall.snapshot(), missed=(one,))


def the_record(hall: Driver) -> Cdr:
    (cdr,) = hall.cdrs
    return cdr


def test_who_hung_up_before_anybody_was_there_leaves_a_record_with_his_own_times(hall: Driver) -> None:
    before = len(hall.commands)
    hall.tell(missed(hall))
    cdr = the_record(hall)

    assert (cdr.outcome, cdr.released_by, cdr.disposition) == (Outcome.ABANDONED, ReleasedBy.CALLER, Disposition.BUSY)
    assert (cdr.started_at, cdr.ended_at) == (hall.now - timedelta(seconds=9), hall.now - timedelta(seconds=4))
    assert (cdr.wait_s, cdr.ring_s, cdr.caller, cdr.legs) == (5.0, 0.0, "0552251234", ())
    assert not hall.exchange.calls
    assert not [one for one in hall.commands[before:] if isinstance(one, cmd.Originate | cmd.Answer | cmd.Hangup)]


def test_whom_the_dialplan_took_to_its_fallback_is_recorded_as_not_served(hall: Driver) -> None:
    hall.tell(missed(hall, cause=0, to_dialplan=True))
    cdr = the_record(hall)

    assert (cdr.outcome, cdr.released_by, cdr.hangup_cause) == (Outcome.FAILED, ReleasedBy.SYSTEM, 16)
    assert "released: taken-away" in cdr.explanation


def test_a_cause_that_asterisk_did_not_know_is_the_usual_one(hall: Driver) -> None:
    hall.tell(missed(hall, cause=0))

    assert the_record(hall).hangup_cause == Cause.NORMAL_CLEARING


def test_told_twice_it_is_recorded_once(hall: Driver) -> None:
    news = missed(hall)
    hall.tell(news)
    hall.tell(news)

    assert len(hall.cdrs) == 1


def test_a_call_that_is_known_is_not_missed(hall: Driver) -> None:
    call = hall.dial()
    up = missed(hall)
    hall.tell(msgspec.structs.replace(up, missed=(msgspec.structs.replace(up.missed[0], channel=call.channel),)))

    assert call.state is CallState.OFFERED
    assert not hall.cdrs


def test_who_is_there_still_is_routed_and_his_call_began_when_he_came(hall: Driver) -> None:
    hall.asterisk.connected = False
    hall.arrive()
    hall.asterisk.connected = True
    up = hall.snapshot()
    waited = {name: msgspec.structs.replace(seen, waited_s=7.5) for name, seen in up.channels.items()}
    hall.tell(msgspec.structs.replace(up, channels=waited))
    hall.settle()
    (call,) = hall.exchange.calls.values()

    assert call.opened_at == up.requested_at - timedelta(seconds=7.5)
    assert call.state is CallState.OFFERED
    hall.hang_up(call)
    assert hall.cdr(call).wait_s >= 7.5


def test_such_a_call_is_not_taken_for_one_that_an_older_snapshot_should_have_known(hall: Driver) -> None:
    hall.asterisk.connected = False
    hall.arrive()
    hall.asterisk.connected = True
    up = hall.snapshot()
    waited = {name: msgspec.structs.replace(seen, waited_s=7.5) for name, seen in up.channels.items()}
    hall.tell(msgspec.structs.replace(up, channels=waited))
    hall.tell(hall.snapshot())
    (call,) = hall.exchange.calls.values()

    assert call.state is CallState.OFFERED
