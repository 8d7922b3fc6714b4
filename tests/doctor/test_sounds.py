"""Announcements: whether Asterisk finds them, wherever it looks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.doctor.asterisk import check_asterisk
from callrouter.doctor.finding import Finding, Level
from callrouter.doctor.sounds import check_prompts
from tests.doctor.conftest import texts, variables
from tests.fakes.ari import Answer, FakeAri


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "data/sounds").mkdir(parents=True)
    return tmp_path / "data"


def spoken(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


def ask(site: SiteSettings, names: Sequence[str], data_dir: Path | None = None, known: Sequence[str] = ()) -> Finding:
    (finding,) = check_prompts(site, names, str(data_dir or site.sounds_dir.parents[1]), known)
    return finding


def test_announcements_count_in_any_format_but_not_empty(site: SiteSettings, data_dir: Path) -> None:
    folder = spoken(data_dir / "sounds/callrouter", welcome_wav="x", closed_gsm="x", waiting_wav="")
    site = replace(site, sounds_dir=folder)
    there = ask(site, ["welcome", "closed"])
    assert (there.level, there.text) == (Level.OK, f"all 2 announcements have a file in {folder}")
    missing = ask(site, ["welcome", "waiting", "all-busy"])
    assert missing.text == f"2 of 3 announcements have no file in {folder}: all-busy, waiting"
    assert (missing.level, missing.remedy) == (Level.ERROR, "callrouter prompts speaks them")


def test_those_in_another_language_are_looked_for_in_its_folder(site: SiteSettings, data_dir: Path) -> None:
    folder = spoken(data_dir / "sounds/callrouter", waiting_wav="x", closed_wav="x")
    spoken(folder / "en", waiting_wav="x")
    site = replace(site, sounds_dir=folder)
    assert ask(site, ["waiting", "en/waiting"]).level is Level.OK
    assert ask(site, ["closed", "en/closed"]).text == f"1 of 2 announcements have no file in {folder}: en/closed"


def test_announcements_in_a_folder_where_asterisk_does_not_look_are_an_error(
    site: SiteSettings, data_dir: Path, tmp_path: Path
) -> None:
    site = replace(site, sounds_dir=spoken(tmp_path / "elsewhere/callrouter", welcome_wav="x"))
    finding = ask(site, ["welcome"], data_dir)
    there = data_dir / "sounds/callrouter"
    assert finding.level is Level.ERROR
    assert finding.text == (
        f"Asterisk looks for them in {there}, sounds_dir is {site.sounds_dir}: callers hear no announcement"
    )
    assert finding.remedy == f"write sounds_dir: {there} for the site hall, then: callrouter prompts"


def test_a_link_and_the_folder_of_a_language_are_where_asterisk_looks(
    site: SiteSettings, data_dir: Path, tmp_path: Path
) -> None:
    elsewhere = spoken(tmp_path / "elsewhere", welcome_wav="x")
    (data_dir / "sounds/callrouter").symlink_to(elsewhere)
    assert ask(replace(site, sounds_dir=elsewhere), ["welcome"], data_dir).level is Level.OK
    korean = spoken(data_dir / "sounds/ko/callrouter", welcome_wav="x")
    assert ask(replace(site, sounds_dir=korean), ["welcome"], data_dir).level is Level.OK


def test_a_missing_sound_folder_is_an_error(site: SiteSettings, tmp_path: Path) -> None:
    site = replace(site, sounds_dir=tmp_path / "data/sounds/callrouter")
    finding = ask(site, ["welcome"], tmp_path / "data")
    assert finding.level is Level.ERROR
    assert "callers hear no announcement" in finding.text


def test_an_asterisk_that_does_not_tell_where_it_looks_is_a_warning(site: SiteSettings, data_dir: Path) -> None:
    site = replace(site, sounds_dir=spoken(data_dir / "sounds/callrouter", welcome_wav="x"))
    assert [finding.level for finding in check_prompts(site, ["welcome"])] == [Level.OK, Level.WARNING]


@pytest.mark.parametrize("url", ["http://192.0.2.1:8088", "http://127.0.0.1:8088"])
def test_where_files_cannot_be_seen_what_asterisk_found_at_its_start_counts(site: SiteSettings, url: str) -> None:
    site = replace(site, ari_url=url)
    folder = Path("/not/on/this/machine")
    assert ask(site, ["welcome"], folder, ["welcome"]).level is Level.OK
    unknown = ask(site, ["welcome"], folder)
    partly = ask(site, ["welcome", "closed"], folder, ["welcome"])
    assert (unknown.level, partly.level) == (Level.WARNING, Level.WARNING)
    assert partly.text.endswith("; when it started, it had no closed")
    remedy = f"where Asterisk runs: callrouter prompts --sounds {folder}/sounds/callrouter"
    assert unknown.remedy == partly.remedy == remedy


async def test_asterisk_is_asked_where_it_looks_and_what_it_found(fake: FakeAri, site: SiteSettings) -> None:
    fake.on("GET asterisk/variable", variables(ASTDATADIR="/not/on/this/machine"))
    formats = [{"language": "callrouter", "format": "slin"}]
    known = [{"id": "welcome", "formats": formats}, {"id": "callrouter/closed", "formats": [{"language": "en"}]}]
    fake.on("GET sounds", Answer(200, [*known, {"id": "busy", "formats": [{"language": "en"}]}]))
    findings = await check_asterisk(site, (), ["welcome", "closed"])
    assert "Asterisk knew all 2 announcements when it started" in texts(findings, Level.OK)
    findings = await check_asterisk(site, (), ["busy"])
    assert any("it had no busy" in text for text in texts(findings, Level.WARNING))


async def test_the_files_are_looked_at_although_asterisk_is_away(fake: FakeAri, site: SiteSettings) -> None:
    fake.on("GET asterisk/info", Answer(404))
    findings = await check_asterisk(site, (), ["welcome"])
    assert [finding.check for finding in findings] == ["asterisk hall", "prompts hall", "prompts hall"]
