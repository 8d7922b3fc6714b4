"""Which Asterisk the laboratory runs: the machine's own, or one in a root folder built from Debian testing."""

import os
import re
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from lab import tools
from lab.errors import LabError, MissingToolError
from lab.paths import LAB, ROOT, locked
from lab.progress import say

OLDEST_MAJOR = 18
SUITE = "forky"
BUILD_TIMEOUT_S = 900.0
MODULE_FOLDERS = ("usr/lib/*/asterisk/modules", "usr/lib*/asterisk/modules", "usr/local/lib*/asterisk/modules")
DATA_FOLDERS = ("usr/share/asterisk", "var/lib/asterisk", "usr/local/share/asterisk")


@dataclass(frozen=True, slots=True)
class AsteriskHome:
    """An Asterisk that can be started: ``root`` is its root folder, ``/`` for the machine's own."""

    root: Path
    program: str

    @property
    def is_chroot(self) -> bool:
        """Whether it lives in a root folder of its own."""
        return self.root != Path("/")

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs this Asterisk with ``arguments``."""
        prefix = ["chroot", str(self.root)] if self.is_chroot else []
        return [*prefix, self.program, *arguments]

    def inside(self, path: Path) -> str:
        """``path`` of the host as this Asterisk sees it."""
        return f"/{path.relative_to(self.root)}"

    def module_folder(self) -> Path:
        """The host path of the folder with its modules."""
        return self._first(MODULE_FOLDERS, "res_ari.so", "modules (package asterisk-modules)")

    def data_folder(self) -> Path:
        """The host path of the folder with its documentation and its ARI description."""
        return self._first(DATA_FOLDERS, "rest-api/resources.json", "ARI description")

    def _first(self, patterns: tuple[str, ...], content: str, what: str) -> Path:
        for pattern in patterns:
            for folder in sorted(self.root.glob(pattern)):
                if (folder / content).exists():
                    return folder
        raise LabError(f"{self.program} is installed, but its {what} is not found under {self.root}: {patterns}")


def find_or_build() -> AsteriskHome:
    """The machine's Asterisk if it is new enough, else the laboratory's own, built on first use.

    Raises:
        MissingToolError: there is none and this user cannot build one.
        LabError: building failed.
    """
    program = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is not None:
        version = asterisk_version([program, "-V"])
        if version >= OLDEST_MAJOR:
            return AsteriskHome(Path("/"), program)
        say(f"  {program} is version {version}, older than {OLDEST_MAJOR}: using one of our own")
    if os.geteuid() != 0 or not tools.is_debian():
        raise MissingToolError(
            f"no Asterisk {OLDEST_MAJOR} or newer on PATH; install it (Debian, Ubuntu: sudo apt-get install -y "
            "asterisk; Fedora: sudo dnf install asterisk asterisk-pjsip), or run this as root on Debian, "
            "where the laboratory builds one under .lab/"
        )
    _build_once()
    return AsteriskHome(ROOT, "/usr/sbin/asterisk")


def asterisk_version(command: list[str]) -> int:
    """The major version that ``asterisk -V`` tells; 0 when it tells none."""
    match = re.search(r"Asterisk (?:certified/|GIT-)?(\d+)", tools.run_quietly(command, timeout_s=20).stdout)
    return int(match.group(1)) if match else 0


def _build_once() -> None:
    """Build the root folder unless it is there; two processes never build at once."""
    if (ROOT / "usr/sbin/asterisk").exists():
        return
    with locked(LAB / "build.lock"):
        if (ROOT / "usr/sbin/asterisk").exists():
            return
        tools.ensure(["mmdebstrap"])
        # Built under another name and renamed when whole: a broken build is never taken for a good one.
        draft = LAB / "root.building"
        shutil.rmtree(draft, ignore_errors=True)
        say(f"  building a root folder with Asterisk from Debian {SUITE} under {LAB} (usually within a minute) …")
        _bootstrap(draft)
        _settle(draft)
        draft.rename(ROOT)


def _bootstrap(folder: Path) -> None:
    mirror = debian_mirror()
    command = [
        *with_own_mounts(),
        "mmdebstrap",
        "--variant=apt",
        "--include=asterisk",
        # The snapshot a mirror serves may be older than its own validity date.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        SUITE,
        str(folder),
        *([mirror] if mirror is not None else []),  # else mmdebstrap's own choice
    ]
    done = tools.run_quietly(command, timeout_s=BUILD_TIMEOUT_S)
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise LabError(f"mmdebstrap could not build from {mirror or 'its usual mirror'}:\n{done.stdout[-1500:]}")


def _settle(folder: Path) -> None:
    """Give the root folder what Asterisk asks for: its host's name without DNS, where it would block for seconds."""
    (folder / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n", encoding="utf-8")
    switch = folder / "etc/nsswitch.conf"
    lines = switch.read_text(encoding="utf-8").splitlines() if switch.exists() else []
    kept = [line for line in lines if not line.startswith("hosts:")]
    switch.write_text("\n".join([*kept, "hosts: files"]) + "\n", encoding="utf-8")
    probe = tools.run_quietly(["chroot", str(folder), "/usr/sbin/asterisk", "-V"], timeout_s=20)
    if probe.returncode != 0:
        raise LabError(f"the Asterisk just built does not start: {probe.stdout[-500:]}")


def with_own_mounts() -> list[str]:
    """Words before a command: what it mounts goes with it, even if it is killed; none where that cannot be had."""
    words = ["unshare", "--mount"]
    can = shutil.which(words[0]) is not None and tools.run_quietly([*words, "true"], timeout_s=20).returncode == 0
    return words if can else []


def debian_mirror() -> str | None:
    """The Debian mirror that this machine's apt uses, so that a local mirror or proxy is respected; None for none."""
    listing = tools.run_quietly(["apt-get", "indextargets", "--format", "$(REPO_URI)"], timeout_s=30).stdout
    repositories = [line.strip().rstrip("/") for line in listing.splitlines()]
    return next((uri for uri in repositories if uri.endswith("/debian")), None)
