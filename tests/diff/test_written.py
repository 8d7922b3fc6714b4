"""What is written otherwise, in sentences: all of it, and nothing that means the same."""

from callrouter.config import Loaded
from callrouter.diff.written import changes, compared
from tests.diff.conftest import Make


def sentences(old: Loaded, new: Loaded) -> list[str]:
    return [change.sentence for change in changes(old, new)]


def test_the_same_rules_in_other_words_are_no_change(rules: Make) -> None:
    old = rules()
    new = rules(
        ("queues.yaml", "{title: 본청}", "{title: 본청, ring_timeout: 20s}  # as before"),
        ("agents.yaml", "queues: main", "queues: [main]"),
        ("calendars.yaml", "open: mon-fri 09:00-18:00", "open: [MON-fri 9:00-18:00]"),
    )
    assert old.rulebook.hash != new.rulebook.hash
    assert sentences(old, new) == []


def test_values_are_told_with_what_they_were_as_they_are_written(rules: Make) -> None:
    old = rules(("queues.yaml", "본청}", "본청, wrap_up: 1 min}"))
    new = rules(("queues.yaml", "본청}", "새 본청, ring_timeout: 30s}"), ("trunks.yaml", "30", "60"))
    assert sentences(old, new) == [
        "queue main: title: 새 본청, was 본청; ring_timeout: 30s, was nothing; wrap_up: nothing, was 1 min",
        "trunk city-hall: channels: 60, was 30",
    ]


def test_names_that_are_new_or_gone_are_told_with_all_they_say(rules: Make) -> None:
    old, new = rules(), rules(more="prompts: {busy: 통화 중입니다.}\ntopics: {tour: {title: 관광}}\n")
    assert sentences(old, new) == ["topic tour is new: title: 관광", "prompt busy is new: 통화 중입니다."]
    assert sentences(new, old) == [
        "topic tour is gone: it was title: 관광",
        "prompt busy is gone: it was 통화 중입니다.",
    ]


def test_settings_and_single_values_are_told_by_their_section(rules: Make) -> None:
    old, new = rules(), rules(more="service: {drain: 1 min}\ntimezone: Asia/Tokyo\n")
    assert sentences(old, new) == ["service: drain: 1 min, was nothing", "timezone: Asia/Tokyo, was nothing"]


def test_of_holidays_and_lists_only_the_dates_and_numbers_that_differ_are_told(rules: Make) -> None:
    lists = "caller_lists: {press: [0552251111, 0552252222, 0552253333]}\n"
    used = ("routes.yaml", "{calendar: day}", "{calendar: day, caller_list: press}")
    old = rules(used, more=lists)
    new = rules(
        used,
        ("calendars.yaml", "2026-12-25: 성탄절,", "2026-12-25: 성탄절, 2026-12-24: 임시공휴일,"),
        more=lists.replace("0552252222", "055444*"),
    )
    assert sentences(old, new) == [
        "holidays public: 2026-12-24: 임시공휴일, was nothing",
        "caller list press: with 055444*, without 0552252222",
    ]


EARLY = "routes:\n  - {id: early, when: {dialed: 1330}, do: [hangup]}\n"


def test_routes_are_new_gone_moved_and_changed(rules: Make) -> None:
    old = rules(("routes.yaml", "routes:\n", EARLY))
    late = "  - {id: early, when: {dialed: 1330}, do: [hangup]}\n  - id: rest\n"
    assert sentences(rules(), old) == ["route early is new, before day: id: early, when: {dialed: 1330}, do: [hangup]"]
    assert sentences(old, rules()) == ["route early is gone: it was id: early, when: {dialed: 1330}, do: [hangup]"]
    moved = rules(("routes.yaml", "  - id: rest\n", late))
    assert sentences(old, moved) in (
        ["route early has moved: it stands before rest now"],
        ["route day has moved: it stands before early now"],
    )
    longer = "- {queue: main, max_wait: 5 min}\n      - hangup"
    changed = rules(("routes.yaml", "routes:\n", EARLY), ("routes.yaml", "- queue: main", longer))
    assert sentences(old, changed) == [
        "route day: do: {announce: welcome}, {queue: main, max_wait: 5 min}, hangup,"
        " was {announce: welcome}, {queue: main}"
    ]


def test_of_a_plan_that_is_as_long_as_before_only_the_steps_that_differ_are_told(rules: Make) -> None:
    plan = "- queue: main", "- {queue: main, max_wait: %s}\n      - hangup"
    old, new = (rules(("routes.yaml", plan[0], plan[1] % wait)) for wait in ("10 min", "5 min"))
    assert sentences(old, new) == ["route day: do: 2. max_wait: 5 min, was 10 min"]


def test_a_text_that_is_very_long_is_cut(rules: Make) -> None:
    assert len(compared(None, "말" * 1000)) < 200
