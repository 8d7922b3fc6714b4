"""The file of a backup: whole or not at all, for its owner alone, and never taken for good when it is not."""

import stat
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.backup.archive import MANIFEST, Writer, extract, verified
from callrouter.errors import CallrouterError

AT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("s3cret", encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)
    with Writer(tmp_path / "one.tar", version="0.1.0", made_at=AT) as writer:
        writer.add("config/secret", tmp_path / "secret")
        writer.add_bytes("voicemail/a.wav", b"RIFF" * 100)
        writer.journal = 4
    return tmp_path / "one.tar"


def test_what_went_in_comes_out_with_its_mode_and_the_file_is_for_its_owner_alone(made: Path, tmp_path: Path) -> None:
    manifest = verified(made)
    extract(made, tmp_path / "out")

    assert (manifest.version, manifest.made_at, manifest.journal) == ("0.1.0", AT, 4)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert (tmp_path / "out/config/secret").read_text(encoding="utf-8") == "s3cret"
    assert stat.S_IMODE((tmp_path / "out/config/secret").stat().st_mode) == 0o600
    assert (tmp_path / "out/voicemail/a.wav").read_bytes() == b"RIFF" * 100


def test_one_that_breaks_off_leaves_nothing_and_none_is_written_over(made: Path, tmp_path: Path) -> None:
    with pytest.raises(CallrouterError), Writer(tmp_path / "two.tar", version="0.1.0", made_at=AT) as writer:
        writer.add("a", tmp_path)
    assert not list(tmp_path.glob("two.tar*"))
    with pytest.raises(CallrouterError, match="is there already"), Writer(made, version="0.1.0", made_at=AT):
        pass
    verified(made)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2048])


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"s3cret", b"S3cret"))


def strange(path: Path) -> None:
    path.write_bytes(b"no tar")


def leads_out(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("../../etc/passwd"))


def links(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("config/x")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


def newer(path: Path) -> None:
    body = path.read_bytes()
    path.write_bytes(body.replace(b'"format": 1', b'"format": 9'))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, f"has no {MANIFEST}|cannot be read"),
        (flip, "config/secret is not what it was"),
        (strange, "cannot be read as a backup"),
        (leads_out, "is no backup"),
        (links, "is no backup"),
        (newer, "newer; restore it with that"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_is_not_a_whole_backup_is_told_and_refused(
    made: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(made)
    with pytest.raises(CallrouterError, match=message):
        verified(made)
