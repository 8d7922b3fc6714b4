"""The shipped configuration as a dialplan: it does with every call what the router decides."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.config import Loaded, load
from callrouter.core.conditions import queues_as
from callrouter.core.decision import Decision
from callrouter.core.ids import SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.numbers import parse
from callrouter.core.plan import Announce, EnterQueue, HangUp
from callrouter.survival import Survival, rendered
from lab.paths import PROJECT
from tests.survival.walker import Dialplan, Walk, parsed

SITE = SiteName("gyeongnam")
NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def sample() -> Loaded:
    return load(PROJECT / "config", {"CALLROUTER_ARI_PASSWORD": "x"})


@pytest.fixture(scope="module")
def survival(sample: Loaded) -> Survival:
    return rendered(sample.rulebook, SITE, NOW)


@pytest.fixture(scope="module")
def dialplan(survival: Survival) -> Dialplan:
    return parsed(survival.text)


def decided(loaded: Loaded, facts: CallFacts, at: datetime) -> Decision:
    book = loaded.rulebook
    return book.router.decide(facts, at, queues_as(book.usual_queues()))


def promised(decision: Decision, loaded: Loaded) -> list[str]:
    """What the plan does with a caller whom nobody answers, ringing only once."""
    told = []
    for step in decision.plan.steps:
        match step:
            case Announce(prompt):
                told.append(f"play callrouter/{prompt}")
            case EnterQueue(queue):
                agents = [agent.endpoint for agent in loaded.rulebook.agents.values() if queue in agent.queues]
                told.append(f"ring {'&'.join(agents)}")
            case HangUp():
                told.append("hangup")
    return told


def once(happened: list[str]) -> list[str]:
    """Without what is the same as before it."""
    return [one for number, one in enumerate(happened) if number == 0 or happened[number - 1] != one]


CALLERS = st.one_of(
    st.from_regex(r"(\+82|82|0)55[2-9][0-9]{6,7}", fullmatch=True),
    st.from_regex(r"0(2|31|42|63)[2-9][0-9]{6,7}", fullmatch=True),
    st.from_regex(r"(\+82|82|0)10[0-9]{8}", fullmatch=True),
    st.from_regex(r"070[0-9]{8}|0502[0-9]{7}|1588[0-9]{4}|120|055120|\+82120", fullmatch=True),
    st.sampled_from(["", "anonymous", "Unknown", "s", "sip-user", "055-225-1234", "(055) 742.1234", "we(i,r)d$"]),
)
INSTANTS = st.integers(0, 400 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
EDGES = st.builds(
    lambda day, hour, second: datetime(2026, 11, 27, tzinfo=UTC) + timedelta(days=day, hours=hour, seconds=second),
    st.integers(1, 399),
    st.sampled_from([0, 9, 13]),
    st.sampled_from([-1, 0]),
)
HOLIDAYS = st.builds(
    lambda day, hour: datetime.fromisoformat(f"{day}T{hour:02}:00+00:00"),
    st.sampled_from(["2026-12-25", "2027-01-01", "2027-02-08", "2027-03-01", "2027-05-05", "2027-09-15", "2027-12-27"]),
    st.sampled_from([1, 4, 10]),
)


@given(caller=CALLERS, dialed=st.sampled_from(["120", "055120", "+82120", "s"]), at=INSTANTS | EDGES | HOLIDAYS)
def test_every_call_goes_as_the_router_decides(
    sample: Loaded, dialplan: Dialplan, caller: str, dialed: str, at: datetime
) -> None:
    decision = decided(sample, CallFacts(dialed, SITE, caller, trunk="carrier"), at)

    walk = Walk(dialplan, at, caller, dialed).run()

    assert walk.variables["CALLROUTER_RULE"] == decision.rule
    assert walk.variables["CR_KIND"] == decision.caller_kind
    assert (walk.variables["CR_REGION"], walk.variables["CR_TENANT"]) == (decision.region, decision.tenant)
    assert walk.variables["CR_SOURCE"] == decision.region_source
    if parse(caller).national:
        assert walk.variables["CR_CALLER"] == parse(caller).national
    assert once(walk.happened) == promised(decision, sample)


def test_it_is_exact_as_long_as_the_holidays_are_known(survival: Survival, sample: Loaded) -> None:
    assert survival.until == date(2027, 12, 31)
    assert f"valid until {survival.until}" in survival.text
    assert f"CALLROUTER_SURVIVAL={sample.rulebook.hash}\n" in survival.text
    assert "CALLROUTER_SURVIVAL_UNTIL=2027-12-31\n" in survival.text


def test_a_zone_without_summer_time_needs_no_table_of_zones_in_asterisk(survival: Survival) -> None:
    assert "STRFTIME($[${CR_NOW}+32400],UTC," in survival.text
    assert "Asia/Seoul,%" not in survival.text


def test_switches_are_taken_as_off_and_that_is_told(survival: Survival) -> None:
    assert [note.partition(" ")[2].partition(" is ")[0] for note in survival.notes] == [
        "the switch typhoon",
        "the switch passport-surge",
        "the switch night-service",
    ]
    assert all(note in survival.text for note in survival.notes)


def test_long_after_its_end_it_goes_by_the_usual_week(dialplan: Dialplan) -> None:
    tuesday, saturday = datetime(2031, 11, 25, 1, tzinfo=UTC), datetime(2031, 11, 29, 1, tzinfo=UTC)

    assert Walk(dialplan, tuesday, "0552251234").run().variables["CALLROUTER_RULE"] == "changwon-day"
    assert Walk(dialplan, saturday, "0552251234").run().variables["CALLROUTER_RULE"] == "closed"


def test_phones_that_are_in_use_or_away_are_not_rung(dialplan: Dialplan) -> None:
    tuesday = datetime(2026, 12, 1, 1, tzinfo=UTC)
    states = dict.fromkeys(("PJSIP/201", "PJSIP/301"), "INUSE") | {"PJSIP/202": "UNAVAILABLE", "PJSIP/203": "RINGING"}

    walk = Walk(dialplan, tuesday, "0552251234", devices=states).run()

    assert "ring PJSIP/204&PJSIP/205&PJSIP/206&PJSIP/302" in walk.happened


def test_when_all_phones_are_in_use_the_caller_waits_and_is_told_so_in_the_end(dialplan: Dialplan) -> None:
    tuesday = datetime(2026, 12, 1, 1, tzinfo=UTC)
    busy = {f"PJSIP/{phone}": "INUSE" for phone in (201, 202, 203, 204, 205, 206, 301, 302)}

    walk = Walk(dialplan, tuesday, "0552251234", devices=busy).run()

    assert walk.happened == ["play callrouter/changwon-welcome", "play callrouter/all-busy", "hangup"]
    assert 600 <= walk.lasted_s < 604


def test_a_drill_goes_by_the_clock_that_it_is_given(dialplan: Dialplan) -> None:
    midnight, noon = datetime(2026, 12, 1, 15, tzinfo=UTC), datetime(2026, 12, 1, 3, tzinfo=UTC)
    walk = Walk(dialplan, midnight, "0552251234", variables={"CALLROUTER_SURVIVAL_CLOCK": f"{noon.timestamp():.0f}"})

    assert walk.run().variables["CALLROUTER_RULE"] == "changwon-day"
