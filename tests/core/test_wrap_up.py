"""What counselors say of their last call: until the wrap-up is over, the newest counts, and others are told why not."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.duty import DutyAnswer, DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId, ChannelId
from callrouter.core.output import NoticeKind, Output
from callrouter.core.states import CallState
from tests.core.driver import DESK, HALL, Driver, agent, rulebook, without_queue

CODES = {"*301": "passport", "*302": "tourism"}


class Talk(Driver):
    """One whose counselor kim is in the wrap-up after a call."""

    def __init__(self, *, ends: bool = False, codes: dict[str, str] = CODES) -> None:
        rules = rulebook(agent("kim"))
        queue = replace(rules.queues[DESK], wrap_up_codes=codes, code_ends_wrap_up=ends)
        super().__init__(replace(rules, queues={**rules.queues, DESK: queue}))
        self.out = Output()
        self.call = self.reached(CallState.CONNECTED)

    def say(self, about: str) -> DutyAnswer:
        order = DutyOrder(AgentId("kim"), DutyVerb.WRAP_UP, "park", DutyVia.COMMAND, about=about)
        self.out = self.handle(ev.DutyOrdered(order, 7))
        ((_, answer),) = self.out.answers
        assert isinstance(answer, DutyAnswer)
        return answer

    def dial_code(self, code: str) -> str:
        self.out = self.exchange.handle(ev.CodeDialed(HALL, ChannelId("9.1"), "PJSIP/kim", code), self.now)
        (sent,) = [command for command in self.out.commands if isinstance(command, cmd.ContinueInDialplan)]
        return sent.extension

    def ended(self) -> "Talk":
        self.hang_up(self.call)
        assert self.agent("kim").state is AgentState.WRAP_UP
        return self


@pytest.mark.parametrize("about", ["*301", "passport"])
def test_a_code_or_its_topic_is_kept_under_the_id_of_the_call(about: str) -> None:
    talk = Talk().ended()
    assert talk.say(about) == DutyAnswer(True, True, "the last call of agent kim was about passport")
    assert talk.out.audit == [
        AuditEntry(talk.now, "park", AuditKind.WRAP_UP, talk.call.id, "", "passport", "command", talk.now, None, "kim")
    ]
    assert talk.agent("kim").state is AgentState.WRAP_UP


def test_what_is_said_again_replaces_what_was_said_and_the_same_again_changes_nothing() -> None:
    talk = Talk().ended()
    talk.say("*301")
    talk.say("*302")
    assert [(entry.was, entry.becomes) for entry in talk.out.audit] == [("passport", "tourism")]
    assert talk.say("tourism") == DutyAnswer(True, False, "the call was about tourism already")
    assert talk.out.audit == []


def test_a_phone_dials_the_code_and_hears_that_it_is_noted() -> None:
    talk = Talk().ended()
    assert talk.dial_code("*301") == "noted"
    assert [(entry.who, entry.becomes, entry.via) for entry in talk.out.audit] == [("kim", "passport", "phone")]


def test_the_code_ends_the_wrap_up_where_that_is_wanted() -> None:
    talk = Talk(ends=True).ended()
    assert talk.dial_code("*302") == "noted"
    assert talk.agent("kim").state is AgentState.AVAILABLE


def test_during_the_call_and_after_the_wrap_up_nothing_is_taken() -> None:
    talk = Talk()
    assert talk.dial_code("*301") == "toolate"
    talk.ended().advance(3600)
    assert talk.dial_code("*301") == "toolate"
    text = "PJSIP/kim dialled *301: agent kim is in no wrap-up: there is no call to speak of"
    assert [(n.kind, n.text) for n in talk.out.notices] == [(NoticeKind.AGENT_REFUSED, text)]
    assert talk.out.audit == []


def test_of_a_code_that_the_queue_does_not_have_it_is_said_which_there_are() -> None:
    talk = Talk(ends=True).ended()
    said = '"*399" is no wrap-up code of the queue "desk"; there are: *301 passport, *302 tourism'
    assert talk.say("*399") == DutyAnswer(False, False, said)
    assert (talk.out.audit, talk.agent("kim").state) == ([], AgentState.WRAP_UP)


def test_a_queue_without_codes_takes_none() -> None:
    assert Talk(codes={}).ended().say("*301") == DutyAnswer(False, False, 'the queue "desk" has no wrap_up_codes')


def test_a_queue_that_new_rules_do_not_have_takes_none() -> None:
    talk = Talk().ended()
    talk.tell(ev.RulebookReplaced(without_queue(talk.rules, DESK)))
    assert not talk.say("*301").ok


def test_a_call_that_a_restarted_daemon_took_back_can_be_spoken_of_when_it_ends() -> None:
    talk = Talk()
    talk.restart()
    talk.sync()
    talk.call = talk.exchange.calls[talk.call.id]
    assert talk.ended().say("*301").ok
    assert talk.out.audit[0].name == talk.call.id
