"""Cut off from the daemon, Asterisk serves its callers by the rules that were rendered for it."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from callrouter.config import load
from callrouter.core.ids import SiteName
from callrouter.core.inbound import CallFacts
from callrouter.survival import rendered
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import INCOMING
from lab.paths import PROJECT
from lab.testing import MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People, sample_config
from tests.acceptance.test_hostile_headers import Writer, call_all

pytestmark = pytest.mark.asterisk

NOT_UTF_8 = ("Error building JSON", "backtrace")
"""Of what Asterisk says when it cannot tell an application, left there by an earlier test, what somebody wrote."""

RESIDENT = "0552251234"
JINJU = "0557421234"
RESIDENT_HZ, COUNSELOR_HZ = 1100.0, 1300.0
SITE = SiteName("gyeongnam")
TUESDAY_MORNING = datetime(2026, 12, 1, 1, tzinfo=UTC)
TUESDAY_EVENING = datetime(2026, 12, 1, 10, tzinfo=UTC)
TUESDAY_NIGHT = datetime(2026, 12, 1, 14, tzinfo=UTC)
CHRISTMAS = datetime(2026, 12, 25, 1, tzinfo=UTC)
RINGS_AFTER_S = PROMPT_S + 3.0
MAX_WAIT_S = 8


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """The sample, with short times, as a dialplan."""
    config = sample_config(tmp_path / "rules", ("201", "202", "301"), ring_timeout="3s", max_wait=f"{MAX_WAIT_S}s")
    return rendered(load(config, {"CALLROUTER_ARI_PASSWORD": "x"}).rulebook, SITE, datetime.now(UTC)).text


@pytest.fixture
async def cut_off(lab_asterisk: LabAsterisk, rules: str) -> AsyncIterator[LabAsterisk]:
    """An Asterisk that has taken the rules in; it goes back to its ring group after the test."""
    await asyncio.to_thread(lab_asterisk.take_in, rules)
    yield lab_asterisk
    await asyncio.to_thread(lab_asterisk.take_in, "")


async def set_clock(asterisk: LabAsterisk, at: datetime) -> None:
    """Have the rendered rules take this for the time."""
    command = f"dialplan set global CALLROUTER_SURVIVAL_CLOCK {at.timestamp():.0f}"
    await asyncio.to_thread(asterisk.cli, command)


async def test_asterisk_takes_the_rules_in_without_a_warning_and_tells_their_version(
    lab_asterisk: LabAsterisk, rules: str
) -> None:
    began = len(lab_asterisk.log_text())
    await asyncio.to_thread(lab_asterisk.take_in, rules)
    said = lab_asterisk.log_text()[began:]
    version = await asyncio.to_thread(lab_asterisk.get, "asterisk/variable?variable=CALLROUTER_SURVIVAL")
    await asyncio.to_thread(lab_asterisk.take_in, "")
    gone = await asyncio.to_thread(lab_asterisk.get, "asterisk/variable?variable=CALLROUTER_SURVIVAL")

    assert [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line] == []
    assert f"rules: {version['value']}\n" in rules
    assert gone["value"] == ""


async def test_with_the_daemon_killed_a_call_in_open_hours_rings_the_counselors_of_its_queue(
    caller: People, counselor: People, centre: MakeCentre, cut_off: LabAsterisk
) -> None:
    office: Centre = await centre(agents=("201",))
    resident = await caller(JINJU, tone_hz=RESIDENT_HZ)
    phone, of_changwon = await counselor("201", tone_hz=COUNSELOR_HZ), await counselor("301")
    await office.kill_in_the_act()
    await set_clock(cut_off, TUESDAY_MORNING)

    await resident.dial("120")
    ringing = await phone.incoming(timeout_s=RINGS_AFTER_S)
    await phone.accept()
    await phone.established()
    await asyncio.sleep(1.5)  # people talking
    await resident.hang_up()
    await phone.closed()

    assert JINJU in ringing.peer
    assert not of_changwon.seen(INCOMING), "a phone rings whose counselor does not serve this queue"
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["welcome"]) == pytest.approx(PROMPT_S, abs=0.25)
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= 1
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= 1


@pytest.mark.parametrize("at", [TUESDAY_NIGHT, CHRISTMAS], ids=["at night", "on a holiday"])
async def test_in_closed_hours_the_resident_hears_so_and_nobody_is_rung(
    caller: People, counselor: People, cut_off: LabAsterisk, at: datetime
) -> None:
    resident, phone = await caller(RESIDENT), await counselor("201")
    await set_clock(cut_off, at)

    await resident.dial("120")
    await resident.established()
    await resident.closed(timeout_s=PROMPT_S + 3)

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=0.25)
    assert not phone.seen(INCOMING)


async def test_while_all_counselors_talk_the_resident_hears_music_then_that_they_are_busy(
    caller: People, counselor: People, cut_off: LabAsterisk
) -> None:
    first, second = await caller(RESIDENT), await caller(JINJU)
    phone = await counselor("201")
    await set_clock(cut_off, TUESDAY_MORNING)
    await first.dial("120")
    await phone.incoming(timeout_s=RINGS_AFTER_S)
    await phone.accept()
    await phone.established()

    await second.dial("120")
    await second.closed(timeout_s=2 * PROMPT_S + MAX_WAIT_S + 6)
    await first.hang_up()
    await phone.closed()

    assert not phone.seen(INCOMING), "who talks is rung again"
    assert audio.tone_seconds(second.heard(), MUSIC_HZ) >= MAX_WAIT_S / 2
    assert audio.tone_seconds(second.heard(), PROMPT_HZ["all-busy"]) == pytest.approx(PROMPT_S, abs=0.25)


async def test_who_waits_is_put_through_when_a_counselor_becomes_free(
    caller: People, counselor: People, cut_off: LabAsterisk
) -> None:
    first, second = await caller(RESIDENT), await caller(JINJU)
    phone = await counselor("201")
    await set_clock(cut_off, TUESDAY_MORNING)
    await first.dial("120")
    await phone.incoming(timeout_s=RINGS_AFTER_S)
    await phone.accept()
    await phone.established()
    await second.dial("120")
    await second.established()

    await first.hang_up()
    await phone.closed()
    ringing = await phone.incoming(timeout_s=RINGS_AFTER_S + 3)

    assert JINJU in ringing.peer


async def test_a_reload_warns_of_an_asterisk_that_still_has_other_rules(
    centre: MakeCentre, cut_off: LabAsterisk
) -> None:
    office = await centre(agents=("201",))

    before = await asyncio.to_thread(office.daemon.run, "reload")
    text = (await asyncio.to_thread(office.daemon.run, "dialplan")).stdout
    await asyncio.to_thread(cut_off.take_in, text)
    after = await asyncio.to_thread(office.daemon.run, "reload")

    assert "warning: dialplan gyeongnam: its fallback was rendered from other rules (" in before.stderr
    assert (before.returncode, after.returncode, after.stderr) == (0, 0, "")


INSTANTS = (TUESDAY_MORNING, TUESDAY_EVENING, CHRISTMAS)
WRITTEN = (
    "",
    "anonymous",
    "Unknown",
    "82-55-225-1234",
    "(055) 225.1234",
    "we(i,r)d",
    "+82552251234",
    "1588-1234",
    "120",
)


def some_callers(chance: random.Random) -> list[str]:
    """Numbers of every kind; most of them of exchanges in the province."""
    province = [f"055{chance.randrange(200, 1000)}{chance.randrange(10_000):04}" for _ in range(40)]
    others = [f"{code}{chance.randrange(10**8):08}" for code in ("010", "070", "0502", "+8210", "02", "+1212")]
    return [*province, *others, *WRITTEN]


async def said_of(asterisk: LabAsterisk, number: str) -> str:
    """Have a call from ``number`` come in by the inbound context; what its channel is called there."""
    query = {"endpoint": "Local/120@callrouter-inbound", "callerId": f"<{number}>" if number else ""}
    query |= {"context": "callrouter-attended", "extension": "ready", "priority": "1"}
    answer = await asyncio.to_thread(asterisk.post, f"channels?{urlencode(query)}")
    return str(answer["name"]).replace(";1", ";2")


async def test_asterisk_itself_decides_as_the_router_does(cut_off: LabAsterisk) -> None:
    loaded = load(PROJECT / "config", {"CALLROUTER_ARI_PASSWORD": "x"})
    expected, taken = {}, {}
    for at in INSTANTS:
        await set_clock(cut_off, at)
        callers = some_callers(random.Random(at.day))
        channels = {await said_of(cut_off, number): number for number in callers}
        async with asyncio.timeout(20):
            # Asterisk's log is all that tells.
            while len(rules := taken_by(cut_off.log_text(), channels)) < len(channels):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        for channel, number in channels.items():
            decision = loaded.rulebook.router.decide(CallFacts("120", SITE, number), at)
            expected[at, number], taken[at, number] = decision.rule, rules[channel]
        await asyncio.to_thread(cut_off.cli, "channel request hangup all")

    assert taken == expected
    assert set(taken.values()) == {"changwon-day", "changwon-night", "gyeongnam-day", "gyeongnam-night", "closed"}, (
        "the cases do not try all rules"
    )


def taken_by(log: str, channels: Collection[str]) -> dict[str, str]:
    """Channel to the rule that took it."""
    found = re.findall(r"NOTICE.* the rule (\S+) takes (\S+)", log)
    return {channel: rule for rule, channel in found if channel in channels}


async def test_whatever_callers_write_into_their_headers_is_text_to_the_rules_too(
    counselor: People, cut_off: LabAsterisk
) -> None:
    bystander, began = await counselor("203"), len(cut_off.log_text())  # whom the strings name, and no queue does
    await set_clock(cut_off, TUESDAY_MORNING)
    answered = await call_all(cut_off, Writer(1), calls=16, talk_s=PROMPT_S + 1.0)
    said = cut_off.log_text()[began:].splitlines()

    assert [one for one in answered if one[1] != 200] == []
    assert not bystander.seen(INCOMING)
    errors = [line for line in said if " ERROR[" in line or "not registered" in line]
    assert [line for line in errors if not any(words in line for words in NOT_UTF_8)] == []
    assert {line.rpartition(" Called ")[2] for line in said if " dial.c: Called " in line} <= {"201", "202", "301"}
