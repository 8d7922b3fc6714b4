"""One Asterisk, sound and with every fault that the doctor knows."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.core.rulebook import AgentSpec
from callrouter.doctor import asterisk
from callrouter.doctor.asterisk import check_asterisk
from callrouter.doctor.finding import Level
from callrouter.doctor.modules import NEEDED
from tests.doctor.conftest import counselor, modules, texts, variables
from tests.fakes.ari import TIMESTAMP, Answer, FakeAri

AGENTS = (counselor("a", "PJSIP/201"),)
TRUE_TIME = datetime.fromisoformat(TIMESTAMP).timestamp()


def clock(ahead_s: float = 0.0) -> Callable[[], float]:
    return lambda: TRUE_TIME - ahead_s


async def found(
    site: SiteSettings, level: Level, agents: tuple[AgentSpec, ...] = AGENTS, ahead_s: float = 0.0
) -> list[str]:
    return texts(await check_asterisk(site, agents, clock=clock(ahead_s)), level)


async def test_a_sound_asterisk_has_no_fault(fake: FakeAri, site: SiteSettings) -> None:
    fake.version = "22.11.0"
    findings = await check_asterisk(site, AGENTS, clock=clock())
    assert {finding.level for finding in findings} == {Level.OK}
    assert [finding.remedy for finding in findings] == [""] * len(findings)
    assert texts(findings, Level.OK) == [
        "Asterisk 22.11.0",
        "the ARI user 'callrouter' may read and write",
        "events: the websocket opens",
        "a daemon is connected as application 'callrouter'",
        f"all {len(NEEDED) + 13} modules are loaded, app_dial, app_playback, app_stasis and {len(NEEDED) - 2} more",
        "1 of 1 counselors' phones can be called",
        "its clock agrees with ours",
        "the fallback rings PJSIP/201",
    ]


async def test_nothing_is_changed_and_nobody_is_called(fake: FakeAri, site: SiteSettings) -> None:
    await check_asterisk(site, AGENTS, clock=clock())
    writing = [seen for seen in fake.seen if seen.method != "GET"]
    assert [seen.method for seen in writing] == ["PUT"]
    assert writing[0].path.startswith("applications/callrouter-doctor-")
    assert all(name.startswith("callrouter-doctor-") for name in fake.connected)


async def test_one_of_several_needs_a_name_of_its_own(fake: FakeAri, site: SiteSettings) -> None:
    async def told(level: Level) -> list[str]:
        findings = await check_asterisk(site, AGENTS, clock=clock(), is_one_of_several=True)
        return [text for text in texts(findings, level) if "its channels" in text]

    assert await told(Level.ERROR) == ["its channels may have the ids of another site's, and calls be mixed up"]
    fake.system_name = "jinju"
    assert await told(Level.OK) == ["its channels are told from those of other sites by the name jinju"]
    fake.on("GET asterisk/info", Answer(404))
    assert await told(Level.ERROR) == []


async def test_nobody_there_is_one_error(site: SiteSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    findings = await check_asterisk(replace(site, ari_url=url), AGENTS)
    assert [(f.level, f.text) for f in findings] == [(Level.ERROR, f"{url} cannot be reached")]
    assert "is Asterisk running" in findings[0].remedy


async def test_an_asterisk_that_hangs_is_given_up(
    fake: FakeAri, site: SiteSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asterisk, "WAIT_S", 0.2)
    fake.on("GET asterisk/info", Answer(200, {}, after=asyncio.Event()))
    started = time.monotonic()
    assert await found(site, Level.ERROR) == [f"{fake.url} takes connections and does not answer within 0.2 s"]
    assert time.monotonic() - started < 3


async def test_a_wrong_password_is_one_error(fake: FakeAri, site: SiteSettings) -> None:
    fake.user_is_known = False
    findings = await check_asterisk(site, AGENTS)
    assert [f.text for f in findings] == [f"{fake.url} refuses user 'callrouter' (401)"]
    assert findings[0].remedy == "compare user and password with [callrouter] in ari.conf"


async def test_something_without_ari_is_one_error(fake: FakeAri, site: SiteSettings) -> None:
    fake.on("GET asterisk/info", Answer(404))
    assert await found(site, Level.ERROR) == [f"{fake.url} has no ARI: it answers 404"]


async def test_answers_that_are_not_aris_are_told(fake: FakeAri, site: SiteSettings) -> None:
    fake.on("GET asterisk/info", Answer(200, "welcome"))
    fake.on("GET asterisk/modules", Answer(200, {"no": "list"}))
    fake.on("GET endpoints", Answer(200, [1]))
    told = await found(site, Level.ERROR)
    assert len(told) == 3
    assert all("cannot be read" in text for text in told)


async def test_a_user_who_may_only_read_is_an_error(fake: FakeAri, site: SiteSettings) -> None:
    usual = fake._usual_answer
    fake._usual_answer = lambda seen: Answer(403) if seen.method != "GET" else usual(seen)  # type: ignore[method-assign]
    assert await found(site, Level.ERROR) == ["the ARI user 'callrouter' may only read"]


async def test_a_user_who_may_write_is_told_404_by_asterisk(fake: FakeAri, site: SiteSettings) -> None:
    usual = fake._usual_answer
    fake._usual_answer = lambda seen: Answer(404) if seen.method != "GET" else usual(seen)  # type: ignore[method-assign]
    assert await found(site, Level.ERROR) == []


async def test_a_websocket_that_is_refused_is_an_error(fake: FakeAri, site: SiteSettings) -> None:
    fake.on("GET events", Answer(503))
    (told,) = await found(site, Level.ERROR)
    assert told.startswith(f"events: Asterisk at {fake.url} answers 503 instead of a websocket")


async def test_an_application_without_daemon_is_a_warning(fake: FakeAri, site: SiteSettings) -> None:
    fake.on("GET applications/callrouter", Answer(404))
    assert "no daemon is connected as application 'callrouter'" in await found(site, Level.WARNING)
    assert await found(site, Level.ERROR) == []


async def test_a_deadlocked_application_is_told_from_a_dead_asterisk(
    fake: FakeAri, site: SiteSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asterisk, "WAIT_S", 0.3)
    fake.on("GET applications/callrouter", Answer(200, {}, after=asyncio.Event()))
    findings = await check_asterisk(site, AGENTS, clock=clock())
    assert texts(findings, Level.ERROR) == ["the application 'callrouter' does not answer, while Asterisk does"]
    assert "#2170" in next(f.remedy for f in findings if f.level is Level.ERROR)


async def test_missing_modules_are_named_with_what_they_cost(fake: FakeAri, site: SiteSettings) -> None:
    there = [name for name in NEEDED if name != "func_timeout"]
    fake.on("GET asterisk/modules", Answer(200, [*modules(*there), {"name": "res_agi.so", "status": "Not Running"}]))
    findings = await check_asterisk(site, AGENTS, clock=clock())
    assert texts(findings, Level.ERROR) == [
        "func_timeout is not loaded: the dead man's switch does not work: callers hang when callrouter dies",
        "chan_pjsip is not loaded: phones at PJSIP/… cannot be called",
    ]
    assert "res_agi is not loaded: the dialplan cannot ask over FastAGI" in texts(findings, Level.WARNING)
    remedies = [f.remedy for f in findings if f.level is Level.ERROR]
    assert remedies[0] == 'asterisk -rx "module load func_timeout.so", and load = func_timeout.so in modules.conf'


async def test_phones_that_are_missing_or_not_registered_are_named(fake: FakeAri, site: SiteSettings) -> None:
    fake.endpoints.append({"technology": "PJSIP", "resource": "202", "state": "offline", "channel_ids": []})
    fake.endpoints.append({"technology": "PJSIP", "resource": "city", "state": "online", "channel_ids": []})
    phones = ("PJSIP/201", "PJSIP/202", "PJSIP/203", "PJSIP/7201@city", "Local/5@anywhere", "PJSIP/city/sip:7@host")
    agents = tuple(counselor(str(number), phone) for number, phone in enumerate(phones))
    fake.version = "22.11.0"
    assert await found(site, Level.ERROR, agents) == ["Asterisk knows no PJSIP/203"]
    assert await found(site, Level.WARNING, agents) == ["not registered: PJSIP/202"]


@pytest.mark.parametrize(
    ("ahead_s", "level", "text"),
    [
        (0.9, Level.OK, "its clock agrees with ours"),
        (-12.0, Level.WARNING, "its clock is 12.0 s behind ours"),
        (3600.0, Level.ERROR, "its clock is 3600.0 s ahead of ours"),
    ],
)
async def test_clocks_are_compared(fake: FakeAri, site: SiteSettings, ahead_s: float, level: Level, text: str) -> None:
    assert text in await found(site, level, ahead_s=ahead_s)


async def test_a_dialplan_that_hands_calls_elsewhere_is_an_error(fake: FakeAri, site: SiteSettings) -> None:
    other = replace(site, application="province")
    (told,) = [text for text in await found(other, Level.ERROR) if "dialplan" in text]
    assert told == "the dialplan hands calls to 'callrouter', this site's application is 'province'"
    fake.on("GET asterisk/variable", variables(CALLROUTER_APP="province", CALLROUTER_FALLBACK_PHONES="x"))
    assert [text for text in await found(other, Level.ERROR) if "dialplan" in text] == []


async def test_a_fallback_that_rings_nobody_is_a_warning(fake: FakeAri, site: SiteSettings) -> None:
    fake.on("GET asterisk/variable", variables())
    assert "the fallback rings nobody while no daemon is there" in await found(site, Level.WARNING)


async def test_what_asterisk_will_not_tell_is_not_known(fake: FakeAri, site: SiteSettings) -> None:
    fake.version = "22.11.0"
    fake.on("GET asterisk/modules", Answer(500))
    fake.on("GET asterisk/ping", Answer(200, {"asterisk_id": "a", "timestamp": "noon"}))
    assert await found(site, Level.WARNING) == [
        "which modules are loaded cannot be told: Asterisk answers 500",
        "its clock cannot be told: Asterisk answers 200",
    ]
