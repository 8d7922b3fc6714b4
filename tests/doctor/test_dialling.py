"""An Asterisk that is to dial the daemon: what keeps it from that, and what callers would hear."""

from dataclasses import replace
from datetime import datetime

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.doctor.asterisk import check_asterisk
from callrouter.doctor.dialling import check_can_dial, check_wait
from callrouter.doctor.finding import Finding, Level
from callrouter.doctor.modules import NEEDED, USEFUL
from tests.doctor.conftest import counselor, modules, texts, variables
from tests.fakes.ari import TIMESTAMP, Answer, FakeAri

PHONE = counselor("kim", "PJSIP/201")


async def found(site: SiteSettings) -> list[Finding]:
    now = datetime.fromisoformat(TIMESTAMP).timestamp()
    return await check_asterisk(site, [PHONE], clock=lambda: now)


@pytest.fixture
def dialling(fake: FakeAri, site: SiteSettings) -> SiteSettings:
    """A site whose Asterisk dials, and lacks nothing for it."""
    fake.on("GET asterisk/modules", Answer(200, modules(*NEEDED, *USEFUL, "chan_pjsip", "res_websocket_client")))
    fake.on("GET asterisk/variable", variables(CALLROUTER_FALLBACK_PHONES="PJSIP/201", CALLROUTER_WAIT_S="20"))
    return replace(site, dials_in=True)


def about(findings: list[Finding], level: Level) -> list[tuple[str, str]]:
    return [(finding.text, finding.remedy) for finding in findings if finding.level is level]


async def test_one_that_can_and_is_told_to_has_no_fault(dialling: SiteSettings) -> None:
    findings = await found(dialling)

    assert texts(findings, Level.ERROR) == []
    fine = texts(findings, Level.OK)
    assert "it dials the daemon for the application 'callrouter', or is to" in fine
    assert "who calls while the daemon is restarted waits 20 s for it, with a ring-back tone" in fine


async def test_one_that_is_not_told_to_is_an_error_with_what_to_write(fake: FakeAri, dialling: SiteSettings) -> None:
    fake.on("GET applications/callrouter", Answer(404))
    ((text, remedy),) = about(await found(dialling), Level.ERROR)

    assert text == "nothing dials the daemon for the application 'callrouter': calls go to the dialplan's fallback"
    assert "type=outbound_websocket with apps=callrouter in ari.conf, and websocket_client.conf" in remedy
    assert "ari shutdown websocket sessions, then ari start outbound-websocket" in remedy


async def test_a_module_that_it_dials_by_and_that_is_missing_is_an_error(fake: FakeAri, dialling: SiteSettings) -> None:
    fake.on("GET asterisk/modules", Answer(200, modules(*NEEDED, *USEFUL, "chan_pjsip")))

    assert texts(await found(dialling), Level.ERROR) == [
        "res_websocket_client is not loaded: Asterisk does not dial the daemon"
    ]


async def test_a_version_that_cannot_dial_is_an_error(fake: FakeAri, dialling: SiteSettings) -> None:
    fake.version = "22.4.1"

    ((text, remedy),) = about(await found(dialling), Level.ERROR)
    assert text == "Asterisk 22.4.1 cannot dial the daemon, and connection: is outbound"
    assert remedy == "write connection: inbound for the site, or use Asterisk 22.5, 20.15 or newer"


@pytest.mark.parametrize(
    ("version", "can"),
    [
        *(("18.26.0", False), ("20.14.9", False), ("20.15.0", True), ("21.9.0", False), ("21.10.0", True)),
        *(("22.5.0", True), ("22.10.1+dfsg", True), ("23.0.0", True), ("certified/20.7-cert3", False), ("GIT", True)),
    ],
)
def test_which_versions_can(version: str, can: bool) -> None:
    assert (check_can_dial("asterisk hall", version) == []) is can


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "who calls while the daemon is restarted waits only CALLROUTER_DEADLINE, and hears nothing"),
        (None, "who calls while the daemon is restarted waits only CALLROUTER_DEADLINE, and hears nothing"),
        ("long", "who calls while the daemon is restarted waits only CALLROUTER_DEADLINE, and hears nothing"),
        ("2", "who calls while the daemon is restarted waits only 2 s for it"),
    ],
)
def test_a_caller_who_would_not_wait_is_a_warning(value: str | None, text: str) -> None:
    finding = check_wait("asterisk hall", value)

    assert (finding.level, finding.text) == (Level.WARNING, text)
    assert finding.remedy == 'write CALLROUTER_WAIT_S=20 into [globals], then: asterisk -rx "dialplan reload"'


async def test_of_one_that_is_dialled_none_of_it_is_said(site: SiteSettings) -> None:
    assert not [text for text in texts(await found(site), Level.OK) if "dials" in text]
