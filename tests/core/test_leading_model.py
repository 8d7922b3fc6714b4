"""Three daemons, a journal, a lock and an Asterisk that go wrong at any moment: never are two in charge.

Asterisk accepts orders of everybody, as it does: that an older leader gives none once a newer has is the daemons' own
doing. So this counts the term of each order that is accepted, and of each fact that the journal takes; neither may ever
go back.
"""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callrouter.core.leading import BEAT_S, Pulse, Role, Sign, Silence, after

TICK_S = 0.05
TICKS_A_BEAT = round(BEAT_S / TICK_S)
HANDS_OVER_S = 4.0
"""As callrouter.app.standby.TAKEN_WITHIN_S."""
DAEMONS = st.integers(0, 2)
TICKS = st.integers(0, 60)


@dataclass
class Daemon:
    """One process. ``signs`` has come and is not read; ``heard`` is the mark of the leader at the last beat."""

    pulse: Pulse
    silence: Silence
    role: Role = Role.STANDBY
    is_alive: bool = True
    is_stopped: bool = False
    term: int = 0
    is_connected: bool = False
    signs: list[Sign] = field(default_factory=list)
    hears: int | None = None
    is_read: bool = True
    heard: tuple[int, int] | None = None
    beats: list[tuple[int, int]] = field(default_factory=list)
    has_woken: bool = False
    ticks: int = 0
    asked_s: float = 0.0


class Several(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.daemons = [Daemon(Pulse(0.0), Silence(0.0)) for _ in range(3)]
        self.mark = (0, 0)
        self.lock: int | None = None
        self.lock_beat = 0.0
        self.has_database = True
        self.line: int | None = None
        self.application: int | None = None
        self.orders = [0]
        self.facts = [0]
        self.unled_s = 0.0

    @initialize()
    def begin(self) -> None:
        self.pass_time(20)
        assert any(one.role is Role.LEADING for one in self.daemons)

    # What goes wrong.

    @rule(ticks=TICKS)
    def pass_time(self, ticks: int) -> None:
        for _ in range(ticks):
            self.now += TICK_S
            if self.lock is not None and self.now - self.lock_beat > 1.2:
                self.lock = None  # the server ends a session that says nothing
            for number in range(3):
                self._step(number)
            self._promise()

    @rule(number=DAEMONS, ticks=TICKS)
    def stop(self, number: int, ticks: int) -> None:
        self.daemons[number].is_stopped = True
        self.pass_time(ticks)

    @rule(number=DAEMONS, ticks=TICKS)
    def wake(self, number: int, ticks: int) -> None:
        one = self.daemons[number]
        if one.is_stopped:
            one.is_stopped, one.has_woken = False, True
        self.pass_time(ticks)

    @rule(number=DAEMONS, ticks=TICKS)
    def kill(self, number: int, ticks: int) -> None:
        one = self.daemons[number]
        one.is_alive = False
        if self.line == number:
            self.line = None
        if self.lock == number:
            self.lock = None
        if self.application == number:
            self.application = None
        self.pass_time(ticks)

    @rule(number=DAEMONS, ticks=TICKS)
    def start(self, number: int, ticks: int) -> None:
        if not self.daemons[number].is_alive:
            self.daemons[number] = Daemon(Pulse(self.now), Silence(self.now))
        self.pass_time(ticks)

    @rule()
    def lose_lock(self) -> None:
        self.lock = None

    @rule()
    def lose_database(self) -> None:
        self.has_database, self.lock = False, None

    @rule()
    def regain_database(self) -> None:
        self.has_database = True

    @precondition(lambda self: any(one.role is Role.LEADING for one in self.daemons))
    @rule()
    def hand_over(self) -> None:
        for number, one in enumerate(self.daemons):
            waiting = [o for n, o in enumerate(self.daemons) if o.hears == number and o.is_alive and not o.is_stopped]
            if one.role is Role.LEADING and one.is_alive and not one.is_stopped and waiting and self.line == number:
                self._see(number, Sign.ASKED)
                one.asked_s, one.hears = self.now, None
                if self.lock == number:
                    self.lock = None
                waiting[0].signs.append(Sign.YIELDS)
                return

    # What a daemon does when it has its turn.

    def _step(self, number: int) -> None:
        one = self.daemons[number]
        if not one.is_alive or one.is_stopped:
            return
        one.ticks += 1
        if one.has_woken:  # timers that are due come before the sockets are read
            one.has_woken = False
            self._act(number)
        for sign in one.signs:
            self._see(number, self._who_took(one) if sign is Sign.REPLACED else sign)
        one.signs.clear()
        if one.role is Role.LEADING:
            self._lead(number)
        elif one.role in (Role.STANDBY, Role.RESTING):
            self._watch(number)
        elif one.role is Role.CLAIMING:
            self._claim(number)
        elif one.role is Role.TAKING_OVER:
            self._take_over(number)
        elif self.line not in (None, number) or one.hears not in (None, number):
            self._watch(number)  # whoever it is handed over to has begun
        if one.role is Role.HANDING_OVER and self.now - one.asked_s > HANDS_OVER_S:
            self._see(number, Sign.NOBODY_TOOK)

    def _who_took(self, one: Daemon) -> Sign:
        return Sign.FENCED if self.mark[0] != one.term else Sign.REPLACED

    def _see(self, number: int, sign: Sign) -> None:
        one = self.daemons[number]
        one.role = after(one.role, sign)
        if one.role is Role.STANDBY and self.line == number:
            self.line = None

    def _act(self, number: int) -> None:
        one = self.daemons[number]
        if one.role is Role.LEADING and one.pulse.may_act(self.now):
            self.orders.append(one.term)
        if one.role is Role.LEADING and self.mark[0] == one.term:
            self.facts.append(one.term)

    def _lead(self, number: int) -> None:
        one = self.daemons[number]
        if one.ticks % TICKS_A_BEAT == 0:
            for other in self.daemons:
                if other.hears == number:
                    other.beats.append(self.mark)
            if self.has_database and self.lock in (None, number):
                self.lock, self.lock_beat = number, self.now
        if one.ticks % TICKS_A_BEAT == 3 and not one.pulse.beat(self.now):
            if self.mark[0] != one.term:
                self._see(number, Sign.FENCED)
                return
            self.mark = (one.term, self.mark[1] + 1)
            one.pulse.proven(self.now)
        if one.pulse.may_act(self.now) and not one.is_connected:
            if self.application is not None:
                self.daemons[self.application].signs.append(Sign.REPLACED)
            self.application, one.is_connected = number, True
            return  # it orders nothing before it has looked at what is there
        self._act(number)

    def _watch(self, number: int) -> None:
        one = self.daemons[number]
        if one.hears is None or one.hears != self.line:
            one.hears, one.heard = self.line, None
            one.silence = Silence(self.now)
            if one.hears is None:
                self._see(number, Sign.GONE)
                return
            one.beats = [self.mark] if not self.daemons[one.hears].is_stopped else []
        if one.beats:
            one.heard = one.beats[-1]
            one.beats.clear()
            one.silence.heard(self.now)
            self._see(number, Sign.BEATS)
        elif one.ticks % (TICKS_A_BEAT // 2) == 0 and one.silence.is_too_long(self.now):
            self._see(number, Sign.SILENT)

    def _claim(self, number: int) -> None:
        if not self.has_database:
            self._see(number, Sign.LOCK_UNKNOWN)
        elif self.lock in (None, number):
            self.lock, self.lock_beat = number, self.now
            self._see(number, Sign.LOCK_OURS)
        else:
            self._see(number, Sign.LOCK_ELSEWHERE)

    def _take_over(self, number: int) -> None:
        one = self.daemons[number]
        holder = next((n for n, o in enumerate(self.daemons) if n != number and self._holds(o)), None)
        if one.heard is None and holder is not None and one.hears is None:
            self._see(number, Sign.FAILED)  # its file lock: nobody was heard to hang
        elif one.heard is not None and one.hears == self.line is not None and one.heard != self.mark:
            self._see(number, Sign.FAILED)  # it has woken, and proven itself
        else:
            self.mark = (self.mark[0] + 1, 0)
            one.term, one.is_connected = self.mark[0], False
            one.pulse = Pulse(self.now)
            self.line = number
            self._see(number, Sign.TAKEN)
            return
        if self.lock == number:
            self.lock = None

    def _holds(self, one: Daemon) -> bool:
        return one.is_alive and one.role is Role.LEADING and one.term == self.mark[0]  # who hands over has let go

    # What is promised.

    def _promise(self) -> None:
        able = [one for one in self.daemons if one.is_alive and not one.is_stopped]
        led = any(one.role is Role.LEADING and one.is_connected and one.term == self.mark[0] for one in able)
        self.unled_s = 0.0 if led or not able else self.unled_s + TICK_S

    @invariant()
    def orders_never_come_from_an_older_leader_once_a_newer_has_given_one(self) -> None:
        assert self.orders == sorted(self.orders)
        self.orders = self.orders[-1:]

    @invariant()
    def the_journal_takes_no_fact_of_an_older_leader(self) -> None:
        assert self.facts == sorted(self.facts)
        self.facts = self.facts[-1:]

    @invariant()
    def nobody_who_could_lead_waits_for_long_while_nobody_does(self) -> None:
        assert self.unled_s < 5.0, [(one.role, one.is_alive, one.is_stopped) for one in self.daemons]


Several.TestCase.settings = settings(
    max_examples=150, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSeveral = Several.TestCase
