"""The doctor looks at a real Asterisk."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.core.ids import AgentId, QueueName, SiteName, TenantName
from callrouter.core.rulebook import AgentSpec
from callrouter.doctor.asterisk import check_asterisk
from callrouter.doctor.finding import Finding, Level
from callrouter.doctor.sounds import check_prompts
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip

pytestmark = pytest.mark.asterisk


@pytest.fixture
def site(lab_asterisk: LabAsterisk) -> SiteSettings:
    access = lab_asterisk.ari
    sounds = lab_asterisk.sounds_dir / "callrouter"
    return SiteSettings(SiteName("lab"), "lab", access.server_url, access.user, access.password, "callrouter", sounds)


def agent(extension: str) -> AgentSpec:
    endpoint = f"PJSIP/{extension}"
    return AgentSpec(AgentId(extension), extension, SiteName("lab"), endpoint, (QueueName("q"),), TenantName("t"))


def told(findings: list[Finding], level: Level) -> list[str]:
    return [finding.text for finding in findings if finding.level is level]


async def test_the_laboratory_is_in_order(
    lab_asterisk: LabAsterisk, site: SiteSettings, counselor: Callable[..., Awaitable[Baresip]]
) -> None:
    await counselor("201")
    before = lab_asterisk.get("applications")
    findings = await check_asterisk(site, [agent("201")])

    assert told(findings, Level.ERROR) == []
    fine = told(findings, Level.OK)
    assert any(text.startswith("Asterisk ") for text in fine)
    assert "the ARI user 'callrouter' may read and write" in fine
    assert "events: the websocket opens" in fine
    assert any(text.endswith("more") and "modules are loaded" in text for text in fine)
    assert "1 of 1 counselors' phones can be called" in fine
    assert "its clock agrees with ours" in fine
    assert any(text.startswith("the fallback rings PJSIP/201&") for text in fine)
    assert "no daemon is connected as application 'callrouter'" in told(findings, Level.WARNING)
    async with asyncio.timeout(5):
        # Asterisk takes our scratch application down after its socket is closed, and tells nobody.
        while lab_asterisk.get("applications") != before:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_phone_that_asterisk_does_not_know_and_one_that_is_off_are_told_apart(site: SiteSettings) -> None:
    never_registered = agent("resident")  # other tests may leave a counselor's phone registered
    findings = await check_asterisk(site, [never_registered, agent("999")])
    assert told(findings, Level.ERROR) == ["Asterisk knows no PJSIP/999"]
    assert "not registered: PJSIP/resident" in told(findings, Level.WARNING)


async def test_a_wrong_password_is_refused(site: SiteSettings) -> None:
    findings = await check_asterisk(replace(site, password="wrong"), [])
    assert told(findings, Level.ERROR) == [f"{site.ari_url} refuses user 'callrouter' (401)"]


async def test_announcements_that_asterisk_found_are_told_from_one_that_it_has_not(site: SiteSettings) -> None:
    fine = told(await check_asterisk(site, [], ["welcome", "closed"]), Level.OK)
    doubtful = told(await check_asterisk(site, [], ["welcome", "never-spoken"]), Level.WARNING)
    assert "Asterisk knew all 2 announcements when it started" in fine
    assert [text for text in doubtful if text.endswith("when it started, it had no never-spoken")]


def test_asterisk_tells_in_which_folder_it_looks_for_announcements(
    lab_asterisk: LabAsterisk, site: SiteSettings, tmp_path: Path
) -> None:
    seen = lab_asterisk.get("asterisk/variable?variable=ASTDATADIR")["value"]
    assert seen == lab_asterisk.home.inside(lab_asterisk.directory / "data")
    data_dir = str(lab_asterisk.directory / "data")
    assert [found.level for found in check_prompts(site, ["welcome"], data_dir)] == [Level.OK]
    elsewhere = replace(site, sounds_dir=tmp_path)
    assert [found.level for found in check_prompts(elsewhere, ["welcome"], data_dir)] == [Level.ERROR]
