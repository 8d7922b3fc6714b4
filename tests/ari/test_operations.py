"""Building requests: each must be what its declaration says, whatever the ids are."""

import json
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.ari import operations
from callrouter.ari.operations import OPERATIONS, Request

EXAMPLES = (
    operations.answer("c"),
    operations.ring("c"),
    operations.stop_ringing("c"),
    operations.start_music("c", "korean"),
    operations.stop_music("c"),
    operations.play("c", "p", ["sound:welcome", "digits:7"], language="ko"),
    operations.set_variable("c", "X", "1"),
    operations.get_variable("c", "X"),
    operations.originate(
        "c",
        "PJSIP/201",
        application="callrouter",
        arguments="agent,1",
        caller_id='"창원" <0552251234>',
        timeout_s=20,
        originator="o",
        variables={"X": "1"},
    ),
    operations.create("c", "PJSIP/201", application="callrouter", arguments="a", originator="o", variables={"X": "1"}),
    operations.dial("c", caller="o", timeout_s=20),
    operations.hang_up("c", reason_code=17),
    operations.hang_up("c", reason="busy"),
    operations.continue_in_dialplan("c", context="fallback", extension="120", priority=1),
    operations.snoop("c", "s", application="callrouter", whisper="out", arguments="supervision"),
    operations.tell_transfer("c", done=True),
    operations.list_channels(),
    operations.get_channel("c"),
    operations.create_bridge("b", "talk"),
    operations.add_channels("b", ["c", "d"]),
    operations.add_channels("b", ["c", "d"], absorb_keys=True),
    operations.remove_channels("b", ["c"]),
    operations.destroy_bridge("b"),
    operations.list_bridges(),
    operations.get_playback("p"),
    operations.stop_playback("p"),
    operations.record("c", "m", max_s=180, silence_s=5, terminate_on="#"),
    operations.record_bridge("b", "t"),
    operations.mute_recording("t", muted=True),
    operations.mute_recording("t", muted=False),
    operations.stop_recording("m"),
    operations.get_live_recording("m"),
    operations.get_stored_recording("m"),
    operations.get_recording_file("m"),
    operations.delete_recording("m"),
    operations.get_application("callrouter"),
    operations.set_event_filter("callrouter", ["Dial"]),
    operations.get_info(),
    operations.ping(),
    operations.tell("callrouter", "callrouter-1"),
    operations.list_endpoints(),
    operations.subscribe("callrouter-phones", ["endpoint:PJSIP/201"]),
    operations.unsubscribe("callrouter-phones", ["endpoint:PJSIP/201"]),
    operations.set_device_state("Stasis:200", operations.DeviceState.RINGING),
)


def declarations_of(request: Request) -> list[operations.Operation]:
    """The declared operations that this request can be."""
    return [
        operation
        for operation in OPERATIONS
        if operation.method is request.method
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", operation.path), request.path)
        and set(operation.required)
        <= {name for name, _ in request.query}
        <= set(operation.required) | set(operation.optional)
        and (operation.body or request.body is None)
    ]


@pytest.mark.parametrize("request_", EXAMPLES, ids=lambda request: f"{request.method} {request.path}")
def test_a_request_is_one_of_the_declared_operations(request_: Request) -> None:
    assert declarations_of(request_)


def test_every_declared_operation_has_its_function() -> None:
    used = {operation for example in EXAMPLES for operation in declarations_of(example)}

    assert {operation.path for operation in OPERATIONS} == {operation.path for operation in used}
    assert set(OPERATIONS) == used


@given(st.text(min_size=1, max_size=30))
def test_an_id_cannot_break_out_of_its_place_in_the_path(channel_id: str) -> None:
    try:
        channel_id.encode()
    except UnicodeEncodeError:
        return
    path = operations.answer(channel_id).path

    head, part, tail = path.split("/")
    assert (head, tail) == ("channels", "answer")
    assert unquote(part) == channel_id
    assert part not in {".", ".."}
    assert re.fullmatch(r"[A-Za-z0-9._~%-]+", part)


def test_an_empty_id_is_refused_because_it_would_name_another_operation() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        operations.hang_up("")


def test_a_hang_up_takes_a_code_or_a_word_but_not_both() -> None:
    with pytest.raises(ValueError, match="not with both"):
        operations.hang_up("c", reason_code=17, reason="busy")


@pytest.mark.parametrize(
    ("request_", "blocks"),
    [
        (operations.answer("c"), True),
        (operations.answer("c", may_block=False), False),
        (operations.set_variable("c", "X", "1"), True),
        (operations.add_channels("b", ["c"]), True),
        (operations.hang_up("c"), False),
        (operations.start_music("c"), False),
        (operations.originate("c", "PJSIP/201", application="a"), False),
    ],
)
def test_what_waits_behind_a_playback_says_so_unless_nothing_plays(request_: Request, blocks: bool) -> None:
    assert request_.may_block is blocks


def test_a_bridge_gets_our_own_id() -> None:
    assert operations.create_bridge("b1").query == (("type", "mixing,proxy_media"), ("bridgeId", "b1"))


def test_phones_that_are_bridged_go_on_showing_what_they_showed_when_they_rang() -> None:
    query = operations.add_channels("b", ["c", "d"]).query

    assert query == (("channel", "c,d"), ("inhibitConnectedLineUpdates", "true"))


def test_variables_of_a_new_leg_go_into_the_body() -> None:
    request = operations.originate("c", "PJSIP/201", application="a", variables={"CALLERID(name)": "창원"})

    assert request.body is not None
    assert json.loads(request.body) == {"variables": {"CALLERID(name)": "창원"}}
