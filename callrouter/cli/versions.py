"""Rules that a command names: a folder, a file, ``@12`` (of the history), or ``@live`` (what the daemon runs by)."""

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

from callrouter.cli.database import database_place
from callrouter.cli.where import url_of
from callrouter.config import Loaded, load
from callrouter.config.folder import files_of, laid_out
from callrouter.errors import ConfigError, DatabaseError
from callrouter.store.rules import Version, open_rules
from callrouter.web.client import fetch_status

LIVE = "@live"
_NUMBER = re.compile(r"@([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """Where versions and folders are looked for."""

    config: Path
    database_url: str | None = None
    daemon_url: str | None = None

    def load(self, name: str) -> Loaded:
        """The rules of that name, compiled.

        Raises:
            ConfigError: there is nothing of that name, or it has faults.
            DatabaseError: the history has no such version.
            UnreachableError: PostgreSQL, or for ``@live`` the daemon, cannot be reached.
        """
        try:
            if name.startswith("@"):
                with laid_out(self.version(name).rules.files) as folder:
                    return load(folder, os.environ)
            path = Path(name)
            return load(path, os.environ) if path.is_dir() else self._with_file(path)
        except ConfigError as error:
            raise ConfigError(tuple(f"{name}: {problem}" for problem in error.problems)) from error

    def version(self, name: str) -> Version:
        """The version of the history that ``@12`` or ``@live`` means; raises as :meth:`load` does."""
        if name == LIVE:
            return self._live()
        match = _NUMBER.fullmatch(name)
        if match is None:
            raise ConfigError((f"{name} is no version; write it as @12, or {LIVE}",))
        return asyncio.run(self._get(int(match[1])))

    def _live(self) -> Version:
        daemon = asyncio.run(fetch_status(self.daemon_url or url_of(self.config)))
        config_hash = daemon.service.config_hash
        found = asyncio.run(self._of_hash(config_hash))
        if found is None:
            message = f"the history has no version {config_hash} yet, by which the daemon runs; is PostgreSQL behind?"
            raise DatabaseError(message)
        return found

    async def _get(self, number: int) -> Version:
        async with open_rules(self._database) as archive:
            return await archive.get(number)

    async def _of_hash(self, config_hash: str) -> Version | None:
        async with open_rules(self._database) as archive:
            return await archive.of_hash(config_hash)

    @property
    def _database(self) -> str:
        return database_place(self.config, self.database_url).url

    def _with_file(self, path: Path) -> Loaded:
        """The folder of ``config`` with the file in the place of the one that has its name, or beside the others."""
        if not path.is_file():
            raise ConfigError((f"there is no folder and no file of that name; write @12 for a version, or {LIVE}",))
        there = (*files_of(self.config), *sorted(self.config.glob("*.csv")), path)
        with laid_out({one.name: text_of(one) for one in there}) as folder:
            return load(folder, os.environ)


def text_of(path: Path) -> str:
    """A file as the history keeps it: without a byte order mark, with unix line ends.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as exc:
        raise ConfigError((f"{path} cannot be read: {exc.strerror}",)) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError((f"{path} is not UTF-8; save it as UTF-8 (not CP949/EUC-KR)",)) from exc
