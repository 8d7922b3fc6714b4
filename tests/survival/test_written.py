"""Nothing that somebody writes into the configuration breaks out of the dialplan's syntax."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from callrouter.core.calendars import Calendar, DatedExceptions, DayException, Hours, Weekly, Window
from callrouter.core.conditions import CalendarOpen, CallerListed, DialedIs, LanguageIs, TrunkIs
from callrouter.core.geography import Geography, Region
from callrouter.core.ids import (
    AgentId,
    CalendarName,
    DestinationName,
    PromptName,
    QueueName,
    RegionName,
    RuleId,
    SiteName,
    TenantName,
)
from callrouter.core.plan import Announce, Destination, Dial, EnterQueue, HandOver, Plan
from callrouter.core.routing import Route, Ruleset
from callrouter.core.rulebook import AgentSpec, QueueSpec, Rulebook
from callrouter.errors import SurvivalError
from callrouter.survival import rendered
from callrouter.survival.script import remark
from tests.survival.walker import parsed

NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)
SITE = SiteName("hall")
PLACES = (
    "rule",
    "where",
    "reason",
    "calendar",
    "endpoint",
    "music",
    "media",
    "context",
    "extension",
    "trunk",
    "language",
    "number",
    "prefix",
    "listed",
    "region",
    "tenant",
    "title",
    "destination",
    "caller_number",
    "by_dialed",
    "hash",
    "site",
)
HARMLESS = MappingProxyType(
    {
        "endpoint": "PJSIP/201",
        "destination": "PJSIP/299",
        "media": "sound:callrouter/welcome",
        "number": "120",
        "prefix": "1",
        "listed": "0551",
    }
)


def rulebook(written: dict[str, str]) -> Rulebook:
    """A rulebook with whatever is written in the places where people write; harmless words in all others."""
    said = {place: written.get(place, HARMLESS.get(place, "fine")) for place in PLACES}
    region, queue, calendar = RegionName(said["region"]), QueueName("main"), CalendarName(said["calendar"])
    zone = ZoneInfo("Asia/Seoul")
    days = DatedExceptions({date(2026, 12, 25): DayException(said["reason"])})
    hours = Weekly(zone, (Window(frozenset(range(5)), Hours(540, 1080)),), days)
    destination = Destination(
        DestinationName("duty"), said["title"], said["destination"], caller_number=said["caller_number"]
    )
    asked = (
        CalendarOpen((calendar,)),
        TrunkIs(frozenset({said["trunk"]})),
        LanguageIs(frozenset({said["language"]})),
        DialedIs(frozenset({said["number"]}), (said["prefix"],)),
        CallerListed(("list",), frozenset({said["listed"]})),
    )
    plan = Plan(
        said["title"],
        (
            Announce(PromptName("welcome")),
            EnterQueue(queue, 60),
            Dial((destination,)),
            HandOver(said["context"], said["extension"]),
        ),
    )
    routes = [
        Route(RuleId(said["rule"]), said["where"], plan, asked),
        Route(RuleId("rest"), said["where"], plan),
    ]
    geography = Geography(
        {region: Region(region, said["title"], TenantName(said["tenant"]))}, region, {said["by_dialed"]: region}
    )
    agent = AgentSpec(AgentId("201"), said["title"], SITE, said["endpoint"], (queue,), TenantName("t"))
    return Rulebook(
        said["hash"],
        Ruleset(routes, geography, {calendar: Calendar(calendar, zone, hours)}, said["hash"]),
        {queue: QueueSpec(queue, said["title"], music_class=said["music"])},
        {agent.id: replace(agent, site=SiteName(said["site"]))},
        prompts={PromptName("welcome"): said["media"]},
    )


def shape(written: dict[str, str]) -> dict[str, list[str]]:
    """Context to extensions."""
    site = SiteName(written.get("site", "fine"))
    plan = parsed(rendered(rulebook(written), site, NOW, days=60).text)
    return {context: sorted(extensions) for context, extensions in plan.contexts.items()}


USUAL = shape({})
NASTY = st.text(st.sampled_from("a0,;()[]{}$\"'\\\n\r\t|&?:=><#!-_ 한\x00\x85\u2028"), max_size=12)


@given(place=st.sampled_from(PLACES), text=NASTY | st.text(max_size=20))
@example(place="reason", text="x\nexten => 1,1,System(rm)")
@example(place="reason", text=";-- x")
@example(place="where", text="a\r\n[globals]")
@example(place="music", text="default),System(x")
@example(place="language", text='ko"] | $["1"="1')
@example(place="extension", text="s,1)\n same => n,System(x)")
@example(place="media", text="sound:x&y")
def test_the_extensions_stay_the_same_or_it_is_refused(place: str, text: str) -> None:
    assume(text or place != "endpoint")  # a counselor without a phone is another thing
    try:
        found = shape({place: text})
    except SurvivalError as error:
        found = USUAL if "cannot stand in a dialplan" in str(error) else {}
    assert found == USUAL


@pytest.mark.parametrize("place", ["title", "where", "reason", "number", "prefix", "listed"])
def test_what_people_may_write_freely_is_never_refused(place: str) -> None:
    assert shape({place: '도청, (본관) ${EXTEN}; "x"\n[y]'}) == USUAL


def test_a_remark_is_one_line_that_opens_no_other_comment() -> None:
    assert remark("a\nb;--c\x85d") == "; a b,--c d"
