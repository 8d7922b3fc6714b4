"""Everything at once, with some of the counselors at another site: nothing is lost or left at either end."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from callrouter.core import naming
from callrouter.core.ids import ChannelId
from callrouter.core.rulebook import AgentSpec, Rulebook
from tests.core.driver import Driver
from tests.core.test_exchange_machine import CAUSES, PHONES, ExchangeMachine, rules_with
from tests.core.two_sites import ANNEX, LINE, TwoSites, line_of, two_site_rules

AT_THE_ANNEX = ("lee", "choi")


def moved(spec: AgentSpec) -> AgentSpec:
    """Two of the four are at the annex."""
    return replace(spec, site=ANNEX, trunk=None) if spec.id in AT_THE_ANNEX else spec


class TwoSiteMachine(ExchangeMachine):
    """As its base, and the line and the other site do what they like, too."""

    @property
    def two(self) -> TwoSites:
        assert isinstance(self.driver, TwoSites)
        return self.driver

    def begin(self, *, taped: bool, back: str) -> Driver:
        return TwoSites(super().begin(taped=taped, back=back).rules)

    def rules_with(self, staff: tuple[AgentSpec, ...], channels: int, *, taped: bool, back: str) -> Rulebook:
        rules = rules_with(tuple(map(moved, staff)), channels, taped=taped, back=back)
        line = {LINE: line_of(1 + channels % 2)}  # a reload may shrink it
        return replace(rules, trunks={**rules.trunks, **line}, links=two_site_rules().links)

    @rule(dialed=st.sampled_from(["120", "123", "131"]))
    def a_resident_is_answered_there(self, dialed: str) -> None:
        """Left to chance alone, hardly anybody ever comes to talk."""
        hall, annex = self.two.hall, self.two.annex
        if not hall.connected or not annex.connected or len(hall.channels) >= 14:
            return
        hall.line_works = True
        annex.phones.update(dict.fromkeys(("PJSIP/lee", "PJSIP/choi"), "answers"))
        self.driver.arrive(dialed)
        self.deliver_all()

    def far_phones(self) -> list[ChannelId]:
        return [channel for channel in self.two.annex.channels if naming.parse_far_channel(channel) is not None]

    @precondition(lambda self: self.far_phones())
    @rule(pick=st.integers(0, 20), what=st.sampled_from(["ring", "pick-up", "hang-up"]), cause=CAUSES)
    def a_far_phone_does(self, pick: int, what: str, cause: int) -> None:
        phones, annex = self.far_phones(), self.two.annex
        phone = phones[pick % len(phones)]
        if what == "hang-up":
            annex.hang_up(phone, cause)
        elif annex.channels[phone].state != "Up":
            (annex.ring if what == "ring" else annex.pick_up)(phone)

    @rule(endpoint=st.sampled_from(["PJSIP/lee", "PJSIP/choi"]), behaviour=st.sampled_from(PHONES))
    def a_far_phone_will(self, endpoint: str, behaviour: str) -> None:
        self.two.annex.phones[endpoint] = behaviour

    @rule(works=st.booleans())
    def the_line_works_or_does_not(self, *, works: bool) -> None:
        self.two.hall.line_works = works

    @rule()
    def the_annex_is_lost(self) -> None:
        if self.two.annex.connected:
            self.two.lose_annex()

    @rule()
    def the_annex_is_compared(self) -> None:
        self.two.annex.connected = True
        self.hand_in(self.two.annex_snapshot())

    def teardown(self) -> None:
        """Nothing is left at the other end either."""
        self.two.annex.connected = True
        self.hand_in(self.two.annex_snapshot())
        self.two.settle()
        super().teardown()
        self.hand_in(self.two.annex_snapshot())
        self.two.settle()
        assert not self.two.annex.channels
        self.hand_in(self.two.annex_snapshot())
        assert not self.two.annex.bridges


TestTwoSites = pytest.mark.slow(TwoSiteMachine.TestCase)
