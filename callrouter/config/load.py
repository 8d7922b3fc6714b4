"""The way from a directory to what the daemon runs by."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from callrouter.config.accounts import Accounts, check_guard, read_accounts
from callrouter.config.compile import compile_rulebook
from callrouter.config.daemon import apply_environment, compile_settings
from callrouter.config.model import Model
from callrouter.config.nodes import Tree
from callrouter.config.problems import Problem, Problems, TooManyFaultsError
from callrouter.config.references import Context
from callrouter.config.settings import DaemonSettings
from callrouter.config.source import read
from callrouter.config.today import today
from callrouter.config.validate import validate
from callrouter.core.ids import PromptName
from callrouter.core.rulebook import Rulebook
from callrouter.errors import ConfigError
from callrouter.uncollected import uncollected


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without faults."""

    rulebook: Rulebook
    settings: DaemonSettings
    prompts: Mapping[PromptName, str]
    """What is to be spoken."""
    warnings: tuple[str, ...]
    """``file:line:column: message; remedy`` for what is probably not meant."""
    missing_secrets: tuple[str, ...]
    timezone: ZoneInfo
    """Of the calendars that name no other, and of times that people write."""
    model: Model = field(repr=False)
    """What is written, for those who ask for more than the rulebook keeps."""
    written: Mapping[str, Tree] = field(repr=False)
    """The same as text, every value as it stands in the files (or the environment), by section."""
    files: Mapping[str, str] = field(repr=False)
    """The text of every file that it was read from, by name: what the rulebook's hash is of."""
    environment: Mapping[str, str] = field(repr=False)
    """The variables that were put in the place of what is written; no secrets."""
    accounts: Accounts | None = field(default=None, repr=False)
    """Who may come in by page and API; None: there is no ``accounts.yaml``."""

    @property
    def translations(self) -> dict[str, dict[str, str]]:
        """What is to be spoken in other languages, by language and prompt."""
        found: dict[str, dict[str, str]] = {}
        for name, prompt in self.model.prompts.items():
            for language, text in prompt.languages.items():
                found.setdefault(language, {})[name] = text
        return found

    def require_secrets(self) -> None:
        """Raise ConfigError if a password is not there: the daemon cannot run, although the configuration is right."""
        if self.missing_secrets:
            raise ConfigError(self.missing_secrets)


def load(directory: Path, environ: Mapping[str, str] = os.environ, *, guarded: bool = False) -> Loaded:
    """Read, check and compile the YAML files of ``directory``.

    ``guarded`` asks for accounts, too, as whoever serves page and API must. Who only asks the rules need not be let
    read them, and beside older versions of the rules there are none. ``environ`` overrides settings
    (``CALLROUTER_<SECTION>_<KEY>``) and holds secrets. Raises ConfigError with all faults at once, in the order of the
    files.
    """
    loaded, problems = examine(directory, environ, guarded=guarded)
    if loaded is None:
        raise ConfigError(tuple(map(str, problems.errors)))
    return loaded


def examine(
    directory: Path, environ: Mapping[str, str] = os.environ, *, guarded: bool = False
) -> tuple[Loaded | None, Problems]:
    """Like :func:`load`, with the problems as data: None in place of the configuration if there are errors."""
    with uncollected():
        return _examine(directory, environ, guarded=guarded)


def _examine(directory: Path, environ: Mapping[str, str], *, guarded: bool) -> tuple[Loaded | None, Problems]:
    problems, loaded = Problems(), None
    with contextlib.suppress(TooManyFaultsError):
        loaded = _read_and_compile(directory, environ, problems, guarded=guarded)
    problems.errors.sort()
    problems.warnings.sort()
    return loaded, problems


def _read_and_compile(
    directory: Path, environ: Mapping[str, str], problems: Problems, *, guarded: bool
) -> Loaded | None:
    document = read(directory, problems)
    applied = apply_environment(document, environ)
    loaded = None
    if document.sections or not document.incomplete:
        checked = validate(document, problems)
        if checked.model is not None and not document.incomplete:
            context = Context(document, checked, checked.model, problems)
            rulebook = compile_rulebook(context, directory, today(checked.model.timezone))
            settings, missing = compile_settings(context, directory, environ)
            accounts = read_accounts(directory, checked.names.get("agents", frozenset()), problems) if guarded else None
            if guarded:
                check_guard(document, settings.web, accounts, problems)
            if rulebook is not None and not problems.errors:
                texts = {PromptName(name): prompt.text for name, prompt in checked.model.prompts.items()}
                zone = ZoneInfo(checked.model.timezone)
                lines = _lines(problems.warnings)
                written = checked.model, document.sections, document.texts, applied
                loaded = Loaded(rulebook, settings, texts, lines, missing, zone, *written, accounts)
    return loaded


def _lines(problems: list[Problem]) -> tuple[str, ...]:
    return tuple(str(problem) for problem in sorted(problems))
