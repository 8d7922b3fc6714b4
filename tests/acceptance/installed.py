"""A call centre whose daemon is installed from the Debian package, and run by systemd, in a Debian of its own."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab import ports
from lab.asterisk import LabAsterisk
from lab.debian import Debian
from lab.errors import LabError
from lab.paths import PROJECT
from tests.acceptance.centre import PATIENCE_S, POLL_S, Centre

CONFIG = "/etc/callrouter"
STATE = "/var/lib/callrouter"
NEW_VERSION = "0.2.0~test1"
_DATABASE = "/srv/postgres"
_UP_S = 20.0


class Packages:
    """The package as it is built here, and one of a next version, which says so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.first = self._build("--compression=-Znone")
        module = folder / "stage/usr/lib/callrouter/lib"
        (init,) = module.glob("python3*/site-packages/callrouter/__init__.py")
        said = init.read_text(encoding="utf-8")
        init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{NEW_VERSION}"', said), encoding="utf-8")
        for compiled in (init.parent / "__pycache__").glob("__init__.*"):
            compiled.unlink()  # as no package is: Python makes do with the source
        self.second = self._build("--compression=-Znone", f"--version={NEW_VERSION}")

    def _build(self, *options: str) -> Path:
        words = [sys.executable, "packaging/deb/build.py", "--out", str(self._folder)]
        done = subprocess.run(
            [*words, "--stage", str(self._folder / "stage"), *options],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Path(done.stdout.split()[-1])


class InstalledCentre(Centre):
    """See the module. The daemon is ``callrouter.service``, or ``callrouter@1`` and ``@2`` where ``pair`` is true."""

    def __init__(
        self, asterisk: LabAsterisk, folder: Path, machine: Debian, *, pair: bool = False, **wanted: Any
    ) -> None:
        super().__init__(asterisk, folder, **{"ring_timeout": "30s", **wanted})
        self.machine = machine
        self.units = ("callrouter@1", "callrouter@2") if pair else ("callrouter",)
        self.urls = {self.units[0]: self.daemon.url}
        self._write(self.daemon.config, self.daemon.environment)

    def _write(self, config: Path, environment: dict[str, str]) -> None:
        """Put rules and secrets where the package has them."""
        inside = self.machine.root / CONFIG.lstrip("/")
        for path in config.glob("*.yaml"):
            shutil.copyfile(path, inside / path.name)
        kept = {name: value for name, value in environment.items() if name.startswith("CALLROUTER_")}
        del kept["CALLROUTER_STATE_DIR"], kept["CALLROUTER_ARI_SOUNDS_DIR"]
        if self.database_url is not None:
            kept["CALLROUTER_DATABASE_URL"] = database_inside(self.database_url)
        if len(self.units) > 1:
            kept["CALLROUTER_STANDBY_ENABLED"] = "yes"
            for unit in self.units[1:]:
                self.urls[unit] = f"http://127.0.0.1:{ports.kept_tcp()}"
            del kept["CALLROUTER_WEB_PORT"]
            for unit, url in self.urls.items():
                own = f"CALLROUTER_WEB_PORT={urlsplit(url).port}\n"
                (inside / f"environment.{unit[-1]}").write_text(own, encoding="utf-8")
        text = "".join(f"{name}={value}\n" for name, value in kept.items())
        (inside / "environment").write_text(text, encoding="utf-8")

    async def start(self) -> None:
        """Have systemd start it, or both, and see that the first takes calls."""
        for unit in self.units:
            await asyncio.to_thread(self.machine.do, "systemctl", "start", unit)
            if unit == self.units[0]:
                await self.until("it takes calls", lambda status: bool(status["ready"]), timeout_s=_UP_S)

    async def status(self) -> dict[str, Any]:
        """Of the daemon that leads; empty while none answers."""
        found: dict[str, Any] = {}
        for url in self.urls.values():
            self.daemon.url = url
            try:
                found = await asyncio.to_thread(self.daemon.status)
            except OSError:
                continue
            if found["ready"]:
                break
        return found or {"calls": [], "queues": [], "agents": [], "journal": {"waiting": 0}, "ready": False}

    def pid(self, unit: str) -> int:
        """Of the unit's daemon, as systemd has it."""
        return int(self.machine.property(unit, "MainPID"))

    async def until_role(self, unit: str, role: str) -> None:
        """Wait until systemd is told that a unit's daemon is so: ``standby``, or ``calls`` of one that leads."""
        said = ""
        try:
            async with asyncio.timeout(PATIENCE_S):
                # systemd tells nobody what its services say: it is asked.
                while role not in (said := await self._status_text(unit)):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(f"{unit} is not {role}, but: {said}\n{self.machine.log(unit)[-3000:]}") from None

    async def _status_text(self, unit: str) -> str:
        return await asyncio.to_thread(self.machine.property, unit, "StatusText")

    async def upgrade(self, package: Path) -> str:
        """What dpkg says to it."""
        return await asyncio.to_thread(install, self.machine, package)


def database_inside(url: str) -> str:
    """The same database, as it is reached from inside."""
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    return url.replace(folder, _DATABASE)


def database_socket(url: str) -> dict[Path, str]:
    """What a Debian has to have of this machine for :func:`database_inside`. No more: the folder is the server's."""
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    (socket,) = (path for path in Path(folder).glob(".s.PGSQL.*") if path.is_socket())
    return {socket: f"{_DATABASE}/{socket.name}"}


def install(machine: Debian, package: Path) -> str:
    """Have dpkg install a package; what it says."""
    shutil.copyfile(package, machine.root / "root" / package.name)
    return machine.do("dpkg", "--force-unsafe-io", "--install", f"/root/{package.name}", timeout_s=120)
