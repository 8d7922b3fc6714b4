"""A fake Asterisk that answers what the doctor asks, and a site at it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.core.ids import AgentId, QueueName, SiteName, TenantName
from callrouter.core.rulebook import AgentSpec
from callrouter.doctor.finding import Finding, Level
from callrouter.doctor.modules import NEEDED, USEFUL
from tests.fakes.ari import Answer, FakeAri, Seen, fake_ari


@pytest.fixture
async def fake() -> AsyncIterator[FakeAri]:
    async with fake_ari() as server:
        make_sound(server)
        yield server


def make_sound(server: FakeAri) -> None:
    """Let it answer as an Asterisk in which nothing is missing; its one phone is 201."""
    server.endpoints = [{"technology": "PJSIP", "resource": "201", "state": "online", "channel_ids": []}]
    server.on("GET asterisk/modules", Answer(200, modules(*NEEDED, *USEFUL, "chan_pjsip")))
    server.on("GET asterisk/variable", variables(CALLROUTER_FALLBACK_PHONES="PJSIP/201"))
    server.on("GET sounds", Answer(200, []))


def modules(*names: str) -> list[dict[str, str]]:
    return [{"name": f"{name}.so", "status": "Running"} for name in names]


def variables(**values: str) -> Callable[[Seen], Answer]:
    return lambda seen: Answer(200, {"value": values.get(seen.query["variable"], "")})


@pytest.fixture
def site(fake: FakeAri, tmp_path: Path) -> SiteSettings:
    return SiteSettings(SiteName("hall"), "도청", fake.url, "callrouter", "secret", "callrouter", tmp_path / "sounds")


def counselor(name: str, endpoint: str) -> AgentSpec:
    return AgentSpec(AgentId(name), name, SiteName("hall"), endpoint, (QueueName("q"),), TenantName("t"))


def texts(findings: list[Finding], level: Level) -> list[str]:
    return [finding.text for finding in findings if finding.level is level]
