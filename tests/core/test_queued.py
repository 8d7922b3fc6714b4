"""Calls as service levels see them: whole, and each wait of its own."""

from datetime import timedelta
from typing import Any

import pytest

from callrouter.core.cdr import CdrVisit, Outcome, VisitEnd
from callrouter.core.ids import QueueName
from callrouter.core.queued import visits, whole_call
from tests.fakes import cdrs

DAY, NIGHT = QueueName("day"), QueueName("night")


def wait(queue: QueueName, begin_s: float, end_s: float, how: VisitEnd) -> CdrVisit:
    return CdrVisit(queue, cdrs.EVENING + timedelta(seconds=begin_s), cdrs.EVENING + timedelta(seconds=end_s), how)


def told(cdr: Any) -> list[tuple[object, ...]]:
    return [
        (one.queue, one.outcome, one.agent, one.talk_s, (one.ended_at - one.queued_at).total_seconds())
        for one in visits(cdr)
    ]


def test_a_call_that_overflowed_into_a_second_queue_overflowed_there_and_was_answered_here() -> None:
    waits = (wait(DAY, 2, 9, VisitEnd.TIMEOUT), wait(NIGHT, 9.5, 34.625, VisitEnd.ANSWERED))
    cdr = cdrs.handled(queue=DAY, visits=waits)
    assert told(cdr) == [
        (DAY, Outcome.OVERFLOWED, None, 0.0, 7),
        (NIGHT, Outcome.HANDLED, "agent2", 65.377, 25.125),
    ]
    whole = whole_call(cdr)
    assert whole is not None
    assert (whole.queue, whole.outcome, whole.talk_s) == (DAY, Outcome.HANDLED, 65.377)


@pytest.mark.parametrize(
    ("outcome", "how", "counts_as"),
    [
        (Outcome.ABANDONED, VisitEnd.ABANDONED, Outcome.ABANDONED),
        (Outcome.OVERFLOWED, VisitEnd.TIMEOUT, Outcome.OVERFLOWED),
        (Outcome.HANDLED, VisitEnd.TIMEOUT, Outcome.OVERFLOWED),  # a destination took it
        (Outcome.VOICEMAIL, VisitEnd.TIMEOUT, Outcome.VOICEMAIL),
        (Outcome.CALLBACK, VisitEnd.ABANDONED, Outcome.CALLBACK),
        (Outcome.FAILED, VisitEnd.OTHER, Outcome.FAILED),
    ],
)
def test_what_became_of_the_call_is_put_down_to_its_last_queue(
    outcome: Outcome, how: VisitEnd, counts_as: Outcome
) -> None:
    waits = (wait(DAY, 2, 9, VisitEnd.TIMEOUT), wait(NIGHT, 9.5, 40.75, how))
    cdr = cdrs.abandoned(queue=DAY, outcome=outcome, visits=waits)
    assert [one.outcome for one in visits(cdr)] == [Outcome.OVERFLOWED, counts_as]


def test_a_call_without_a_queue_has_no_wait() -> None:
    cdr = cdrs.abandoned(queue=None, queued_at=None)
    assert (whole_call(cdr), list(visits(cdr))) == (None, [])


def test_a_call_of_a_queue_whose_entering_was_not_recorded_waited_from_its_beginning() -> None:
    whole = whole_call(cdrs.abandoned(queued_at=None))
    assert whole is not None
    assert whole.queued_at == cdrs.EVENING
