"""A small centre for proofs: three regions, two calendars, and whatever routes a test wants."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from callrouter.core.calendars import Calendar, Hours, Weekly, Window
from callrouter.core.conditions import CalendarOpen, Condition, RegionIs, TopicIs
from callrouter.core.geography import Geography, Region
from callrouter.core.ids import CalendarName, PromptName, QueueName, RegionName, RuleId, TenantName, TopicName
from callrouter.core.numbering_plan import Confidence, NumberingPlan, Place
from callrouter.core.plan import Announce, EnterQueue, HangUp, Plan
from callrouter.core.routing import Route, Ruleset

SEOUL = ZoneInfo("Asia/Seoul")
PROVINCE, CITY, TOWN = RegionName("province"), RegionName("city"), RegionName("town")
DAY, NIGHT = CalendarName("day"), CalendarName("night")
CLOSED = Plan("closed", (Announce(PromptName("closed")), HangUp()))


def weekdays(name: CalendarName, start_h: int, end_h: int, zone: ZoneInfo = SEOUL) -> Calendar:
    return Calendar(name, zone, Weekly(zone, (Window(frozenset(range(5)), Hours(start_h * 60, end_h * 60)),)))


CALENDARS = {DAY: weekdays(DAY, 9, 18), NIGHT: weekdays(NIGHT, 18, 22)}
GEOGRAPHY = Geography(
    regions={
        PROVINCE: Region(PROVINCE, "도", TenantName("land")),
        CITY: Region(CITY, "시", TenantName("city")),
        TOWN: Region(TOWN, "군", TenantName("land")),
    },
    default=PROVINCE,
    by_dialed={"0552250120": CITY},
    by_trunk={"town-hall": TOWN},
    by_diversion={"0553300120": TOWN},
    plan=NumberingPlan({"055225": Place(CITY, Confidence.STRONG), "05533": Place(TOWN, Confidence.FAIR)}),
)
PLAIN = Geography(regions=GEOGRAPHY.regions, default=PROVINCE, plan=GEOGRAPHY.plan)
"""Only the exchange says where a call comes from."""


def serve(queue: str) -> Plan:
    return Plan(queue, (Announce(PromptName("welcome")), EnterQueue(QueueName(queue))))


def route(rule: str, *conditions: Condition, plan: Plan = CLOSED, line: int = 1) -> Route:
    return Route(RuleId(rule), f"routes.yaml:{line}", plan, conditions)


def rules(
    *routes: Route, geography: Geography = PLAIN, calendars: Mapping[CalendarName, Calendar] = CALENDARS
) -> Ruleset:
    return Ruleset([*routes, route("rest", line=99)], geography, calendars, "0123456789ab")


def region(*names: RegionName) -> RegionIs:
    return RegionIs(frozenset(names))


def topic(name: str) -> TopicIs:
    return TopicIs(frozenset({TopicName(name)}))


def opened(*names: CalendarName) -> CalendarOpen:
    return CalendarOpen(names)
