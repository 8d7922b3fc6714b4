"""Which tests count for "every branch of the core is tested": the core's own, and a few beside it.

Counting lines has everything take two to three times as long. Thousands of tests elsewhere pass through the core, as do
stories that die at every step of a call and machines that try anything; a line that only those reach is tested by
accident. So it is not counted while they run.
"""

from pathlib import Path
from typing import Final

import pytest
from coverage import Coverage

TESTS: Final = Path(__file__).parent
ALSO: Final = frozenset(
    TESTS / name
    for name in (
        "app/test_memory.py",
        "ari/test_translate.py",
        "config/test_callback.py",
        "config/test_remembering.py",
        "config/test_transfers.py",
        "replay/test_replay.py",
        "report/test_tally.py",
    )
)
"""What the core offers to those around it is tested where it is used."""


def counts(item: pytest.Item) -> bool:
    """Whether lines are counted while it runs."""
    is_left_out = item.get_closest_marker("no_cover") or item.get_closest_marker("slow")
    return is_left_out is None and (TESTS / "core" in item.path.parents or item.path in ALSO)


class Counting:
    """Counts while a test runs that counts, its fixtures included."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Before each test."""
        if counts(item) != (Coverage.current() is self._coverage):
            stop_all()
            if counts(item):
                self._coverage.start()


def stop_all() -> None:
    """Stop counting. In a worker one count lies below another, and goes on where that is merely stopped."""
    while (coverage := Coverage.current()) is not None:
        coverage.stop()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where lines are counted (in each worker), be told of each test from now on."""
    coverage = Coverage.current()
    if coverage is not None:
        session.config.pluginmanager.register(Counting(coverage), "counting")
