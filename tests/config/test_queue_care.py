"""What a queue does for those who wait, from YAML to what the exchange runs by."""

from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.config.load import Loaded
from callrouter.core.ids import BoxName, PromptName, QueueName, SwitchName
from callrouter.core.plan import Callback, HangUp
from callrouter.core.waiting_spec import NO_CARE, POSITION_PROMPTS, WAIT_PROMPTS, Comfort, Surge
from tests.config.written import ENVIRONMENT, base_with

QUEUES = """\
queues:
  main:
    title: 본청
    announce:
      every: 45s
      first: 10s
      prompt: welcome
      position: yes
      wait: yes
      offer: closed
      surge: {prompt: closed, switch: storm, longer_than: 20}
    keys:
      1: call-back
      2: {plan: message, with: {box: letters}}
    max_waiting: 50
    when_full: message-of-all
    when_unstaffed: message-of-all
    redial_within: 60s
"""
PLANS = """\
routes:
  - {id: day, when: {calendar: day}, do: [{queue: main, max_wait: 5 min}, hangup]}
  - {id: rest, do: [{announce: closed}, hangup]}
plans:
  call-back: [{callback: main}]
  message: {parameters: [box], do: [{voicemail: $box, greeting: welcome}]}
  message-of-all: [{plan: message, with: {box: letters}}]
"""
OTHERS = """\
switches: {storm: {title: 폭주}}
voicemail: {letters: {title: 편지, thanks: welcome, failed: closed}}
"""
ENGLISH = "  hold: {text: 잠시만, languages: {en: One moment}}\n"
SPOKEN = ENGLISH + "".join(f"  {name}: 말씀\n" for name in (*POSITION_PROMPTS, *WAIT_PROMPTS))


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    folder = base_with(PLANS, tmp_path / "config")
    (folder / "queues.yaml").write_text(QUEUES, encoding="utf-8")
    (folder / "others.yaml").write_text(OTHERS, encoding="utf-8")
    with (folder / "prompts.yaml").open("a", encoding="utf-8") as prompts:
        prompts.write(SPOKEN)
    return load(folder, ENVIRONMENT)


def test_announcements_have_their_times_words_and_occasions(loaded: Loaded) -> None:
    assert loaded.rulebook.queues[QueueName("main")].care.comfort == Comfort(
        every_s=45.0,
        first_s=10.0,
        prompt=PromptName("welcome"),
        position=True,
        wait=True,
        surge=Surge(PromptName("closed"), SwitchName("storm"), 20),
        offer=PromptName("closed"),
    )


def test_a_prompt_has_its_languages(loaded: Loaded) -> None:
    hold, welcome = PromptName("hold"), PromptName("welcome")
    media = loaded.rulebook.media
    assert loaded.translations == {"en": {"hold": "One moment"}}
    assert (media(hold), media(hold, "en"), media(hold, "ja")) == (
        "sound:callrouter/hold",
        "sound:callrouter/en/hold",
        "sound:callrouter/hold",
    )
    assert media(welcome, "en") == "sound:callrouter/welcome"


def test_keys_and_limits_lead_to_plans(loaded: Loaded) -> None:
    care = loaded.rulebook.queues[QueueName("main")].care
    assert [(way.key, way.plan.name) for way in care.keys] == [("1", "call-back"), ("2", "message")]
    assert (care.max_waiting, care.redial_within_s) == (50, 60.0)
    assert care.when_full is not None
    assert care.when_full == care.when_unstaffed
    assert [type(step) for step in care.keys[0].plan.steps] == [Callback, HangUp]


def test_what_only_a_queue_leads_to_is_used(loaded: Loaded) -> None:
    assert loaded.warnings == ()
    assert loaded.rulebook.callback_queues == (QueueName("main"),)
    assert list(loaded.rulebook.boxes) == [BoxName("letters")]


def test_a_queue_of_which_nothing_is_written_does_nothing(tmp_path: Path) -> None:
    folder = base_with("routes:\n  - {id: all, do: [{queue: main}]}\n", tmp_path / "config")
    assert load(folder, ENVIRONMENT).rulebook.queues[QueueName("main")].care == NO_CARE


def test_the_first_announcement_comes_after_the_usual_time(tmp_path: Path) -> None:
    folder = base_with("routes:\n  - {id: all, do: [{queue: main}]}\n", tmp_path / "config")
    announce = "{every: 45s, prompt: welcome, surge: {prompt: closed, longer_than: 2}}"
    written = f"queues: {{main: {{title: 본청, announce: {announce}}}}}"
    (folder / "queues.yaml").write_text(written, encoding="utf-8")
    comfort = load(folder, ENVIRONMENT).rulebook.queues[QueueName("main")].care.comfort
    usual = Comfort(45.0, 45.0, PromptName("welcome"))
    assert comfort == replace(usual, surge=Surge(PromptName("closed"), None, 2))


def test_a_queue_that_is_full_may_lead_to_one_that_is_not(tmp_path: Path) -> None:
    routes = "routes:\n  - {id: all, do: [{queue: main}]}\nplans:\n  other: [{queue: other}]\n"
    folder = base_with(routes, tmp_path / "config")
    written = "queues:\n  main: {title: 본청, max_waiting: 3, when_full: other}\n  other: {title: 다른}\n"
    (folder / "queues.yaml").write_text(written, encoding="utf-8")
    agents = folder / "agents.yaml"
    agents.write_text(agents.read_text(encoding="utf-8").replace("queues: main", "queues: [main, other]"), "utf-8")
    assert load(folder, ENVIRONMENT).warnings == ()


def test_the_numbers_that_lead_to_us_are_known(tmp_path: Path) -> None:
    routes = "routes:\n  - {id: a, when: {dialed: [0552110120, 0551*]}, do: [hangup]}\n  - {id: b, do: [hangup]}\n"
    folder = base_with(routes, tmp_path / "config")
    (folder / "queues.yaml").write_text("queues: {}\n", encoding="utf-8")
    (folder / "agents.yaml").write_text("agents: {}\n", encoding="utf-8")
    (folder / "trunks.yaml").write_text("trunks: {hall: {channels: 2, caller_id: 055-211-0000}}\n", encoding="utf-8")
    regions = folder / "regions.yaml"
    text = regions.read_text(encoding="utf-8").replace(
        "tenant: province}", "tenant: province, dialed: [120, 0552110119]}"
    )
    regions.write_text(text, encoding="utf-8")
    assert load(folder, ENVIRONMENT).rulebook.own_numbers == {"+82552110120", "+82552110000", "+82552110119"}
