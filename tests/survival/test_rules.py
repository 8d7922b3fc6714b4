"""Every kind of condition, calendar and step as a dialplan, compared with the router or spelled out."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.config.load import Loaded, load
from callrouter.core.conditions import queues_as
from callrouter.core.ids import SiteName
from callrouter.core.inbound import CallFacts
from callrouter.survival import Survival, rendered
from tests.config.written import ENVIRONMENT, base_with
from tests.survival.walker import Dialplan, Walk, parsed

SITE = SiteName("hall")
NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)
TUESDAY = datetime(2026, 12, 1, 1, tzinfo=UTC)

RICH = """
calendars:
  usual: {open: [mon-fri 09:00-18:00, "2nd,4th sat 10:00-13:00"], closed: daily 12:00-13:00, closed_on: public,
          exceptions: {2026-12-31: [09:00-11:00, 13:30-14:00], 2027-03-06: 00:00-24:00}}
  late: {open: [fri 22:00-04:00, last wed 18:00-24:00]}
  berlin: {open: daily 01:30-03:30, zone: Europe/Berlin}
  either: {union: [usual, late], except: lunch}
  lunch: {open: daily 10:30-10:45}
caller_lists:
  vip: [055-225-1234, "01099*"]
trunks:
  carrier-b: {channels: 10, endpoints: [kt-1, kt-2]}
regions:
  south: {title: 남, tenant: city, dialed: [055-120], trunks: [carrier-b], diversion: [055-300-1000]}
switches:
  storm: {title: 태풍}
routes:
  - {id: storm, when: {switch: storm}, do: [hangup]}
  - {id: no-storm-vip, when: {caller_list: vip, not: {switch: storm, calendar: usual}, calendar: berlin}, do: [hangup]}
  - {id: foreign, when: {caller: [foreign], calendar: [late, berlin]}, do: [hangup]}
  - {id: vip, when: {caller_list: vip}, do: [hangup]}
  - {id: kt, when: {trunk: carrier-b, region_source: [dialed, trunk]}, do: [hangup]}
  - {id: english, when: {language: en, not: {caller: [mobile, anonymous]}}, do: [hangup]}
  - {id: numbers, when: {dialed: ["1*", "119", 055-120], not: {region: city, calendar: usual}, calendar: [either]},
     do: [hangup]}
  - {id: full, when: {queue: {name: main, waiting: "> 5"}}, do: [hangup]}
  - {id: staffed, when: {queue: {name: main, agents: ">= 1"}, region: [city, south], calendar: usual}, do: [hangup]}
  - {id: topic, when: {topic: passport}, do: [hangup]}
  - {id: not-both, when: {not: {tenant: city, calendar: late, not: {caller: service}}}, do: [hangup]}
  - {id: rest, do: [hangup]}
"""


def made(routes: str, folder: Path) -> Loaded:
    return load(base_with(routes, folder / "config"), ENVIRONMENT)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return made(RICH, tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="module")
def dialplan(rich: Loaded) -> Dialplan:
    return parsed(rendered(rich.rulebook, SITE, NOW).text)


CALLERS = st.sampled_from(
    [
        "0552251234",
        "+82552251234",
        "0552211234",
        "0557421234",
        "01099123456",
        "01012345678",
        "",
        "+14155550123",
        "1588-1234",
    ]
)


@given(
    caller=CALLERS,
    dialed=st.sampled_from(["120", "055120", "119", "1330", "s", "+8255120"]),
    trunk=st.sampled_from(["kt-1", "kt-2", "lg-1"]),
    diverted=st.sampled_from(["", "0553001000", "+82553001000"]),
    language=st.sampled_from(["ko", "en"]),
    at=st.integers(0, 400 * 24 * 4).map(lambda quarters: NOW + timedelta(minutes=15 * quarters)),
)
def test_every_call_is_taken_by_the_route_that_the_router_finds(
    rich: Loaded,
    dialplan: Dialplan,
    caller: str,
    dialed: str,
    trunk: str,
    diverted: str,
    language: str,
    at: datetime,
) -> None:
    facts = CallFacts(dialed, SITE, caller, trunk=trunk, diversion=diverted, language=language)
    book = rich.rulebook
    decision = book.router.decide(facts, at, queues_as(book.usual_queues()))

    walk = Walk(dialplan, at, caller, dialed, trunk, diverted, language).run()

    assert walk.variables["CALLROUTER_RULE"] == decision.rule
    assert (walk.variables["CR_REGION"], walk.variables["CR_SOURCE"]) == (decision.region, decision.region_source)


def test_every_minute_of_days_that_are_not_like_others_is_as_the_calendar_says(
    dialplan: Dialplan, rich: Loaded
) -> None:
    """Summer time begins in Berlin on 2027-03-28, and ends on 2027-10-31."""
    router, numbers = rich.rulebook.router, numbers_of(rich)
    days = [date(2026, 12, 31), date(2027, 3, 6), date(2026, 12, 12), date(2026, 12, 30), date(2027, 3, 28)]
    for day in (*days, date(2027, 10, 31)):
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Asia/Seoul")).astimezone(UTC)
        for minutes in range(0, 24 * 60 + 600, 15):
            at = start + timedelta(minutes=minutes)
            variables = Walk(dialplan, at, "0552251234").run().variables
            calendars = {name for name, number in numbers.items() if variables[f"CR_OPEN_{number}"] == "1"}
            decision = router.decide(CallFacts("120", SITE, "0552251234"), at)
            assert calendars == set(decision.calendars) & set(numbers), at


def numbers_of(loaded: Loaded) -> dict[str, int]:
    """The calendars that the routes ask for, as they are numbered in the file."""
    text = rendered(loaded.rulebook, SITE, NOW, days=1).text
    names = [line.split()[2].rstrip(",") for line in text.splitlines() if line.startswith("; calendar ")]
    return {name: number for number, name in enumerate(names)}


# --- steps

ELSEWHERE = """
sites: {other: {title: 다른, password_env: TEST_PASSWORD, ari_url: "http://127.0.0.1:9"}}
queues: {empty: {title: 빈}}
agents: {"901": {name: 상담사, site: other, endpoint: PJSIP/901, queues: empty, tenant: province}}
"""
PROMPTS = "prompts: {busy: 통화 중, menu: 번호, bye: 끝, record: 녹음}\n"


def walked(steps: str, folder: Path, at: datetime = TUESDAY, **more: str) -> tuple[list[str], Survival]:
    """What a caller meets whom one route with these steps takes, and all that is noted."""
    loaded = made(f"{PROMPTS}{more.get('also', '')}\nroutes:\n  - id: only\n    do: {steps}\n", folder)
    survival = rendered(loaded.rulebook, SITE, NOW)
    return Walk(parsed(survival.text), at, "0552251234").run().happened, survival


def test_a_queue_without_a_limit_ends_in_an_honest_word(tmp_path: Path) -> None:
    happened, _ = walked("[{queue: main}]", tmp_path)
    assert set(happened[:-2]) == {"ring PJSIP/201"}
    assert happened[-2:] == ["play callrouter/fallback-sorry", "hangup"]


def test_a_queue_that_nobody_serves_is_passed_over_for_what_may_help(tmp_path: Path) -> None:
    also = f"{ELSEWHERE}destinations: {{duty: {{title: 당직, endpoint: PJSIP/299}}}}"
    steps = "[{queue: empty, max_wait: 60s}, {dial: duty}, {announce: busy}, hangup]"

    happened, survival = walked(steps, tmp_path, also=also)

    assert happened == ["ring PJSIP/299", "play callrouter/busy", "hangup"]
    assert [note.partition(": ")[2] for note in survival.notes] == ["nobody at this site serves the queue empty"]


def test_a_queue_that_nobody_serves_does_not_say_that_all_are_busy(tmp_path: Path) -> None:
    steps = "[{announce: welcome}, {queue: empty, max_wait: 60s}, {announce: busy}, hangup]"
    happened, _ = walked(steps, tmp_path, also=ELSEWHERE)
    assert happened == ["play callrouter/welcome", "play callrouter/fallback-sorry", "hangup"]


def test_a_menu_goes_on_as_for_who_presses_nothing(tmp_path: Path) -> None:
    steps = "[{menu: menu, keys: {'1': {do: [hangup]}}, default: {do: [{announce: bye}, hangup]}}]"
    happened, survival = walked(steps, tmp_path)
    assert happened == ["play callrouter/bye", "hangup"]
    assert survival.notes == ("routes.yaml:4: the menu menu is not asked: as for a caller who presses nothing",)


def test_routes_are_asked_again_with_what_a_menu_takes_for_granted(tmp_path: Path) -> None:
    also = """
routes:
  - {id: passport, when: {topic: passport}, do: [{announce: busy}, hangup]}
  - {id: ask, do: [{menu: menu, keys: {'1': {topic: passport}}, default: {topic: passport}}, {route: again}]}
"""
    loaded = made(PROMPTS + also, tmp_path)
    walk = Walk(parsed(rendered(loaded.rulebook, SITE, NOW).text), TUESDAY, "0552251234").run()
    assert (walk.happened, walk.variables["CALLROUTER_RULE"]) == (["play callrouter/busy", "hangup"], "passport")


def test_routes_that_lead_in_a_circle_end_in_an_honest_word(tmp_path: Path) -> None:
    steps = "[{menu: menu, keys: {'1': {topic: passport}}, default: {topic: passport}}, {route: again}]"
    happened, _ = walked(steps, tmp_path)
    assert happened == ["play callrouter/fallback-sorry", "hangup"]


def test_a_message_cannot_be_left(tmp_path: Path) -> None:
    also = "voicemail: {box: {title: 사서함, thanks: bye, failed: busy}}"
    happened, survival = walked("[{voicemail: box, greeting: record}]", tmp_path, also=also)
    assert happened == ["play callrouter/fallback-sorry", "hangup"]
    assert "no message can be left in box" in survival.notes[0]


def test_nobody_is_called_back(tmp_path: Path) -> None:
    steps = "[{callback: main, else: {do: [{announce: busy}, hangup]}}, hangup]"
    happened, survival = walked(steps, tmp_path)
    assert happened == ["play callrouter/busy", "hangup"]
    assert "main cannot be asked to call back" in survival.notes[0]


def test_destinations_are_called_in_rounds_with_the_number_that_the_network_wants(tmp_path: Path) -> None:
    also = """destinations:
  duty: {title: 당직, number: 055-211-2222, trunk: out}
  desk: {title: 상황실, endpoint: PJSIP/299}
trunks: {out: {channels: 2, caller_id: "0552110000", endpoints: [telco]}}"""
    steps = "[{dial: [duty, desk], rounds: 2, confirm: busy}, {announce: bye}, hangup]"

    happened, survival = walked(steps, tmp_path, also=also)

    assert happened == [*["ring PJSIP/0552112222@telco", "ring PJSIP/299"] * 2, "play callrouter/bye", "hangup"]
    assert "same => n,Set(CALLERID(num)=0552110000)\n" in survival.text
    assert "nobody is asked for a key" in survival.notes[0]


@pytest.mark.parametrize(
    ("place", "happened"),
    [
        ("office,200", ["goto office,200"]),
        ("callrouter-inbound,120", ["play callrouter/fallback-sorry", "hangup"]),
    ],
)
def test_a_hand_over_goes_on_in_the_dialplan_but_not_back_to_the_daemon(
    tmp_path: Path, place: str, happened: list[str]
) -> None:
    assert walked(f"[{{dialplan: '{place}'}}]", tmp_path)[0] == happened


@pytest.mark.parametrize(("at", "word"), [(TUESDAY, "welcome"), (TUESDAY + timedelta(hours=12), "busy")])
def test_a_question_is_asked_of_the_same_conditions(tmp_path: Path, at: datetime, word: str) -> None:
    also = "calendars: {office: {open: mon-fri 09:00-18:00}}"
    asked = "{calendar: office, not: {topic: passport}}"
    steps = f"[{{if: {asked}, then: {{do: [{{announce: welcome}}, hangup]}}}}, {{announce: busy}}, hangup]"
    assert walked(steps, tmp_path, at, also=also)[0] == [f"play callrouter/{word}", "hangup"]


def test_a_prompt_that_is_no_sound_is_left_out_and_told(tmp_path: Path) -> None:
    also = "prompts: {beep: {media: 'tone:busy', text: 삐}}"
    loaded = made(f"{also}\nroutes: [{{id: only, do: [{{announce: beep}}, hangup]}}]\n", tmp_path)

    survival = rendered(loaded.rulebook, SITE, NOW)

    assert Walk(parsed(survival.text), TUESDAY).run().happened == ["hangup"]
    assert "the prompt beep is no sound file (tone), and is left out" in survival.notes[0]


def test_callers_who_are_to_hear_ringing_hear_ringing(tmp_path: Path) -> None:
    config = base_with("routes: [{id: only, do: [{queue: main}]}]\n", tmp_path / "config")
    (config / "queues.yaml").write_text("queues: {main: {title: 본청, sound: ringback}}\n", encoding="utf-8")

    text = rendered(load(config, ENVIRONMENT).rulebook, SITE, NOW).text

    queue = text[text.index("[callrouter-survival-queues]") :]
    assert "Dial(${CR_RING:1},${CR_RINGS},r)" in queue
    assert "Answer()" not in queue
