"""Orders for counselors: carried out between two events, and on the disk before it is said."""

from pathlib import Path

import pytest

from callrouter.app.attending import DutyDesk, remember_duties
from callrouter.core.audit import AuditKind
from callrouter.core.duty import Duty, DutyAnswer, DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId
from callrouter.core.rulebook import Rulebook
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.web.agents import AgentReport, AgentRequest
from tests.app.conftest import a_dispatcher


@pytest.fixture
def name(rules: Rulebook) -> AgentId:
    return next(iter(rules.agents))


async def test_what_is_said_is_on_the_disk_and_the_next_daemon_knows_it(
    dispatcher: Dispatcher, journal: Journal, rules: Rulebook, name: AgentId
) -> None:
    report = await DutyDesk(dispatcher, journal).order(AgentRequest(name, "pause", "kim", "command", "점심"))
    assert report == AgentReport(True, True, f"agent {name} is paused")
    assert journal.health.waiting == 0

    following = a_dispatcher(rules, journal)
    await remember_duties(following, journal)
    agent = following.exchange.floor.staff.agents[name]
    assert (agent.duty, agent.reason) == (Duty.PAUSED, "점심")
    assert len(await journal.undelivered_audit(9)) == 1


async def test_what_the_disk_does_not_take_holds_all_the_same_and_is_said(
    dispatcher: Dispatcher, tmp_path: Path, name: AgentId
) -> None:
    report = await DutyDesk(dispatcher, Journal(tmp_path / "closed.sqlite")).order(AgentRequest(name, "logout"))
    assert (report.ok, report.message.endswith("a daemon that starts anew would not know of it")) == (True, True)
    assert dispatcher.exchange.floor.staff.agents[name].duty is Duty.OFF


async def test_a_daemon_that_stood_down_takes_no_order(dispatcher: Dispatcher, journal: Journal, name: AgentId) -> None:
    dispatcher.stand_down()
    answer = await dispatcher.order_duty(DutyOrder(name, DutyVerb.LOGOUT, "kim", DutyVia.API))
    assert answer == DutyAnswer(False, False, "another daemon is in charge; ask that one")
    assert await journal.newest_audit(AuditKind.AGENT) == []


async def test_an_answer_that_never_comes_is_said(rules: Rulebook, journal: Journal, name: AgentId) -> None:
    order = DutyOrder(name, DutyVerb.LOGOUT, "kim", DutyVia.API)
    answer = await a_dispatcher(rules, journal).order_duty(order, timeout_s=0.01)
    assert answer.message == "the daemon did not come to it within 0.01 s; see how it stands, and ask again"
