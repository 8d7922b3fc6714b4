"""Lines are counted while a test runs that counts, and not while others do: in a worker, too."""

import pytest

from lab.paths import PROJECT

pytest_plugins = ["pytester"]

CONFTEST = """
from pathlib import Path
import tests.counting
tests.counting.ALSO = frozenset({Path(__file__).parent / "test_named.py"})
"""
NAMED = """
import sys
import pytest

def test_before():
    assert sys.gettrace() is not None

@pytest.mark.no_cover
def test_story():
    assert sys.gettrace() is None

def test_after():
    assert sys.gettrace() is not None
"""
OTHERS = """
import sys

def test_elsewhere():
    assert sys.gettrace() is None
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_lines_are_counted_while_those_run_that_count_and_not_while_others_do(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    pytester.makeini("[pytest]\nmarkers = slow: searches long")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_named=NAMED, test_others=OTHERS)
    options = ("--cov=callrouter.core", "--cov-branch", "--cov-report=")
    result = pytester.runpytest_subprocess("-p", "tests.counting", "-n", workers, *options)
    result.assert_outcomes(passed=4)
