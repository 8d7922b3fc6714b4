"""Numbers and passwords do not reach the log."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core import numbers
from callrouter.runtime.masking import NUMBER_KEYS, SECRET_KEYS, mask_event, mask_number, mask_text


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Caller:
    number: str


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("0552251234", "055225****"),
        ("055-225-1234", "055-225-****"),
        ("(055) 225-1234", "(055) 225-****"),
        ("01056785678", "0105678****"),
        ("010-5678-5678", "010-5678-****"),
        ("021234567", "02123****"),
        ("0212345678", "021234****"),
        ("07012345678", "0701234****"),
        ("050512345678", "05051234****"),
        ("+82552251234", "+8255225****"),
        ("+82-55-225-1234", "+82-55-225-****"),
        ("+821056785678", "+82105678****"),
        ("+8221234567", "+822123****"),
        ("0082552251234", "008255225****"),
        ("+14155552671", "+1415555****"),
        ("15881234", "1588****"),
        ("2251234", "225****"),
        ("70012", "7****"),
        ("120", "120"),
        ("1330", "1330"),
        ("", ""),
    ],
)
def test_the_last_four_digits_are_hidden(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@given(st.from_regex(r"[0-9+() .-]{1,30}", fullmatch=True))
def test_the_log_hides_what_pages_and_records_hide(number: str) -> None:
    """Whoever has both must not be able to put a number together."""
    in_log, on_page = mask_number(number), numbers.masked(number)
    digits = [char for char in number if char.isdigit()]
    shown = [char for char in on_page if char.isdigit() or char == "*"]
    if len(digits) > 4:
        assert [char for char in in_log if char.isdigit()] == digits[:-4]
        shown = [char for char in on_page if char.isdigit() or char == "*"]
        assert on_page == "unreadable" or (shown[-4:] == ["*"] * 4 and shown.count("*") == 4)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call from 0552251234 to 120", "call from 055225**** to 120"),
        ("발신0552251234번, 010-5678-5678입니다.", "발신055225****번, 010-5678-****입니다."),
        ("sip:0552251234@10.0.2.15:5060", "sip:055225****@10.0.2.15:5060"),
        ("<sip:+82552251234@pbx>", "<sip:+8255225****@pbx>"),
        ("PJSIP/0552251234-00000001", "PJSIP/055225****-00000001"),
        ("Caller(number='0552251234')", "Caller(number='055225****')"),
        ("agi_callerid: 01056785678\n", "agi_callerid: 0105678****\n"),
        ("from=+14155552671;", "from=+1415555****;"),
        ("+0552251234", "+055225****"),
        ("끝.0552251234", "끝.055225****"),
    ],
)
def test_numbers_in_text_are_masked_wherever_they_stand(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "dialed 120, then 110 and 1330",
        "call 01912345-6789-7123-8123-012345678901 ended",
        "leg callrouter-019ab345-0191-7123-8123-055225123456-leg-1",
        "channel 1795491000.0552251234",
        "at 2026-11-24T04:12:57.012345Z",
        "took 0.0552251234 s",
        "at 0x7f0123456789",
        "config 055225123412341234",
        "sha 0552251234ab",
        "127.0.0.1:45271",
        "routes.yaml:14:9: unknown queue",
        "api http://127.0.0.1:8088/ari",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://router:s3cret@db:5432/callrouter", "postgresql://router:***@db:5432/callrouter"),
        ("postgresql://router:p@ss/w:rd@db/x failed", "postgresql://router:***@db/x failed"),
        ("redis://:s3cret@db", "redis://:***@db"),
        ("ws://h:8088/ari/events?api_key=user:s3cret&app=x", "ws://h:8088/ari/events?api_key=***&app=x"),
        ("host=db password=s3cret user=x", "host=db password=*** user=x"),
        ("Token=s3cret", "Token=***"),
    ],
)
def test_passwords_are_hidden(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def masked(**event: object) -> dict[str, object]:
    return dict(mask_event(None, "info", event))


@pytest.mark.parametrize("key", sorted(NUMBER_KEYS))
def test_a_field_for_numbers_is_masked_even_if_it_looks_like_none(key: str) -> None:
    assert masked(**{key: "2251234"}) == {key: "225****"}
    assert masked(**{key: 2251234}) == {key: "225****"}
    assert masked(**{key: "120"}) == {key: "120"}
    assert masked(**{key: 3}) == {key: 3}
    assert masked(**{key: None}) == {key: None}


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_a_field_for_secrets_is_never_shown(key: str) -> None:
    assert masked(**{key: "s3cret"}) == {key: "***"}
    assert masked(**{key: 12345}) == {key: "***"}
    assert masked(request={key: ["s3cret"]}) == {"request": {key: "***"}}


def test_what_is_within_other_values_is_masked_too() -> None:
    assert masked(
        event="offer to 0552251234",
        callers=["0552251234", {"caller": "2251234"}],
        waiting={"0552251234": 3, "who": Caller("0552251234")},
        error=ValueError("no such number: 0552251234"),
    ) == {
        "event": "offer to 055225****",
        "callers": ["055225****", {"caller": "225****"}],
        "waiting": {"055225****": 3, "who": "Caller(number='055225****')"},
        "error": "no such number: 055225****",
    }


def test_every_value_becomes_something_that_json_knows() -> None:
    endless: list[object] = []
    endless.append(endless)
    event = masked(
        colour=Colour.RED,
        at=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
        wait_s=1.5,
        expected_s=float("inf"),
        done=True,
        broken=Broken(),
        raw=b"0552251234",
        names=frozenset({"a"}),
        endless=endless,
    )
    assert event == {
        "colour": "red",
        "at": "2026-11-24T10:30:00+00:00",
        "wait_s": 1.5,
        "expected_s": "inf",
        "done": True,
        "broken": "<Broken that cannot be shown>",
        "raw": "b'055225****'",
        "names": ["a"],
        "endless": [[[["[[...]]"]]]],
    }


def test_the_time_stamp_and_the_level_are_left_alone() -> None:
    event = {"timestamp": "2026-11-24T04:12:57.012345Z", "level": "info"}
    assert mask_event(None, "info", dict(event)) == event


def test_a_text_without_end_is_cut() -> None:
    assert len(mask_text("0552251234 " * 10_000)) == 20_000


@given(st.text("0123456789+-() .:/@=p한", max_size=300))
def test_no_text_makes_masking_fail_and_masking_twice_shows_no_more(text: str) -> None:
    once = mask_text(text)
    twice = mask_text(once)
    assert sum(map(str.isdigit, twice)) <= sum(map(str.isdigit, once)) <= sum(map(str.isdigit, text))
