"""New rules while calls go on: all of them, or nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import structlog

from callrouter.app.history import RulesHistory
from callrouter.config import Loaded
from callrouter.config.accounts import Accounts, account_text
from callrouter.config.folder import at_rest
from callrouter.config.problems import Problems
from callrouter.config.review import Review, review
from callrouter.config.settings import DaemonSettings
from callrouter.config.source import read
from callrouter.core import events as ev
from callrouter.core.access import Account
from callrouter.core.ids import AccountName
from callrouter.errors import ConfigError
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.web.reload import ReloadReport, ReloadRequest

log = structlog.get_logger(__name__)

TAKEN_WITHIN_S: Final = 5.0
"""How long the dispatcher may take to come to the new rules; it does so between two events."""
POLL_S: Final = 0.005
ACCOUNTS_GONE: Final = (
    "accounts.yaml: is not there any more, and page and API would be open to everybody on this machine; put it back, or"
    " restart the daemon if that is meant"
)

_SECTION_OF: Final = {
    "title": "service",
    "sites": "sites",
    "web": "web",
    "agi": "agi",
    "state_dir": "state",
    "inputs_keep_s": "state",
    "inputs_at_most_bytes": "state",
    "logging": "logging",
    "drain_s": "service",
    "database_url": "database",
    "reload_on_save": "reload",
    "standby": "standby",
}
"""Settings of the daemon itself, by the section in which they are written."""


class ReloadOutcome(StrEnum):
    """What became of a reload; fit for metric labels."""

    TAKEN = "taken"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


def differs(directory: Path, loaded: Loaded) -> bool:
    """Whether the files of ``directory`` say something else than what was loaded; also if they cannot be read."""
    written = at_rest(directory, lambda: read(directory, Problems()).texts)
    if account_text(directory) != (loaded.accounts.text if loaded.accounts is not None else None):
        return True
    return any(loaded.files.get(name) != text for name, text in written.items()) or any(
        name not in written for name in loaded.files if name.endswith((".yaml", ".yml"))
    )


AccountsChanged = Callable[[Accounts | None, Accounts | None, str], object]
"""Told of accounts before and after, and who had them taken."""


class RulesKeeper(Protocol):
    """Keeps the text of rules beside what was decided by them."""

    def rules(self, config_hash: str, files: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """These are about to go live."""


class ConfigReloader:
    """Implements :class:`callrouter.web.reload.Reloader` for the daemon that runs."""

    def __init__(
        self,
        directory: Path,
        environ: Mapping[str, str],
        loaded: Loaded,
        dispatcher: Dispatcher,
        history: RulesHistory | None = None,
        inputs: RulesKeeper | None = None,
        *,
        changed: AccountsChanged = lambda *_: None,
    ) -> None:
        self.loaded = loaded
        """In force, or about to be; its settings are those that the daemon started with."""
        self.outcomes: Counter[ReloadOutcome] = Counter()
        self.faults = 0
        """How many faults the latest try found; 0 when it was taken."""
        self._directory = directory
        self._environ = environ
        self._dispatcher = dispatcher
        self._history = history
        self._changed = changed
        self._inputs = inputs
        self._one_at_a_time = asyncio.Lock()

    def known_accounts(self) -> Mapping[AccountName, Account] | None:
        """Who may come in by page and API at this moment; None: there are no accounts."""
        accounts = self.loaded.accounts
        return accounts.by_name if accounts is not None else None

    async def is_behind(self) -> bool:
        """Whether the files say something else than what is in force; also if they cannot be read."""
        return await asyncio.to_thread(self._is_behind)

    def _is_behind(self) -> bool:
        return differs(self._directory, self.loaded)

    async def reload_when_free(self, who: str) -> ReloadReport:
        """Like :meth:`reload`, after one that is under way."""
        async with self._one_at_a_time:
            return await self._reload(ReloadRequest(who))

    async def reload(self, request: ReloadRequest) -> ReloadReport:
        """See the Protocol."""
        if self._one_at_a_time.locked():
            before = self._dispatcher.exchange.rulebook.hash
            return self._refuse(request.who, before, ("another reload is under way; ask again in a moment",))
        async with self._one_at_a_time:
            return await self._reload(request)

    async def _reload(self, request: ReloadRequest) -> ReloadReport:
        before, who = self._dispatcher.exchange.rulebook.hash, request.who
        if self._dispatcher.stood_down:
            return self._refuse(who, before, ("another daemon is in charge; ask that one",))
        try:
            found = await asyncio.to_thread(self._review)
            return await self._take(found, request, before)
        except ConfigError as error:
            return self._refuse(who, before, error.problems)
        except Exception as defect:
            log.exception("config.reload_failed", who=who)
            return self._refuse(who, before, (f"reading the configuration failed: {defect!r}; the log says more",))

    def _review(self) -> Review:
        """What the folder says, read while nobody writes to it."""
        return at_rest(self._directory, lambda: review(self._directory, self._environ))

    async def _take(self, found: Review, request: ReloadRequest, before: str) -> ReloadReport:
        who = request.who
        warnings = tuple(map(str, found.problems.warnings))
        if found.loaded is None or not found.is_fine:
            errors = (*map(str, found.problems.errors), *(str(outcome) for outcome in found.failed))
            self.faults = len(errors)
            return self._refuse(who, before, errors, warnings)
        self.faults = 0
        later = _restart_needed(self.loaded.settings, found.loaded.settings)
        after = found.loaded.rulebook.hash
        if self.loaded.accounts is not None and found.loaded.accounts is None:
            return self._refuse(who, before, (ACCOUNTS_GONE,), warnings)
        if request.expect not in ("", after):
            message = f"on disk is version {after}, not {request.expect}; someone has saved since: check, and ask again"
            return self._refuse(who, before, (message,), warnings)
        accounts = self.loaded.accounts
        if after == before:
            self._keep(found, request)
            self.loaded = replace(self.loaded, accounts=found.loaded.accounts)
            return self._same(request, before, accounts, warnings, later)
        if not await self._swap(found.loaded):
            message = f"the daemon did not come to the new rules within {TAKEN_WITHIN_S:g} s; ask again"
            return self._refuse(who, before, (message,), warnings)
        self._keep(found, request)
        self._changed(accounts, found.loaded.accounts, who)
        self.outcomes[ReloadOutcome.TAKEN] += 1
        log.info("config.taken", who=who, config=after, previous=before, restart_needed=later)
        return ReloadReport(True, True, after, before, (), warnings, later)

    def _same(
        self,
        request: ReloadRequest,
        config: str,
        accounts: Accounts | None,
        warnings: tuple[str, ...],
        later: tuple[str, ...],
    ) -> ReloadReport:
        """The rules are as they were; the accounts, ``accounts`` until now, perhaps not."""
        if accounts == self.loaded.accounts:
            self.outcomes[ReloadOutcome.UNCHANGED] += 1
            log.info("config.unchanged", who=request.who, config=config)
            return ReloadReport(True, False, config, config, (), warnings, later)
        self._changed(accounts, self.loaded.accounts, request.who)
        self.outcomes[ReloadOutcome.TAKEN] += 1
        log.info("config.accounts_taken", who=request.who, config=config)
        return ReloadReport(True, True, config, config, (), warnings, later)

    async def _swap(self, loaded: Loaded) -> bool:
        """Hand the rules over, and wait until they are in force."""
        if self._inputs is not None:
            self._inputs.rules(loaded.rulebook.hash, loaded.files, loaded.environment)
        self._dispatcher.post(ev.RulebookReplaced(loaded.rulebook))
        try:
            async with asyncio.timeout(TAKEN_WITHIN_S):
                # The dispatcher tells nobody, and a full inbox may have lost the event.
                while self._dispatcher.exchange.rulebook is not loaded.rulebook:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            return False
        self.loaded = loaded
        return True

    def _keep(self, found: Review, request: ReloadRequest) -> None:
        """Have it remembered, also where nothing but the golden cases has changed."""
        if self._history is not None and found.loaded is not None:
            self._history.went_live(found.files, found.loaded.rulebook.hash, request.who, request.note)

    def _refuse(self, who: str, before: str, errors: tuple[str, ...], warnings: tuple[str, ...] = ()) -> ReloadReport:
        self.outcomes[ReloadOutcome.REFUSED] += 1
        log.warning("config.refused", who=who, config=before, faults=len(errors), first=errors[0])
        return ReloadReport(False, False, before, before, errors, warnings)


def _restart_needed(running: DaemonSettings, written: DaemonSettings) -> tuple[str, ...]:
    """The sections whose change the daemon cannot take while it runs."""
    changed = {section for name, section in _SECTION_OF.items() if getattr(running, name) != getattr(written, name)}
    return tuple(sorted(changed))
