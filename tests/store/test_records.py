import dataclasses
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.cdr import Cdr, Disposition, Outcome, ReleasedBy
from callrouter.core.ids import AgentId
from callrouter.errors import StoreError
from callrouter.store.records import decode_cdr, encode_cdr
from tests.fakes import cdrs

_times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
_texts = st.text(max_size=20)
_names = st.none() | _texts
_seconds = st.floats(0, 1e6)
_any_cdr = st.builds(
    Cdr,
    call_id=st.uuids().map(str),
    site=_texts,
    started_at=_times,
    answered_at=st.none() | _times,
    ended_at=_times,
    caller=_texts,
    dialed=_texts,
    region=_texts,
    region_source=_texts,
    tenant=_texts,
    topic=_names,
    rule=_texts,
    config_hash=_texts,
    queue=_names,
    agent=_names,
    trunk=_names,
    outcome=st.sampled_from(Outcome),
    disposition=st.sampled_from(Disposition),
    hangup_cause=st.integers(0, 127),
    released_by=st.sampled_from(ReleasedBy),
    wait_s=_seconds,
    ring_s=_seconds,
    talk_s=_seconds,
    hold_s=_seconds,
    explanation=_texts,
    queued_at=st.none() | _times,
)


@given(_any_cdr)
def test_a_cdr_reads_back_as_the_very_same(cdr: Cdr) -> None:
    assert decode_cdr(encode_cdr(cdr)) == cdr


def test_legs_keep_their_enums_and_their_microseconds() -> None:
    cdr = cdrs.handled(ended_at=cdrs.EVENING + timedelta(microseconds=100_002_001))
    back = decode_cdr(encode_cdr(cdr))
    assert back == cdr
    assert [type(leg.result) for leg in back.legs] == [type(leg.result) for leg in cdr.legs]
    assert back.ended_at.tzinfo is not None


def test_text_that_is_no_unicode_does_not_lose_the_cdr() -> None:
    cdr = cdrs.handled(
        caller="055\udcff", legs=(dataclasses.replace(cdrs.handled().legs[0], agent=AgentId("a\ud800")),)
    )
    back = decode_cdr(encode_cdr(cdr))
    assert (back.caller, back.legs[0].agent) == ("055?", "a?")
    assert back.outcome is Outcome.HANDLED


def test_a_cdr_of_another_shape_is_refused_with_the_field() -> None:
    body = msgspec.json.decode(encode_cdr(cdrs.handled()))
    body["outcome"] = "eaten"
    with pytest.raises(StoreError, match=r"outcome"):
        decode_cdr(msgspec.json.encode(body))
