"""What callers in a queue hear and where they go, on a real Asterisk: announcements, keys, limits, a place regained."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from callrouter.core.cdr import Cdr, OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from lab.testing import ENGLISH_HZ, MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People, edit
from tests.acceptance.phones import phone_that
from tests.acceptance.talks import answers

pytestmark = pytest.mark.asterisk

TALKER, RESIDENT, SECOND, JINJU = "0552250001", "0552251234", "0552252222", "0557421234"
RESIDENT_HZ, COUNSELOR_HZ = 1100.0, 1300.0
TOLERANCE_S = 0.4
TALK_S, ENOUGH_S = 1.5, 1.0
LONG_HZ, LONG_S = 3100.0, 10.0

# The tests' Asterisk has a tone for each of these prompts: `closed` stands for a plan that a limit or a key leads to.
PLANS = """\
  elsewhere: [{announce: closed}, hangup]
  call-back: [{callback: changwon}, {announce: night-welcome}, hangup]
  message: [{voicemail: letters, greeting: closed, min: 1s, silence: 3s}]
"""
BOX = "voicemail: {letters: {title: 편지, thanks: night-welcome, failed: all-busy}}\n"
ASK_LANGUAGE = """\
routes:
  - id: language
    when: {not: {region: gimhae}}
    do:
      - menu: night-welcome
        keys: {9: {language: en}}
        default: next
      - queue: changwon
        max_wait: 4s
      - hangup
"""
TOLD = "announce: {every: 30s, first: 1s, prompt: waiting, position: yes, wait: yes}"
TOLD_AT_ONCE = """\
announce: {every: 30s, position: yes, offer: queue-keys, surge: {prompt: long, longer_than: 0}}
    keys: {1: call-back, 2: elsewhere, 3: message}"""


@pytest.fixture(autouse=True, scope="module")
def _long_announcement(lab_asterisk: LabAsterisk) -> None:
    """One that nobody hears to its end."""
    audio.write_tone(lab_asterisk.sounds_dir / "callrouter/long.wav", LONG_HZ, duration_s=LONG_S)


def queue_with(written: str) -> Callable[[Path], None]:
    """Do just this for those who wait in the queue of Changwon."""

    def edit(config: Path) -> None:
        queues, routes = config / "queues.yaml", config / "routes.yaml"
        text = re.sub(r"^    (announce|redial_within):.*\n", "", queues.read_text(encoding="utf-8"), flags=re.MULTILINE)
        title = "    title: 창원시\n"
        assert title in text
        queues.write_text(text.replace(title, f"{title}    {written}\n"), encoding="utf-8")
        routes.write_text(routes.read_text(encoding="utf-8") + PLANS, encoding="utf-8")
        (config / "voicemail.yaml").write_text(BOX, encoding="utf-8")
        with (config / "prompts.yaml").open("a", encoding="utf-8") as prompts:
            prompts.write("  long: 긴 안내\n")

    return edit


def seconds(person: Baresip, *prompts: str) -> list[float]:
    """For how long each prompt was heard."""
    return [audio.tone_seconds(person.heard(), PROMPT_HZ[prompt]) for prompt in prompts]


def about(*lengths_s: float) -> object:
    """So many seconds each, more or less."""
    return pytest.approx(list(lengths_s), abs=TOLERANCE_S)


async def busy_office(
    centre: MakeCentre, caller: People, counselor: People, written: str, *, max_wait: str = "60s"
) -> tuple[Centre, Baresip]:
    """The only counselor talks; ``written`` is what the queue has besides."""
    office = await centre(agents=("201",), edit=queue_with(written), max_wait=max_wait, wrap_up="0s")
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)
    await office.talk(await caller(TALKER), phone)
    return office, phone


async def talk(office: Centre, resident: Baresip, phone: Baresip) -> None:
    """The two speak for a while, each hears the other, and the resident hangs up."""
    await office.until_call("connected")
    await asyncio.sleep(TALK_S)  # people talking, not waiting for an event
    await resident.hang_up()
    await resident.closed()
    await phone.closed()
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= ENOUGH_S


async def record_of(office: Centre, number: str, count: int) -> Cdr:
    """The last call of that number; ``count`` calls have ended."""
    return [cdr for cdr in await office.cdrs(count) if cdr.caller == number][-1]


async def test_who_waits_is_told_the_place_between_the_music(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, _ = await busy_office(centre, caller, counselor, TOLD, max_wait="6s")
    first, second = await caller(RESIDENT), await caller(SECOND)
    await first.dial("120")
    await office.until_waiting(1)
    await second.dial("120")
    await first.closed(timeout_s=15)
    await second.closed(timeout_s=15)

    assert seconds(first, "waiting", "queue-position-1", "queue-position-2") == about(PROMPT_S, PROMPT_S, 0)
    assert seconds(second, "waiting", "queue-position-2") == about(PROMPT_S, PROMPT_S)
    assert audio.tone_seconds(first.heard(), MUSIC_HZ) == pytest.approx(6 - 2 * PROMPT_S, abs=0.6)
    assert sum(seconds(first, *[name for name in PROMPT_HZ if name.startswith("queue-wait")])) == 0, "nobody knows yet"


async def test_no_place_is_told_while_another_tenant_may_have_the_next_turn(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    def take_turns(config: Path) -> None:
        queue_with(TOLD)(config)
        edit(config / "regions.yaml", r"^    title: 경상남도$", r"\g<0>\n    weight: 1")

    office = await centre(agents=("201",), edit=take_turns, max_wait="6s", wrap_up="0s")
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)
    await office.talk(await caller(TALKER), phone)
    first, second, other = await caller(RESIDENT), await caller(SECOND), await caller(JINJU)
    await first.dial("120")
    await office.until_waiting(1)
    await asyncio.sleep(1 + PROMPT_S)  # he is told his place
    await other.dial("120")
    await office.until_waiting(2)
    await second.dial("120")
    await first.closed(timeout_s=15)
    await second.closed(timeout_s=15)

    assert seconds(first, "waiting", "queue-position-1") == about(PROMPT_S, PROMPT_S)
    assert seconds(second, "waiting") == about(PROMPT_S)
    assert sum(seconds(second, *[name for name in PROMPT_HZ if name.startswith("queue-position")])) == 0


async def test_the_expected_wait_is_told_once_it_is_known(
    caller: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    told = "announce: {every: 30s, first: 1s, wait: yes}"
    office = await centre(agents=("201",), edit=queue_with(told), max_wait="20s", wrap_up="0s")
    crowd = Sipp(
        "uac_talk",
        address=CARRIER_ADDRESS,
        target=lab_asterisk.sip_address,
        caller=SECOND,
        count=7,
        rate_per_s=10,
        pause_ms=2000,
    )
    async with phone_that(lab_asterisk, "uas_answer", count=20):
        async with crowd:
            (await crowd.result()).check()
        talker, resident = await caller(TALKER), await caller(RESIDENT)
        await talker.dial("120")
        await office.until_call("connected")
        await resident.dial("120")
        await office.until_waiting(1)
        await asyncio.sleep(1 + PROMPT_S + 0.5)  # listening
        await resident.hang_up()
        await resident.closed()

    assert seconds(resident, "queue-wait-0-1") == about(PROMPT_S)


async def test_who_chose_english_is_told_in_english(caller: People, counselor: People, centre: MakeCentre) -> None:
    edit = queue_with(TOLD)

    def ask_first(config: Path) -> None:
        edit(config)
        routes = config / "routes.yaml"
        rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
        routes.write_text(f"{ASK_LANGUAGE}{rest}", encoding="utf-8")

    await centre(agents=("201",), edit=ask_first, max_wait="4s")
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await resident.established()
    await resident.press("9")
    await resident.closed(timeout_s=15)

    english = [audio.tone_seconds(resident.heard(), ENGLISH_HZ[name]) for name in ("waiting", "queue-position-1")]
    assert english == about(PROMPT_S, PROMPT_S)
    assert seconds(resident, "waiting", "queue-position-1") == about(0, 0)


async def test_a_counselor_who_answers_ends_the_announcement_and_the_two_speak(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, phone = await busy_office(centre, caller, counselor, TOLD_AT_ONCE)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    await resident.dial("120")
    await office.until_waiting(1)
    await phone.hang_up()
    await phone.closed()
    await answers(phone)
    await talk(office, resident, phone)

    cdr = await record_of(office, RESIDENT, 2)
    assert cdr.outcome is Outcome.HANDLED
    assert audio.tone_seconds(resident.heard(), LONG_HZ) < LONG_S / 2, "it was heard to its end"


async def test_a_key_ends_the_announcement_and_leads_to_its_plan(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, _ = await busy_office(centre, caller, counselor, TOLD_AT_ONCE)
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await resident.established()
    await office.until_waiting(1)
    await resident.press("2")
    await resident.closed(timeout_s=10)

    cdr = await record_of(office, RESIDENT, 1)
    assert (cdr.outcome, cdr.released_by, cdr.queue) == (Outcome.HANDLED, ReleasedBy.SYSTEM, "changwon")
    assert cdr.explanation.splitlines()[-1] == "queue changwon: pressed 2 → elsewhere"
    assert seconds(resident, "closed", "queue-keys") == about(PROMPT_S, 0)
    assert audio.tone_seconds(resident.heard(), LONG_HZ) < LONG_S / 2, "it was heard to its end"


async def test_who_presses_1_is_called_back_at_the_place_that_he_had(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, _ = await busy_office(centre, caller, counselor, TOLD_AT_ONCE)
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await resident.established()
    await office.until_waiting(1)
    await resident.press("1")
    await resident.closed(timeout_s=10)

    cdr = await record_of(office, RESIDENT, 1)
    assert cdr.outcome is Outcome.CALLBACK
    assert cdr.callback is not None
    assert (cdr.callback.queue, cdr.callback.place) == ("changwon", 2)


async def test_who_presses_3_leaves_a_message(caller: People, counselor: People, centre: MakeCentre) -> None:
    office, _ = await busy_office(centre, caller, counselor, TOLD_AT_ONCE)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    await resident.dial("120")
    await resident.established()
    await office.until_waiting(1)
    await resident.press("3")
    await asyncio.sleep(PROMPT_S + 0.7 + 2.5)  # listening to the greeting and the beep, and speaking
    await resident.hang_up()

    cdr = await record_of(office, RESIDENT, 1)
    assert (cdr.outcome, [message.box for message in cdr.messages]) == (Outcome.VOICEMAIL, ["letters"])
    assert seconds(resident, "closed", "queue-keys") == about(PROMPT_S, 0)


async def test_a_key_pressed_while_a_phone_rings_counts_when_nobody_answers(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, phone = await busy_office(centre, caller, counselor, TOLD_AT_ONCE)
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await office.until_waiting(1)
    await phone.hang_up()
    await phone.closed()
    await phone.incoming()
    await resident.press("2")
    await resident.closed(timeout_s=3 + PROMPT_S + 3)

    cdr = await record_of(office, RESIDENT, 2)
    assert [leg.result for leg in cdr.legs] == [OfferResult.NO_ANSWER]
    assert cdr.explanation.splitlines()[-1] == "queue changwon: pressed 2 → elsewhere"
    assert seconds(resident, "closed") == about(PROMPT_S)


async def test_a_full_queue_and_one_that_everybody_has_left_send_callers_elsewhere(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    limits = "max_waiting: 1\n    when_full: elsewhere\n    when_unstaffed: elsewhere"
    office, _ = await busy_office(centre, caller, counselor, limits)
    first, second = await caller(RESIDENT), await caller(SECOND)
    await first.dial("120")
    await office.until_waiting(1)
    await second.dial("120")
    await second.closed(timeout_s=10)
    full = await record_of(office, SECOND, 1)
    await asyncio.to_thread(office.daemon.run, "agent", "logout", "201")
    await first.closed(timeout_s=PROMPT_S + 2)
    left = await record_of(office, RESIDENT, 2)
    await second.dial("120")
    await second.closed(timeout_s=10)
    nobody = await record_of(office, SECOND, 3)

    assert [cdr.outcome for cdr in (full, left, nobody)] == [Outcome.OVERFLOWED] * 3
    assert full.explanation.splitlines()[-1] == "queue changwon: full, 1 wait already → elsewhere"
    assert left.explanation.splitlines()[-1] == "queue changwon: nobody is logged in → elsewhere"
    assert (nobody.explanation.splitlines()[-1], nobody.queued_at) == (left.explanation.splitlines()[-1], None)
    assert seconds(first, "closed") == about(PROMPT_S)


@pytest.mark.parametrize("daemon_dies", [False, True])
async def test_who_dials_again_soon_is_served_before_who_came_meanwhile(
    caller: People, counselor: People, centre: MakeCentre, daemon_dies: bool
) -> None:
    office, phone = await busy_office(centre, caller, counselor, "redial_within: 60s")
    first, second = await caller(RESIDENT), await caller(SECOND)
    await first.dial("120")
    await office.until_waiting(1)
    await second.dial("120")
    await office.until_waiting(2)
    await first.hang_up()
    await office.until_waiting(1)
    if daemon_dies:
        await office.kill()
        await office.restart()
    await first.dial("120")
    await office.until_waiting(2)
    await phone.hang_up()
    served = await office.taken(phone)
    await first.hang_up()

    assert RESIDENT in served.peer
    again = await record_of(office, RESIDENT, 3)
    assert "queue changwon: dialled again, and has the place of " in again.explanation


async def test_an_announcement_longer_than_the_dead_mans_switch_costs_nobody_his_place(
    caller: People, centre: MakeCentre
) -> None:
    told = TOLD_AT_ONCE.replace("every: 30s", "every: 30s, prompt: waiting").replace("prompt: long", "prompt: closed")
    settings = {"LIMITS_DEAD_MAN": "2s"}
    office = await centre(agents=("201",), edit=queue_with(told), max_wait="6s", settings=settings)
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await resident.closed(timeout_s=15)

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.OVERFLOWED, ReleasedBy.SYSTEM)
    assert seconds(resident, "closed", "waiting", "queue-position-1", "queue-keys") == about(*[PROMPT_S] * 4)


async def test_a_daemon_that_dies_in_the_middle_of_an_announcement_leaves_music_and_a_caller_who_can_be_served(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, phone = await busy_office(centre, caller, counselor, TOLD_AT_ONCE)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    await resident.dial("120")
    await office.until_waiting(1)
    await office.kill()
    await office.restart()
    await office.until_waiting(1)
    await asyncio.sleep(TALK_S)  # listening to music, if there is any
    await phone.hang_up()
    await phone.closed()
    await answers(phone)
    await talk(office, resident, phone)

    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) >= ENOUGH_S
    assert (await record_of(office, RESIDENT, 2)).outcome is Outcome.HANDLED
