"""What an earlier run left behind is ended only if it is certainly that."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import processes
from lab.daemon import PID_FILE, end_leftover


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "daemon"


@pytest.fixture
def leftover(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with the environment of a daemon that works in ``folder``."""
    environment = {**os.environ, "CALLROUTER_STATE_DIR": str(folder / "state")}
    with subprocess.Popen(
        ["cat"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # A process that has only just begun shows no environment yet; one that answers does.
        process.stdin.write(b"running\n")
        assert process.stdout.readline() == b"running\n"
        yield process
        process.kill()


def test_a_daemon_that_was_left_running_is_ended(folder: Path, leftover: "subprocess.Popen[bytes]") -> None:
    processes.remember(folder / PID_FILE, leftover.pid)

    assert end_leftover(folder)
    assert leftover.poll() == -9
    assert not end_leftover(folder)


def test_a_process_of_another_folder_is_left_alone(
    folder: Path, tmp_path: Path, leftover: "subprocess.Popen[bytes]"
) -> None:
    processes.remember(tmp_path / "another" / PID_FILE, leftover.pid)

    assert not end_leftover(tmp_path / "another")
    assert leftover.poll() is None


def test_a_process_that_only_has_the_same_id_is_left_alone(folder: Path, leftover: "subprocess.Popen[bytes]") -> None:
    folder.mkdir()
    (folder / PID_FILE).write_text(f"{leftover.pid} 1")

    assert not end_leftover(folder)
    assert leftover.poll() is None


@pytest.mark.parametrize("content", ["", "many", "1", "4194305 7"])
def test_a_record_that_names_no_process_is_of_none(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / PID_FILE).write_text(content)

    assert processes.recall(folder / PID_FILE) is None
    assert not end_leftover(folder)


def test_a_dead_process_that_nobody_has_buried_is_gone() -> None:
    dead = subprocess.Popen(["true"])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)

    assert Path(f"/proc/{dead.pid}").exists()
    assert processes.start_ticks(dead.pid) is None
    dead.wait()
