"""Whatever happens in whatever order: what must hold of the exchange at every moment, and when all have hung up."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import AgentState
from callrouter.core.calendars import Calendar, Hours, Weekly, Window
from callrouter.core.call import Call
from callrouter.core.call_orders import CallOrder, CallVerb, CallVia
from callrouter.core.callback_orders import CallbackOrder, CallbackVerb, CallbackVia
from callrouter.core.calling_spec import CallBackRule
from callrouter.core.cdr import OfferResult
from callrouter.core.duty import Duty
from callrouter.core.events import TimerKey, TimerKind
from callrouter.core.ids import (
    AgentId,
    BridgeId,
    CalendarName,
    CallId,
    ChannelId,
    PlaybackId,
    PromptName,
    QueueName,
    RecordingId,
)
from callrouter.core.legs import Leg
from callrouter.core.output import Output
from callrouter.core.plan import Announce, EnterQueue, HangUp, Plan
from callrouter.core.rulebook import AgentSpec, Limits, QueueSpec, Rulebook, Strategy, WaitingSound
from callrouter.core.states import CallState
from callrouter.core.tapes import TapeRule
from callrouter.core.waiting_spec import Comfort, KeyWay, QueueCare, Surge
from tests.core.driver import (
    BELL,
    CALL_BACK,
    CITY,
    DESK,
    DUTY_DESK,
    DUTY_MOBILE,
    HALL,
    NIGHT,
    PLANS,
    RETURN,
    SORRY,
    THANKS,
    WELCOME,
    Driver,
    agent,
    rulebook,
    without_queue,
)

STAFF = (
    agent("kim", DESK, NIGHT, BELL),
    agent("lee", DESK, BELL),
    agent("park", DESK, NIGHT, BELL, trunk=CITY),
    agent("choi", NIGHT, BELL, trunk=CITY),
)
ENDPOINTS = (*(spec.endpoint for spec in STAFF), DUTY_DESK.endpoint, DUTY_MOBILE.endpoint)
TARGETS = st.sampled_from([*(spec.id for spec in STAFF), DESK, NIGHT, "duty-desk", "duty-mobile", "nobody"])
PHONES = ("silent", "rings", "answers", "busy", "rejects", "congested", "unknown", "uncertain")
CAUSES = st.sampled_from([0, 16, 17, 18, 19, 20, 21, 34, 41, 127])
SOON = st.sampled_from([0.0, 0.4, 1.0, 3.0, 6.0, 11.0, 25.0, 70.0, 130.0])
CLEAN_UP = (cmd.Hangup, cmd.DestroyBridge, cmd.CancelTimer, cmd.SetTimer)


PLANS_BACK = {**PLANS, "bell-back": Plan("bell-back", (msgspec.structs.replace(CALL_BACK, queue=BELL), HangUp()))}
"""And one who asks to be called back by a queue in which all phones ring."""

CARED_FOR = QueueSpec(
    DESK,
    "창원시",
    care=QueueCare(
        Comfort(20.0, 3.0, WELCOME, position=True, wait=True, surge=Surge(SORRY, longer_than=1)),
        (
            KeyWay("1", Plan("call-me", (CALL_BACK, Announce(THANKS), HangUp()))),
            KeyWay("2", Plan("rather-not", (Announce(SORRY), EnterQueue(DESK)))),
        ),
        max_waiting=4,
        when_full=Plan("full", (EnterQueue(NIGHT),)),
        redial_within_s=60.0,
    ),
)
RINGS_ALL = QueueSpec(BELL, "벨", sound=WaitingSound.RINGBACK, strategy=Strategy.RING_ALL)
LEFT_ALONE = QueueSpec(
    NIGHT,
    "야간",
    care=QueueCare(when_unstaffed=Plan("gone", (Announce(SORRY), HangUp()))),
    agent_prompt=WELCOME,
)


TAPED = TapeRule(PromptName("notice"), 86_400.0)
NUMBERS = ("0552251234", "0552250002")
RESIDENTS = tuple(f"PJSIP/{number}@{CITY}" for number in NUMBERS)
"""Where they are called back."""
KEPT_S = 600.0
EVERY_OTHER_MINUTE = Calendar(
    CalendarName("every-other-minute"),
    ZoneInfo("UTC"),
    Weekly(
        ZoneInfo("UTC"),
        tuple(Window(frozenset(range(7)), Hours(minute, minute + 1)) for minute in range(9 * 60, 10 * 60, 2)),
    ),
)
RETURNS: Mapping[str, CallBackRule | None] = {
    "no": None,
    "soon again": replace(RETURN, retry_after_s=30.0),
    "every other minute": replace(RETURN, retry_after_s=10.0, hours=EVERY_OTHER_MINUTE),
    "once": replace(RETURN, to_agent=None, to_resident=None, attempts=1, redial=False, say_number=True),
}
"""How queues call back, if they do."""


def rules_with(staff: tuple[AgentSpec, ...], channels: int, *, taped: bool = False, back: str = "no") -> Rulebook:
    rule = TAPED if taped else None
    queues = (
        replace(CARED_FOR, recording=rule, call_back=RETURNS[back]),
        replace(LEFT_ALONE, recording=rule),
        replace(RINGS_ALL, call_back=RETURNS[back]),
    )
    rules = rulebook(*staff, trunk_channels=channels, limits=Limits(max_calls=6), queues=queues, plans=PLANS_BACK)
    return replace(rules, callback_retention_s=KEPT_S)


def _is_beaten(leg: Leg) -> bool:
    return leg.result is OfferResult.ANSWERED_ELSEWHERE


class ExchangeMachine(RuleBasedStateMachine):
    """Residents, phones, the network, administrators and the machine room, all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = self.begin(taped=False, back="no")
        self.ended: set[CallId] = set()
        self.lines_dialed = 0
        self.sounds_are_known = True
        """No daemon died without a word of what it had begun to play, and no command was lost."""

    @initialize(taped=st.booleans(), back=st.sampled_from(sorted(RETURNS)))
    def conversations_are_recorded_and_residents_called_back_or_not(self, taped: bool, back: str) -> None:
        self.driver = self.begin(taped=taped, back=back)

    def begin(self, *, taped: bool, back: str) -> Driver:
        return Driver(self.rules_with(STAFF, 1 if back == "no" else 2, taped=taped, back=back))

    def rules_with(self, staff: tuple[AgentSpec, ...], channels: int, *, taped: bool, back: str) -> Rulebook:
        return rules_with(staff, channels, taped=taped, back=back)

    # What the world does. Nothing is delivered but by deliver().

    @rule(
        dialed=st.sampled_from(sorted(PLANS_BACK)),
        caller=st.sampled_from(NUMBERS),
        trunk=st.sampled_from(["", "", "", "city"]),
    )
    def a_resident_dials(self, dialed: str, caller: str, trunk: str) -> None:
        if len(self.driver.asterisk.channels) < 14:
            self.driver.arrive(dialed, caller, trunk)

    @rule(
        dialed=st.sampled_from(["144", "bell-back"]),
        caller=st.sampled_from(NUMBERS),
        counselors=st.sampled_from(["rings", "answers", "answers", "answers"]),
        residents=st.sampled_from(["answers", "rings", *["answers"] * 4, *PHONES]),
        listens=st.booleans(),
    )
    def a_resident_asks_to_be_called_back(
        self, dialed: str, caller: str, counselors: str, residents: str, listens: bool
    ) -> None:
        """Left to chance alone, hardly anybody is ever reached."""
        asterisk = self.driver.asterisk
        if asterisk.connected and len(asterisk.channels) < 14:
            asterisk.phones.update(dict.fromkeys(ENDPOINTS, counselors) | dict.fromkeys(RESIDENTS, residents))
            self.driver.arrive(dialed, caller)
            self.deliver_all()
            if listens:
                self.residents_hear_all_that_they_are_told()

    @rule()
    def residents_hear_all_that_they_are_told(self) -> None:
        """Who calls, and perhaps that they will be recorded."""
        for call in list(self.driver.exchange.calls.values()):
            while call.state is CallState.GREETING and call.playback in self.driver.asterisk.playing:
                self.driver.asterisk.end_playback(call.playback)
                self.deliver_all()

    @rule(behaviour=st.sampled_from(PHONES), which=st.sampled_from(RESIDENTS))
    def a_phone_of_a_resident_will(self, behaviour: str, which: str) -> None:
        self.driver.asterisk.phones[which] = behaviour

    @rule(pick=st.integers(0, 20), verb=st.sampled_from(CallbackVerb))
    def somebody_orders_of_a_request(self, pick: int, verb: CallbackVerb) -> None:
        asked = [call.request.original for call in self.driver.exchange.calls.values() if call.request is not None]
        which = [*asked, *sorted(self.driver.exchange.calls), "nobody"]
        order = CallbackOrder(which[pick % len(which)], verb, "boss", CallbackVia.API)
        self.hand_in(ev.CallbackOrdered(order))

    @rule(dialed=st.sampled_from(["120", "124", "129", "131"]), digit=st.sampled_from("12"))
    def a_resident_is_answered(self, dialed: str, digit: str) -> None:
        """Left to chance alone, hardly anybody ever comes to talk."""
        asterisk = self.driver.asterisk
        if not asterisk.connected or len(asterisk.channels) >= 14:
            return
        asterisk.phones.update(dict.fromkeys(ENDPOINTS, "answers"))
        self.driver.arrive(dialed)
        self.deliver_all()
        for leg in self.legs():
            asterisk.tell(ev.LegDigit(leg, digit))
        self.deliver_all()
        for call in list(self.driver.exchange.calls.values()):
            if call.taped.notice is not None and call.playback is not None:
                asterisk.end_playback(call.playback)
        self.deliver_all()

    @rule(do=st.lists(st.sampled_from(["rings", "answers", "rejects", "busy", "uncertain", "silent"]), min_size=3))
    def a_resident_is_rung_for_at_several_phones(self, do: list[str]) -> None:
        """What they do is delivered later, in an order of its own, with all that comes between."""
        asterisk = self.driver.asterisk
        if asterisk.connected and len(asterisk.channels) < 14:
            asterisk.phones.update(zip(ENDPOINTS, do, strict=False))
            self.driver.arrive("124")

    def deliver_all(self) -> None:
        while self.driver.inbox:
            self.hand_in(self.driver.inbox.pop(0))

    @rule(pick=st.integers(0, 20), cause=CAUSES)
    def a_caller_hangs_up(self, pick: int, cause: int) -> None:
        callers = self.callers()
        if callers:
            self.driver.asterisk.hang_up(callers[pick % len(callers)], cause)

    @rule(pick=st.integers(0, 20), digit=st.sampled_from("12349"))
    def a_caller_presses_a_key(self, pick: int, digit: str) -> None:
        callers = self.callers()
        if callers:
            self.driver.asterisk.tell(ev.DigitPressed(callers[pick % len(callers)], digit))

    @rule(pick=st.integers(0, 20), digit=st.sampled_from("12"))
    def a_key_is_pressed_where_we_called(self, pick: int, digit: str) -> None:
        legs = self.legs()
        if legs:
            self.driver.asterisk.tell(ev.LegDigit(legs[pick % len(legs)], digit))

    @rule(pick=st.integers(0, 20), what=st.sampled_from(["ring", "pick-up", "hang-up"]), cause=CAUSES)
    def a_phone_does(self, pick: int, what: str, cause: int) -> None:
        asterisk, legs = self.driver.asterisk, self.legs()
        if not legs:
            return
        leg = legs[pick % len(legs)]
        if what == "ring":
            asterisk.ring(leg)
        elif what == "pick-up":
            asterisk.pick_up(leg)
        else:
            asterisk.hang_up(leg, cause)

    @rule(pick=st.integers(0, 20), what=st.sampled_from(["hold", "resume", "transfer"]), whom=TARGETS)
    def a_phone_asks_for(self, pick: int, what: str, whom: str) -> None:
        asterisk, legs = self.driver.asterisk, self.legs()
        if legs:
            leg = legs[pick % len(legs)]
            asked = ev.TransferAsked(leg, whom) if what == "transfer" else ev.LegHeld(leg, what == "hold")
            asterisk.tell(asked)

    @rule(pick=st.integers(0, 20), whom=TARGETS)
    def a_phone_dials_on_another_line(self, pick: int, whom: str) -> None:
        asterisk = self.driver.asterisk
        if len(asterisk.channels) < 14:
            self.lines_dialed += 1
            asterisk.dial_on(STAFF[pick % len(STAFF)].id, whom, f"line-{self.lines_dialed}")

    @rule(whom=st.sampled_from(STAFF), behaviour=st.sampled_from(["answers", "rings", "busy"]))
    def whoever_talks_dials_a_colleague(self, whom: AgentSpec, behaviour: str) -> None:
        """Left to chance alone, that is hardly ever somebody with a caller."""
        talking = [
            call.offer.agent
            for call in self.driver.exchange.calls.values()
            if call.state is CallState.CONNECTED and call.offer is not None and call.offer.agent is not None
        ]
        if not talking or len(self.driver.asterisk.channels) >= 14:
            return
        self.driver.asterisk.phones[whom.endpoint] = behaviour
        self.lines_dialed += 1
        self.driver.asterisk.dial_on(talking[0], whom.id, f"line-{self.lines_dialed}")
        self.deliver_all()

    @rule(pick=st.integers(0, 20), what=st.sampled_from(["hang-up", "transfer", "other way", "own leg"]))
    def a_second_line_does(self, pick: int, what: str) -> None:
        asterisk, legs = self.driver.asterisk, self.legs()
        lines = [one.id for one in asterisk.channels.values() if one.line is not None and one.in_app]
        if not lines:
            return
        line = lines[pick % len(lines)]
        calls = [call for call in self.driver.exchange.calls.values() if call.line == line]
        own = [call.offer.channel for call in calls if call.offer is not None]
        leg = own[0] if what != "own leg" and own else legs[pick % len(legs)] if legs else line
        if what == "hang-up":
            asterisk.hang_up(line)
        elif what == "other way":
            asterisk.tell(ev.TransferAsked(line, "somebody", leg))
        else:
            asterisk.tell(ev.TransferAsked(leg, "somebody", line))

    @rule(pick=st.integers(0, 20), verb=st.sampled_from(CallVerb), whom=TARGETS)
    def somebody_orders(self, pick: int, verb: CallVerb, whom: str) -> None:
        calls = sorted(self.driver.exchange.calls)
        subject = [*calls, *(spec.id for spec in STAFF)][pick % (len(calls) + len(STAFF))]
        self.hand_in(ev.CallOrdered(CallOrder(subject, verb, "boss", CallVia.API, whom)))

    @rule(endpoint=st.sampled_from(ENDPOINTS), behaviour=st.sampled_from(PHONES))
    def a_phone_will(self, endpoint: str, behaviour: str) -> None:
        self.driver.asterisk.phones[endpoint] = behaviour

    @precondition(lambda self: self.driver.asterisk.playing)
    @rule(pick=st.integers(0, 20))
    def an_announcement_ends(self, pick: int) -> None:
        playing = sorted(self.driver.asterisk.playing)
        self.driver.asterisk.end_playback(playing[pick % len(playing)])

    @precondition(lambda self: self.driver.asterisk.recording)
    @rule(pick=st.integers(0, 20), length_s=st.sampled_from([0.0, 1.0, 2.0, 60.0]))
    def a_message_ends(self, pick: int, length_s: float) -> None:
        recording = sorted(self.driver.asterisk.recording)
        self.driver.asterisk.end_recording(recording[pick % len(recording)], length_s)

    @precondition(lambda self: self.driver.asterisk.taped)
    @rule(pick=st.integers(0, 20), length_s=st.sampled_from([0.0, 60.0]))
    def a_recording_ends_by_itself(self, pick: int, length_s: float) -> None:
        taped = sorted(self.driver.asterisk.taped)
        self.driver.asterisk.end_tape(taped[pick % len(taped)], length_s)

    @rule(can_tape=st.booleans(), can_mute=st.booleans())
    def conversations_can_be_recorded_or_not(self, can_tape: bool, can_mute: bool) -> None:
        self.driver.asterisk.can_tape, self.driver.asterisk.can_mute = can_tape, can_mute

    @rule(can=st.booleans())
    def the_disk_is_full_or_is_not(self, can: bool) -> None:
        self.driver.asterisk.speech_s = 10.0 if can else None

    @rule(count=st.integers(1, 12))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            if self.driver.inbox:  # what is on its way is lost with a daemon that dies
                self.hand_in(self.driver.inbox.pop(0))

    @rule(seconds=SOON)
    def time_passes(self, seconds: float) -> None:
        """Timers run out; what Asterisk says meanwhile may be late."""
        until = self.driver.now + timedelta(seconds=seconds)
        while due := self.driver.next_timer(until):
            self.driver.now = max(self.driver.now, self.driver.timers.pop(due))
            self.hand_in(ev.TimerFired(due))
        self.driver.now = until

    # What must not matter: late, repeated and unknown events.

    @rule(data=st.data())
    def something_comes_twice_or_late(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from([*self.driver.journal, self.driver.new_call_id()]))
        leg = naming.leg_channel(call, data.draw(st.integers(1, 3)))
        bridge, playback = naming.bridge(call, data.draw(st.integers(1, 3))), naming.playback(call, 1)
        kind = data.draw(st.sampled_from(TimerKind))
        timer: TimerKey = (kind, leg if kind is TimerKind.LEG else call)
        late: list[ev.Event] = [
            ev.LegRang(leg),
            ev.LegDigit(leg, "1"),
            ev.LegRefused(leg, endpoint=True),
            ev.LegUncertain(leg),
            ev.Bridged(call, bridge),
            ev.BridgeFailed(call, bridge),
            ev.PlaybackEnded(playback if playback not in self.driver.asterisk.playing else PlaybackId("elsewhere")),
            ev.DigitPressed(ChannelId("nobody"), "1"),
            ev.RecordingEnded(naming.recording(call, 1), 3.0),
            ev.RecordingFailed(naming.recording(call, 1), "no"),
            ev.RecordingEnded(RecordingId("elsewhere")),
            ev.RecordingEnded(naming.talk_recording(call, 1), 3.0),
            ev.MuteFailed(naming.talk_recording(call, 1), False, "no"),
            ev.TimerFired(timer),
            ev.TimerFired((TimerKind.AGENT, data.draw(st.sampled_from(STAFF)).id)),
            ev.TimerFired((TimerKind.TRUNK, CITY)),
            ev.CallerLeft(ChannelId("nobody")),
            ev.LegEnded(ChannelId("nothing"), 16),
            ev.LegAnswered(ChannelId("nothing")),
        ]
        self.hand_in(data.draw(st.sampled_from(late)))

    # What operators and administrators do.

    @rule()
    def the_site_is_lost(self) -> None:
        self.driver.asterisk.connected = False
        self.sounds_are_known = False
        self.driver.inbox.clear()
        self.hand_in(ev.SiteDown(HALL))

    @rule(age_s=st.sampled_from([0.0, 0.5, 5.0]), missing=st.booleans())
    def the_site_is_compared(self, age_s: float, missing: bool) -> None:
        """Sometimes with a snapshot that is old by now, sometimes after a channel died unseen."""
        self.driver.asterisk.connected = True
        up = self.driver.snapshot()
        if missing and self.driver.asterisk.channels:
            self.driver.asterisk.connected = False
            self.driver.asterisk.hang_up(sorted(self.driver.asterisk.channels)[0])
            self.driver.asterisk.connected = True
            up = self.driver.snapshot()
        self.driver.now += timedelta(seconds=age_s)
        self.hand_in(up)

    @rule(
        staff=st.sets(st.sampled_from(range(4))),
        channels=st.integers(0, 2),
        without=st.sampled_from([None, NIGHT, NIGHT, BELL]),
        taped=st.booleans(),
        back=st.sampled_from(sorted(RETURNS)),
    )
    def the_rules_are_replaced(
        self, staff: set[int], channels: int, without: QueueName | None, taped: bool, back: str
    ) -> None:
        rules = self.rules_with(tuple(STAFF[index] for index in sorted(staff)), channels, taped=taped, back=back)
        self.driver.rules = without_queue(rules, without) if without is not None else rules
        self.hand_in(ev.RulebookReplaced(self.driver.rules))

    @rule(often=st.integers(0, 9))
    def the_daemon_drains(self, often: int) -> None:
        if often == 0:
            self.hand_in(ev.DrainRequested())

    @rule(lost=st.integers(0, 3))
    def the_daemon_dies_and_another_begins(self, lost: int) -> None:
        self.driver.restart(lost=lost)
        self.sounds_are_known &= not lost
        self.ended = {cdr.call_id for cdr in self.driver.cdrs}
        if self.driver.asterisk.connected:
            self.hand_in(self.driver.snapshot())

    @rule(orders=st.integers(0, 4))
    def the_daemon_is_to_die_before_an_order(self, orders: int) -> None:
        """Its facts are on disk."""
        self.driver.orders_left = orders

    # How events go in, and what is looked at each time.

    def hand_in(self, event: ev.Event) -> None:
        out = self.driver.handle(event)
        self.callers_are_served_in_order(out)
        self.nobody_is_remembered_without_consent(out)
        for command in out.commands:
            if isinstance(command, cmd.AriCommand) and command.call in self.ended:
                assert isinstance(command, CLEAN_UP), f"{command} after the call had ended"
        self.ended = {cdr.call_id for cdr in self.driver.cdrs}

    def callers_are_served_in_order(self, out: Output) -> None:
        exchange = self.driver.exchange
        for call_id, fact in out.facts:
            call = exchange.calls.get(call_id)
            if isinstance(fact, facts.AlsoOffered):
                self.nobody_waits_whom(fact.agent)
            if not isinstance(fact, facts.Offered) or fact.agent is None or call is None:
                continue
            served = exchange.floor.staff.agents[fact.agent].spec.queues
            for other in exchange.calls.values():
                if self.waits_for_a_phone(other) and other.queue in served:
                    assert other.place > call.place, f"{call_id} was served before {other.id}"

    def nobody_waits_whom(self, agent_id: AgentId) -> None:
        """A phone rings as one more for a caller only if no other waits for it."""
        served = self.driver.exchange.floor.staff.agents[agent_id].spec.queues
        for other in self.driver.exchange.calls.values():
            assert not self.waits_for_a_phone(other) or other.queue not in served

    def waits_for_a_phone(self, call: Call) -> bool:
        """Who is to be called back may wait for a channel of the trunk group, too."""
        return call.state is CallState.QUEUED and not call.to_be_adopted and not call.is_absent

    def nobody_is_remembered_without_consent(self, out: Output) -> None:
        chosen = [fact for _, fact in out.facts if isinstance(fact, facts.Chosen)]
        agreed = [fact for fact in chosen if fact.choice.remember_s is not None]
        assert all(fact.pressed == fact.choice.key != "" for fact in agreed)
        assert sum(isinstance(command, cmd.Remember) for command in out.commands) == len(agreed)

    def callers(self) -> list[ChannelId]:
        return [channel.id for channel in self.driver.asterisk.channels.values() if channel.inbound is not None]

    def legs(self) -> list[ChannelId]:
        channels = self.driver.asterisk.channels.values()
        return [channel.id for channel in channels if channel.inbound is None and channel.line is None]

    def lines_sent_on(self) -> list[ChannelId]:
        channels = self.driver.asterisk.channels.values()
        return [channel.id for channel in channels if channel.line is not None and not channel.in_app]

    @invariant()
    def all_is_well(self) -> None:
        self.a_counselor_is_on_at_most_one_call()
        self.a_caller_talks_to_one_at_most_of_those_who_were_rung()
        self.a_leg_belongs_to_one_call()
        self.an_available_counselor_can_be_picked_and_no_other()
        self.those_who_wait_stand_in_line_and_no_others()
        self.a_place_is_kept_until_the_queue_is_left()
        self.a_trunk_channel_is_held_by_a_leg()
        self.the_call_is_what_its_facts_say()
        self.nothing_impossible_happened()
        self.nobody_hears_two_sounds()
        self.nobody_is_recorded_who_was_not_told()
        self.nothing_is_recorded_that_is_not_to_be_heard()
        self.nobody_is_called_back_twice_at_once()
        self.a_number_waits_once_to_be_called_back()

    def nobody_is_called_back_twice_at_once(self) -> None:
        """By one queue: another that he has asked too knows nothing of it."""
        asterisk = self.driver.asterisk
        called = [
            leg.call
            for channel in asterisk.channels
            if (leg := naming.parse_leg_channel(channel)) and asterisk.endpoints.get(channel) in RESIDENTS
        ]
        assert len(called) == len(set(called)), called

    def a_number_waits_once_to_be_called_back(self) -> None:
        exchange = self.driver.exchange
        waits = Counter(
            (call.request.queue, call.request.number)
            for call in exchange.calls.values()
            if call.request is not None and call.is_absent
        )
        assert all(count == 1 for count in waits.values()), waits
        offered = {call.channel for call in exchange.calls.values() if call.is_absent and call.offer is not None}
        assert exchange.conduct.calling_back.reserved <= offered

    def nobody_is_recorded_who_was_not_told(self) -> None:
        for call in self.driver.exchange.calls.values():
            told = [fact.heard for fact in call.history if isinstance(fact, facts.NoticeOver)]
            assert call.taped.tape is None or any(told)

    def nothing_is_recorded_that_is_not_to_be_heard(self) -> None:
        asterisk = self.driver.asterisk
        if not self.sounds_are_known or self.driver.inbox:
            return
        tapes = {call.taped.tape.recording: call for call in self.driver.exchange.calls.values() if call.taped.tape}
        for recording in asterisk.taped:
            call = tapes[recording]
            alone = call.held or call.phone_holds
            assert not alone or recording in asterisk.silent
            outside = call.invited is not None and call.invited.destination and call.invited.bridge
            assert not outside or recording in asterisk.silent
            assert call.offer is not None
            assert call.offer.agent is not None

    def nobody_hears_two_sounds(self) -> None:
        asterisk = self.driver.asterisk
        if self.sounds_are_known:
            heard = Counter(asterisk.playing.values())
            heard.update(channel.id for channel in asterisk.channels.values() if channel.music)
            assert all(count == 1 for channel, count in heard.items() if channel in asterisk.channels), heard

    def a_counselor_is_on_at_most_one_call(self) -> None:
        exchange = self.driver.exchange
        offers = Counter(
            offer.agent
            for call in exchange.calls.values()
            for offer in (call.offer, call.invited, *call.others.values())
            if offer and offer.agent and not call.to_be_adopted
        )
        assert all(count == 1 for count in offers.values()), offers
        legs = {leg.channel: leg for leg in exchange.floor.legs.values()}
        held = [id(leg.agent) for leg in legs.values() if leg.agent is not None]
        assert len(set(held)) == len(held)
        for each in exchange.floor.staff.agents.values():
            assert (each.leg is None) == (
                each.state not in (AgentState.RESERVED, AgentState.RINGING, AgentState.ON_CALL)
            )
            assert each.leg is None or legs[each.leg].agent is each

    def a_caller_talks_to_one_at_most_of_those_who_were_rung(self) -> None:
        exchange, bridges = self.driver.exchange, self.driver.asterisk.bridges.values()
        for call in exchange.calls.values():
            assert not call.others or call.state is CallState.OFFERED
            if call.to_be_adopted:
                continue  # what the dead daemon did at last is not known before its site tells
            beside = set(call.others) | {leg.channel for leg in exchange.floor.legs_of(call.id) if _is_beaten(leg)}
            assert not any(beside & inside for inside in bridges)

    def a_leg_belongs_to_one_call(self) -> None:
        exchange = self.driver.exchange
        offers = [
            (call, offer)
            for call in exchange.calls.values()
            for offer in (call.offer, call.invited, call.resident, *call.others.values())
            if offer is not None
        ]
        assert len(offers) == len({offer.channel for _, offer in offers})
        for call, offer in offers:
            if not call.to_be_adopted:
                assert exchange.floor.legs[offer.channel].call == call.id

    def an_available_counselor_can_be_picked_and_no_other(self) -> None:
        floor = self.driver.exchange.floor
        available = [each for each in floor.staff.agents.values() if each.state is AgentState.AVAILABLE]
        for queue in (DESK, NIGHT, BELL):
            assert floor.acd.idle(queue) == sum(queue in each.spec.queues for each in available)

    def those_who_wait_stand_in_line_and_no_others(self) -> None:
        exchange = self.driver.exchange
        for queue in (DESK, NIGHT, BELL):
            waiting = [
                call for call in exchange.calls.values() if call.state is CallState.QUEUED and call.queue == queue
            ]
            sure = [call for call in waiting if not call.to_be_adopted and not (call.is_absent and exchange.draining)]
            stand = exchange.floor.acd.waiting_in(queue)
            assert len(stand) == len(set(stand))
            assert {call.id for call in sure} <= set(stand) <= {call.id for call in waiting}

    def a_place_is_kept_until_the_queue_is_left(self) -> None:
        for call in self.driver.exchange.calls.values():
            places = [fact.place for fact in self.driver.journal[call.id] if isinstance(fact, facts.Queued)]
            assert call.place == (places[-1] if places else 0)

    def a_trunk_channel_is_held_by_a_leg(self) -> None:
        exchange = self.driver.exchange
        held = sorted(seizure.leg for seizure in exchange.floor.trunks.held)
        legs = [leg.channel for leg in exchange.floor.legs.values() if leg.seizure is not None]
        callers = [call for call in exchange.calls.values() if call.arrival.trunk and call.request is None]
        sure = {*legs, *exchange.conduct.calling_back.reserved, *self.held_besides(held)}
        sure |= {call.channel for call in callers if not call.to_be_adopted}  # others may have been put aside
        assert len(held) == len(set(held))
        assert sure <= set(held) <= sure | {call.channel for call in callers}

    def held_besides(self, held: list[ChannelId]) -> list[ChannelId]:
        """Those of them that are no leg to a phone."""
        return []

    def the_call_is_what_its_facts_say(self) -> None:
        for call in self.driver.exchange.calls.values():
            assert call.history == self.driver.journal[call.id]

    def nothing_impossible_happened(self) -> None:
        assert not self.driver.exchange.counters.impossible
        assert not self.driver.exchange.counters.defects

    def teardown(self) -> None:
        """All hang up; after the timers, nothing is left but one CDR for each call, and one end of each request."""
        driver = self.driver
        driver.orders_left = None
        driver.asterisk.connected = True
        if driver.exchange.draining:  # those who have no phone wait for the next daemon
            driver.restart()
        self.hand_in(driver.snapshot())
        for channel in (*self.callers(), *self.lines_sent_on()):
            driver.asterisk.hang_up(channel)
        driver.asterisk.phones.clear()
        for _ in range(5):
            for call in [call for call in driver.exchange.calls.values() if call.request is not None]:
                driver.asterisk.hang_up(call.channel)
            driver.settle()
            driver.advance(200.0)
            driver.settle()
            self.hand_in(driver.snapshot())
            driver.settle()
        driver.advance(200.0)
        exchange = driver.exchange
        assert not exchange.calls
        assert not exchange.floor.legs
        assert exchange.floor.trunks.seizures == 0
        assert not any(exchange.floor.bridges.knows(BridgeId(bridge)) for bridge in driver.asterisk.bridges)
        assert not driver.asterisk.bridges
        assert not driver.asterisk.channels
        assert not driver.asterisk.taped
        assert set(exchange.floor.staff.agents) == {AgentId(name) for name in driver.rules.agents}
        for each in exchange.floor.staff.agents.values():  # who missed too many calls was paused, and nobody ended that
            assert each.state is (AgentState.AVAILABLE if each.duty is Duty.ON else AgentState.PAUSED)
        counted = Counter(cdr.call_id for cdr in driver.cdrs)
        assert set(counted) == set(driver.journal)
        assert set(counted.values()) <= {1}
        self.an_available_counselor_can_be_picked_and_no_other()
        ends = Counter(cdr.returns.request for cdr in driver.cdrs if cdr.returns is not None)
        assert set(ends.values()) <= {1}
        assert set(ends) <= set(counted)
        for cdr in driver.cdrs:
            total_ms = (cdr.ended_at - cdr.started_at) // timedelta(milliseconds=1)
            assert 0 <= cdr.hold_s <= cdr.talk_s
            assert round((cdr.wait_s + cdr.ring_s + cdr.talk_s) * 1000) == total_ms
        assert not [key for key in driver.timers if key[0] is not TimerKind.TRUNK]


TestExchange = pytest.mark.slow(ExchangeMachine.TestCase)
TestExchange.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, derandomize=True, report_multiple_bugs=False
)
