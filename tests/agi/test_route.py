"""FastAGI gets the decision that calls get, as channel variables."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.agi.protocol import AgiRequest, AgiSession
from callrouter.agi.route import route
from callrouter.config import Loaded, load
from callrouter.core.conditions import QueueState, QueueStates
from callrouter.core.ids import SiteName, SwitchName
from callrouter.core.inbound import CallFacts
from callrouter.core.switches import SwitchesOn, SwitchOn

CONFIG = Path(__file__).resolve().parents[2] / "config"
TUESDAY_10 = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)  # 10:00 in Seoul
TUESDAY_03 = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
SITE = SiteName("gyeongnam")
BUSY_AND_MENU = """\
routes:
  - id: busy
    when: {queue: {name: changwon, waiting: ">= 10"}}
    do: [{hangup: busy}]
  - id: menu
    when: {tenant: changwon, language: ko}
    do:
      - menu: welcome
        keys: {1: [{queue: changwon}]}
        default: next
      - queue: gyeongnam
"""


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(CONFIG, {"CALLROUTER_ARI_PASSWORD": "x"})


def a_request(query: str = "", *, argument: str = "", caller: str = "0552251234") -> AgiRequest:
    lines = [
        f"agi_request: agi://127.0.0.1/route{query}",
        f"agi_network_script: route{query}",
        "agi_channel: PJSIP/carrier-00000001",
        "agi_language: ko",
        f"agi_callerid: {caller}",
        "agi_dnid: unknown",
        "agi_extension: 119",
        *([f"agi_arg_1: {argument}"] if argument else []),
    ]
    (event,) = AgiSession().receive(("\n".join(lines) + "\n\n").encode())
    assert isinstance(event, AgiRequest)
    return event


def test_the_variables_say_what_the_daemon_itself_would_do(loaded: Loaded) -> None:
    answer = route(a_request(argument="120"), loaded.rulebook, lambda: TUESDAY_10, SITE)
    decision = loaded.rulebook.router.decide(CallFacts("120", SITE, "0552251234", trunk="carrier"), TUESDAY_10)

    assert answer["CALLROUTER_RULE"] == decision.rule == "changwon-day"
    assert (answer["CALLROUTER_ACTION"], answer["CALLROUTER_TARGET"]) == ("queue", "changwon")
    assert answer["CALLROUTER_PROMPTS"] == "callrouter/changwon-welcome"
    assert answer["CALLROUTER_MAX_WAIT"] == "600"
    assert answer["CALLROUTER_REGION"] == "changwon"
    assert answer["CALLROUTER_CONFIG"] == loaded.rulebook.hash


@pytest.mark.parametrize(("written", "told"), [("20 d", "1728000"), ("90.2s", "91")])
def test_the_longest_wait_is_told_in_whole_seconds(tmp_path: Path, written: str, told: str) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    routes = tmp_path / "config" / "routes.yaml"
    routes.write_text(routes.read_text(encoding="utf-8").replace("max_wait: 10 min", f"max_wait: {written}"), "utf-8")
    rulebook = load(tmp_path / "config", {"CALLROUTER_ARI_PASSWORD": "x"}).rulebook
    assert route(a_request(argument="120"), rulebook, lambda: TUESDAY_10, SITE)["CALLROUTER_MAX_WAIT"] == told


def test_when_it_is_closed_the_announcement_is_the_answer(loaded: Loaded) -> None:
    answer = route(a_request(argument="120"), loaded.rulebook, lambda: TUESDAY_03, SITE)

    assert (answer["CALLROUTER_ACTION"], answer["CALLROUTER_TARGET"]) == ("announce", "closed")
    assert answer["CALLROUTER_PROMPTS"] == "callrouter/closed"
    assert answer["CALLROUTER_MAX_WAIT"] == ""


def test_a_switch_that_is_on_decides_here_as_well(loaded: Loaded) -> None:
    on = {name: SwitchOn(name) for name in (SwitchName("typhoon"),)}
    answer = route(a_request(argument="120"), loaded.rulebook, lambda: TUESDAY_10, SITE, switches=on)

    assert (answer["CALLROUTER_RULE"], answer["CALLROUTER_ACTION"]) == ("emergency", "announce")
    assert answer["CALLROUTER_PROMPTS"] == "callrouter/emergency"


def test_the_dialled_number_is_taken_from_the_argument_then_the_query_then_asterisk(loaded: Loaded) -> None:
    asked: list[str] = []

    class Spy:
        def decide(self, facts: CallFacts, at: datetime, queues: QueueStates, switches: SwitchesOn) -> object:
            asked.append(facts.dialed)
            return loaded.rulebook.router.decide(facts, at, queues)

    rulebook = type(loaded.rulebook)("h", Spy(), loaded.rulebook.queues, loaded.rulebook.agents)  # type: ignore[arg-type]
    for request in (a_request("?dialed=121", argument="120"), a_request("?dialed=121"), a_request()):
        route(request, rulebook, lambda: TUESDAY_10, SITE)

    assert asked == ["120", "121", "119"]


def test_a_plan_that_asks_the_caller_is_left_to_the_daemon_and_queues_are_asked_as_they_stand(tmp_path: Path) -> None:
    folder = shutil.copytree(CONFIG, tmp_path / "config")
    routes = folder / "routes.yaml"
    text = routes.read_text(encoding="utf-8")
    routes.write_text(text.replace("routes:\n", BUSY_AND_MENU, 1), encoding="utf-8")
    rulebook = load(folder, {"CALLROUTER_ARI_PASSWORD": "x"}).rulebook

    quiet = route(a_request(argument="120"), rulebook, lambda: TUESDAY_10, SITE)
    busy = route(a_request(argument="120"), rulebook, lambda: TUESDAY_10, SITE, lambda _: QueueState(waiting=10))

    assert (quiet["CALLROUTER_RULE"], quiet["CALLROUTER_ACTION"]) == ("menu", "daemon")
    assert (busy["CALLROUTER_RULE"], busy["CALLROUTER_ACTION"]) == ("busy", "hangup")
