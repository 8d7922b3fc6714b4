"""Folders, disk, sound files, ports and limits."""

import os
import resource
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.doctor.finding import Level
from callrouter.doctor.machine import check_files, check_journal_folder, check_port, check_prompts
from tests.doctor.conftest import texts


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_folder_that_can_be_written_or_made_is_fine(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not" / "yet"):
        assert [finding.level for finding in check_journal_folder(folder)] == [Level.OK, Level.OK]
    assert not (tmp_path / "not").exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    (finding,) = check_journal_folder(tmp_path / "journal")
    assert finding.level is Level.ERROR
    assert finding.text.startswith(f"{tmp_path} cannot be written by ")
    assert finding.remedy.startswith(f"install -d -o callrouter -m 0750 {tmp_path / 'journal'}")


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    assert [f.level for f in check_journal_folder(tmp_path / "journal")] == [Level.ERROR]


@pytest.mark.parametrize(
    ("free", "level"),
    [(99_999_999, Level.ERROR), (100_000_000, Level.WARNING), (999_999_999, Level.WARNING), (10**9, Level.OK)],
)
def test_a_full_disk_is_told_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert check_journal_folder(tmp_path)[1].level is level


def test_announcements_count_in_any_format_but_not_empty(site: SiteSettings) -> None:
    site.sounds_dir.mkdir()
    for name, content in (("welcome.wav", "x"), ("closed.gsm", "x"), ("waiting.wav", "")):
        (site.sounds_dir / name).write_text(content)
    assert texts(check_prompts(site, ["welcome", "closed"]), Level.OK) == [
        f"all 2 announcements have a file in {site.sounds_dir}"
    ]
    (finding,) = check_prompts(site, ["welcome", "waiting", "all-busy"])
    assert finding.text == (f"2 of 3 announcements have no file in {site.sounds_dir}: all-busy, waiting")
    assert (finding.level, finding.remedy) == (Level.ERROR, "callrouter prompts speaks them")


def test_a_missing_sound_folder_is_an_error_here_and_unknown_elsewhere(site: SiteSettings) -> None:
    assert [f.level for f in check_prompts(site, ["welcome"])] == [Level.ERROR]
    elsewhere = replace(site, ari_url="http://192.0.2.1:8088")
    assert [f.level for f in check_prompts(elsewhere, ["welcome"])] == [Level.WARNING]


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
