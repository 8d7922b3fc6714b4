"""How faults and failed cases are told: to people, to programs, and to code hosts beside the line they stand in."""

import os
from collections.abc import Iterator
from pathlib import Path

from callrouter.cli.text import plain
from callrouter.config.cases import Outcome
from callrouter.config.problems import Place, Problem


def problem_data(problem: Problem, severity: str) -> dict[str, object]:
    """A problem for programs; ``severity`` is ``error`` or ``warning``."""
    return {
        **_place_data(problem.place),
        "severity": severity,
        "message": problem.message,
        "remedy": problem.remedy,
    }


def outcome_data(outcome: Outcome) -> dict[str, object]:
    """A case that was tried, for programs."""
    return {
        **_place_data(outcome.case.place),
        "name": outcome.case.name,
        "at": outcome.case.at.isoformat(),
        "rule": outcome.decision.rule,
        "differences": [
            {"what": difference.what, "expected": difference.expected, "got": difference.got}
            for difference in outcome.differences
        ],
        "trace": [
            {"rule": entry.rule, "where": entry.where, "matched": entry.matched, "why": entry.why}
            for entry in outcome.decision.trace
        ],
    }


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """A case in one line, and below it how the rule was found."""
    yield plain(str(outcome))
    for entry in outcome.decision.trace:
        yield plain(f"    {entry.line}")


def summary(outcomes: tuple[Outcome, ...]) -> str:
    """``38 cases hold``, or how many of them."""
    held = sum(outcome.holds for outcome in outcomes)
    if held == len(outcomes):
        return f"{_count(held, 'case')} {'holds' if held == 1 else 'hold'}"
    return f"{len(outcomes) - held} of {_count(len(outcomes), 'case')} failed"


def faults(count: int) -> str:
    """``1 fault``, ``2 faults``."""
    return _count(count, "fault")


def annotation(level: str, directory: Path, place: Place | None, message: str) -> str:
    """A workflow command that makes a code host show ``message`` beside the line; ``level``: error, warning, notice.

    The path is relative to the working directory, which such hosts take for the root of the repository.
    """
    if place is None or place.file.startswith("$"):  # A variable of the environment stands in no file.
        head = f"{place}: " if place is not None else ""
        return f"::{level}::{_escaped(head + message)}"
    path = os.path.relpath(directory / place.file)
    if path.startswith(os.pardir):
        path = str(directory / place.file)
    properties = f"file={_property(path)},line={place.line},col={place.column}"
    return f"::{level} {properties}::{_escaped(message)}"


def _place_data(place: Place) -> dict[str, object]:
    return {"file": place.file, "line": place.line, "column": place.column}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _escaped(text: str) -> str:
    """As a workflow command's message; the percent sign first, for it is what the others become."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
