"""What a soak calls a disagreement between records and what the clients saw."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from callrouter.core.cdr import Cdr, CdrCallback, CdrReturn, OfferResult, Outcome, ReturnResult
from callrouter.core.ids import ChannelId, DestinationName, QueueName
from callrouter.core.loops import word_of
from tests.acceptance.soak.records import Evidence
from tests.acceptance.soak.seen import Away, LegSeen, Seen
from tests.fakes import cdrs

A_SECOND = timedelta(seconds=1)
CDR = cdrs.handled(dialed="12000001")
SEEN = Seen(CDR.caller, CDR.dialed, CDR.started_at, CDR.ended_at, entered=True)


def legs(cdr: Cdr) -> tuple[LegSeen, ...]:
    """What the phones saw, if the record is right."""
    return tuple(
        LegSeen(
            leg.agent or "network",
            str(leg.agent or cdr.caller),
            cdr.caller,
            word_of(leg.channel),
            leg.offered_at,
            leg.answered_at,
            leg.ended_at,
        )
        for leg in cdr.legs
    )


def disagreements(
    cdrs: Sequence[Cdr] = (CDR,),
    *,
    seen: Sequence[Seen] = (SEEN,),
    phones: Sequence[LegSeen] = legs(CDR),
    away: Sequence[Away] = (),
    sent_away: Mapping[str, datetime] | None = None,
) -> str:
    return "\n".join(Evidence(seen, phones, cdrs, away, sent_away or {}).disagreements())


def changed_leg(**changes: object) -> Cdr:
    """The record with its last leg so."""
    *others, last = CDR.legs
    return replace(CDR, legs=(*others, replace(last, **changes)))  # type: ignore[arg-type]


def test_a_record_that_says_what_was_seen_agrees() -> None:
    assert disagreements() == ""


def test_a_call_has_exactly_one_record() -> None:
    assert "no record" in disagreements((), phones=())
    assert "2 records" in disagreements((CDR, replace(CDR, call_id=cdrs.call_id(), legs=())))
    assert "nobody called" in disagreements(seen=())


@pytest.mark.parametrize(("moment", "word"), [("started_at", "began at"), ("ended_at", "ended at")])
@pytest.mark.parametrize("seconds", [-2, 2])
def test_a_record_that_begins_or_ends_at_another_time_disagrees(moment: str, word: str, seconds: int) -> None:
    at = getattr(CDR, moment) + seconds * A_SECOND
    assert word in disagreements((replace(CDR, **{moment: at}),))


def test_a_leg_that_is_lost_disagrees_and_so_does_one_that_never_was() -> None:
    assert "no record has it" in disagreements((replace(CDR, legs=CDR.legs[:1]),))
    assert "was answered by nobody" in disagreements(phones=legs(CDR)[:1])
    assert "called 2 times" in disagreements(phones=(*legs(CDR), legs(CDR)[1]))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("began", {"offered_at": CDR.legs[1].offered_at - 2 * A_SECOND}),
        ("ended", {"ended_at": CDR.legs[1].ended_at + 2 * A_SECOND}),
        ("answered", {"answered_at": CDR.legs[1].answered_at}),
        ("does not say when", {"answered_at": None}),
    ],
)
def test_a_leg_with_other_times_disagrees(what: str, changes: dict[str, object]) -> None:
    phones = legs(CDR)
    if what == "answered":
        phones = (phones[0], replace(phones[1], answered_at=phones[1].began_at))
    assert what in disagreements((changed_leg(**changes),), phones=phones)


def test_a_phone_that_nobody_we_know_has_called_disagrees_unless_the_fallback_did() -> None:
    stranger = replace(legs(CDR)[0], word="")
    assert "by nobody we know" in disagreements(phones=(*legs(CDR), stranger))
    assert not disagreements(phones=(*legs(CDR), stranger), sent_away={CDR.dialed: CDR.ended_at})


def test_what_ended_while_no_daemon_was_there_may_be_recorded_until_one_is_back() -> None:
    back_at = CDR.ended_at + 3 * A_SECOND
    late = replace(CDR, ended_at=back_at, talk_s=CDR.talk_s + 3, legs=changed_leg(ended_at=back_at).legs)
    assert "ended" in disagreements((late,))
    assert not disagreements((late,), away=(Away(CDR.ended_at, back_at),))
    assert "ended" in disagreements((late,), away=(Away(CDR.started_at, CDR.started_at + A_SECOND),))


def test_a_call_without_a_record_is_excused_if_it_was_over_before_a_daemon_came_back_or_sent_away() -> None:
    brief = Seen("0552250001", "12000002", CDR.started_at, CDR.started_at + A_SECOND, entered=True)
    away = Away(brief.began_at, brief.ended_at + A_SECOND)
    assert "0552250001: no record" in disagreements(seen=(SEEN, brief))
    assert not disagreements(seen=(SEEN, brief), away=(away,))
    assert not disagreements(seen=(SEEN, brief), sent_away={brief.dialed: brief.ended_at})
    assert not disagreements(seen=(SEEN, replace(brief, entered=False)))
    longer = replace(brief, ended_at=away.over_at + 9 * A_SECOND)
    assert "no record" in disagreements(seen=(SEEN, longer), away=(away,))


def asked_and_called_back(result: ReturnResult) -> tuple[Cdr, Cdr]:
    asked = replace(
        CDR,
        outcome=Outcome.CALLBACK,
        callback=CdrCallback(QueueName("night"), CDR.caller, CDR.ended_at),
        legs=(),
        answered_at=None,
        wait_s=CDR.wait_s + CDR.ring_s + CDR.talk_s,
        ring_s=0.0,
        talk_s=0.0,
    )
    made = cdrs.handled(dialed="", returns=CdrReturn(asked.call_id, result, 0))
    made = replace(made, legs=tuple(replace(leg, channel=ChannelId(f"made-{leg.attempt}")) for leg in made.legs))
    return asked, made


def test_who_asked_to_be_called_back_is_called_back_once_and_answers_if_it_is_said() -> None:
    asked, made = asked_and_called_back(ReturnResult.REACHED)
    phones = legs(made)
    assert not disagreements((asked, made), phones=(phones[0], replace(phones[1], called=CDR.caller)))
    assert "never answered" in disagreements((asked, made), phones=phones)
    assert "0 calls were made" in disagreements((asked,), phones=())
    assert "did not ask" in disagreements((replace(asked, callback=None), made), phones=phones)
    again = replace(made, call_id=cdrs.call_id(), legs=(), answered_at=None, wait_s=100.002, ring_s=0.0, talk_s=0.0)
    assert "2 calls were made" in disagreements((asked, made, again), phones=phones)


def test_a_leg_of_who_waits_while_the_resident_is_called_is_answered_when_he_answers() -> None:
    asked, made = asked_and_called_back(ReturnResult.REACHED)
    *_, counselor = made.legs
    resident = replace(counselor, channel=ChannelId("made-3"), agent=None, destination=DestinationName(CDR.caller))
    made = replace(made, legs=(*made.legs, resident))
    first, waits, answers = legs(made)
    early = replace(waits, answered_at=waits.began_at)
    assert not disagreements((asked, made), phones=(first, early, replace(answers, called=CDR.caller)))
    late = replace(made, legs=(*made.legs[:2], replace(resident, answered_at=made.ended_at)))
    first, waits, answers = legs(late)
    early = replace(waits, answered_at=waits.began_at)
    assert "leg 2 to agent2 answered at" in disagreements((asked, late), phones=(first, early, answers))
    assert counselor.result is OfferResult.ANSWERED


def test_parts_of_a_record_that_do_not_make_a_whole_disagree() -> None:
    assert "is not" in disagreements((replace(CDR, wait_s=1.0),))
    assert "talked for" in disagreements((replace(CDR, talk_s=CDR.talk_s + 1, wait_s=CDR.wait_s - 1),))
