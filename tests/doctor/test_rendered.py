"""Whether the fallback's rules are the ones in force, and for how long they are exact."""

from dataclasses import replace
from datetime import date

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.doctor.asterisk import check_asterisk
from callrouter.doctor.finding import Level
from callrouter.doctor.rendered import check_rendered, outdated
from tests.doctor.conftest import texts, variables
from tests.fakes.ari import Answer, FakeAri

TODAY = date(2026, 11, 27)


def has(fake: FakeAri, version: str, until: str = "2027-12-31") -> None:
    fake.on("GET asterisk/variable", variables(CALLROUTER_SURVIVAL=version, CALLROUTER_SURVIVAL_UNTIL=until))


async def test_a_fallback_of_these_rules_is_fine(fake: FakeAri, site: SiteSettings) -> None:
    has(fake, "abc")
    findings = await check_rendered(site, "abc", today=TODAY)
    assert texts(findings, Level.OK) == ["its fallback goes by these rules, exact until 2027-12-31"]


async def test_a_fallback_of_other_rules_is_a_warning_with_what_to_do(fake: FakeAri, site: SiteSettings) -> None:
    has(fake, "old")
    (finding,) = await check_rendered(site, "new", today=TODAY)
    assert finding.level is Level.WARNING
    assert finding.text == "its fallback was rendered from other rules (old) than these (new)"
    assert finding.remedy.startswith("callrouter dialplan --site hall renders it anew;")


@pytest.mark.parametrize(
    ("until", "warns"), [("2026-12-11", False), ("2026-12-10", True), ("2026-01-01", True), ("", True)]
)
async def test_a_fallback_whose_hours_end_within_two_weeks_is_a_warning(
    fake: FakeAri, site: SiteSettings, until: str, warns: bool
) -> None:
    has(fake, "abc", until)
    findings = await check_rendered(site, "abc", today=TODAY)
    assert bool(texts(findings, Level.WARNING)) is warns


async def test_nothing_is_said_of_a_ring_group_nor_of_an_asterisk_that_does_not_tell(
    fake: FakeAri, site: SiteSettings
) -> None:
    has(fake, "")
    assert await check_rendered(site, "abc") == []
    fake.on("GET asterisk/variable", Answer(403, {}))
    assert await check_rendered(site, "abc") == []
    assert await check_rendered(replace(site, ari_url="http://127.0.0.1:1"), "abc") == []


async def test_rendered_rules_need_no_ring_group(fake: FakeAri, site: SiteSettings) -> None:
    has(fake, "abc")
    findings = await check_asterisk(site, ())
    assert "the fallback rings nobody while no daemon is there" not in texts(findings, Level.WARNING)


async def test_what_is_outdated_is_told_of_the_sites_whose_password_is_known(fake: FakeAri, site: SiteSettings) -> None:
    has(fake, "old")
    found = await outdated((site, replace(site, password="")), "new")
    assert [finding.check for finding in found] == ["dialplan hall"]
