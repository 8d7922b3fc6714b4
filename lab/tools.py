"""The host's programs that the laboratory needs, and how they come onto the machine."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from lab.errors import LabError, MissingToolError
from lab.progress import say

PACKAGE_OF: Mapping[str, str] = MappingProxyType(
    {
        "baresip": "baresip-core",
        "espeak-ng": "espeak-ng",
        "faketime": "faketime",
        "kamailio": "kamailio",
        "kamcmd": "kamailio",
        "mmdebstrap": "mmdebstrap",
        "sipp": "sip-tester",
        "systemd-analyze": "systemd",
        "useradd": "passwd",
    }
)
"""Program name to Debian package."""

INSTALL_TIMEOUT_S = 600.0


def missing(programs: Iterable[str]) -> tuple[str, ...]:
    """Those of ``programs`` that are not on PATH."""
    return tuple(program for program in programs if shutil.which(program) is None)


def is_debian() -> bool:
    """Whether packages are installed with apt here."""
    return Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def install_command(programs: Iterable[str]) -> str:
    """The command a person types to get ``programs``."""
    packages = " ".join(sorted({PACKAGE_OF[program] for program in programs}))
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install -y --no-install-recommends {packages}"


def ensure(programs: Iterable[str]) -> None:
    """Have ``programs`` on PATH: installed at once as root on Debian, asked for otherwise.

    Raises:
        MissingToolError: a program is missing and we may not, or could not, install it.
    """
    lacking = missing(programs)
    if not lacking:
        return
    names = ", ".join(lacking)
    if os.geteuid() != 0 or not is_debian():
        raise MissingToolError(f"missing on this machine: {names}; install with: {install_command(lacking)}")
    say(f"  installing {names} …")
    packages = sorted({PACKAGE_OF[program] for program in lacking})
    _apt("install", "-y", "--no-install-recommends", *packages)
    still = missing(lacking)
    if still:
        raise MissingToolError(f"installed {packages}, but {', '.join(still)} is still not on PATH")


def _apt(*arguments: str) -> None:
    """Run apt-get; when it fails, refresh its lists (a fresh machine has none) and try once more."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    first = run_quietly(["apt-get", *arguments], environment=environment)
    if first.returncode == 0:
        return
    run_quietly(["apt-get", "update"], environment=environment)
    second = run_quietly(["apt-get", *arguments], environment=environment)
    if second.returncode != 0:
        raise LabError(f"apt-get {' '.join(arguments)} failed: {second.stdout[-500:]}")


def run_quietly(
    command: list[str], *, timeout_s: float = INSTALL_TIMEOUT_S, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` without input; output and errors come back as one text.

    Raises:
        LabError: it cannot be started or did not end within ``timeout_s`` seconds.
    """
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise LabError(f"{command[0]} did not run: {exc}") from exc
