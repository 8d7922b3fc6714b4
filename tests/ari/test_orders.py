"""The exchange's commands as requests, and what is made of the replies."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.ari.orders import caller_id, orders
from callrouter.ari.outcome import Doubt, Reply, answered, unanswered
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.causes import Cause
from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, RecordingId, SiteName
from callrouter.core.supervisors import HearingMode

CALL = CallId("01a20b11-1afe-7650-8942-ca3ab4100bde")
SITE = SiteName("gyeongnam")
LEG = naming.leg_channel(CALL, 1)
CALLER = ChannelId("1795492460.0")


@pytest.mark.parametrize(("shows", "state"), [(cmd.Lamp.IN_USE, "INUSE"), (cmd.Lamp.FREE, "NOT_INUSE")])
def test_a_lamp_is_the_state_of_a_device(shows: cmd.Lamp, state: str) -> None:
    (order,) = orders(cmd.SetLamp(SITE, CALL, "Stasis:callrouter-code-21", shows), "callrouter")

    assert (order.request.method, order.request.path) == ("PUT", "deviceStates/Stasis%3Acallrouter-code-21")
    assert order.request.query == (("deviceState", state),)


def the_events_after(command: cmd.AriCommand, reply: Reply) -> list[ev.Event]:
    found = [order.on_reply(reply) for order in orders(command, "callrouter") if order.on_reply is not None]
    return [event for event in found if event is not None]


ORIGINATE = cmd.Originate(SITE, CALL, LEG, "PJSIP/201", "창원", "0552251234", 30.0, CALLER)
CONNECT = cmd.Connect(SITE, CALL, BridgeId("b"), CALLER, LEG)
RECORD = cmd.Record(SITE, CALL, CALLER, RecordingId("m"), 180.0, 2.5, "#")
PLAY = cmd.Play(SITE, CALL, CALLER, PlaybackId("p"), ("sound:callrouter/welcome",))


def test_a_phone_that_asterisk_cannot_reach_is_told_as_such() -> None:
    assert the_events_after(ORIGINATE, answered(200)) == []
    assert the_events_after(ORIGINATE, answered(500)) == [ev.LegRefused(LEG, endpoint=True)]
    assert the_events_after(ORIGINATE, answered(400)) == [ev.LegRefused(LEG, endpoint=False)]


def test_a_leg_whose_request_got_no_answer_is_uncertain_unless_it_was_never_sent() -> None:
    assert the_events_after(ORIGINATE, unanswered(Doubt.TIMED_OUT)) == [ev.LegUncertain(LEG)]
    assert the_events_after(ORIGINATE, unanswered(Doubt.NOT_SENT)) == [ev.LegRefused(LEG, endpoint=False)]


def test_two_are_bridged_only_when_asterisk_says_so() -> None:
    assert the_events_after(CONNECT, answered(204)) == [ev.Bridged(CALL, BridgeId("b"))]
    for reply in (answered(422), answered(404), unanswered(Doubt.CONNECTION_LOST)):
        assert the_events_after(CONNECT, reply) == [ev.BridgeFailed(CALL, BridgeId("b"))]


def test_an_announcement_that_cannot_be_played_is_over() -> None:
    assert the_events_after(PLAY, answered(201)) == []
    assert the_events_after(PLAY, answered(400)) == [ev.PlaybackEnded(PlaybackId("p"), failed=True)]
    assert the_events_after(PLAY, unanswered(Doubt.NOT_SENT)) == [ev.PlaybackEnded(PlaybackId("p"), failed=True)]


TALK = RecordingId("t")
TAPE = cmd.RecordTalk(SITE, CALL, BridgeId("b"), TALK)


def test_a_conversation_is_recorded_in_its_bridge() -> None:
    (order,) = orders(TAPE, "callrouter")

    assert order.request.path == "bridges/b/record"
    assert dict(order.request.query) == {"name": "t", "format": "wav", "ifExists": "append"}


@pytest.mark.parametrize("reply", [answered(201), answered(409), unanswered(Doubt.TIMED_OUT)])
def test_a_conversation_that_is_recorded_or_may_be_is_left_alone(reply: Reply) -> None:
    assert the_events_after(TAPE, reply) == []


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (answered(500), "Asterisk refused to record (500)"),
        (answered(404), "Asterisk refused to record (404)"),
        (answered(422), "Asterisk refused to record (422)"),
        (unanswered(Doubt.NOT_SENT), "Asterisk was not reached"),
    ],
)
def test_a_conversation_that_cannot_be_recorded_is_told_of(reply: Reply, why: str) -> None:
    assert the_events_after(TAPE, reply) == [ev.RecordingFailed(TALK, why)]


@pytest.mark.parametrize("muted", [True, False])
def test_silence_is_put_into_a_recording_and_taken_out(muted: bool) -> None:
    command = cmd.MuteRecording(SITE, CALL, TALK, muted)
    (order,) = orders(command, "callrouter")

    assert (order.request.method, order.request.path) == ("POST" if muted else "DELETE", "recordings/live/t/mute")
    assert the_events_after(command, answered(204)) == []
    assert the_events_after(command, answered(404)) == [], "it is over"
    for reply, why in ((answered(500), "(500)"), (unanswered(Doubt.TIMED_OUT), "(timed out)")):
        told = ev.MuteFailed(TALK, muted, f"Asterisk did not do it {why}")
        assert the_events_after(command, reply) == [told]


def test_a_message_is_recorded_in_whole_seconds_and_never_over_another() -> None:
    (order,) = orders(RECORD, "callrouter")

    assert dict(order.request.query) == {
        "name": "m",
        "format": "wav",
        "maxDurationSeconds": "180",
        "maxSilenceSeconds": "3",
        "ifExists": "append",
        "terminateOn": "#",
    }
    assert not order.request.may_block


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (answered(500), "Asterisk refused to record (500)"),
        (answered(422), "Asterisk refused to record (422)"),
        (unanswered(Doubt.NOT_SENT), "Asterisk was not reached"),
    ],
)
def test_a_recording_that_asterisk_does_not_begin_has_failed(reply: Reply, why: str) -> None:
    assert the_events_after(RECORD, reply) == [ev.RecordingFailed(RecordingId("m"), why)]


def test_a_recording_that_is_under_way_or_may_be_has_not_failed() -> None:
    for reply in (answered(201), answered(409), unanswered(Doubt.TIMED_OUT)):
        assert the_events_after(RECORD, reply) == []
    assert the_events_after(RECORD, answered(404)) == [ev.CallerLeft(CALLER)]


def test_an_announcement_that_is_asked_for_is_over_only_if_asterisk_says_so() -> None:
    (order,) = orders(cmd.AskPlayback(SITE, CALL, PlaybackId("p")), "callrouter")
    assert order.on_reply is not None

    assert order.on_reply(answered(404)) == ev.PlaybackEnded(PlaybackId("p"), unknown=True)
    assert order.on_reply(answered(200)) is None
    assert order.on_reply(unanswered(Doubt.TIMED_OUT)) is None


@pytest.mark.parametrize(
    ("live", "stored", "wanted"),
    [
        (answered(200), answered(200), None),
        (answered(200), answered(404), None),  # it has not begun
        (answered(404), answered(200), ev.RecordingEnded(RecordingId("m"))),
        (answered(404), answered(404), ev.RecordingFailed(RecordingId("m"), "Asterisk has no file of it")),
        (unanswered(Doubt.TIMED_OUT), answered(200), None),
        (unanswered(Doubt.TIMED_OUT), answered(404), None),
        (answered(404), unanswered(Doubt.TIMED_OUT), None),
    ],
)
def test_a_recording_that_is_asked_for_is_going_on_or_there_or_not(
    live: Reply, stored: Reply, wanted: ev.Event | None
) -> None:
    first, second = orders(cmd.AskRecording(SITE, CALL, RecordingId("m")), "callrouter")
    assert [first.request.path, second.request.path] == ["recordings/live/m", "recordings/stored/m"]
    assert first.on_reply is not None
    assert second.on_reply is not None
    assert first.on_reply(live) is None
    assert second.on_reply(stored) == wanted


def test_what_is_no_message_is_ended_and_deleted() -> None:
    (stop,) = orders(cmd.StopRecording(SITE, CALL, RecordingId("m")), "callrouter")
    (delete,) = orders(cmd.DeleteRecording(SITE, CALL, RecordingId("m")), "callrouter")

    assert (stop.request.method, stop.request.path) == ("POST", "recordings/live/m/stop")
    assert (delete.request.method, delete.request.path) == ("DELETE", "recordings/stored/m")


def test_a_channel_that_asterisk_does_not_know_has_ended() -> None:
    gone = answered(404)

    assert the_events_after(cmd.Answer(SITE, CALL, CALLER), gone) == [ev.CallerLeft(CALLER)]
    assert the_events_after(cmd.Hangup(SITE, CALL, CALLER, Cause.NORMAL_CLEARING), gone) == [ev.CallerLeft(CALLER)]
    assert the_events_after(cmd.Hangup(SITE, CALL, LEG, Cause.NORMAL_CLEARING), gone) == [ev.LegEnded(LEG, 16)]
    assert the_events_after(cmd.Hangup(SITE, CALL, LEG, Cause.NORMAL_CLEARING), answered(204)) == []


def test_the_dead_mans_switch_waits_on_a_socket_only_where_nothing_plays() -> None:
    (quiet,) = orders(cmd.SetDeadMan(SITE, CALL, CALLER, 30.0, playing=False), "callrouter")
    (playing,) = orders(cmd.SetDeadMan(SITE, CALL, CALLER, 30.0, playing=True), "callrouter")

    assert not quiet.request.may_block
    assert playing.request.may_block
    assert dict(quiet.request.query) == {"variable": "TIMEOUT(absolute)", "value": "30"}


def test_the_switch_is_lifted_by_a_time_far_away_since_none_at_all_may_fire_it() -> None:
    (lifted,) = orders(cmd.SetDeadMan(SITE, CALL, CALLER, 0.0, playing=False), "callrouter")

    assert dict(lifted.request.query) == {"variable": "TIMEOUT(absolute)", "value": "86400"}


def test_the_leg_is_asked_for_with_our_id_and_the_callers_number_and_region() -> None:
    (order,) = orders(ORIGINATE, "callrouter")
    query = dict(order.request.query)

    assert order.request.path == f"channels/{LEG}"
    assert query["callerId"] == '"창원" <0552251234>'
    assert (query["endpoint"], query["timeout"], query["app"]) == ("PJSIP/201", "30", "callrouter")


@given(name=st.text(max_size=50), number=st.text(max_size=50))
def test_nothing_that_a_caller_sends_breaks_out_of_the_display(name: str, number: str) -> None:
    shown = caller_id(name, number)

    assert shown.startswith('"')
    assert shown.count('"') == 2
    assert shown.count("<") == shown.count(">") == 1
    assert shown.endswith(">")
    assert shown.isprintable() or not any(ord(c) < 32 for c in shown)


def test_joining_and_leaving_a_bridge_are_requests_of_their_own() -> None:
    bridge = naming.bridge(CALL, 1)
    (join,) = orders(cmd.JoinBridge(SITE, CALL, bridge, CALLER), "callrouter")
    (leave,) = orders(cmd.LeaveBridge(SITE, CALL, bridge, CALLER), "callrouter")
    (tell,) = orders(cmd.TellTransfer(SITE, CALL, LEG, done=False), "callrouter")
    assert (join.request.path, leave.request.path) == (
        f"bridges/{bridge}/addChannel",
        f"bridges/{bridge}/removeChannel",
    )
    assert tell.request.query == (("states", "channel_declined"),)


@pytest.mark.parametrize(("status", "fails"), [(204, False), (400, False), (404, False), (409, True), (500, True)])
def test_a_channel_that_cannot_be_put_in_is_told_of_unless_it_is_gone(status: int, fails: bool) -> None:
    bridge = naming.bridge(CALL, 1)
    (join,) = orders(cmd.JoinBridge(SITE, CALL, bridge, CALLER), "callrouter")
    assert join.on_reply is not None
    event = join.on_reply(answered(status, ""))
    assert event == (ev.BridgeFailed(CALL, bridge) if fails else None)


SUPERVISOR, EAR = naming.supervisor_channel(CALL, 1), naming.ear(CALL, 1, 2)
HEARING = naming.hearing(CALL, 1, 2)


@pytest.mark.parametrize(
    ("mode", "whisper"), [(HearingMode.LISTEN, "none"), (HearingMode.WHISPER, "out"), (HearingMode.BARGE, "both")]
)
def test_an_ear_hears_both_sides_and_speaks_as_its_mode_says(mode: HearingMode, whisper: str) -> None:
    command = cmd.Snoop(SITE, CALL, LEG, EAR, mode)
    (order,) = orders(command, "callrouter")
    query = dict(order.request.query)

    assert (order.request.method, order.request.path) == ("POST", f"channels/{LEG}/snoop/{EAR}")
    assert (query["spy"], query["whisper"], query["app"]) == ("both", whisper, "callrouter")
    assert the_events_after(command, answered(200)) == []
    assert the_events_after(command, answered(404)) == [
        ev.HearingFailed(CALL, EAR, "Asterisk did not let him hear (404)")
    ]


def test_a_supervisors_phone_meets_his_ear_and_his_keys_stay_his() -> None:
    command = cmd.Hear(SITE, CALL, HEARING, SUPERVISOR, EAR)
    create, add = orders(command, "callrouter")

    assert dict(create.request.query)["bridgeId"] == HEARING
    assert dict(add.request.query)["channel"] == f"{SUPERVISOR},{EAR}"
    assert dict(add.request.query)["absorbDTMF"] == "true"
    assert add.on_reply is not None
    assert add.on_reply(answered(204)) == ev.HearingJoined(CALL, HEARING)
    failed = ev.HearingFailed(CALL, HEARING, "Asterisk did not let him hear (timed out)")
    assert add.on_reply(unanswered(Doubt.TIMED_OUT)) == failed


def test_a_supervisors_phone_that_is_not_called_has_left() -> None:
    command = msgspec.structs.replace(ORIGINATE, channel=SUPERVISOR)

    assert the_events_after(command, answered(200)) == []
    assert the_events_after(command, unanswered(Doubt.TIMED_OUT)) == []
    assert the_events_after(command, answered(500)) == [ev.SupervisorLeft(SUPERVISOR)]
    hang_up = cmd.Hangup(SITE, CALL, SUPERVISOR, Cause.NORMAL_CLEARING)
    assert the_events_after(hang_up, answered(404)) == [ev.SupervisorLeft(SUPERVISOR)]


def test_a_leg_to_a_second_line_at_another_site_that_is_not_called_is_gone() -> None:
    leg = naming.line_leg(CALL, 2)
    command = msgspec.structs.replace(ORIGINATE, channel=leg, relay=leg)

    assert the_events_after(command, answered(200)) == []
    assert the_events_after(command, unanswered(Doubt.TIMED_OUT)) == []
    assert the_events_after(command, answered(500)) == [ev.LineParted(leg)]
    assert the_events_after(cmd.Hangup(SITE, CALL, leg, Cause.NORMAL_CLEARING), answered(404)) == [ev.LineParted(leg)]
