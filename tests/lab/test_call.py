"""Who is called in a trial, what the phone shows, and when two people count as having heard each other."""

from datetime import UTC, datetime, timedelta

import pytest

from callrouter.core.agent import AgentState
from callrouter.core.ids import SiteName
from callrouter.web.status import Agent
from lab.baresip import Caller, caller_shown
from lab.call import longest_idle
from lab.centre import settings_of
from lab.trial import Hearing

MORNING = datetime(2026, 11, 24, 1, tzinfo=UTC)


def agent(name: str, *, idle_min: int = 0, state: AgentState = AgentState.AVAILABLE) -> Agent:
    return Agent(name, name, SiteName("lab"), state, MORNING - timedelta(minutes=idle_min), 0)


def test_whoever_has_been_idle_longest_is_chosen() -> None:
    agents = [agent("201", idle_min=1), agent("202", idle_min=9), agent("203", idle_min=5)]

    assert longest_idle(agents, {"201", "202", "203"}) == "202"


def test_of_equals_the_one_is_chosen_whom_the_daemon_would_ring() -> None:
    assert longest_idle([agent("203"), agent("201")], {"201", "203"}) == "201"


def test_who_is_busy_or_has_a_phone_of_his_own_is_left_in_peace() -> None:
    agents = [agent("201", idle_min=9), agent("202", idle_min=5, state=AgentState.WRAP_UP), agent("203")]

    assert longest_idle(agents, {"202", "203"}) == "203"
    assert longest_idle(agents, {"202"}) is None


def test_who_lacks_nothing_but_a_phone_gets_one() -> None:
    agents = [agent("201", state=AgentState.UNREACHABLE), agent("202", state=AgentState.PAUSED)]

    assert longest_idle(agents, {"201", "202"}) == "201"


TRACE = """\
REGISTER sip:127.0.0.1:5060 SIP/2.0
From: <sip:201@127.0.0.1>;tag=1

INVITE sip:201@127.0.0.3 SIP/2.0
From: "경남" <sip:01011112222@127.0.0.1>;tag=2

INVITE sip:201@127.0.0.3 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060
From: "창원" <sip:0552251234@127.0.0.1>;tag=3

SIP/2.0 180 Ringing
From: "창원" <sip:0552251234@127.0.0.1>;tag=3
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_phone_shows_the_latest_caller(line_end: str) -> None:
    assert caller_shown(TRACE.replace("\n", line_end)) == Caller("창원", "0552251234")


def test_a_phone_shows_a_number_without_a_name_and_nothing_when_nobody_called() -> None:
    assert caller_shown("INVITE sip:201@x SIP/2.0\nFrom: <sip:anonymous@x>\n\n") == Caller("", "anonymous")
    assert caller_shown("REGISTER sip:x SIP/2.0\nFrom: <sip:201@x>\n\n") is None


@pytest.mark.parametrize(
    ("heard_s", "own_s", "good"), [(3.8, 0.0, True), (2.9, 0.0, False), (3.8, 0.1, True), (3.8, 1.0, False)]
)
def test_people_heard_each_other_if_they_did_nearly_all_the_time(heard_s: float, own_s: float, good: bool) -> None:
    hearing = Hearing("the resident", "counselor 201", 1300.0, heard_s, own_s, 4.0)

    assert hearing.is_good is good
    assert f"for {heard_s} of the 4.0 s" in str(hearing)
    assert ("his own" in str(hearing)) is (own_s > 0)


def test_a_persons_settings_reach_the_daemon_but_not_those_that_are_made_here() -> None:
    environ = {
        "CALLROUTER_LOGGING_LEVEL": "debug",
        "CALLROUTER_DATABASE_URL": "postgresql://elsewhere/db",
        "CALLROUTER_ARI_URL": "http://pbx:8088",
        "CALLROUTER_STATE_DIR": "/var/lib/callrouter",
        "CALLROUTER_WEB_PORT": "9000",
        "PATH": "/bin",
    }

    assert settings_of(environ) == {"LOGGING_LEVEL": "debug"}
