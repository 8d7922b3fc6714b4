"""``callrouter test``: golden cases from the command line."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main

SAMPLE = Path(__file__).parents[2] / "config"
BASE = Path(__file__).parents[1] / "bad_config" / "base"

CASES = """
cases:
  - {name: noon, at: 2026-11-24T12:00, expect: {rule: day, queue: main}}
  - {name: evening, from: 0552251234, at: 2026-11-24T18:00, expect: {rule: day, region: province}}
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A writable copy of the small configuration, with a case that holds and one that fails."""
    folder = shutil.copytree(BASE, tmp_path / "config")
    (folder / "routes-test.yaml").write_text(CASES)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["test", *arguments], catch_exceptions=False)


def test_the_sample_holds() -> None:
    result = run("--config", str(SAMPLE))
    assert (result.exit_code, result.stderr) == (0, "")
    count = (SAMPLE / "routes-test.yaml").read_text(encoding="utf-8").count("name: ")
    assert result.stdout == f"{SAMPLE}: {count} cases hold\n"


def test_a_case_that_fails_is_told_in_one_line_with_the_trace_below(base: Path) -> None:
    result = run("--config", str(base))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        'routes-test.yaml:4:12: "evening": rule: expected day, got rest; '
        "region: expected province, got city (exchange 055225)",
        "    - routes.yaml:2: day: calendar day closed: opens Wed 09:00, in 15 h",
        "    * routes.yaml:7: rest: takes every call",
    ]
    assert result.stderr == f"{base}: 1 of 2 cases failed\n"


def test_the_trace_is_the_one_that_explain_shows(base: Path) -> None:
    told = run("--config", str(base)).stdout.splitlines()[1:]
    shown = CliRunner().invoke(
        main, ["explain", "--config", str(base), "--from", "0552251234", "--at", "2026-11-24T18:00"]
    )
    assert [line.strip() for line in told] == [
        line.strip() for line in shown.stdout.splitlines() if line.startswith(("  -", "  *"))
    ]


def test_programs_get_the_same(base: Path) -> None:
    result = run("--config", str(base), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["ok"], report["cases"], report["errors"]) == (False, 2, [])
    (case,) = report["failed_cases"]
    assert (case["name"], case["at"], case["rule"]) == ("evening", "2026-11-24T18:00:00+09:00", "rest")
    assert case["differences"] == [
        {"what": "rule", "expected": "day", "got": "rest"},
        {"what": "region", "expected": "province", "got": "city (exchange 055225)"},
    ]
    assert [(entry["rule"], entry["matched"]) for entry in case["trace"]] == [("day", False), ("rest", True)]
    (base / "routes-test.yaml").write_text(CASES.rpartition("  - ")[0])
    good = json.loads(run("--config", str(base), "--json").stdout)
    assert (good["ok"], good["cases"], good["failed_cases"], len(good["hash"])) == (True, 1, [], 12)


def test_files_that_are_named_are_tried_instead(base: Path, tmp_path: Path) -> None:
    other = tmp_path / "city-test.yaml"
    other.write_text("cases: [{name: morning, at: 2026-11-24T09:00, expect: {rule: rest}}]")
    result = run("--config", str(base), str(other))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f'{other}:1:16: "morning": rule: expected rest, got day'
    assert result.stderr == f"{base}: 1 of 1 case failed\n"


def test_a_name_that_the_rules_do_not_know_is_a_fault_with_a_suggestion(base: Path) -> None:
    (base / "routes-test.yaml").write_text(CASES.replace("rule: day, region: province", "rule: dai, region: provinz"))
    result = run("--config", str(base))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        'routes-test.yaml:4:76: unknown rule "dai"; did you mean "day"?',
        'routes-test.yaml:4:89: unknown region "provinz"; did you mean "province"?',
    ]
    assert result.stderr == f"{base}: 2 faults, 1 case holds\n"


def test_faulty_rules_are_told_and_no_case_is_tried(base: Path) -> None:
    (base / "queues.yaml").write_text("queues: {main: {titel: 본청}}")
    result = run("--config", str(base))
    assert result.exit_code == 1
    assert 'queues.yaml:1:17: unknown key "titel" in "main"; did you mean "title"?' in result.stdout
    assert result.stderr == f"{base}: 2 faults\n"


def test_no_case_at_all_is_not_a_success(base: Path) -> None:
    (base / "routes-test.yaml").unlink()
    result = run("--config", str(base))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{base}: there is no routes-test.yaml; write one, or name a file with cases\n"


def test_a_file_that_is_not_there_is_wrong_usage(base: Path) -> None:
    assert run("--config", str(base), "no-such-file.yaml").exit_code == 2
