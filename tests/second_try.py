"""A second try for tests with a real Asterisk, counted, told, and not for more than a few in a run.

Phones, sound and calls in real time share a machine with whatever else it does: now and then it stands still for half
a second, and one of hundreds of calls comes too late. What fails twice is broken. What fails and then does not is told
at the end of the run, with what it said the first time; and where more than :data:`MOST` need it, something is broken
that shows by chance, and the run fails.
"""

from typing import Final

import pytest

MOST: Final = 4
"""One in a hundred."""
ALSO: Final = pytest.mark.flaky(reruns=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark those that may be tried again."""
    for item in items:
        if item.get_closest_marker("asterisk") is not None:
            item.add_marker(ALSO)


def said_by(report: pytest.TestReport) -> list[str]:
    """What was wrong, in as many lines as it takes."""
    return [line for line in report.longreprtext.splitlines() if line.startswith("E ")]


class ToldAtOnce:
    """Says of what has failed what was wrong when it has, in case the run is ended before its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and report.outcome in ("failed", "rerun"):
            reporter.ensure_newline()
            reporter.write_line("\n".join([f"{report.outcome}: {report.nodeid}", *said_by(report)]))


def pytest_configure(config: pytest.Config) -> None:
    """The one that tells, of all workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ToldAtOnce(config))


def second_tries(session: pytest.Session) -> list[pytest.TestReport]:
    """The first tries that failed, of all workers."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    return list(reporter.stats.get("rerun", ())) if reporter is not None else []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where too many needed it."""
    if len(second_tries(session)) > MOST and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell which, and what they said."""
    tried = terminalreporter.stats.get("rerun", [])
    if not tried:
        return
    allowed = "" if len(tried) <= MOST else f"; more than {MOST} is a failure"
    terminalreporter.section(f"{len(tried)} tried twice{allowed}", red=bool(allowed), yellow=not allowed)
    for report in tried:
        terminalreporter.write_line("\n".join([report.nodeid, *said_by(report)]))
