"""``callrouter coverage``: the proof of a year, for people, for programs, and as a picture."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.config import load
from callrouter.core.routing import Ruleset
from callrouter.proof.findings import findings
from callrouter.proof.proving import prove

SAMPLE = Path(__file__).parents[2] / "config"
BASE = Path(__file__).parents[1] / "bad_config" / "base"
WHOLE = Path(__file__).parent / "coverage.txt"
ROUTES = """
routes:
  - id: city-day
    when: {region: city, calendar: day}
    do: [{queue: main}]
  - id: passports
    when: {topic: passport, dialed: "0551*"}
    do: [{announce: welcome}, {dialplan: "duty,s"}]
  - id: crowded
    when: {queue: {name: main, waiting: ">10"}}
    do: [hangup]
  - id: mobile-city
    when: {region: city, caller: mobile}
    do: [hangup]
  - id: rest
    do: [{announce: closed}, hangup]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_PASSWORD", "x")
    made = shutil.copytree(BASE, tmp_path / "config")
    (made / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    (made / "calendars.yaml").write_text(
        "holidays: {public: {2027-02-09: 설날 대체 휴일, until: 2027-12-31}}\n"
        "calendars:\n"
        "  day: {open: mon-fri 09:00-18:00, closed_on: public}\n"
        "  night: {open: mon-fri 18:00-22:00}\n",
        encoding="utf-8",
    )
    return made


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["coverage", *arguments, "--config", str(folder)], catch_exceptions=False)


def test_the_whole_output(folder: Path) -> None:
    result = run(folder, "--year", "2027")
    assert result.stdout.replace(load(folder).rulebook.hash, "VERSION") == WHOLE.read_text(encoding="utf-8")
    assert result.exit_code == 1


def test_what_is_right_is_fine(folder: Path) -> None:
    shutil.copy(BASE / "routes.yaml", folder)
    result = run(folder, "--year", "2027")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "fine: every minute of the year has its answer")


def test_the_sample_leaves_no_minute_of_the_year_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    loaded = load(SAMPLE)
    assert isinstance(loaded.rulebook.router, Ruleset)
    proof = prove(loaded.rulebook.router, 2027, loaded.timezone)
    assert findings(proof, loaded.rulebook) == ()
    assert sum(share.cells for share in proof.shares) == 525_600 * len(proof.kinds)
    assert len({kind.origin.region.name for kind in proof.kinds}) == len(loaded.model.regions)
    result = run(SAMPLE, "--year", "2027")
    assert result.exit_code == 0
    assert "  Tue 2027-02-09 12:00, changwon → closed (else changwon-day); " in result.stdout


def test_the_catch_all_is_a_fault_for_who_wants_it_so(folder: Path) -> None:
    shutil.copy(BASE / "routes.yaml", folder)
    result = run(folder, "--year", "2027", "--no-catch-all")
    assert result.exit_code == 1
    assert "routes.yaml:7: calls fall to rest in 6420 h of the year, first Fri 2027-01-01 00:00, " in result.stdout
    assert result.stdout.endswith("write a route that takes them\n\n1 fault\n")


def test_only_some_calls_are_looked_at(folder: Path) -> None:
    result = run(folder, "--year", "2027", "--region", "city", "--dialed", "055-120")
    lines = result.stdout.splitlines()
    assert "; 2 kinds of call; " in lines[0]  # with the topic, and without
    assert lines[-1] == "fine: every minute of the year has its answer for these calls"
    assert "\nof 5 rules, the others take none of these calls first\n" in result.stdout
    assert "never" not in result.stdout


def test_a_region_that_is_not_there_is_wrong_usage(folder: Path) -> None:
    result = run(folder, "--region", "citty")
    assert (result.exit_code, "unknown region 'citty'; did you mean \"city\"?" in result.stderr) == (2, True)


def test_a_region_from_which_no_call_comes_is_wrong_usage_and_otherwise_said(folder: Path) -> None:
    regions = (folder / "regions.yaml").read_text(encoding="utf-8")
    (folder / "regions.yaml").write_text(f"{regions}  moon: {{title: 달, tenant: city}}\n", encoding="utf-8")
    result = run(folder, "--region", "moon")
    assert (result.exit_code, "no call comes from moon: no number leads there" in result.stderr) == (2, True)
    assert "Regions from which no call comes, unless a menu says so:\n  moon\n" in run(folder, "--year", "2027").stdout


def test_programs_get_examples_that_explain_understands(folder: Path) -> None:
    result = run(folder, "--year", "2027", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert {"year": 2027, "zone": "Asia/Seoul", "minutes": 525600, "catch_all": "rest"}.items() <= data.items()
    assert sum(rule["share"] for rule in data["rules"]) == pytest.approx(1)
    assert [rule["rule"] for rule in data["rules"] if rule["minutes"] == 0] == ["crowded", "mobile-city"]
    assert [fault["where"] for fault in data["faults"]] == ["routes.yaml:12"]
    assert data["only_otherwise"] == ["crowded"]
    assert data["unlike_most_days"][0]["date"] == "2027-02-09"
    for rule in data["rules"]:
        for example in (rule["first"], rule["last"]):
            if example is not None:
                asked = [
                    "explain",
                    "--from",
                    example["caller"],
                    "--to",
                    example["dialed"],
                    "--at",
                    example["at"],
                    "--json",
                ]
                if example["topic"]:
                    asked += ["--topic", example["topic"]]
                told = json.loads(CliRunner().invoke(main, [*asked, "--config", str(folder)]).stdout)
                assert told["rule"] == rule["rule"]


def test_the_picture_is_written_into_a_file(folder: Path, tmp_path: Path) -> None:
    assert run(folder, "--year", "2027", "--svg", str(tmp_path / "year.svg")).exit_code == 1
    assert (tmp_path / "year.svg").read_text(encoding="utf-8").startswith("<svg ")
    run(folder, "--year", "2027", "--region", "city", "--dialed", "110", "--svg", str(tmp_path / "city.svg"))
    assert " · 창원 · 110</title>" in (tmp_path / "city.svg").read_text(encoding="utf-8")
    result = run(folder, "--year", "2027", "--svg", str(tmp_path / "no" / "year.svg"))
    assert (result.exit_code, "cannot be written: No such file or directory" in result.stderr) == (2, True)


def test_without_a_year_it_is_this_one(folder: Path) -> None:
    assert int(run(folder).stdout[:4]) >= 2026
