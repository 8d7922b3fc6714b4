"""Telling outcomes apart."""

import pytest

from callrouter.ari.outcome import Doubt, Outcome, answered, unanswered


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DONE),
        (204, Outcome.DONE),
        (400, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (404, Outcome.GONE),
        (409, Outcome.CONFLICT),
        (412, Outcome.CONFLICT),
        (422, Outcome.CONFLICT),
        (500, Outcome.REFUSED),
        (503, Outcome.REFUSED),
        (0, Outcome.REFUSED),
    ],
)
def test_a_status_means_one_outcome(status: int, outcome: Outcome) -> None:
    assert answered(status).outcome is outcome


@pytest.mark.parametrize(
    ("doubt", "sent"),
    [(Doubt.TIMED_OUT, True), (Doubt.CONNECTION_LOST, True), (Doubt.NOT_SENT, False), (Doubt.TOO_MANY, False)],
)
def test_no_answer_is_unknown_and_says_whether_asterisk_may_have_seen_it(doubt: Doubt, sent: bool) -> None:
    reply = unanswered(doubt)

    assert reply.outcome is Outcome.UNKNOWN
    assert reply.was_sent is sent
