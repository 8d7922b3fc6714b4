"""Counselors who sit down at a phone of another site: where they are rung, where their lamps are, and their phones."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.causes import Cause
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId, ChannelId, SiteName
from callrouter.core.phones import PhoneSeen
from callrouter.core.pins import Pin
from callrouter.core.states import CallState
from tests.core.driver import HALL, NIGHT, agent
from tests.core.two_sites import ANNEX, LINE, TwoSites, at_annex, two_site_rules

PIN, CODE = "2580", "*13"
DESK_THERE = "PJSIP/window"


class Centre(TwoSites):
    """Kim, whose own phone is at the hall."""

    def __init__(self) -> None:
        pin = Pin.of(PIN, bytes(16))
        kim, guest = replace(agent("11"), pin=pin), replace(agent("12", NIGHT), endpoint="", pin=pin)
        super().__init__(replace(two_site_rules(kim, guest, at_annex("lee", NIGHT)), desk_code=CODE))

    def sits_down(self, site: SiteName = ANNEX, endpoint: str = DESK_THERE, number: str = "11") -> None:
        desk = ChannelId(f"desk-{site}")
        self.tell(ev.CodeDialed(site, desk, endpoint, CODE))
        for key in f"{number}#{PIN}#":
            self.tell(ev.DigitPressed(desk, key))

    def leaves(self) -> None:
        self.tell(ev.DutyOrdered(DutyOrder(AgentId("11"), DutyVerb.LOGOUT, "11", DutyVia.PHONE)))

    def shown_at(self, site: SiteName, name: str = "11") -> cmd.Lamp | None:
        """What the counselor's lamp at a site shows; None: nothing was ever said of it."""
        device = f"Stasis:callrouter-agent-{name}"
        shown = [one.shows for one in self.given(cmd.SetLamp) if (one.site, one.device) == (site, device)]
        return shown[-1] if shown else None

    def watched_at(self, site: SiteName) -> tuple[str, ...]:
        return [one.phones for one in self.given(cmd.WatchPhones) if one.site == site][-1]


@pytest.fixture
def centre() -> Centre:
    return Centre()


def test_he_is_rung_where_he_sits_over_the_line_and_at_home_without_it_when_he_is_back(centre: Centre) -> None:
    centre.sits_down()
    call = centre.dial()
    assert (centre.given(cmd.Originate)[-1].endpoint, centre.exchange.floor.trunks.in_use(LINE)) == (DESK_THERE, 1)
    centre.hang_up(call)
    centre.leaves()
    centre.tell(ev.DutyOrdered(DutyOrder(AgentId("11"), DutyVerb.LOGIN, "11", DutyVia.PHONE)))
    call = centre.dial()
    assert (centre.given(cmd.Originate)[-1].endpoint, centre.exchange.floor.trunks.in_use(LINE)) == ("PJSIP/11", 0)


@pytest.mark.parametrize("dies", [False, True], ids=["one daemon", "another daemon"])
def test_a_counselor_who_moves_while_he_talks_finishes_where_he_talks(centre: Centre, *, dies: bool) -> None:
    centre.sits_down()
    call = centre.dial()
    centre.annex.pick_up(centre.far(call))
    centre.settle()
    centre.sits_down(HALL, "PJSIP/counter")
    if dies:
        desks = centre.exchange.floor.staff.desks
        centre.restart()
        for agent_id, desk in desks.items():
            centre.exchange.floor.staff.seat(centre.exchange.floor.staff.agents[agent_id], desk, centre.now)
        centre.sync_annex()
        centre.sync()
    call = centre.exchange.calls[call.id]
    assert (call.state, centre.agent("11").state) == (CallState.CONNECTED, AgentState.ON_CALL)
    assert centre.exchange.floor.trunks.in_use(LINE) == 1
    centre.hang_up(call)
    assert not centre.annex.channels
    centre.advance(10.0)
    second = centre.dial()
    assert centre.given(cmd.Originate)[-1].endpoint == "PJSIP/counter"
    assert (second.state, centre.exchange.floor.trunks.in_use(LINE)) == (CallState.OFFERED, 0)


def test_nobody_logs_in_at_the_phone_where_he_still_talks_though_he_sits_elsewhere(centre: Centre) -> None:
    centre.sits_down()
    call = centre.dial()
    centre.annex.pick_up(centre.far(call))
    centre.settle()
    centre.sits_down(HALL, "PJSIP/counter")
    centre.sits_down(ANNEX, DESK_THERE, "12")
    assert centre.given(cmd.ContinueInDialplan)[-1].extension == "taken"
    centre.hang_up(call)
    centre.sits_down(ANNEX, DESK_THERE, "12")
    assert centre.given(cmd.ContinueInDialplan)[-1].extension == "loggedin"


def test_his_lamp_is_lit_at_home_and_where_he_sits_and_goes_out_where_he_sat(centre: Centre) -> None:
    assert (centre.shown_at(HALL), centre.shown_at(ANNEX)) == (cmd.Lamp.FREE, None)
    centre.sits_down()
    call = centre.dial()
    assert (centre.shown_at(HALL), centre.shown_at(ANNEX)) == (cmd.Lamp.RINGING, cmd.Lamp.RINGING)
    centre.hang_up(call)
    centre.leaves()
    assert (centre.shown_at(HALL), centre.shown_at(ANNEX)) == (cmd.Lamp.OUT, cmd.Lamp.GONE)
    assert centre.shown_at(HALL, "lee") is None


def test_a_site_that_he_left_while_it_was_away_hears_so_when_it_is_back(centre: Centre) -> None:
    centre.sits_down()
    centre.lose_annex()
    centre.leaves()
    assert centre.shown_at(ANNEX) is cmd.Lamp.FREE
    centre.sync_annex()
    assert centre.shown_at(ANNEX) is cmd.Lamp.GONE


def test_the_phone_at_which_he_works_is_watched_and_his_own_again_when_he_is_back(centre: Centre) -> None:
    centre.sits_down()
    assert DESK_THERE in centre.watched_at(ANNEX)
    assert "PJSIP/11" not in centre.watched_at(HALL)
    centre.leaves()
    assert DESK_THERE not in centre.watched_at(ANNEX)
    assert "PJSIP/11" in centre.watched_at(HALL)


def test_our_own_call_at_a_phone_there_is_no_call_of_his_own_and_who_misses_it_rests(centre: Centre) -> None:
    centre.sits_down()
    call = centre.dial()
    far = centre.far(call)
    centre.tell(ev.PhonesSeen(ANNEX, {DESK_THERE: PhoneSeen(online=True, channels=(far,))}))
    centre.annex.ring(far)
    centre.settle()
    centre.annex.hang_up(far, Cause.NO_ANSWER)
    centre.settle()
    assert (centre.agent("11").misses, centre.agent("11").state) == (1, AgentState.RESTING)
