"""What went live, handed to the journal: no reload waits for a disk or a database."""

import socket
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from callrouter.config.cases import case_files, read_cases
from callrouter.config.load import Loaded
from callrouter.config.problems import Problems
from callrouter.config.review import texts_of
from callrouter.config.source import digest_of
from callrouter.store.journal import Journal
from callrouter.store.rules import LiveRules

START: Final = "start"
"""Who, when the daemon began with rules that were not live before."""
MOST_CHARACTERS: Final = 200
"""Of a name or a note: what is longer is cut."""


class RulesHistory:
    """Keeps every version that goes live in the journal, from where it is delivered to PostgreSQL."""

    def __init__(self, journal: Journal, directory: Path, now: Callable[[], datetime]) -> None:
        self._journal = journal
        self._directory = directory
        self._now = now

    def started_with(self, loaded: Loaded) -> None:
        """The daemon begins to run by these rules; not told again if they are those that it ran by before."""
        self.went_live(_with_cases(loaded, self._directory), loaded.rulebook.hash, START)

    def went_live(self, files: Mapping[str, str], config_hash: str, who: str, note: str = "") -> None:
        """The daemon runs by the rules of these files from now on."""
        rules = LiveRules(
            id=str(uuid.uuid4()),
            at=self._now(),
            who=who[:MOST_CHARACTERS],
            host=socket.gethostname(),
            directory=str(self._directory.resolve()),
            config_hash=config_hash,
            digest=digest_of(files),
            files=files,
            note=note[:MOST_CHARACTERS],
        )
        self._journal.keep_rules(rules)


def _with_cases(loaded: Loaded, directory: Path) -> dict[str, str]:
    """The files of the rules, and those of their golden cases, which a start does not try."""
    return {**loaded.files, **texts_of(read_cases(case_files(directory), Problems()))}
