"""What the lab needs of the machine is found, or named with the command that installs it."""

from pathlib import Path

import pytest

from lab import rootfs, tools
from lab.asterisk import kill_asterisk
from lab.errors import MissingToolError
from lab.paths import try_lock, write_atomically
from lab.rootfs import AsteriskHome


def test_a_missing_program_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    with pytest.raises(MissingToolError) as caught:
        tools.ensure(["sipp", "baresip"])

    assert str(caught.value) == (
        "missing on this machine: sipp, baresip; "
        "install with: sudo apt-get install -y --no-install-recommends baresip-core sip-tester"
    )


def test_nothing_is_installed_when_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "run_quietly", lambda *_: pytest.fail("something was run"))

    tools.ensure(["sipp"])


@pytest.mark.parametrize(
    ("answer", "major"),
    [("Asterisk 22.10.1+dfsg", 22), ("Asterisk certified/18.9-cert1", 18), ("Asterisk GIT-20-abc", 20), ("what?", 0)],
)
def test_the_version_is_read_from_what_asterisk_says(answer: str, major: int) -> None:
    assert rootfs.asterisk_version(["echo", answer]) == major


def test_an_ordinary_user_without_asterisk_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    with pytest.raises(MissingToolError, match="sudo apt-get install -y asterisk"):
        rootfs.find_or_build()


def test_paths_are_told_as_the_asterisk_in_its_root_folder_sees_them(tmp_path: Path) -> None:
    home = AsteriskHome(tmp_path, "/usr/sbin/asterisk")

    assert home.inside(tmp_path / "srv/lab") == "/srv/lab"
    assert home.command("-V") == ["chroot", str(tmp_path), "/usr/sbin/asterisk", "-V"]
    assert AsteriskHome(Path("/"), "asterisk").command("-V") == ["asterisk", "-V"]


def test_only_one_has_the_lock_until_he_gives_it_back(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "lock")

    assert first is not None
    assert try_lock(tmp_path / "lock") is None
    first.close()
    second = try_lock(tmp_path / "lock")
    assert second is not None
    second.close()


def test_a_file_is_written_whole_with_its_rights(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a/b", "old", mode=0o600)
    write_atomically(tmp_path / "a/b", "new", mode=0o600)

    assert (tmp_path / "a/b").read_text() == "new"
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_a_process_that_is_not_our_asterisk_is_never_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.kill", lambda *_: pytest.fail("a stranger was killed"))

    kill_asterisk(1, "/srv/lab/etc/asterisk.conf")
    kill_asterisk(2**22 + 1, "/srv/lab/etc/asterisk.conf")
