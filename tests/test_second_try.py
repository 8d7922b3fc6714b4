"""What needs an Asterisk may fail once, and not in many places."""

import pytest

from lab.paths import PROJECT

pytest_plugins = ["pytester"]

TESTS = """
import pytest

tries = {{}}

@pytest.mark.asterisk
@pytest.mark.parametrize("number", range({tests}))
def test_of_calls(number):
    tries[number] = tries.get(number, 0) + 1
    assert tries[number] > {failures}, "too late"

def test_of_rules():
    tries["rules"] = tries.get("rules", 0) + 1
    assert {rules_hold} or tries["rules"] > 1
"""


@pytest.fixture(autouse=True)
def _with_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))


def run(pytester: pytest.Pytester, *, tests: int = 1, failures: int = 0, rules_hold: bool = True) -> pytest.RunResult:
    pytester.makeini("[pytest]\nmarkers = asterisk: with one")
    pytester.makepyfile(TESTS.format(tests=tests, failures=failures, rules_hold=rules_hold))
    return pytester.runpytest_subprocess("-p", "tests.second_try")


def test_one_that_fails_once_is_tried_again_and_told_with_what_it_said(pytester: pytest.Pytester) -> None:
    result = run(pytester, failures=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*1 tried twice*", "*test_of_calls?0?", "E*AssertionError: too late*"])


def test_one_that_fails_twice_has_failed(pytester: pytest.Pytester) -> None:
    result = run(pytester, failures=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_what_fails_is_told_at_once(pytester: pytest.Pytester) -> None:
    told = run(pytester, failures=2).stdout
    failed = ("test_of_calls?0?", "E*AssertionError: too late*")
    told.fnmatch_lines([f"rerun: *{failed[0]}", failed[1], f"failed: *{failed[0]}", failed[1], "*= FAILURES =*"])


def test_where_five_need_it_the_run_fails(pytester: pytest.Pytester) -> None:
    assert run(pytester, tests=4, failures=1).ret == pytest.ExitCode.OK
    result = run(pytester, tests=5, failures=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*5 tried twice; more than 4 is a failure*"])


def test_nothing_else_has_a_second_try(pytester: pytest.Pytester) -> None:
    assert run(pytester, rules_hold=False).ret == pytest.ExitCode.TESTS_FAILED


def test_a_run_in_which_nothing_failed_tells_nothing(pytester: pytest.Pytester) -> None:
    result = run(pytester)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*tried twice*")
