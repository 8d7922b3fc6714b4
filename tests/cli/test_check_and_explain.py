"""``callrouter check`` and ``callrouter explain``."""

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callrouter.cli import main
from callrouter.config import load
from callrouter.core.ids import SiteName
from callrouter.core.inbound import CallFacts

SAMPLE = Path(__file__).parents[2] / "config"
BAD = Path(__file__).parents[1] / "bad_config"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    monkeypatch.delenv("CALLROUTER_CONFIG", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def broken(folder: Path) -> Path:
    for path in (BAD / "base").glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "routes.yaml").write_bytes((BAD / "routes.several-faults-at-once.yaml").read_bytes())
    (folder / "more.yaml").write_text("plans: {spare: [hangup]}")
    return folder


def test_check_is_content_with_the_sample() -> None:
    result = run("check", "--config", str(SAMPLE))
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{SAMPLE}: fine (2 queues, 8 agents, version ")


def test_check_prints_every_fault_and_says_no(tmp_path: Path) -> None:
    result = run("check", "--config", str(broken(tmp_path)))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 4
    assert 'routes.yaml:8:5: unknown key "doo"; did you mean "do"?' in result.stdout
    assert result.stderr == f"{tmp_path}: 4 faults\n"


def test_check_gives_faults_to_programs(tmp_path: Path) -> None:
    result = run("check", "--config", str(broken(tmp_path)), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["ok"], report["hash"], len(report["errors"])) == (False, None, 4)
    assert report["errors"][0] == {
        "file": "routes.yaml",
        "line": 8,
        "column": 5,
        "severity": "error",
        "message": 'unknown key "doo"',
        "remedy": 'did you mean "do"?',
    }
    good = json.loads(run("check", "--config", str(SAMPLE), "--json").stdout)
    assert (good["ok"], good["errors"], good["warnings"], len(good["hash"])) == (True, [], [], 12)
    assert (good["cases"] > 60, good["failed_cases"]) == (True, [])


def test_check_shows_warnings_and_missing_secrets_without_saying_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(tmp_path)
    monkeypatch.delenv("CALLROUTER_ARI_PASSWORD")
    (tmp_path / "routes.yaml").write_bytes((BAD / "base" / "routes.yaml").read_bytes())
    result = run("check", "--config", str(tmp_path))
    assert result.exit_code == 0
    assert 'warning: more.yaml:1:9: no route does the plan "spare"; use it, or take it out' in result.stdout
    assert 'note: the ARI password of site "hall" is not set; set it in $TEST_PASSWORD' in result.stdout


def failing(folder: Path, name: str = "evening") -> Path:
    """The small configuration without faults, with a case that fails and one that holds."""
    for path in (BAD / "base").glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "routes-test.yaml").write_text(
        f"""
cases:
  - name: {name}
    at: 2026-11-24T18:00
    expect: {{rule: day}}
  - {{name: noon, at: 2026-11-24T12:00, expect: {{rule: day}}}}
""",
        encoding="utf-8",
    )
    return folder


def test_check_tries_the_golden_cases_and_shows_the_trace_of_one_that_fails(tmp_path: Path) -> None:
    result = run("check", "--config", str(failing(tmp_path)))
    assert result.exit_code == 1
    line, *trace = result.stdout.splitlines()
    assert line == 'routes-test.yaml:3:11: "evening": rule: expected day, got rest'
    assert trace == [
        "    - routes.yaml:2: day: calendar day closed: opens Wed 09:00, in 15 h",
        "    * routes.yaml:7: rest: takes every call",
    ]
    assert result.stderr == f"{tmp_path}: 0 faults, 1 of 2 cases failed\n"
    report = json.loads(run("check", "--config", str(tmp_path), "--json").stdout)
    assert (report["ok"], report["errors"], report["cases"]) == (False, [], 2)
    (case,) = report["failed_cases"]
    assert (case["file"], case["line"], case["column"], case["name"]) == ("routes-test.yaml", 3, 11, "evening")
    assert case["differences"] == [{"what": "rule", "expected": "day", "got": "rest"}]
    assert [entry["rule"] for entry in case["trace"]] == ["day", "rest"]


def test_check_says_where_the_file_of_cases_is_malformed(tmp_path: Path) -> None:
    (failing(tmp_path) / "routes-test.yaml").write_text("cases:\n  - {name: a, at: noon, expect: {rule: day}}\n")
    result = run("check", "--config", str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == (
        'routes-test.yaml:2:19: "noon" is not a time; write it as 2026-11-24T19:30'
    )
    assert result.stderr == f"{tmp_path}: 1 fault\n"


def test_check_tells_code_hosts_where_each_fault_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site, 1:a"
    folder.mkdir()
    broken(folder)
    monkeypatch.chdir(tmp_path)
    result = run("check", "--config", str(folder), "--annotations")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        '::error file=site%2C 1%3Aa/routes.yaml,line=8,col=5::unknown key "doo"; did you mean "do"?',
        '::error file=site%2C 1%3Aa/routes.yaml,line=10,col=22::unknown calendar "nite"; did you mean "night"?',
        '::error file=site%2C 1%3Aa/routes.yaml,line=13,col=10::the plan of "rest" does not end; '
        "let its last step be - hangup",
        '::error file=site%2C 1%3Aa/routes.yaml,line=13,col=21::unknown prompt "close"; did you mean "closed"?',
    ]
    assert result.stderr == f"{folder}: 4 faults\n"


def test_annotations_escape_what_would_end_them_and_carry_the_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(tmp_path, name='"100%\\r::evening"')
    (tmp_path / "more.yaml").write_text("plans: {spare: [hangup]}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CALLROUTER_ARI_PASSWORD")
    result = run("check", "--config", ".", "--annotations")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        '::warning file=more.yaml,line=1,col=9::no route does the plan "spare"; use it, or take it out',
        '::error file=routes-test.yaml,line=3,col=11::"100%25%0D::evening": rule: expected day, got rest'
        "%0A- routes.yaml:2: day: calendar day closed: opens Wed 09:00, in 15 h"
        "%0A* routes.yaml:7: rest: takes every call",
        '::notice::the ARI password of site "hall" is not set; set it in $TEST_PASSWORD',
    ]


def test_annotations_name_files_outside_the_working_directory_in_full_and_variables_in_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "config", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    broken(folder)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("CALLROUTER_WEB_PORT", "many")
    first, second, *_ = run("check", "--config", str(folder), "--annotations").stdout.splitlines()
    assert first.startswith('::error::$CALLROUTER_WEB_PORT:1:1: "many" is not a TCP port; write a number')
    assert second.startswith(f"::error file={folder}/routes.yaml,line=8,")


def test_check_prints_one_form_at_a_time() -> None:
    result = run("check", "--config", str(SAMPLE), "--json", "--annotations")
    assert result.exit_code == 2
    assert "--json and --annotations exclude each other" in result.stderr


def test_warnings_alone_are_fine_in_every_form(tmp_path: Path) -> None:
    failing(tmp_path)
    (tmp_path / "routes-test.yaml").unlink()
    (tmp_path / "more.yaml").write_text("plans: {spare: [hangup]}")
    for form in ("--json", "--annotations"):
        assert run("check", "--config", str(tmp_path), form).exit_code == 0
    (warning,) = json.loads(run("check", "--config", str(tmp_path), "--json").stdout)["warnings"]
    assert (warning["file"], warning["line"], warning["severity"]) == ("more.yaml", 1, "warning")


def test_explain_shows_every_rule_that_was_looked_at() -> None:
    result = run("explain", "--config", str(SAMPLE), "--from", "0552251234", "--to", "120", "--at", "2026-11-24T17:56")
    assert result.exit_code == 0
    assert "changwon-day: tenant changwon; calendar weekday-day open until 18:00, for 4 min" in result.stdout
    assert "wait in queue changwon, at most 600 s" in result.stdout
    assert "agents    201, 202, 203, 204, 205, 206, 301, 302" in result.stdout


def test_explain_gives_the_stated_keys_to_programs() -> None:
    result = run(
        "explain", "--config", str(SAMPLE), "--from", "0557421234", "--at", "2026-11-24T10:30:00+00:00", "--json"
    )
    data = json.loads(result.stdout)
    assert (data["region"], data["region_source"], data["tenant"]) == ("jinju", "exchange", "gyeongnam")
    assert (data["calendars"], data["rule"]) == (["weekday-night"], "gyeongnam-night")
    assert data["steps"] == [
        {"announce": "night-welcome"},
        {"queue": "gyeongnam", "max_wait_s": 600.0},
        {"announce": "all-busy"},
        {"hangup": 16},
    ]
    assert [(entry["rule"], entry["matched"]) for entry in data["trace"]] == [
        ("emergency", False),
        ("passport-surge", False),
        ("changwon-day", False),
        ("changwon-night", False),
        ("gyeongnam-day", False),
        ("gyeongnam-night", True),
    ]
    assert data["switches"] == []


def test_explain_tells_what_a_switch_would_do_and_knows_its_name() -> None:
    command = ("explain", "--config", str(SAMPLE), "--from", "0557421234", "--at", "2026-11-24T10:30", "--switch")
    data = json.loads(run(*command, "typhoon", "--json").stdout)
    assert (data["rule"], data["switches"]) == ("emergency", ["typhoon"])
    assert data["trace"][0]["why"] == "switch typhoon on"
    assert "\nswitches  typhoon on\n" in run(*command, "typhoon").stdout
    wrong = run(*command, "typhon")
    assert wrong.exit_code == 2
    assert """unknown switch 'typhon'; did you mean "typhoon"?""" in wrong.stderr


def test_explain_without_a_time_takes_now() -> None:
    assert run("explain", "--config", str(SAMPLE)).exit_code == 0


MENU = """\
routes:
  - id: busy
    when: {queue: {name: changwon, waiting: ">= 10", longest_wait: "> 1 min"}}
    do: [{hangup: busy}]
  - id: menu
    when: {language: en, not: {caller: [foreign, anonymous]}}
    do:
      - menu: welcome
        keys: {1: {topic: passport, region: gimhae, do: [{queue: changwon}]}, 2: {language: ko, do: [{route: again}]}}
        default: next
      - if: {not: {queue: {name: changwon, agents: "< 1"}, calendar: weekday-day}}
        then: [{queue: gyeongnam}]
      - dialplan: office,200
"""


@pytest.fixture
def with_menu(tmp_path: Path) -> str:
    folder = shutil.copytree(SAMPLE, tmp_path / "config")
    routes = folder / "routes.yaml"
    routes.write_text(routes.read_text(encoding="utf-8").replace("routes:\n", MENU, 1), encoding="utf-8")
    return str(folder)


def test_explain_shows_what_a_menu_and_a_question_may_lead_to(with_menu: str) -> None:
    asked = ("explain", "--config", with_menu, "--language", "en", "--from", "0552251234", "--at", "2026-11-24T10:00")
    text = run(*asked).stdout
    assert text.partition("plan      menu\n")[2].splitlines()[:14] == [
        "  1. menu welcome, 3 times, 5 s for a key",
        "     1, topic passport, region gimhae:",
        "       1. wait in queue changwon",
        "     2, language ko:",
        "       1. decide again by the routes",
        "     default: next step",
        "  2. if not (queue changwon: agents < 1 and calendar weekday-day)",
        "     then:",
        "       1. wait in queue gyeongnam",
        "     else: next step",
        "  3. go on in the dialplan at office,200",
    ]
    menu, question, _ = json.loads(run(*asked, "--json").stdout)["steps"]
    assert menu["keys"]["1"] == {
        "topic": "passport",
        "region": "gimhae",
        "do": [{"queue": "changwon", "max_wait_s": None}],
    }
    assert menu["keys"]["2"]["do"] == [{"route": "again"}]
    assert menu["default"] == {}
    assert (question["then"], question["else"]) == ([{"queue": "gyeongnam", "max_wait_s": None}], None)


def test_explain_takes_a_queues_state_as_told(with_menu: str) -> None:
    asked = ("explain", "--config", with_menu, "--json", "--queue", "changwon:waiting=10,longest_wait=61")
    assert json.loads(run(*asked).stdout)["rule"] == "busy"
    assert json.loads(run(*asked[:-1], "changwon:waiting=10,longest_wait=60").stdout)["rule"] != "busy"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("chagnwon:waiting=1", "unknown queue 'chagnwon'; did you mean \"changwon\"?"),
        ("changwon:waitin=1", "'changwon:waitin=1' is not understood; write changwon:waiting=10,longest_wait=90"),
        ("changwon", "'changwon' is not understood; write changwon:waiting=10,longest_wait=90"),
    ],
)
def test_explain_says_how_a_queues_state_is_written(written: str, said: str) -> None:
    result = run("explain", "--config", str(SAMPLE), "--queue", written)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_explain_says_how_a_time_is_written() -> None:
    result = run("explain", "--config", str(SAMPLE), "--at", "teatime")
    assert result.exit_code == 2
    assert "'teatime' is not a time; write it as 2026-11-24T19:30" in result.stderr


@pytest.mark.parametrize(
    ("option", "name", "told"),
    [
        ("--topic", "pasport", "unknown topic 'pasport'; did you mean \"passport\"?"),
        ("--topic", "", "unknown topic ''; there are: "),
        ("--trunk", "gimhae", "'gimhae' is a trunk group, not an endpoint; write one of: gimhae-a, gimhae-b"),
    ],
)
def test_explain_refuses_a_name_that_the_configuration_does_not_know(
    tmp_path: Path, option: str, name: str, told: str
) -> None:
    folder = tmp_path / "config"
    shutil.copytree(SAMPLE, folder)
    (folder / "more.yaml").write_text("trunks: {gimhae: {channels: 4, endpoints: [gimhae-a, gimhae-b]}}")
    result = run("explain", "--config", str(folder), option, name)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert run("explain", "--config", str(folder), "--topic", "passport", "--trunk", "gimhae-b").exit_code == 0
    assert run("explain", "--config", str(folder), "--trunk", "another-of-asterisks").exit_code == 0


def test_explain_refuses_a_faulty_configuration(tmp_path: Path) -> None:
    result = run("explain", "--config", str(broken(tmp_path)))
    assert result.exit_code == 1
    assert 'unknown key "doo"' in result.stderr


SEOUL = ZoneInfo("Asia/Seoul")
LOADED = load(SAMPLE, {})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["0552251234", "01023456789", "", "0557421234", "+12125550123", "junk"]),
    st.integers(0, 366 * 24 * 60).map(lambda m: datetime(2026, 1, 1, tzinfo=SEOUL) + timedelta(minutes=m)),
)
def test_explain_tells_what_the_daemon_decides(caller: str, moment: datetime) -> None:
    decision = LOADED.rulebook.router.decide(CallFacts("120", SiteName("gyeongnam"), caller), moment)
    told = json.loads(
        run("explain", "--config", str(SAMPLE), "--from", caller, "--at", moment.isoformat(), "--json").stdout
    )
    assert told["rule"] == decision.rule
    assert told["region"] == decision.region
    assert told["calendars"] == list(decision.calendars)
    assert [(e["rule"], e["where"], e["matched"], e["why"]) for e in told["trace"]] == [
        (e.rule, e.where, e.matched, e.why) for e in decision.trace
    ]
    assert told["config_hash"] == decision.config_hash


def test_explain_knows_what_may_be_remembered_of_a_caller() -> None:
    arguments = ("--from", "010-1234-5678", "--at", "2026-11-24T10:00", "--remembered", "changwon")
    result = run("explain", *arguments, "--config", str(SAMPLE))
    assert "region    changwon (창원), from remembered, strong: the caller chose it in an earlier call" in result.stdout
    assert re.search(r"\* routes\.yaml:\d+: changwon-day: ", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--from", "010-1234-5678", "--remembered", "chang-won"),
            "unknown region 'chang-won'; did you mean \"changwon\"?",
        ),
        (("--remembered", "changwon"), "nothing is ever remembered of a caller without a number of his own"),
    ],
)
def test_explain_refuses_what_cannot_be_remembered(arguments: tuple[str, ...], message: str) -> None:
    result = run("explain", *arguments, "--config", str(SAMPLE))
    assert result.exit_code == 2
    assert message in result.stderr
