"""Whether rules may go live: the configuration is right, and its golden cases hold."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from callrouter.config.cases import CaseSheet, Outcome, case_files, compile_cases, read_cases, run_cases
from callrouter.config.load import Loaded, examine
from callrouter.config.problems import Problems, TooManyFaultsError


@dataclass(frozen=True, slots=True)
class Review:
    """What was found."""

    loaded: Loaded | None
    """None if the configuration itself has errors; then no case was tried."""
    problems: Problems
    """Of the configuration and of the cases, in the order of the files."""
    outcomes: tuple[Outcome, ...] = ()
    case_texts: Mapping[str, str] = field(default_factory=dict)
    """The files of cases as they were read."""

    @property
    def files(self) -> dict[str, str]:
        """The text of every file that was read: of the configuration, if it is sound, and of its cases."""
        return {**(self.loaded.files if self.loaded is not None else {}), **self.case_texts}

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Cases that do not hold."""
        return tuple(outcome for outcome in self.outcomes if not outcome.holds)

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to mend; warnings do not count."""
        return self.loaded is not None and not self.problems.errors and not self.failed


def review(
    directory: Path,
    environ: Mapping[str, str] = os.environ,
    files: Mapping[str, Path] | None = None,
    *,
    guarded: bool = True,
) -> Review:
    """Examine the configuration of ``directory`` and try its cases; ``guarded``: see :func:`callrouter.config.load`.

    ``files`` holds the cases, by the names that messages call them by; left out: ``routes-test.yaml`` of the
    directory, if it is there.
    """
    loaded, problems = examine(directory, environ, guarded=guarded)
    sheets: list[CaseSheet] = []
    outcomes: tuple[Outcome, ...] = ()
    with contextlib.suppress(TooManyFaultsError):
        sheets = read_cases(case_files(directory) if files is None else files, problems)
        if loaded is not None:
            outcomes = run_cases(compile_cases(sheets, loaded, problems), loaded.rulebook.router)
    problems.errors.sort()
    problems.warnings.sort()
    return Review(loaded, problems, outcomes, texts_of(sheets))


def texts_of(sheets: Iterable[CaseSheet]) -> dict[str, str]:
    """The texts of files of cases, by name."""
    return {name: text for sheet in sheets for name, text in sheet.document.texts.items()}
