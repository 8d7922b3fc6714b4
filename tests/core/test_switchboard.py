"""Switches: who may set them, how long they stay on, and what the exchange makes of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.events import TimerKind
from callrouter.core.exchange import Exchange
from callrouter.core.ids import ChannelId, SiteName, SwitchName
from callrouter.core.output import NoticeKind, Output
from callrouter.core.picture import picture
from callrouter.core.switches import SwitchAnswer, SwitchOrder, SwitchSpec, SwitchVia, duration
from tests.core.driver import HALL, agent, rulebook

AT = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")
TYPHOON, NIGHT = SwitchName("typhoon"), SwitchName("night")
HOUR_S = 3600.0
PHONE = (HALL, "PJSIP/kim")
RULES = replace(
    rulebook(agent("kim"), agent("lee")),
    switches={
        TYPHOON: SwitchSpec(TYPHOON, "태풍", 6 * HOUR_S, "*21", frozenset({PHONE, (HALL, "PJSIP/299")})),
        NIGHT: SwitchSpec(NIGHT, "연장 근무"),
    },
    timezone=SEOUL,
)
KEY = (TimerKind.SWITCH, TYPHOON)
LAMPS = ["Stasis:callrouter-switch-typhoon", "Stasis:callrouter-code-21"]


def later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


class Board:
    """An exchange at a site that is up, and the newest of what came out of it."""

    def __init__(self) -> None:
        self.exchange = Exchange(RULES, AT)
        self.out = Output()
        self.tell(ev.SiteUp(HALL, AT, {}, frozenset()))

    def tell(self, event: ev.Event, at: datetime = AT) -> Output:
        self.out = self.exchange.handle(event, at)
        return self.out

    def order(self, on: bool, at: datetime = AT, **wanted: object) -> SwitchAnswer:
        order = SwitchOrder(TYPHOON, on, "kim", SwitchVia.COMMAND)
        order = replace(order, **wanted)  # type: ignore[arg-type]
        self.tell(ev.SwitchOrdered(order, 7), at)
        ((ticket, answer),) = self.out.answers
        assert ticket == 7
        assert isinstance(answer, SwitchAnswer)
        return answer

    def dial(self, code: str = "*21", endpoint: str = "PJSIP/kim", site: SiteName = HALL, at: datetime = AT) -> str:
        """The word for what became of it, to which the phone was sent on."""
        self.tell(ev.CodeDialed(site, ChannelId("9.1"), endpoint, code), at)
        (sent,) = [command for command in self.out.commands if isinstance(command, cmd.ContinueInDialplan)]
        assert (sent.site, sent.channel, sent.context) == (site, "9.1", "callrouter-switched")
        return sent.extension

    @property
    def is_on(self) -> bool:
        return TYPHOON in self.exchange.conduct.switchboard.on(AT)

    @property
    def lamps(self) -> list[tuple[str, bool]]:
        lamps = [command for command in self.out.commands if isinstance(command, cmd.SetLamp)]
        return [(lamp.device, lamp.shows is not cmd.Lamp.FREE) for lamp in lamps if "-agent-" not in lamp.device]

    @property
    def timers(self) -> list[cmd.Command]:
        return [command for command in self.out.commands if isinstance(command, cmd.SetTimer | cmd.CancelTimer)]

    @property
    def notices(self) -> list[tuple[NoticeKind, str]]:
        return [(notice.kind, notice.text) for notice in self.out.notices]


@pytest.fixture
def board() -> Board:
    return Board()


def test_switching_on_answers_in_local_time_sets_the_end_lights_the_lamps_and_is_kept(board: Board) -> None:
    answer = board.order(True, for_s=HOUR_S, note="태풍\n카눈")
    assert (answer.ok, answer.changed) == (True, True)
    assert answer.message == "switch typhoon is on until 2026-11-24 11:00"
    assert answer.on is not None
    assert answer.on.words == "switch typhoon on by kim since 2026-11-24 10:00 until 2026-11-24 11:00 (태풍 카눈)"
    assert board.timers == [cmd.SetTimer(KEY, HOUR_S)]
    assert board.lamps == [(lamp, True) for lamp in LAMPS]
    assert board.out.audit == [
        AuditEntry(AT, "kim", AuditKind.SWITCH, TYPHOON, "off", "on", "command", AT, later(HOUR_S), "태풍 카눈")
    ]
    told = "typhoon: off, now on until 2026-11-24 11:00; by kim, via command (태풍 카눈)"
    assert board.notices == [(NoticeKind.SWITCH_SET, told)]


def test_left_to_itself_it_stays_on_for_as_long_as_it_may(board: Board) -> None:
    assert board.order(True).message == "switch typhoon is on until 2026-11-24 16:00"
    assert board.order(True, name=NIGHT).message == "switch night is on until 2026-11-25 10:00"
    assert board.lamps == [("Stasis:callrouter-switch-night", True)], "no code, no lamp of a code"


def test_renewing_moves_the_end_and_not_the_beginning(board: Board) -> None:
    board.order(True, for_s=60.0)
    answer = board.order(True, later(30), who="lee", for_s=HOUR_S)
    assert (answer.changed, answer.message) == (True, "switch typhoon stays on until 2026-11-24 11:00")
    (entry,) = board.out.audit
    assert (entry.was, entry.becomes, entry.who, entry.since) == ("on", "on", "lee", AT)
    assert board.tell(ev.TimerFired(KEY), later(60)).audit == [], "the end of before means nothing any more"
    assert board.is_on


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"for_s": 0.0}, "that would be over already; name a time to come, or none for 6 h"),
        ({"until": AT}, "that would be over already; name a time to come, or none for 6 h"),
        ({"for_s": 6 * HOUR_S + 1}, "switch typhoon stays on for at most 6 h; renew it when that is over"),
        ({"until": later(7 * HOUR_S)}, "switch typhoon stays on for at most 6 h; renew it when that is over"),
        ({"for_s": 1e300}, "switch typhoon stays on for at most 6 h; renew it when that is over"),
        ({"name": SwitchName("thypoon\n")}, 'there is no switch "thypoon"; there are: night, typhoon'),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(board: Board, wanted: dict[str, object], why: str) -> None:
    answer = board.order(True, AT, **wanted)
    assert (answer.ok, answer.changed, answer.message) == (False, False, why)
    assert (board.is_on, board.out.audit, board.out.commands) == (False, [], [])


def test_a_refused_renewal_says_how_it_stands(board: Board) -> None:
    board.order(True, until=later(60))
    answer = board.order(True, for_s=7 * HOUR_S)
    assert not answer.ok
    assert answer.on is not None
    assert answer.on.until == later(60)


def test_without_any_switch_there_is_none(board: Board) -> None:
    board.tell(ev.RulebookReplaced(replace(RULES, switches={})))
    assert board.order(True).message == 'there is no switch "typhoon"; there are: none'


def test_switching_off_ends_it_and_once_more_says_so(board: Board) -> None:
    board.order(True)
    answer = board.order(False, later(5), note="지나감")
    assert (answer.ok, answer.changed, answer.message, answer.on) == (True, True, "switch typhoon is off", None)
    assert board.timers == [cmd.CancelTimer(KEY)]
    assert board.lamps == [(lamp, False) for lamp in LAMPS]
    (entry,) = board.out.audit
    assert (entry.was, entry.becomes, entry.since, entry.until, entry.note) == ("on", "off", later(5), None, "지나감")
    again = board.order(False, later(6))
    assert (again.ok, again.changed, again.message) == (True, False, "switch typhoon is off already")
    assert board.out.audit == []


def test_it_goes_off_by_itself_and_counts_as_off_from_that_instant_on(board: Board) -> None:
    board.order(True, for_s=60.0)
    switchboard = board.exchange.conduct.switchboard
    assert TYPHOON in switchboard.on(later(59.999))
    assert TYPHOON not in switchboard.on(later(60)), "although the timer has not run out yet"
    board.tell(ev.TimerFired(KEY), later(60.1))
    (entry,) = board.out.audit
    assert (entry.who, entry.via, entry.becomes) == ("callrouter", "expiry", "off")
    assert board.lamps == [(lamp, False) for lamp in LAMPS]
    assert board.tell(ev.TimerFired(KEY), later(61)).audit == []


def test_switching_on_after_the_end_and_before_its_timer_keeps_both(board: Board) -> None:
    board.order(True, for_s=60.0)
    answer = board.order(True, later(61), for_s=60.0)
    assert answer.message == "switch typhoon is on until 2026-11-24 10:02"
    assert [(entry.was, entry.becomes, entry.via) for entry in board.out.audit] == [
        ("on", "off", "expiry"),
        ("off", "on", "command"),
    ]


def test_a_phone_turns_it_over_and_is_known_by_its_counselor(board: Board) -> None:
    assert board.dial() == "on"
    (entry,) = board.out.audit
    assert (entry.who, entry.via, entry.until) == ("kim", "phone", later(6 * HOUR_S))
    assert board.dial(endpoint="PJSIP/299") == "off"
    (entry,) = board.out.audit
    assert (entry.who, entry.becomes) == ("PJSIP/299", "off")


def test_a_phone_that_dials_after_the_end_and_before_its_timer_switches_on(board: Board) -> None:
    board.order(True, for_s=60.0)
    assert board.dial(at=later(61)) == "on"


@pytest.mark.parametrize(
    ("dialed", "word", "why"),
    [
        ({"endpoint": "PJSIP/lee"}, "refused", "lee dialled *21: it may not set the switch typhoon"),
        ({"site": SiteName("other")}, "refused", "PJSIP/kim dialled *21: it may not set the switch typhoon"),
        ({"code": "*22"}, "unknown", "kim dialled *22: no switch has it"),
        ({"code": ""}, "unknown", "kim dialled : no switch has it"),
    ],
)
def test_other_phones_and_other_codes_change_nothing_and_are_told(
    board: Board, dialed: dict[str, object], word: str, why: str
) -> None:
    assert board.dial(**dialed) == word  # type: ignore[arg-type]
    assert (board.is_on, board.out.audit) == (False, [])
    assert board.notices == [(NoticeKind.SWITCH_REFUSED, why)]


def test_a_site_that_comes_back_has_its_lamps_put_right(board: Board) -> None:
    board.order(True)
    board.tell(ev.SiteDown(HALL))
    board.order(True, name=NIGHT)
    assert board.lamps == [], "nobody is there to hear"
    board.tell(ev.SiteUp(HALL, AT, {}, frozenset()))
    assert board.lamps == [*((lamp, True) for lamp in LAMPS), ("Stasis:callrouter-switch-night", True)]
    board.tell(ev.SiteUp(HALL, AT, {}, frozenset()))
    assert board.lamps == [], "once is enough"


def test_new_rules_put_off_what_they_do_not_have_and_leave_the_rest_as_it_is(board: Board) -> None:
    board.order(True)
    board.order(True, name=NIGHT)
    short = {NIGHT: SwitchSpec(NIGHT, "연장 근무", 60.0, "*22", frozenset({PHONE}))}
    board.tell(ev.RulebookReplaced(replace(RULES, switches=short)), later(1))
    (entry,) = board.out.audit
    assert (entry.name, entry.becomes, entry.via) == (TYPHOON, "off", "reload")
    assert board.timers == [cmd.CancelTimer(KEY)]
    assert board.lamps == [
        (LAMPS[0], False),
        ("Stasis:callrouter-switch-night", True),
        ("Stasis:callrouter-code-22", True),
    ]
    assert set(board.exchange.conduct.switchboard.on(later(61))) == {NIGHT}


def restored(entries: Iterable[AuditEntry], at: datetime) -> tuple[Exchange, Output]:
    exchange = Exchange(RULES, at)
    return exchange, exchange.restore_switches(entries, at)


def test_another_exchange_knows_again_how_the_switch_stands(board: Board) -> None:
    board.order(True, for_s=HOUR_S)
    exchange, out = restored(board.out.audit, later(600))
    assert out.audit == []
    assert out.commands == [cmd.SetTimer(KEY, HOUR_S - 600)]
    assert exchange.conduct.switchboard.on(later(600)) == board.exchange.conduct.switchboard.on(later(600))


def test_what_ended_while_nobody_looked_is_off_from_the_time_at_which_it_ended(board: Board) -> None:
    board.order(True, for_s=HOUR_S)
    exchange, out = restored(board.out.audit, later(2 * HOUR_S))
    assert exchange.conduct.switchboard.on(later(2 * HOUR_S)) == {}
    assert [(entry.at, entry.via, entry.becomes) for entry in out.audit] == [(later(HOUR_S), "expiry", "off")]


def test_what_was_off_or_is_in_the_rules_no_more_is_off(board: Board) -> None:
    board.order(True)
    (on,) = board.out.audit
    board.order(False)
    assert restored(board.out.audit, AT)[1] == Output()
    gone = AuditEntry(AT, "kim", AuditKind.SWITCH, "gone", "off", "on", "command", None, later(60), "")
    exchange, out = restored([gone, on], AT)
    assert [(entry.name, entry.via) for entry in out.audit] == [("gone", "reload")]
    assert set(exchange.conduct.switchboard.on(AT)) == {TYPHOON}


def test_an_entry_that_says_no_end_is_over() -> None:
    endless = AuditEntry(AT, "kim", AuditKind.SWITCH, TYPHOON, "off", "on", "command")
    assert restored([endless], AT)[0].conduct.switchboard.on(AT) == {}


@pytest.mark.parametrize(
    ("seconds", "words"), [(86400.0, "24 h"), (5400.0, "90 min"), (90.5, "90.5 s"), (30.0, "30 s")]
)
def test_durations_are_said_in_the_largest_unit_that_fits(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_picture_shows_each_switch_as_it_stands(board: Board) -> None:
    board.order(True, for_s=60.0, note="태풍")
    shown = picture(board.exchange, later(30)).switches
    assert [(one.switch, one.on, one.by, one.note, one.code, one.max_s) for one in shown] == [
        (TYPHOON, True, "kim", "태풍", "*21", 6 * HOUR_S),
        (NIGHT, False, "", "", "", 24 * HOUR_S),
    ]
    assert (shown[0].since, shown[0].until, shown[1].until) == (AT, later(60), None)
    assert not any(one.on for one in picture(board.exchange, later(60)).switches)


def test_what_people_write_is_one_line_that_can_be_kept(board: Board) -> None:
    board.order(True, who="kim\x1b[31m\n", note="\ud800\t태풍  카눈\r\n- changwon-day: forged")
    (entry,) = board.out.audit
    assert (entry.who, entry.note) == ("kim [31m", "태풍 카눈 - changwon-day: forged")
