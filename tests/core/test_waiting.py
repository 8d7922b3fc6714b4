"""What who waits is told, which keys lead elsewhere, the limits of a queue, and a place regained."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.cdr import CdrCallback, Outcome
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId, PromptName, SkillName, SwitchName
from callrouter.core.plan import Announce, EnterQueue, HandOver, HangUp, Plan
from callrouter.core.rulebook import QueueSpec, Rulebook
from callrouter.core.skills import SkillRules, Wish
from callrouter.core.states import CallState, Signal
from callrouter.core.switches import SwitchOrder, SwitchSpec, SwitchVia
from callrouter.core.waiting_spec import Comfort, KeyWay, QueueCare, Surge
from tests.core.driver import (
    CALL_BACK,
    DESK,
    MESSAGE,
    NIGHT,
    SORRY,
    THANKS,
    Driver,
    agent,
    rulebook,
    without_queue,
)

WAIT, MANY, OFFER = PromptName("wait"), PromptName("many"), PromptName("offer")
STORM = SwitchName("storm")
COMFORT = Comfort(30.0, 10.0, WAIT, position=True, wait=True, offer=OFFER)
ENGLISH = SkillName("english")
DESK_PLAN, NIGHT_PLAN = Plan("desk", (EnterQueue(DESK),)), Plan("night", (EnterQueue(NIGHT),))
ELSEWHERE = Plan("elsewhere", (Announce(SORRY), HangUp()))
KEYS = (
    KeyWay("1", Plan("call-me", (CALL_BACK, Announce(THANKS), HangUp()))),
    KeyWay("2", Plan("message", (MESSAGE, HangUp()))),
    KeyWay("3", Plan("back", (Announce(SORRY), EnterQueue(DESK)))),
    KeyWay("4", ELSEWHERE),
)
FIRST, SECOND, THIRD = "0552250001", "0552250002", "01012345678"


def rules(care: QueueCare, *names: str) -> Rulebook:
    """The queue ``desk`` does this for its callers, and these serve it."""
    desk = QueueSpec(DESK, "창원시", care=care)
    return replace(rulebook(*map(agent, names), queues=(desk,)), switches={STORM: SwitchSpec(STORM, "폭주")})


def hall_with(care: QueueCare, *names: str) -> Driver:
    return Driver(rules(care, *names))


def state(call: Call) -> CallState:
    """Looked at anew each time."""
    return call.state


def announced(hall: Driver) -> list[list[str]]:
    """The prompts of each announcement that was begun, of all calls in order."""
    return [list(fact.prompts) for _, fact in hall.log if isinstance(fact, facts.Comforted)]


def played(hall: Driver) -> list[str]:
    """All prompts that were played, in order."""
    return [media.removeprefix("sound:callrouter/") for command in hall.given(cmd.Play) for media in command.media]


def hear(hall: Driver, call: Call) -> None:
    """Hear the announcement to its end."""
    while call.comforting:
        hall.announcement_ends(call)


class TestWhoWaitsIsTold:
    def test_at_intervals_between_the_music(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        call = hall.dial()
        hall.advance(9.9)
        assert (announced(hall), hall.channel(call).music) == ([], True)
        hall.advance(0.2)
        assert announced(hall) == [["wait", "queue-position-1", "offer"]]
        assert not hall.channel(call).music
        hear(hall, call)
        assert hall.channel(call).music
        hall.advance(30.0)
        assert len(announced(hall)) == 2

    def test_by_playbacks_of_their_own(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        call = hall.dial()
        for _ in range(3):
            hall.advance(30.0)
            hear(hall, call)
        ids = [command.playback for command in hall.given(cmd.Play)]
        assert len(set(ids)) == len(ids) == 9

    def test_nothing_on_top_of_what_still_plays(self) -> None:
        hall = hall_with(QueueCare(replace(COMFORT, every_s=20.0)))
        hall.dial()
        hall.advance(31.0)
        assert len(announced(hall)) == 1

    def test_and_hears_music_again_when_an_announcement_never_ends(self) -> None:
        hall = hall_with(QueueCare(replace(COMFORT, every_s=600.0)))
        call = hall.dial()
        hall.advance(10.0 + 121.0)
        assert hall.channel(call).music
        assert [command.playback for command in hall.given(cmd.StopPlayback)] == [call.playback]

    def test_his_place_and_never_that_it_is_further_back(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        first, second = hall.dial(), hall.dial()
        hall.advance(10.0)
        hear(hall, first)
        hear(hall, second)
        hall.hang_up(first)
        hall.advance(30.0)
        assert [words[1] for words in announced(hall)] == ["queue-position-1", "queue-position-2", "queue-position-1"]
        hear(hall, second)
        acd = hall.exchange.floor.acd
        acd.move(second.id, (hall.now.timestamp() + 1.0, 99))  # as if others had a head start
        hall.dial()
        assert hall.place(second) == 2
        hall.advance(30.0)
        assert announced(hall)[-1] == ["wait", "offer"], "not that it is further back"

    @pytest.mark.parametrize(("level", "told"), [(1, ["wait", "queue-position-1", "offer"]), (0, ["wait", "offer"])])
    def test_no_place_where_nobody_at_work_can_do_what_is_asked_for_him(self, level: int, told: list[str]) -> None:
        desk = QueueSpec(DESK, "창원시", care=QueueCare(COMFORT), skills=SkillRules((Wish({ENGLISH: 1}, {}),)))
        staff = replace(agent("kim", DESK, NIGHT), skills={ENGLISH: level})
        hall = Driver(rulebook(staff, agent("lee"), queues=(desk,), plans={"120": DESK_PLAN, "110": NIGHT_PLAN}))
        hall.pick_up(hall.dial("110"))
        hall.dial()
        hall.advance(10.0)
        assert announced(hall) == [told]

    def test_that_the_place_is_far_back_by_one_prompt(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        for _ in range(11):
            hall.dial()
        hall.advance(10.0)
        assert [words[1] for words in announced(hall)][-2:] == ["queue-position-10", "queue-position-more"]

    def test_nothing_when_there_is_nothing_to_tell(self) -> None:
        hall = hall_with(QueueCare(Comfort(30.0, 10.0, wait=True)))
        call = hall.dial()
        hall.advance(100.0)
        assert announced(hall) == []
        assert hall.channel(call).music

    def test_how_long_it_takes_once_that_is_known(self) -> None:
        hall = hall_with(QueueCare(Comfort(60.0, 10.0, wait=True)), "kim")
        talking = hall.dial()
        hall.pick_up(talking)
        for _ in range(6):
            waiting = hall.dial()
            hall.advance(9.0)
            assert announced(hall) == []
            hall.advance(231.0)
            for playback in list(hall.asterisk.playing):
                hall.asterisk.end_playback(playback)
            hall.leg_ends(talking)
            hall.advance(10.0)
            hall.pick_up(waiting)
            talking = waiting
        last = hall.dial()
        hall.advance(10.0)
        assert announced(hall)[-1] == ["queue-wait-3-5"]
        assert state(last) is CallState.QUEUED

    def test_at_once_while_a_switch_is_on_or_many_wait(self) -> None:
        surge = Surge(MANY, STORM, longer_than=1)
        hall = hall_with(QueueCare(Comfort(30.0, 10.0, WAIT, surge=surge)))
        hall.dial()
        hall.advance(0.0)
        assert announced(hall) == []
        hall.dial()
        hall.advance(0.0)
        assert announced(hall) == [["many", "wait"]]
        other = hall_with(QueueCare(Comfort(30.0, 10.0, surge=surge)))
        other.tell(ev.SwitchOrdered(SwitchOrder(STORM, True, "kim", SwitchVia.COMMAND)))
        other.dial()
        other.advance(0.0)
        assert announced(other) == [["many"]]
        other.tell(ev.SwitchOrdered(SwitchOrder(STORM, False, "kim", SwitchVia.COMMAND)))
        other.advance(30.0)
        assert announced(other) == [["many"]]

    def test_in_the_language_that_he_chose_as_far_as_it_is_spoken(self) -> None:
        book = replace(rules(QueueCare(COMFORT)), translated={"en": frozenset({PromptName("queue-position-1")})})
        hall = Driver(book)
        call = hall.dial("127")
        hall.press(call, "2")
        hall.advance(10.0)
        hear(hall, call)
        assert played(hall)[-3:] == ["wait", "en/queue-position-1", "offer"]
        hall.restart()
        hall.sync()
        (again,) = hall.exchange.calls.values()
        hall.advance(30.0)
        hear(hall, again)
        assert played(hall)[-3:] == ["wait", "en/queue-position-1", "offer"]

    def test_nothing_by_rules_that_have_nothing_to_tell_any_more(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        hall.dial()
        hall.tell(ev.RulebookReplaced(rules(QueueCare())))
        hall.advance(60.0)
        assert announced(hall) == []

    def test_one_prompt_after_another_in_their_order(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        call = hall.dial()
        hall.advance(10.0)
        assert (played(hall), len(hall.asterisk.playing)) == (["wait"], 1)
        hall.announcement_ends(call)
        assert (played(hall), len(hall.asterisk.playing)) == (["wait", "queue-position-1"], 1)
        assert not hall.channel(call).music

    def test_with_a_whole_dead_mans_switch_ahead_and_one_that_may_wait_behind_the_sound(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        hall.dial()
        hall.advance(10.0)
        *_, before, play = [c for c in hall.commands if isinstance(c, cmd.SetDeadMan | cmd.Play)]
        assert isinstance(before, cmd.SetDeadMan)
        assert isinstance(play, cmd.Play)
        assert not before.playing
        hall.advance(15.0)
        assert hall.given(cmd.SetDeadMan)[-1].playing


class TestACounselorWhoIsFree:
    def test_is_rung_while_the_announcement_goes_on_and_ends_it_by_answering(self) -> None:
        hall = hall_with(QueueCare(COMFORT), "kim")
        talking = hall.dial()
        hall.pick_up(talking)
        call = hall.dial()
        hall.advance(10.0)
        hall.leg_ends(talking)
        hall.exchange.floor.staff.agent_rested(AgentId("kim"), hall.now)
        hall.settle()
        hall.tell(ev.TimerFired((TimerKind.AGENT, AgentId("kim"))))
        assert (state(call), call.comforting) == (CallState.OFFERED, True)
        hall.pick_up(call)
        assert state(call) is CallState.CONNECTED
        assert not hall.asterisk.playing
        assert not hall.channel(call).music

    def test_lets_music_play_when_the_announcement_ends_before_he_answers(self) -> None:
        hall = hall_with(QueueCare(COMFORT), "kim")
        call = hall.dial()
        assert state(call) is CallState.OFFERED
        hall.advance(21.0)
        assert state(call) is CallState.QUEUED
        assert len(announced(hall)) == 1, "what was due while the phone rang comes at once"
        hall.advance(15.0)
        assert state(call) is CallState.OFFERED
        hall.announcement_ends(call)
        assert hall.channel(call).music


class TestAnInterruption:
    def test_of_the_daemon_stops_what_plays_and_goes_on_with_the_intervals(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        hall.dial()
        hall.advance(12.0)
        hall.restart()
        hall.sync()
        (again,) = hall.exchange.calls.values()
        assert hall.channel(again).music
        assert not hall.asterisk.playing
        hall.advance(27.9)
        assert len(announced(hall)) == 1
        hall.advance(0.2)
        assert len(announced(hall)) == 2

    def test_ends_what_plays_before_the_dead_mans_switch_which_would_wait_behind_it(self) -> None:
        for restarts in (True, False):
            hall = hall_with(QueueCare(COMFORT))
            hall.dial()
            hall.advance(12.0)
            hall.restart() if restarts else hall.lose_site()
            hall.commands.clear()
            hall.sync()
            order = [type(command) for command in hall.commands]
            assert order.index(cmd.StopPlayback) < order.index(cmd.SetDeadMan)

    def test_of_the_connection_just_when_an_announcement_was_to_begin_leaves_music(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        call = hall.dial()
        hall.advance(9.9)
        hall.asterisk.connected = False
        hall.advance(0.2)
        hall.lose_site()
        hall.sync()
        assert hall.channel(call).music
        assert not hall.asterisk.playing

    def test_of_the_daemon_while_a_phone_rings_leaves_music(self) -> None:
        hall = hall_with(QueueCare(COMFORT), "kim")
        call = hall.dial()
        hall.advance(21.0)
        assert hall.asterisk.playing
        hall.advance(15.0)
        assert state(call) is CallState.OFFERED
        hall.restart()
        hall.sync()
        (again,) = hall.exchange.calls.values()
        assert state(again) is CallState.OFFERED
        assert hall.channel(again).music
        assert not hall.asterisk.playing
        hall.pick_up(again)
        assert state(again) is CallState.CONNECTED
        assert not hall.channel(again).music

    def test_of_the_daemon_while_the_two_are_being_bridged_stops_what_plays(self) -> None:
        hall = hall_with(QueueCare(COMFORT), "kim")
        call = hall.dial()
        hall.advance(36.0)
        hall.asterisk.pick_up(hall.leg(call))
        hall.exchange.handle(hall.inbox.pop(0), hall.now)  # whose commands reach nobody
        hall.journal[call.id] = list(call.history)
        hall.log += [(call.id, fact) for fact in call.history[-1:]]
        hall.restart()
        hall.sync()
        (again,) = hall.exchange.calls.values()
        assert state(again) is CallState.CONNECTED
        assert not hall.asterisk.playing

    def test_of_the_connection_leaves_music_whatever_was_missed(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        call = hall.dial()
        hall.advance(12.0)
        hall.lose_site()
        hall.advance(200.0)
        assert len(announced(hall)) == 1, "nobody would hear another"
        hall.sync()
        assert hall.channel(call).music
        assert not hall.asterisk.playing

    def test_while_a_phone_rings_that_no_queue_of_the_rules_knows_leaves_it_ringing(self) -> None:
        hall = hall_with(QueueCare(COMFORT), "kim")
        call = hall.dial()
        hall.advance(36.0)
        assert state(call) is CallState.OFFERED
        hall.restart(without_queue(hall.rules, DESK))
        hall.sync()
        (again,) = hall.exchange.calls.values()
        assert state(again) is CallState.OFFERED
        assert not hall.asterisk.playing
        hall.pick_up(again)
        assert state(again) is CallState.CONNECTED

    def test_of_nothing_else_by_an_end_that_is_told_late(self) -> None:
        hall = hall_with(QueueCare(COMFORT))
        call = hall.dial()
        hall.advance(12.0)
        assert call.playback is not None
        late = ev.PlaybackEnded(call.playback)
        hear(hall, call)
        hall.tell(late)
        assert hall.exchange.counters.stale[CallState.QUEUED, Signal.ANNOUNCEMENT_OVER] == 1
        assert hall.channel(call).music


class TestAKeyOfTheQueue:
    def test_ends_the_announcement_and_leads_to_its_plan(self) -> None:
        hall = hall_with(QueueCare(COMFORT, KEYS))
        call = hall.dial()
        hall.advance(12.0)
        hall.press(call, "4")
        assert state(call) is CallState.ANNOUNCING
        assert played(hall) == ["wait", "sorry"]
        assert list(hall.asterisk.playing) == [call.playback]
        assert (TimerKind.COMFORT, call.id) not in hall.timers
        hall.announcement_ends(call)
        cdr = hall.cdr(call)
        assert (cdr.outcome, cdr.queue) == (Outcome.HANDLED, DESK)
        assert cdr.explanation.splitlines()[-1] == "queue desk: pressed 4 → elsewhere"

    def test_that_means_nothing_changes_nothing(self) -> None:
        hall = hall_with(QueueCare(COMFORT, KEYS))
        call = hall.dial()
        hall.press(call, "9")
        assert (state(call), hall.channel(call).music) == (CallState.QUEUED, True)

    def test_has_who_waits_called_back_at_his_place(self) -> None:
        hall = hall_with(QueueCare(keys=KEYS))
        hall.dial(caller=FIRST)
        call = hall.dial(caller=SECOND)
        hall.advance(5.0)
        hall.press(call, "1")
        hall.announcement_ends(call)
        cdr = hall.cdr(call)
        assert (cdr.outcome, cdr.callback) == (Outcome.CALLBACK, CdrCallback(DESK, "+82552250002", hall.now, 2))

    def test_and_hanging_up_before_a_word_of_the_message_is_abandoning(self) -> None:
        hall = hall_with(QueueCare(keys=KEYS))
        call = hall.dial()
        hall.press(call, "2")
        assert state(call) is CallState.RECORDING
        hall.hang_up(call)
        assert hall.cdr(call).outcome is Outcome.ABANDONED

    def test_may_lead_back_to_the_same_place(self) -> None:
        hall = hall_with(QueueCare(keys=KEYS))
        first, second = hall.dial(caller=FIRST), hall.dial(caller=SECOND)
        hall.press(first, "3")
        hall.announcement_ends(first)
        assert (hall.place(first), hall.place(second)) == (1, 2)
        hall.hang_up(first)
        assert "queue desk: is back, and has the place of 09:00:00 UTC again" in hall.cdr(first).explanation

    @pytest.mark.parametrize(("digit", "stands"), [("4", CallState.ANNOUNCING), ("9", CallState.QUEUED)])
    def test_waits_for_the_phone_that_rings(self, digit: str, stands: CallState) -> None:
        hall = hall_with(QueueCare(keys=KEYS), "kim")
        call = hall.dial()
        hall.press(call, digit)
        assert state(call) is CallState.OFFERED
        hall.leg_ends(call, 17)
        assert state(call) is stands

    def test_is_forgotten_when_that_phone_is_answered(self) -> None:
        hall = hall_with(QueueCare(keys=KEYS), "kim")
        call = hall.dial()
        hall.press(call, "4")
        hall.pick_up(call)
        assert state(call) is CallState.CONNECTED

    def test_means_nothing_where_a_destination_is_called(self) -> None:
        hall = hall_with(QueueCare(keys=KEYS))
        call = hall.dial("130")
        hall.announcement_ends(call)
        hall.press(call, "4")
        assert state(call) is CallState.OFFERED

    def test_survives_the_daemon_that_dies_at_once(self) -> None:
        hall = hall_with(QueueCare(keys=KEYS))
        call = hall.dial()
        hall.press(call, "4")
        hall.restart(rules(QueueCare()), lost=1)
        hall.sync()
        (again,) = hall.exchange.calls.values()
        assert (again.channel, state(again), again.plan) == (call.channel, CallState.ANNOUNCING, ELSEWHERE)


class TestALimit:
    FULL = QueueCare(max_waiting=1, when_full=ELSEWHERE)
    STAFF = QueueCare(when_unstaffed=ELSEWHERE)

    def test_turns_away_who_comes_when_as_many_wait_as_may(self) -> None:
        hall = hall_with(self.FULL)
        hall.dial(caller=FIRST)
        call = hall.dial(caller=SECOND)
        assert state(call) is CallState.ANNOUNCING
        hall.announcement_ends(call)
        cdr = hall.cdr(call)
        assert (cdr.outcome, cdr.queue, cdr.queued_at) == (Outcome.OVERFLOWED, DESK, None)
        assert cdr.explanation.splitlines()[-1] == "queue desk: full, 1 wait already → elsewhere"

    def test_turns_away_who_comes_when_nobody_is_logged_in(self) -> None:
        hall = hall_with(self.STAFF)
        call = hall.dial()
        hall.hang_up(call)
        cdr = hall.cdr(call)
        assert (cdr.outcome, cdr.queue) == (Outcome.OVERFLOWED, DESK)
        assert cdr.explanation.splitlines()[-1] == "queue desk: nobody is logged in → elsewhere"

    def test_takes_who_waits_elsewhere_when_the_last_counselor_logs_out_but_not_when_he_pauses(self) -> None:
        hall = hall_with(self.STAFF, "kim")
        talking = hall.dial(caller=FIRST)
        hall.pick_up(talking)
        call = hall.dial(caller=SECOND)
        order(hall, DutyVerb.PAUSE)
        assert state(call) is CallState.QUEUED
        order(hall, DutyVerb.LOGOUT)
        assert state(call) is CallState.ANNOUNCING
        assert state(talking) is CallState.CONNECTED
        hall.announcement_ends(call)
        cdr = hall.cdr(call)
        assert (cdr.outcome, cdr.explanation.splitlines()[-1]) == (
            Outcome.OVERFLOWED,
            "queue desk: nobody is logged in → elsewhere",
        )

    def test_lets_the_phone_that_rings_be_answered_first(self) -> None:
        hall = hall_with(self.STAFF, "kim")
        call = hall.dial()
        order(hall, DutyVerb.LOGOUT)
        assert state(call) is CallState.OFFERED
        hall.leg_ends(call, 17)
        assert state(call) is CallState.ANNOUNCING

    def test_holds_by_new_rules_for_who_waits(self) -> None:
        hall = hall_with(QueueCare())
        call = hall.dial()
        hall.tell(ev.RulebookReplaced(rules(self.STAFF)))
        assert state(call) is CallState.ANNOUNCING

    def test_holds_after_a_restart(self) -> None:
        hall = hall_with(QueueCare())
        hall.dial()
        hall.restart(rules(self.STAFF))
        hall.sync()
        (again,) = hall.exchange.calls.values()
        assert state(again) is CallState.ANNOUNCING

    def test_that_was_met_is_remembered_over_a_restart(self) -> None:
        hall = hall_with(self.STAFF)
        hall.dial()
        hall.restart(rules(QueueCare()))
        (again,) = hall.exchange.calls.values()
        assert (again.plan, state(again)) == (ELSEWHERE, CallState.ANNOUNCING)

    def test_of_two_that_lead_on_to_one_another_by_turns_ends_where_there_is_room(self) -> None:
        night = QueueSpec(NIGHT, "야간")
        care = QueueCare(max_waiting=0, when_full=Plan("over", (EnterQueue(NIGHT),)))
        hall = Driver(rulebook(queues=(QueueSpec(DESK, "창원시", care=care), night)))
        call = hall.dial()
        assert (state(call), call.queue) == (CallState.QUEUED, NIGHT)
        hall.hang_up(call)
        cdr = hall.cdr(call)
        assert (cdr.outcome, cdr.queue) == (Outcome.ABANDONED, NIGHT)

    def test_that_hands_over_to_the_dialplan_is_an_overflow(self) -> None:
        hall = hall_with(QueueCare(max_waiting=0, when_full=Plan("out", (HandOver("duty", "100"),))))
        call = hall.dial()
        hall.settle()
        assert hall.cdr(call).outcome is Outcome.OVERFLOWED

    def test_of_waiting_says_so_in_the_record(self) -> None:
        hall = hall_with(QueueCare())
        call = hall.dial("123")
        hall.advance(30.0)
        hall.hang_up(call)
        assert "queue desk: waited as long as the plan allows → next step" in hall.cdr(call).explanation

    def test_of_a_queue_that_the_rules_lost_is_none(self) -> None:
        hall = Driver(without_queue(rules(self.STAFF), DESK))
        call = hall.dial()
        assert state(call) in (CallState.CLEARING, CallState.ENDED)


class TestWhoDialsAgain:
    CARE = QueueCare(redial_within_s=60.0)

    def test_soon_has_the_place_again_before_who_came_meanwhile(self) -> None:
        hall = hall_with(self.CARE)
        first = hall.dial(caller=FIRST)
        hall.advance(10.0)
        second = hall.dial(caller=SECOND)
        hall.hang_up(first)
        hall.advance(60.0)
        again = hall.dial(caller=FIRST)
        assert (hall.place(again), hall.place(second)) == (1, 2)
        assert (again.place, again.queued_at) == (first.place, first.queued_at)
        hall.hang_up(again)
        told = hall.cdr(again).explanation.splitlines()[-1]
        assert told == "queue desk: dialled again, and has the place of 09:00:00 UTC again"

    @pytest.mark.parametrize(
        ("caller", "again_from", "after_s"),
        [(FIRST, FIRST, 61.0), (FIRST, THIRD, 1.0), ("anonymous", "anonymous", 1.0)],
    )
    def test_too_late_or_from_another_number_or_none_stands_behind(
        self, caller: str, again_from: str, after_s: float
    ) -> None:
        hall = hall_with(self.CARE)
        first = hall.dial(caller=caller)
        hall.dial(caller=SECOND)
        hall.hang_up(first)
        hall.advance(after_s)
        again = hall.dial(caller=again_from)
        assert hall.place(again) == 2

    def test_after_leaving_the_queue_by_the_plan_stands_behind(self) -> None:
        hall = hall_with(self.CARE)
        first = hall.dial("121", caller=FIRST)
        hall.announcement_ends(first)
        hall.advance(60.0)
        assert state(first) is CallState.ANNOUNCING
        hall.dial(caller=SECOND)
        hall.hang_up(first)
        again = hall.dial(caller=FIRST)
        assert hall.place(again) == 2

    def test_has_the_place_once(self) -> None:
        hall = hall_with(self.CARE)
        first = hall.dial(caller=FIRST)
        hall.dial(caller=SECOND)
        hall.hang_up(first)
        again, twice = hall.dial(caller=FIRST), hall.dial(caller=FIRST)
        assert (hall.place(again), hall.place(twice)) == (1, 3)

    def test_after_being_served_stands_behind(self) -> None:
        hall = hall_with(self.CARE, "kim")
        served = hall.dial(caller=FIRST)
        hall.pick_up(served)
        hall.dial(caller=SECOND)
        hall.hang_up(served)
        again = hall.dial(caller=FIRST)
        assert again.place > served.place

    def test_while_the_daemon_was_away_has_the_place_again(self) -> None:
        hall = hall_with(self.CARE)
        first = hall.dial(caller=FIRST)
        hall.advance(5.0)
        hall.dial(caller=SECOND)
        hall.asterisk.hang_up(first.channel)
        hall.restart()
        hall.arrive(caller=FIRST)
        hall.inbox.clear()
        hall.sync()
        again = next(call for call in hall.exchange.calls.values() if call.arrival.caller == FIRST)
        assert again.id != first.id
        assert again.place == first.place

    def test_before_the_daemon_died_has_the_place_again(self) -> None:
        hall = hall_with(self.CARE)
        first = hall.dial(caller=FIRST)
        hall.dial(caller=SECOND)
        hall.hang_up(first)
        hall.restart()
        hall.sync()
        again, other = hall.dial(caller=FIRST), hall.dial(caller=THIRD)
        assert (again.place, other.place) == (first.place, 3)
        hall.restart()
        hall.sync()
        assert hall.dial(caller=FIRST).place == 4, "the place was given once"

    def test_where_no_queue_wants_it_is_nobody(self) -> None:
        hall = hall_with(QueueCare())
        first = hall.dial(caller=FIRST)
        hall.hang_up(first)
        again = hall.dial(caller=FIRST)
        assert [fact.since for fact in again.history if isinstance(fact, facts.Queued)] == [None]


def order(hall: Driver, verb: DutyVerb) -> None:
    hall.tell(ev.DutyOrdered(DutyOrder(AgentId("kim"), verb, "kim", DutyVia.COMMAND)))
