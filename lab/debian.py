"""A Debian of its own, booted beside this machine's: systemd and all, in a root folder, for trying what is installed.

It has its own processes and mounts, and this machine's network, so that what runs in it finds the lab's Asterisk. It
needs root, and a kernel that lets root make namespaces. Nothing in it may change the kernel's settings: the services
that would are masked.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from lab import tools
from lab.errors import LabError, MissingToolError, NotReadyError
from lab.paths import LAB, locked
from lab.rootfs import BUILD_TIMEOUT_S, debian_mirror, with_own_mounts

CLEAN: Final = LAB / "clean"
"""What each of them begins as a copy of: a Debian with nothing of ours."""
PACKAGES: Final = ("adduser", "logrotate", "python3", "systemd", "systemd-sysv")
LEFT_OUT: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
BOOT_TIMEOUT_S: Final = 20.0
_OS_RELEASE = Path("/etc/os-release")

# fmt: off
MASKED: Final = (
    "dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount", "sys-kernel-debug.mount",
    "sys-kernel-config.mount", "sys-kernel-tracing.mount", "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount", "systemd-binfmt.service", "systemd-sysctl.service",
    "systemd-modules-load.service", "systemd-remount-fs.service", "systemd-udevd.service",
    "systemd-udev-trigger.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket",
    "systemd-update-utmp.service", "systemd-tmpfiles-setup-dev.service", "systemd-journald-audit.socket",
    "systemd-initctl.socket", "systemd-random-seed.service", "systemd-hwdb-update.service",
    "systemd-pstore.service", "systemd-machine-id-commit.service", "systemd-timesyncd.service", "apt-daily.timer",
    "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "logrotate.timer",
    "systemd-logind.service", "getty.target",
)
# fmt: on
"""Of no use here, or for the real machine alone."""

_BOOT = """\
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
{binds}
container=lab exec chroot "$root" /lib/systemd/systemd --log-target=journal systemd.unit=basic.target
"""


def clean_root() -> Path:
    """The root folder that all are copies of, built on first use.

    Raises:
        MissingToolError: this user cannot build one.
        LabError: building failed.
    """
    if (CLEAN / "usr/bin/python3").exists():
        return CLEAN
    if os.geteuid() != 0 or not tools.is_debian():
        raise MissingToolError("a Debian of its own can be made only by root on Debian; run this there")
    with locked(LAB / "clean.lock"):
        if not (CLEAN / "usr/bin/python3").exists():
            _build()
    return CLEAN


def _build() -> None:
    tools.ensure(["mmdebstrap"])
    draft = LAB / "clean.building"
    shutil.rmtree(draft, ignore_errors=True)
    mirror = debian_mirror()
    command = [
        *with_own_mounts(),
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        # The snapshot a mirror serves may be older than its own validity date.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        _suite(),
        str(draft),
        *([mirror] if mirror is not None else []),
    ]
    done = tools.run_quietly(command, timeout_s=BUILD_TIMEOUT_S)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise LabError(f"mmdebstrap could not build from {mirror or 'its usual mirror'}:\n{done.stdout[-1500:]}")
    # What is left out here is not left out of what is installed later.
    (draft / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").unlink(missing_ok=True)
    for unit in MASKED:
        link = draft / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    draft.rename(CLEAN)


def _control_groups() -> Path:
    """Where this machine has the second version of them."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise LabError("this machine has no control groups (cgroup2), which systemd needs")


def _suite() -> str:
    """This machine's: its Python is the one that a package built here is for."""
    lines = _OS_RELEASE.read_text(encoding="utf-8").splitlines()
    named = dict(line.split("=", 1) for line in lines if "=" in line)
    return named.get("VERSION_CODENAME", "bookworm").strip('"')


class Debian:
    """One, booted while entered: ``with Debian(folder) as machine: machine.run("dpkg", "-i", …)``. All blocks.

    ``folder`` becomes its root, and has to be new. ``binds``: folders, or sockets, of this machine and where
    they are in it.
    """

    def __init__(self, folder: Path, *, binds: Mapping[Path, str] | None = None) -> None:
        self.root = folder
        self._binds = dict(binds or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._boot_log = folder.with_name(f"{folder.name}.boot")
        self._group = _control_groups() / f"callrouter-lab-{os.getpid()}-{folder.name}"

    def __enter__(self) -> Self:
        """Boot it.

        Raises:
            LabError: it cannot be copied.
            NotReadyError: it does not come up in time.
        """
        done = tools.run_quietly(["cp", "-a", "--reflink=auto", f"{clean_root()}/.", str(self.root)])
        if done.returncode:
            raise LabError(f"{self.root}: {done.stdout}")
        binds = []
        for source, inside in self._binds.items():
            target = self.root / inside.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.mkdir(exist_ok=True) if source.is_dir() else target.touch()
            binds.append(f"mount --bind {shlex.quote(str(source))} {shlex.quote(str(target))}")
        script = _BOOT.replace("{binds}", "\n".join(binds))
        # In a control group of its own: two systemds in one would end each other's services.
        self._group.mkdir()
        enter = f'echo $$ > {shlex.quote(str(self._group))}/cgroup.procs && exec "$@"'
        words = ["unshare", "--mount", "--pid", "--cgroup", "--fork", "--kill-child", "sh", "-c", script, "boot"]
        with self._boot_log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", enter, "enter", *words, str(self.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._await_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it at once: its first process takes the others with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(BOOT_TIMEOUT_S)
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while self._group.exists() and time.monotonic() < deadline:
            groups = [path for path in self._group.rglob("*") if path.is_dir()]
            for group in sorted((self._group, *groups), key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):  # a process of it has not quite gone
                    group.rmdir()
            time.sleep(0.02)

    def _await_boot(self) -> None:
        assert self._process is not None  # noqa: S101 - only after it was started
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        said = ""
        while time.monotonic() < deadline and self._process.poll() is None:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            if children and (self.root / "run").exists():
                self._init = int(children[0])
                said = self.run("systemctl", "is-system-running").stdout.strip()
                if said in ("running", "degraded"):
                    return
            time.sleep(0.1)
        boot = self._boot_log.read_text(errors="replace")
        raise NotReadyError(f"the Debian in {self.root} does not boot ({said}):\n{boot[-2000:]}")

    def run(self, *command: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """What a command in it says; output and errors are one text."""
        inside = ["nsenter", f"--target={self._init}", "--mount", "--pid", "--cgroup", "chroot", str(self.root)]
        return tools.run_quietly([*inside, *command], timeout_s=timeout_s, environment=_PLAIN)

    def do(self, *command: str, timeout_s: float = 60.0) -> str:
        """The same of a command that has to succeed.

        Raises:
            LabError: it does not.
        """
        done = self.run(*command, timeout_s=timeout_s)
        if done.returncode:
            raise LabError(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
        return done.stdout

    def property(self, unit: str, name: str) -> str:
        """What systemd says of a unit."""
        return self.do("systemctl", "show", "--property", name, "--value", unit).strip()

    def log(self, unit: str) -> str:
        """All that a unit logged."""
        return self.do("journalctl", "--no-pager", "--output=cat", "--unit", unit)


_PLAIN: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
