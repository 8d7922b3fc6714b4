"""Decoding what Asterisk sends: real events, mutilated ones, and noise."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.ari import operations, wire
from callrouter.ari.outcome import answered
from callrouter.ari.snapshots import AsteriskInfo, ChannelState, PlaybackState
from callrouter.errors import AriProtocolError

DATA = Path(__file__).parent / "data"
RECORDED: list[dict[str, Any]] = json.loads((DATA / "events.json").read_text(encoding="utf-8"))
KNOWN = {event.__name__ for event in wire.EVENT_TYPES} | {"RESTResponse"}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
any_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def recorded(event_type: str) -> dict[str, Any]:
    return next(event for event in RECORDED if event["type"] == event_type)


def decode_or_refuse(data: bytes | str) -> object:
    """Decode; the one error that is allowed becomes None."""
    try:
        return wire.decode(data)
    except AriProtocolError:
        return None


@pytest.mark.parametrize("event", RECORDED, ids=lambda event: event["type"])
def test_every_recorded_event_decodes_to_its_own_type(event: dict[str, Any]) -> None:
    decoded = wire.decode(json.dumps(event))

    if event["type"] in KNOWN:
        assert type(decoded).__name__ == event["type"]
    else:
        assert decoded == wire.Unknown(event["type"])


def test_an_arrival_carries_caller_dialplan_and_time() -> None:
    arrival = wire.decode(json.dumps(recorded("StasisStart")))

    assert isinstance(arrival, wire.StasisStart)
    assert arrival.args == ("inbound", "120")
    assert arrival.channel.caller.number == "0552251234"
    assert arrival.channel.state is ChannelState.RING
    assert arrival.timestamp == datetime(2026, 11, 24, 4, 16, 21, 428000, tzinfo=UTC)
    assert arrival.channel.is_in("callrouter")
    assert not arrival.channel.is_in("callroute")


def test_a_leg_that_still_rings_is_not_in_the_application() -> None:
    leg = wire.decode(json.dumps(recorded("Dial")))

    assert isinstance(leg, wire.Dial)
    assert leg.dialstatus is wire.DialStatus.BEGUN
    assert not leg.peer.is_in("callrouter")


def test_a_missing_sound_is_told_from_one_that_was_played() -> None:
    finished = [wire.decode(json.dumps(event)) for event in RECORDED if event["type"] == "PlaybackFinished"]

    states = {event.playback.id: event.playback.state for event in finished if isinstance(event, wire.PlaybackFinished)}
    assert states["pb2"] is PlaybackState.FAILED


def test_words_that_newer_versions_may_add_do_not_cost_the_event() -> None:
    dial = recorded("Dial") | {"dialstatus": "ON_THE_MOON"}
    dial["peer"] = dial["peer"] | {"state": "Levitating", "colour": "green"}

    decoded = wire.decode(json.dumps(dial))

    assert isinstance(decoded, wire.Dial)
    assert decoded.dialstatus is wire.DialStatus.OTHER
    assert decoded.peer.state is ChannelState.UNKNOWN


def test_fields_that_older_versions_lack_do_not_cost_the_event() -> None:
    arrival = recorded("StasisStart")
    channel = {key: arrival["channel"][key] for key in ("id", "name", "state")}

    decoded = wire.decode(json.dumps({"type": "StasisStart", "timestamp": arrival["timestamp"], "channel": channel}))

    assert isinstance(decoded, wire.StasisStart)
    assert decoded.channel.caller.number == ""


def test_an_event_without_its_channel_is_refused_with_its_beginning_quoted() -> None:
    broken = {key: value for key, value in recorded("StasisStart").items() if key != "channel"} | {"x": "y" * 1000}

    with pytest.raises(AriProtocolError, match="missing required field `channel`") as caught:
        wire.decode(json.dumps(broken))

    assert "StasisStart" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(AriProtocolError, match="more than 4194304"):
        wire.decode(b" " * (wire.MAX_MESSAGE_BYTES + 1))


@pytest.mark.parametrize("nested", [b"[" * 100_000, b'{"type":"Dial","x":' + b"[" * 100_000])
def test_bottomless_nesting_is_refused(nested: bytes) -> None:
    with pytest.raises(AriProtocolError):
        wire.decode(nested)


@given(st.binary())
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes) -> None:
    decode_or_refuse(data)


@given(st.text(alphabet=st.characters()))
def test_no_text_raises_anything_but_a_protocol_error(text: str) -> None:
    decode_or_refuse(text)
    decode_or_refuse("\ud800" + text)


@given(any_json)
def test_no_json_raises_anything_but_a_protocol_error(value: object) -> None:
    decode_or_refuse(json.dumps(value))


@given(st.text())
def test_every_unknown_type_is_reported_as_unknown(name: str) -> None:
    if name not in KNOWN:
        assert wire.decode(json.dumps({"type": name})) == wire.Unknown(name[: wire.QUOTED_CHARACTERS])


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything inside a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += _places(inner, (*path, index))
    return found


@given(st.data())
def test_a_real_event_with_one_place_changed_decodes_or_is_refused(data: st.DataObject) -> None:
    event = json.loads(json.dumps(data.draw(st.sampled_from(RECORDED))))
    *way, last = data.draw(st.sampled_from(_places(event)))
    holder = event
    for step in way:
        holder = holder[step]
    if data.draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = data.draw(any_json)

    decode_or_refuse(json.dumps(event))


@given(st.sampled_from(RECORDED), st.data())
def test_a_real_event_cut_short_or_with_a_flipped_byte_decodes_or_is_refused(
    event: dict[str, Any], data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(event, ensure_ascii=False).encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    assert decode_or_refuse(bytes(raw[:place])) is None
    raw[place] = data.draw(st.integers(0, 255))
    decode_or_refuse(bytes(raw))


@given(
    digit=st.sampled_from("0123456789*#ABCD"),
    duration_ms=st.integers(0, 60_000),
    name=st.text(),
    number=st.text(alphabet="0123456789+*#", max_size=20),
)
def test_every_valid_event_survives(digit: str, duration_ms: int, name: str, number: str) -> None:
    channel = recorded("StasisStart")["channel"] | {"caller": {"name": name, "number": number}}
    event = {
        "type": "ChannelDtmfReceived",
        "timestamp": "2026-11-24T03:54:20.183+0000",
        "digit": digit,
        "duration_ms": duration_ms,
        "channel": channel,
    }

    decoded = wire.decode(json.dumps(event))

    assert isinstance(decoded, wire.ChannelDtmfReceived)
    assert (decoded.digit, decoded.duration_ms) == (digit, duration_ms)
    assert (decoded.channel.caller.name, decoded.channel.caller.number) == (name, number)


def test_a_request_is_written_with_an_encoded_path_and_plain_query_values() -> None:
    request = operations.set_variable("a b/c", "TIMEOUT(absolute)", "육십%20+&")

    assert json.loads(wire.encode_request("17", request)) == {
        "type": "RESTRequest",
        "request_id": "17",
        "method": "POST",
        "uri": "channels/a%20b%2Fc/variable",
        "query_strings": [
            {"name": "variable", "value": "TIMEOUT(absolute)"},
            {"name": "value", "value": "육십%20+&"},
        ],
    }


def test_a_request_with_a_body_says_that_it_is_json() -> None:
    written = json.loads(wire.encode_request("1", operations.set_event_filter("callrouter", ["Dial"])))

    assert written["content_type"] == "application/json"
    assert json.loads(written["message_body"]) == {"allowed": [{"type": "Dial"}]}


def test_the_recorded_answers_can_be_read() -> None:
    answers = json.loads((DATA / "answers.json").read_text(encoding="utf-8"))

    info = answered(200, json.dumps(answers["info"])).read(AsteriskInfo)

    assert info.system.version.startswith("22.10.1")
    assert info.status.startup_time.tzinfo is not None


def test_a_body_of_another_shape_is_a_protocol_error() -> None:
    with pytest.raises(AriProtocolError, match="answered 200 with a body that cannot be read"):
        answered(200, b'{"system": 7}').read(AsteriskInfo)
