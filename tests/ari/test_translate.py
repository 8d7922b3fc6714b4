"""What Asterisk says, in the exchange's words."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from callrouter.ari import wire
from callrouter.ari.snapshots import Channel, ChannelState, Dialplan
from callrouter.ari.sync import MissedChannel, SiteSnapshot
from callrouter.ari.translate import MOST_LEAVING, EventReader
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.causes import Cause
from callrouter.core.ids import CallId, ChannelId, PlaybackId, RecordingId, SiteName

CALL = CallId("01a20b11-1afe-7650-8942-ca3ab4100bde")
SITE = SiteName("gyeongnam")
LEG = naming.leg_channel(CALL, 1)
CALLER = ChannelId("1795492460.0")
AT = "2026-11-24T03:54:20.183+0000"


def a_reader() -> EventReader:
    return EventReader(SITE, "callrouter", lambda: CALL)


def a_message(kind: str, **fields: Any) -> wire.Event:
    message = wire.decode(json.dumps({"type": kind, "timestamp": AT, "application": "callrouter", **fields}))
    assert not isinstance(message, wire.RESTResponse | wire.Unknown)
    return message


def a_channel(channel_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": channel_id,
        "name": "PJSIP/carrier-00000001",
        "state": "Up",
        "caller": {"name": "x", "number": "0552251234"},
        "caller_rdnis": "0552110114",
        **fields,
    }


def test_a_caller_whom_the_dialplan_sends_arrives_with_what_is_known_of_the_call() -> None:
    event = a_reader().read(a_message("StasisStart", channel=a_channel(CALLER), args=["inbound", "120"]))

    assert isinstance(event, ev.CallArrived)
    assert (event.call, event.channel) == (CALL, CALLER)
    assert (event.facts.dialed, event.facts.caller, event.facts.trunk) == ("120", "0552251234", "carrier")
    assert event.facts.diversion == "0552110114"
    assert event.facts.site == SITE


def test_what_a_caller_says_of_himself_is_kept_as_one_line_of_bounded_length() -> None:
    said = a_channel(CALLER, caller={"name": "x" * 5000, "number": "055\u2028\x1b[31m"}, caller_rdnis="1\r\n2")
    event = a_reader().read(a_message("StasisStart", channel=said, args=["inbound", "120\x00"]))

    assert isinstance(event, ev.CallArrived)
    facts = event.facts
    assert (facts.dialed, facts.caller, facts.diversion) == ("120", "055 [31m", "1 2")
    assert len(facts.caller_name) == 128


def test_a_caller_without_a_dialled_number_arrives_all_the_same() -> None:
    event = a_reader().read(a_message("StasisStart", channel=a_channel(CALLER), args=["inbound"]))

    assert isinstance(event, ev.CallArrived)
    assert event.facts.dialed == ""


def test_a_phone_that_dials_a_code_is_told_by_its_endpoint_and_leaves_as_a_supervisors_might() -> None:
    reader = a_reader()
    phone = a_channel("1.7", name="PJSIP/201-0000002a")

    event = reader.read(a_message("StasisStart", channel=phone, args=["switch", "*21"]))

    assert event == ev.CodeDialed(SITE, ChannelId("1.7"), "PJSIP/201", "*21")
    assert reader.read(a_message("ChannelHangupRequest", channel=phone, cause=16)) is None
    assert reader.read(a_message("StasisEnd", channel=phone)) == ev.SupervisorLeft(ChannelId("1.7"))
    assert isinstance(reader.read(a_message("StasisEnd", channel=phone)), ev.CallerLeft), "it is forgotten then"


def test_a_phone_without_a_code_is_none_of_our_business() -> None:
    assert a_reader().read(a_message("StasisStart", channel=a_channel("1.7"), args=["switch"])) is None


def test_phones_whose_leaving_is_never_told_are_forgotten_in_the_end() -> None:
    reader = a_reader()
    for number in range(MOST_LEAVING + 1):
        reader.read(a_message("StasisStart", channel=a_channel(f"2.{number}"), args=["switch", "*21"]))

    assert isinstance(reader.read(a_message("StasisEnd", channel=a_channel("2.0"))), ev.CallerLeft)
    assert reader.read(a_message("StasisEnd", channel=a_channel("2.1"))) == ev.SupervisorLeft(ChannelId("2.1"))


@pytest.mark.parametrize("args", [[], ["something-else", "120"]])
def test_a_channel_that_is_not_sent_as_a_caller_is_none_of_our_business(args: list[str]) -> None:
    assert a_reader().read(a_message("StasisStart", channel=a_channel(CALLER), args=args)) is None


def test_our_own_leg_in_the_application_has_been_answered() -> None:
    assert a_reader().read(a_message("StasisStart", channel=a_channel(LEG), args=["agent"])) == ev.LegAnswered(LEG)


def test_a_ringing_phone_is_told_also_where_the_network_lets_it_be_heard_and_other_progress_is_not() -> None:
    reader = a_reader()

    for word in ("RINGING", "PROGRESS"):
        assert reader.read(a_message("Dial", peer=a_channel(LEG), dialstatus=word)) == ev.LegRang(LEG)
    for word in ("", "ANSWER", "BUSY", "NOANSWER"):
        assert reader.read(a_message("Dial", peer=a_channel(LEG), dialstatus=word)) is None


def test_a_leg_ends_when_it_is_destroyed_and_not_when_it_leaves_the_application() -> None:
    reader = a_reader()

    assert reader.read(a_message("StasisEnd", channel=a_channel(LEG))) is None
    ended = reader.read(a_message("ChannelDestroyed", channel=a_channel(LEG), cause=17, cause_txt="busy"))
    assert ended == ev.LegEnded(LEG, Cause.USER_BUSY)


def test_a_caller_leaves_when_he_hangs_up_with_the_cause_of_that_and_not_once_more_when_the_channel_goes() -> None:
    reader = a_reader()

    hung_up = reader.read(a_message("ChannelHangupRequest", channel=a_channel(CALLER), cause=31))

    assert hung_up == ev.CallerLeft(CALLER, 31, site=SITE)
    assert reader.read(a_message("StasisEnd", channel=a_channel(CALLER))) is None


def test_a_caller_who_hangs_up_without_a_cause_has_cleared_normally() -> None:
    assert a_reader().read(a_message("ChannelHangupRequest", channel=a_channel(CALLER))) == ev.CallerLeft(
        CALLER, 16, site=SITE
    )


def test_a_caller_whom_asterisk_is_asked_to_hang_up_leaves_when_the_channel_does() -> None:
    reader = a_reader()

    assert reader.read(a_message("ChannelHangupRequest", channel=a_channel(CALLER), cause=32, soft=True)) is None
    assert reader.read(a_message("StasisEnd", channel=a_channel(CALLER))) == ev.CallerLeft(CALLER, 16, site=SITE)


def test_a_caller_who_hangs_up_while_asterisk_is_asked_to_leaves_once() -> None:
    reader = a_reader()
    reader.read(a_message("ChannelHangupRequest", channel=a_channel(CALLER), cause=16))

    assert reader.read(a_message("ChannelHangupRequest", channel=a_channel(CALLER), cause=32, soft=True)) is None
    assert reader.read(a_message("ChannelHangupRequest", channel=a_channel(CALLER), cause=16)) is None
    assert reader.read(a_message("StasisEnd", channel=a_channel(CALLER))) is None


def test_a_caller_who_leaves_without_hanging_up_lives_on_in_the_dialplan() -> None:
    left = a_reader().read(a_message("StasisEnd", channel=a_channel(CALLER)))

    assert left == ev.CallerLeft(CALLER, 16, to_dialplan=True, site=SITE)


def test_a_counselor_who_hangs_up_has_ended_when_the_leg_is_destroyed() -> None:
    assert a_reader().read(a_message("ChannelHangupRequest", channel=a_channel(LEG), cause=16)) is None


def test_callers_who_never_leave_are_not_remembered_for_ever() -> None:
    reader = a_reader()
    for number in range(MOST_LEAVING + 1):
        reader.read(a_message("ChannelHangupRequest", channel=a_channel(f"caller-{number}"), cause=16))

    forgotten, last = ChannelId("caller-0"), f"caller-{MOST_LEAVING}"
    assert reader.read(a_message("StasisEnd", channel=a_channel(forgotten))) == ev.CallerLeft(
        forgotten, 16, to_dialplan=True, site=SITE
    )
    assert reader.read(a_message("StasisEnd", channel=a_channel(last))) is None


def test_the_end_of_an_announcement_is_told_whether_or_not_it_could_be_heard() -> None:
    playback = {"id": "p1", "media_uri": "sound:x", "target_uri": "channel:1", "state": "failed"}

    event = a_reader().read(a_message("PlaybackFinished", playback=playback))

    assert event == ev.PlaybackEnded(PlaybackId("p1"), failed=True)


def a_recording(**fields: Any) -> dict[str, Any]:
    return {"name": "m", "format": "wav", "target_uri": "channel:1", "state": "done", **fields}


@pytest.mark.parametrize(
    ("told", "event"),
    [
        ({"duration": 9, "talking_duration": 6, "silence_duration": 3}, ev.RecordingEnded(RecordingId("m"), 6.0)),
        ({"duration": 9}, ev.RecordingEnded(RecordingId("m"), 9.0)),
        ({"duration": 0, "talking_duration": 0}, ev.RecordingEnded(RecordingId("m"), 0.0)),
        ({}, ev.RecordingFailed(RecordingId("m"), "Asterisk recorded nothing")),
    ],
)
def test_a_recording_that_is_over_counts_by_what_was_spoken(told: dict[str, int], event: ev.Event) -> None:
    assert a_reader().read(a_message("RecordingFinished", recording=a_recording(**told))) == event


@pytest.mark.parametrize("cause", ["disk full", ""])
def test_a_recording_that_failed_is_told_with_its_reason(cause: str) -> None:
    recording = a_recording(state="failed", cause=cause)

    event = a_reader().read(a_message("RecordingFailed", recording=recording))

    assert event == ev.RecordingFailed(RecordingId("m"), cause or "Asterisk gives no reason")


def test_a_key_is_told_of_a_caller_and_of_a_leg() -> None:
    reader = a_reader()

    pressed = reader.read(a_message("ChannelDtmfReceived", channel=a_channel(CALLER), digit="5", duration_ms=90))

    assert pressed == ev.DigitPressed(CALLER, "5")
    pressed_there = reader.read(a_message("ChannelDtmfReceived", channel=a_channel(LEG), digit="5"))
    assert pressed_there == ev.LegDigit(LEG, "5")


def test_messages_that_mean_nothing_to_the_exchange_are_left_out() -> None:
    playback = {"id": "p1", "media_uri": "sound:x", "target_uri": "channel:1", "state": "playing"}

    assert a_reader().read(a_message("PlaybackStarted", playback=playback)) is None


def test_a_snapshot_tells_callers_from_legs_and_from_what_is_not_in_the_application() -> None:
    inside = Dialplan(app_name="Stasis", app_data="callrouter,inbound,120")
    answered_leg = Dialplan(app_name="Stasis", app_data="callrouter,agent")
    channels = (
        Channel(id=CALLER, name="PJSIP/carrier-1", state=ChannelState.UP, dialplan=inside),
        Channel(id=LEG, name="PJSIP/201-1", state=ChannelState.UP, dialplan=answered_leg),
    )
    ringing = naming.leg_channel(CALL, 2)
    dialling = Dialplan(app_name="AppDial2")
    legs = (Channel(id=ringing, name="PJSIP/202-1", state=ChannelState.RINGING, dialplan=dialling),)
    now = datetime(2026, 11, 24, tzinfo=UTC)
    snapshot = SiteSnapshot(1.0, 1.1, "id", now, "22.10.1", channels, legs, ())

    event = a_reader().site_up(snapshot, now)

    assert event.requested_at == now
    assert event.channels[CALLER].inbound is not None
    assert event.channels[CALLER].fresh_call == CALL
    assert event.channels[LEG].inbound is None
    assert event.channels[ringing].state == "Ringing"


@pytest.mark.parametrize(("kind", "held"), [("ChannelHold", True), ("ChannelUnhold", False)])
def test_a_phone_that_holds_is_told_of_and_a_caller_who_does_is_not(kind: str, held: bool) -> None:
    assert a_reader().read(a_message(kind, channel=a_channel(LEG))) == ev.LegHeld(LEG, held)
    assert a_reader().read(a_message(kind, channel=a_channel(CALLER))) is None


def a_refer(channel: str, state: str = "") -> wire.Event:
    refer_to = {"requested_destination": {"destination": "202"}}
    return a_message(
        "ChannelTransfer", refer_to=refer_to, referred_by={"source_channel": a_channel(channel)}, state=state
    )


def test_a_phone_asks_for_a_transfer_once_and_what_we_told_it_is_no_news() -> None:
    assert a_reader().read(a_refer(LEG)) == ev.TransferAsked(LEG, "202")
    assert a_reader().read(a_refer(LEG, "channel_declined")) is None
    assert a_reader().read(a_refer(CALLER)) == ev.TransferAsked(CALLER, "202")  # a counselor's second line, perhaps


def test_a_phone_that_wants_its_two_calls_joined_names_the_other_if_asterisk_knows_it() -> None:
    def replacing(**known: object) -> wire.Event:
        refer_to = {"requested_destination": {"destination": "202", "protocol_id": "a1b2"}, **known}
        return a_message("ChannelTransfer", refer_to=refer_to, referred_by={"source_channel": a_channel(LEG)})

    read = a_reader().read
    assert read(replacing(destination_channel=a_channel(CALLER))) == ev.TransferAsked(LEG, "202", CALLER)
    assert read(replacing()) == ev.TransferAsked(LEG, "202", ChannelId(""))


def test_a_phone_that_dials_of_its_own_accord_is_no_caller_and_is_known_in_a_snapshot() -> None:
    dialed = ev.LineDialed(SITE, CALLER, "PJSIP/201", "202")
    channel = a_channel(CALLER, name="PJSIP/201-0000002a")
    assert a_reader().read(a_message("StasisStart", channel=channel, args=["line", "202"])) == dialed
    assert a_reader().read(a_message("StasisEnd", channel=channel)) == ev.CallerLeft(
        CALLER, to_dialplan=True, site=SITE
    )

    inside = Dialplan(app_name="Stasis", app_data="callrouter,line,202")
    seen = Channel(id=CALLER, name="PJSIP/201-0000002a", state=ChannelState.RING, dialplan=inside)
    snapshot = SiteSnapshot(1.0, 1.1, "id", datetime(2026, 11, 24, tzinfo=UTC), "22.10.1", (seen,), (), ())
    assert a_reader().site_up(snapshot, datetime(2026, 11, 24, tzinfo=UTC)).channels[CALLER].line == dialed


LINE_LEG = naming.line_leg(CALL, 2)


def test_a_leg_to_a_second_line_at_another_site_is_no_caller_and_no_offer() -> None:
    reader = a_reader()
    read = partial(a_message, channel=a_channel(LINE_LEG))

    assert reader.read(a_message("Dial", peer=a_channel(LINE_LEG), dialstatus="RINGING")) is None
    assert reader.read(read("StasisStart", args=["agent"])) == ev.LineLinked(LINE_LEG)
    assert reader.read(read("ChannelHangupRequest", cause=16)) is None
    assert reader.read(read("StasisEnd")) is None
    ended = reader.read(read("ChannelDestroyed", cause=16, cause_txt="Normal Clearing"))
    assert ended == ev.LineParted(LINE_LEG)


SUPERVISOR, EAR = naming.supervisor_channel(CALL, 1), naming.ear(CALL, 1, 2)


def test_a_supervisors_phone_at_another_site_is_told_of_as_any_phone_there() -> None:
    far = naming.far_channel(SUPERVISOR)
    reader = a_reader()
    read = partial(a_message, channel=a_channel(far))

    assert reader.read(read("StasisStart", args=["agent"])) == ev.LegAnswered(far)
    assert reader.read(read("ChannelDestroyed", cause=17, cause_txt="User busy")) == ev.LegEnded(far, 17)


@pytest.mark.parametrize("channel", [SUPERVISOR, EAR])
def test_a_supervisors_channels_are_no_callers_and_no_legs(channel: ChannelId) -> None:
    reader = a_reader()
    read = partial(a_message, channel=a_channel(channel))

    assert reader.read(read("StasisStart", args=["agent"])) == ev.SupervisorEntered(channel)
    assert reader.read(read("ChannelHangupRequest", cause=16)) is None
    assert reader.read(read("StasisEnd")) is None
    ended = reader.read(read("ChannelDestroyed", cause=16, cause_txt="Normal Clearing"))
    assert ended == (ev.SupervisorLeft(channel) if channel == SUPERVISOR else None)
    ringing = a_message("Dial", peer=a_channel(channel), dialstatus="RINGING")
    assert reader.read(ringing) is None


def test_a_snapshot_tells_how_long_callers_have_waited_and_who_was_missed() -> None:
    reader = a_reader()
    dialplan = Dialplan(app_name="Stasis", app_data="callrouter,inbound,120,")
    waits = Channel(id=CALLER, name="PJSIP/carrier-00000001", state=ChannelState.RING, dialplan=dialplan)
    gone = Channel(id="1.2", name="PJSIP/carrier-00000002", state=ChannelState.RING)
    missed = (
        MissedChannel(gone, ("inbound", "120"), 8.0, 3.0, 16, hung_up=True),
        MissedChannel(gone, ("switch", "*21"), 8.0, 3.0),
    )
    at = datetime(2026, 11, 24, 4, tzinfo=UTC)
    snapshot = SiteSnapshot(0.0, 0.0, "id", at, "22", (waits,), (), (), waits={CALLER: 7.5}, missed=missed)

    event = reader.site_up(snapshot, at)

    assert event.channels[CALLER].waited_s == 7.5
    (told,) = event.missed
    assert (told.channel, told.facts.dialed, told.facts.trunk) == (ChannelId("1.2"), "120", "carrier")
    assert (told.came_s, told.went_s, told.cause, told.to_dialplan) == (8.0, 3.0, 16, False)
