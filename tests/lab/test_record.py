"""Others find the call centre that is up, and only that one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import record
from lab.errors import LabError
from lab.record import RunRecord, command_script


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "LAB", tmp_path)
    monkeypatch.setattr(record, "INSTANCES", tmp_path / "instances")


def of_this_process() -> RunRecord:
    return RunRecord.of_this_process("lab", sip_port=1, http_port=2, web_url="http://x", config="/c")


def test_what_is_up_is_found_and_is_nobody_elses_to_read() -> None:
    written = of_this_process()
    written.write({"CALLROUTER_ARI_PASSWORD": "secret"})

    assert RunRecord.read("lab") == written
    assert record.record_path("lab").stat().st_mode & 0o777 == 0o600
    assert Path(written.command).stat().st_mode & 0o777 == 0o700


def test_nothing_is_found_after_it_was_removed(tmp_path: Path) -> None:
    written = of_this_process()
    written.write({})
    written.remove()
    written.remove()

    with pytest.raises(LabError, match=r"nothing runs here; start it first, in another terminal: make run$"):
        RunRecord.read("lab")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_record_whose_process_is_dead_is_of_nothing_that_runs() -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    RunRecord("lab", dead.pid, 1, 1, 2, "http://x", "/c", str(record.command_path("lab"))).write({})

    with pytest.raises(LabError, match="nothing runs here"):
        RunRecord.read("lab")


def test_a_record_whose_process_id_belongs_to_another_by_now_is_of_nothing_that_runs() -> None:
    RunRecord("lab", os.getpid(), 1, 1, 2, "http://x", "/c", str(record.command_path("lab"))).write({})

    with pytest.raises(LabError, match="nothing runs here"):
        RunRecord.read("lab")


def test_a_second_centre_is_started_by_its_own_name() -> None:
    with pytest.raises(LabError, match=r"make run LAB_INSTANCE=second$"):
        RunRecord.read("second")


def test_the_command_is_callrouter_with_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "a python"
    python.write_text('#!/bin/sh\nprintf "%s|" "$CALLROUTER_DATABASE_URL" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    script = tmp_path / "callrouter"
    script.write_text(command_script({"CALLROUTER_DATABASE_URL": "postgresql://o'neill:$(x)@/db?host=/a b"}))

    done = subprocess.run(["sh", script, "cdr", "one two"], capture_output=True, text=True, check=True)

    assert done.stdout == "postgresql://o'neill:$(x)@/db?host=/a b|-m|callrouter|cdr|one two|"
