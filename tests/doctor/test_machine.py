"""Folders, disk, ports and limits."""

import os
import resource
import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from callrouter.doctor.finding import Level
from callrouter.doctor.machine import check_account_file, check_files, check_journal_folder, check_port
from callrouter.store.journal import Journal
from tests.fakes import cdrs


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_folder_that_can_be_written_or_made_is_fine(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not" / "yet"):
        assert [finding.level for finding in check_journal_folder(folder)] == [Level.OK, Level.OK]
    assert not (tmp_path / "not").exists()


def test_a_folder_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (finding, *_) = check_journal_folder(tmp_path)
    assert (finding.level, finding.remedy) == (Level.WARNING, f"chmod 0750 {tmp_path}")
    assert "mode 0755" in finding.text


def test_accounts_that_others_may_read_are_a_warning(tmp_path: Path) -> None:
    assert check_account_file(tmp_path) == []
    path = tmp_path / "accounts.yaml"
    path.touch()
    path.chmod(0o644)
    (finding,) = check_account_file(tmp_path)
    assert (finding.level, finding.remedy) == (Level.WARNING, f"chgrp callrouter {path}; chmod 0640 {path}")
    assert "mode 0644" in finding.text
    path.chmod(0o640)
    assert check_account_file(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    (finding,) = check_journal_folder(tmp_path / "journal")
    assert finding.level is Level.ERROR
    assert finding.text.startswith(f"{tmp_path} cannot be written by ")
    assert finding.remedy.startswith(f"install -d -o callrouter -m 0750 {tmp_path / 'journal'}")


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    assert [f.level for f in check_journal_folder(tmp_path / "journal")] == [Level.ERROR]


async def test_records_that_were_set_aside_are_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert [finding.level for finding in check_journal_folder(tmp_path)] == [Level.OK, Level.OK]
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        journal.finish(cdrs.handled())
        ((number, _),) = await journal.undelivered(10)
        await journal.set_aside(number, "too long")
    aside = check_journal_folder(tmp_path)[-1]
    assert aside.level is Level.WARNING
    assert aside.text.startswith("1 records of calls were set aside, the newest of ")
    assert aside.remedy.startswith("callrouter cdr --set-aside says why")


@pytest.mark.parametrize(
    ("free", "level"),
    [(99_999_999, Level.ERROR), (100_000_000, Level.WARNING), (999_999_999, Level.WARNING), (10**9, Level.OK)],
)
def test_a_full_disk_is_told_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert check_journal_folder(tmp_path)[1].level is level


async def test_a_port_is_free_ours_or_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ours = await check_port("web", "127.0.0.1", port, ours=True)
        theirs = await check_port("web", "127.0.0.1", port, ours=False)
    free = await check_port("web", "127.0.0.1", port, ours=False)
    assert (ours.level, ours.text) == (Level.OK, f"127.0.0.1:{port} is in use, as it should be: the daemon runs")
    assert (theirs.level, theirs.remedy) == (Level.ERROR, f"who has it: ss -lntp 'sport = :{port}'")
    assert (free.level, free.text) == (Level.OK, f"127.0.0.1:{port} is free")


async def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    finding = await check_port("web", "192.0.2.1", 8080, ours=False)
    assert finding.level is Level.ERROR
    assert finding.text.startswith("192.0.2.1:8080 cannot be had: ")


@pytest.mark.parametrize(("soft", "level"), [(1023, Level.WARNING), (1024, Level.OK), (-1, Level.OK)])
def test_the_limit_on_files_is_told(monkeypatch: pytest.MonkeyPatch, soft: int, level: Level) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert check_files().level is level
