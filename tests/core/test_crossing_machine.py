"""Everything at once, with supervisors and second lines at another site, too: nothing is lost or left at either end."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.crossing import is_crossing
from callrouter.core.ids import ChannelId, SupervisorName
from callrouter.core.rulebook import AgentSpec, Rulebook
from callrouter.core.states import CallState
from callrouter.core.supervisors import HearingMode, HearingOrder, HearingVia, SupervisorSpec
from tests.core.driver import DESK, HALL, NIGHT, Channel
from tests.core.test_exchange_machine import ENDPOINTS, RETURNS, TARGETS
from tests.core.test_relays_machine import AT_THE_ANNEX, TwoSiteMachine
from tests.core.two_sites import ANNEX, LINE, line_of

HERE = SupervisorSpec(SupervisorName("here"), "이팀장", HALL, "PJSIP/chief", queues=(DESK, NIGHT))
THERE = SupervisorSpec(SupervisorName("there"), "박팀장", ANNEX, "PJSIP/chief", queues=(DESK, NIGHT))
CODE = "*31"
BEHAVIOUR = st.sampled_from(["answers", "answers", "rings", "busy"])


class CrossingMachine(TwoSiteMachine):
    """As its base, and supervisors and counselors there have legs of their own over the line."""

    def __init__(self) -> None:
        super().__init__()
        self.codes_dialed = 0

    def rules_with(self, staff: tuple[AgentSpec, ...], channels: int, *, taped: bool, back: str) -> Rulebook:
        rules = super().rules_with(staff, channels, taped=taped, back=back)
        supervisors = {one.name: one for one in (HERE, THERE)}
        return replace(rules, trunks={**rules.trunks, LINE: line_of(5)}, supervisors=supervisors, supervision_code=CODE)

    @initialize(
        taped=st.booleans(),
        back=st.sampled_from(sorted(RETURNS)),
        whom=TARGETS,
        behaviour=BEHAVIOUR,
        hears=st.sampled_from([None, "order", "code"]),
    )
    def conversations_are_recorded_and_residents_called_back_or_not(
        self, taped: bool, back: str, whom: str = "park", behaviour: str = "answers", hears: str | None = None
    ) -> None:
        """Also: left to chance alone, hardly any call would come over the line, with another leg beside it."""
        super().conversations_are_recorded_and_residents_called_back_or_not(taped, back)
        self.two.hall.phones.update(dict.fromkeys(ENDPOINTS, "busy"))
        self.a_counselor_there_dials_a_colleague("120", whom, behaviour)
        if hears == "order":
            self.a_supervisor_is_to_hear(0, "there", HearingMode.LISTEN)
            self.deliver_all()
        elif hears == "code":
            self.a_supervisor_dials_there("123", picks_up=True)

    def talking_there(self) -> list[str]:
        """The counselors at the annex who talk to a caller."""
        calls = self.driver.exchange.calls.values()
        offers = [call.offer for call in calls if call.state is CallState.CONNECTED]
        return [str(one.agent) for one in offers if one is not None and one.agent in AT_THE_ANNEX]

    @rule(dialed=st.sampled_from(["120", "123"]), whom=TARGETS, behaviour=BEHAVIOUR)
    def a_counselor_there_dials_a_colleague(self, dialed: str, whom: str, behaviour: str) -> None:
        hall, annex = self.two.hall, self.two.annex
        self.a_resident_is_answered_there(dialed)
        talking = self.talking_there()
        if not talking or not annex.connected or len(annex.channels) >= 14 or len(hall.channels) >= 14:
            return
        for site in (hall, annex):
            site.phones[f"PJSIP/{whom}"] = behaviour
        self.lines_dialed += 1
        annex.dial_on(talking[0], whom, f"far-line-{self.lines_dialed}")
        self.deliver_all()

    @rule(pick=st.integers(0, 20), what=st.sampled_from(["hang-up", "transfer", "other way"]))
    def a_line_there_does(self, pick: int, what: str) -> None:
        annex = self.two.annex
        lines = [one.id for one in annex.channels.values() if one.line is not None and one.in_app]
        if not lines:
            return
        own = lines[pick % len(lines)]
        phones = self.far_phones()
        phone = phones[pick % len(phones)] if phones else own
        if what == "hang-up":
            annex.hang_up(own)
        elif what == "transfer":
            annex.tell(ev.TransferAsked(phone, "somebody", own))
        else:
            annex.tell(ev.TransferAsked(own, "somebody", phone))

    @rule(pick=st.integers(0, 20), name=st.sampled_from(["here", "there"]), mode=st.sampled_from([None, *HearingMode]))
    def a_supervisor_is_to_hear(self, pick: int, name: str, mode: HearingMode | None) -> None:
        calls = sorted(self.driver.exchange.calls)
        if calls and len(self.driver.asterisk.channels) < 14:
            order = HearingOrder(calls[pick % len(calls)], name, mode, "boss", HearingVia.API)
            self.hand_in(ev.HearingOrdered(order))

    @rule(dialed=st.sampled_from(["120", "123"]), picks_up=st.booleans())
    def a_supervisor_dials_there(self, dialed: str, *, picks_up: bool) -> None:
        annex = self.two.annex
        self.a_resident_is_answered_there(dialed)
        talking = self.talking_there()
        if talking and annex.connected and len(annex.channels) < 14 and len(self.two.hall.channels) < 14:
            self.codes_dialed += 1
            channel = ChannelId(f"code-{self.codes_dialed}")
            code = f"{CODE}{talking[0]}"
            annex.channels[channel] = Channel(channel, "Up", dialed_code=code)
            annex.tell(ev.CodeDialed(ANNEX, channel, THERE.endpoint, code))
            if picks_up:
                self.deliver_all()

    @rule(digit=st.sampled_from("456"))
    def a_supervisor_presses_a_key(self, digit: str) -> None:
        for channel in list(self.driver.asterisk.channels):
            if naming.parse_supervisor_channel(channel) is not None:
                self.driver.asterisk.tell(ev.DigitPressed(channel, digit))

    @rule()
    def a_phone_there_hangs_up(self) -> None:
        codes = [one.id for one in self.two.annex.channels.values() if one.dialed_code]
        for channel in codes[:1]:
            self.two.annex.hang_up(channel)

    def held_besides(self, held: list[ChannelId]) -> list[ChannelId]:
        relays = self.driver.exchange.floor.relays
        return [leg for leg in held if relays.of(leg) is not None and is_crossing(leg)]

    def teardown(self) -> None:
        """The site is looked at again soon, and whoever was sent on into its dialplan hangs up."""
        annex = self.two.annex
        for _ in range(2):
            annex.connected = True
            self.deliver_all()
            self.hand_in(self.two.annex_snapshot())
            self.deliver_all()
            self.driver.advance(10.0)
        for one in list(annex.channels.values()):
            if not one.in_app or one.dialed_code:
                annex.hang_up(one.id)
        super().teardown()


TestCrossing = pytest.mark.slow(CrossingMachine.TestCase)
TestCrossing.settings = settings(
    max_examples=120, stateful_step_count=50, deadline=None, derandomize=True, report_multiple_bugs=False
)
