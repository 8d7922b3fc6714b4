"""Builds ``callrouter_<version>_<architecture>.deb`` with what every Debian has: a virtual environment and dpkg-deb.

    python packaging/deb/build.py --out dist

The package brings its Python packages with it, in /usr/lib/callrouter, and takes nothing of Debian's but ``python3``:
the versions that were tested are those that run, and no upgrade of Debian changes them. So it fits one minor version of
Python and one architecture: those of the machine on which it is built.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from email.utils import formatdate
from hashlib import md5
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
SYSTEM_PYTHON = "/usr/bin/python3"
HOME = Path("usr/lib/callrouter")
SHARE = Path("usr/share/callrouter")
DOC = Path("usr/share/doc/callrouter")
UNITS = Path("lib/systemd/system")
SOURCES = ("callrouter", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
NEEDLESS = ("include", "lib64", "bin/activate", "bin/activate.csh", "bin/activate.fish", "bin/Activate.ps1")
"""Of a virtual environment: for people who enter it, or build against it."""
_VERSION = re.compile(r'^__version__ = "(?P<version>[^"]+)"$', re.MULTILINE)


def run(*command: str | Path) -> str:
    """The output of a command. SystemExit, with what it said, if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def version_of_source() -> str:
    """As Debian orders them: 1.0rc1 comes before 1.0."""
    found = _VERSION.search((PROJECT / "callrouter/__init__.py").read_text(encoding="utf-8"))
    if found is None:
        sys.exit("callrouter/__init__.py says no __version__")
    return re.sub(r"(?<=\d)(a|b|rc|\.dev)(?=\d)", r"~\1", found["version"])


def stage(root: Path) -> None:
    """Lay out below ``root`` all that the package will put onto a machine."""
    _environment(root)
    _programs(root)
    _copy(PROJECT / "config", root / SHARE / "sample")
    _copy(PROJECT / "dialplan", root / SHARE / "dialplan")
    _units(root)
    _documents(root)
    _put(HERE / "callrouter.tmpfiles", root / "usr/lib/tmpfiles.d/callrouter.conf")
    _put(PROJECT / "packaging/systemd/callrouter.sysusers.conf", root / "usr/lib/sysusers.d/callrouter.conf")
    _put(PROJECT / "packaging/logrotate/callrouter", root / "etc/logrotate.d/callrouter")
    _put(HERE / "lintian-overrides", root / "usr/share/lintian/overrides/callrouter")
    compile_all(root)


def _environment(root: Path) -> None:
    """The virtual environment, with this project and what it needs in it."""
    home = root / HOME
    with tempfile.TemporaryDirectory(prefix="callrouter-deb-") as folder:
        # Built from a copy: setuptools puts what an earlier build left in build/ into the wheel, too.
        source = Path(folder) / "source"
        source.mkdir()
        for name in SOURCES:
            _copy(PROJECT / name, source / name)
        pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
        run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, source)
        (wheel,) = Path(folder).glob("callrouter-*.whl")
        run(SYSTEM_PYTHON, "-m", "venv", "--without-pip", "--symlinks", home)
        python = home / "bin/python3"
        run(*pip, "--python", python, "install", "--no-compile", "--only-binary", ":all:", wheel)
    for needless in NEEDLESS:
        path = home / needless
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    for script in (home / "bin").iterdir():
        if not script.is_symlink():
            script.unlink()  # our packages' own programs, which say where they were built
    settings = (home / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    kept = [line for line in settings if not line.startswith(("command", "executable"))]
    (home / "pyvenv.cfg").write_text("\n".join(kept) + "\n", encoding="utf-8")
    for record in home.glob("lib/python*/site-packages/*.dist-info/direct_url.json"):
        record.unlink()  # says where the wheel lay


def _programs(root: Path) -> None:
    _put(HERE / "callrouter", root / "usr/bin/callrouter", mode=0o755)
    _put(HERE / "restart", root / HOME / "restart", mode=0o755)


def _units(root: Path) -> None:
    """The units, whose program is where the package puts it; that for one daemon serves for one of several as well."""
    for unit in sorted((PROJECT / "packaging/systemd").glob("*.[st][ei][rm]*")):
        text = unit.read_text(encoding="utf-8").replace("/opt/callrouter/bin/callrouter", "/usr/bin/callrouter")
        names = [unit.name, "callrouter@.service"] if unit.name == "callrouter.service" else [unit.name]
        for name in names:
            _write(root / UNITS / name, text)


def _documents(root: Path) -> None:
    doc = root / DOC
    for page in sorted((PROJECT / "docs").glob("*.md")):
        _put(page, doc / "docs" / page.name)
    _put(PROJECT / "README.md", doc / "README.md")
    _put(PROJECT / "CHANGELOG.md", doc / "CHANGELOG.md")
    _put(HERE / "copyright", doc / "copyright")


def compile_all(root: Path) -> None:
    """Have Python's byte code beside the sources: nobody may write there when the daemon runs.

    It is never checked against the sources, which is what makes a start quick; they change with it or not at all.
    """
    python = root / HOME / "bin/python3"
    mode = ("--invalidation-mode", "unchecked-hash")
    run(python, "-m", "compileall", "-q", "-f", "-j", "0", "-s", root, "-p", "/", *mode, root / HOME / "lib")


def pack(root: Path, version: str, out: Path, compression: str) -> Path:
    """Write the package of what was staged into the folder ``out``."""
    _changelog(root, version)
    control = root / "DEBIAN"
    shutil.rmtree(control, ignore_errors=True)
    control.mkdir()
    architecture = run("dpkg", "--print-architecture").strip()
    minor = run(SYSTEM_PYTHON, "-c", "import sys; print(sys.version_info.minor)").strip()
    fields = {
        "VERSION": version,
        "ARCHITECTURE": architecture,
        "MAINTAINER": f"{os.environ.get('DEBFULLNAME', 'callrouter')} <{os.environ.get('DEBEMAIL', 'root@localhost')}>",
        "INSTALLED_SIZE": str(sum(path.lstat().st_size for path in _files(root)) // 1024),
        "PYTHON": f"python3 (>= 3.{minor}), python3 (<< 3.{int(minor) + 1})",
    }
    text = (HERE / "control").read_text(encoding="utf-8")
    for name, value in fields.items():
        text = text.replace(f"@{name}@", value)
    _write(control / "control", text)
    _write(control / "conffiles", "".join(f"/{path.relative_to(root)}\n" for path in _files(root / "etc")))
    for script in ("postinst", "prerm", "postrm"):
        _put(HERE / script, control / script, mode=0o755)
    # MD5 is what dpkg --verify reads.
    sums = (
        f"{md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in _files(root)
        if not path.is_symlink() and not path.is_relative_to(control) and not path.is_relative_to(root / "etc")
    )
    _write(control / "md5sums", "".join(sums))
    out.mkdir(parents=True, exist_ok=True)
    package = out / f"callrouter_{version}_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", *compression.split(), "--build", root, package)
    return package


def _changelog(root: Path, version: str) -> None:
    """Debian's own form of it, which only says where ours is."""
    entry = "  * See /usr/share/doc/callrouter/CHANGELOG.md.\n"
    sign = f" -- {os.environ.get('DEBFULLNAME', 'callrouter')} <{os.environ.get('DEBEMAIL', 'root@localhost')}>"
    at = formatdate((PROJECT / "CHANGELOG.md").stat().st_mtime, localtime=False)
    _write(root / DOC / "changelog", f"callrouter ({version}) stable; urgency=medium\n\n{entry}\n{sign}  {at}\n")
    run("gzip", "-9nf", root / DOC / "changelog")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())


def _put(source: Path, target: Path, *, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        _put(source, target)
        return
    for path in _files(source):
        if path.suffix != ".pyc":
            _put(path, target / path.relative_to(source))


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description="Build the Debian package.")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist", help="where the package goes (dist)")
    parser.add_argument("--version", default=version_of_source(), help="as Debian writes it; default: the source's")
    parser.add_argument("--stage", type=Path, help="lay out in this folder, and keep it; packed again if it is there")
    parser.add_argument("--compression", default="-Zxz", help="what dpkg-deb is told; -Znone is quick (-Zxz)")
    options = parser.parse_args()
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="callrouter-deb-") as folder:
        root = options.stage or Path(folder) / "root"
        if not (root / HOME).exists():
            root.mkdir(parents=True, exist_ok=True)
            root.chmod(0o755)
            stage(root)
        print(pack(root, options.version, options.out, options.compression))


if __name__ == "__main__":
    main()
