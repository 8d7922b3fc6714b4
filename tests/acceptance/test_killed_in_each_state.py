"""The daemon is killed (SIGKILL) while a call is in each of its states, and another is started: nobody is lost.

Each scene brings calls into a state, the daemon dies there, and what the scene says after that is what people notice.
Of every one it is shown that each call has one record, that counselors can be called again, and that no channel, bridge
or line of a trunk is left over.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy, ReturnResult
from callrouter.core.states import CallState
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED as HUNG_UP
from lab.baresip import Baresip
from lab.testing import DEADLINE_S, MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, People
from tests.acceptance.killed import (
    BRIEFED,
    CLOSED,
    DUTY,
    HALL,
    MENU,
    MESSAGE,
    MOBILE,
    OVER,
    REST,
    ROWS,
    STRAIGHT,
    TALK_S,
    TAPED,
    TOLD,
    Row,
    Scene,
    Stage,
    all_that_scenes_need,
    dies,
)
from tests.acceptance.ordering import command
from tests.acceptance.stored import tapes
from tests.acceptance.talks import FIRST_HZ, RESIDENT_HZ, SECOND_HZ, answers, people_talk
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

IN_CHARGE_WITHIN_S = 3.0
"""What is promised: from the start of the next daemon until the calls are its own."""
PATIENT_S = 20.0
"""How long the dialplan waits for a daemon here: a slow machine is no reason for the fallback."""
ENOUGH_S, TOLERANCE_S = 0.6, 0.4
LASTS_HZ, LASTS_S = 3100.0, 5.0

_S = CallState


def seconds(phone: Baresip, hz: float) -> float:
    return audio.heard_seconds(phone.heard(), hz)


async def talk_and_part(resident: Baresip, phone: Baresip, hz: float = FIRST_HZ) -> None:
    """The two hear each other; the resident hangs up."""
    await people_talk(TALK_S)
    await resident.hang_up()
    await phone.closed()
    await resident.closed()
    assert seconds(resident, hz) >= ENOUGH_S, "the resident does not hear who answered"
    assert seconds(phone, RESIDENT_HZ) >= ENOUGH_S, "who answered does not hear the resident"


# --- on the way in


@dies(_S.ROUTING, is_seen=False)
async def comes_in_unseen(stage: Stage) -> Scene:
    """A caller whom the daemon had no time to see is routed by the next."""
    first = await stage.first()
    await stage.office.freeze()
    resident = await stage.dials(HALL)
    await stage.until_arrived()
    yield stage.office.kill_in_the_act
    await answers(first)
    await talk_and_part(resident, first)
    assert (await stage.record()).outcome is Outcome.HANDLED


@dies(_S.ANNOUNCING)
async def hears_an_announcement(stage: Stage) -> Scene:
    """It is heard to its end, once, and then it goes on."""
    first, resident = await stage.first(), await stage.dials(TOLD)
    await stage.until_call("announcing")
    yield stage.office.kill
    await answers(first)
    await talk_and_part(resident, first)
    assert audio.tone_seconds(resident.heard(), LASTS_HZ) == pytest.approx(LASTS_S, abs=TOLERANCE_S)


@dies(_S.ANNOUNCING, agent="unreachable")
async def hears_that_it_is_closed(stage: Stage) -> Scene:
    """He hears all of it before he is hung up on."""
    resident = await stage.dials(CLOSED)
    await stage.until_call("announcing")
    yield stage.office.kill
    await resident.closed(timeout_s=LASTS_S + 3)
    assert audio.tone_seconds(resident.heard(), LASTS_HZ) == pytest.approx(LASTS_S, abs=TOLERANCE_S)
    assert (await stage.record()).released_by is ReleasedBy.SYSTEM


@dies(_S.ASKING)
async def is_asked_by_a_menu(stage: Stage) -> Scene:
    """The question is asked anew, and the key taken."""
    first, resident = await stage.first(), await stage.dials(MENU)
    await stage.until_call("asking")
    yield stage.office.kill
    await people_talk(PROMPT_S / 2)  # listening
    await resident.press("1")
    await answers(first)
    await talk_and_part(resident, first)
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["waiting"]) > PROMPT_S / 2


@dies(_S.CONNECTED, _S.DICTATING, records=2)
async def has_entered_half_a_number(stage: Stage) -> Scene:
    """He is asked for the number anew: what was half entered is no part of what he enters then, and is called at."""
    first, talker, resident = await stage.asked_back("3")
    await stage.office.until_call_states("connected", "dictating")
    await people_talk(PROMPT_S)  # listening to the first digit
    await resident.press("2")
    await people_talk(PROMPT_S / 2)
    await press(resident, MOBILE[:5])
    yield stage.office.kill
    await people_talk(PROMPT_S)  # listening
    await press(resident, f"{stage.number}#")
    await people_talk(2 * PROMPT_S)  # pressing takes a while; then the first digit of it
    await resident.press("1")
    await resident.closed(timeout_s=PROMPT_S + 5)
    await talker.hang_up()
    await first.closed()
    await answers(first)
    await resident.incoming()
    await resident.accept()
    await resident.established()
    await stage.office.until_call("connected")
    await talk_and_part(resident, first)
    assert [cdr.outcome for cdr in await stage.records(2)] == [Outcome.CALLBACK, Outcome.HANDLED]


@dies(_S.RECORDING, agent="unreachable")
async def leaves_a_message(stage: Stage) -> Scene:
    """What is spoken while no daemon is there is kept; the key ends it, and there are thanks."""
    resident = await stage.dials(MESSAGE)
    await stage.until_call("recording")
    await people_talk(PROMPT_S + 1.0)  # the greeting, the beep, and speaking
    yield stage.office.kill
    await people_talk(TALK_S)
    await resident.press("#")
    await resident.closed(timeout_s=PROMPT_S + 3)
    cdr = await stage.record()
    assert cdr.outcome is Outcome.VOICEMAIL
    assert cdr.messages[0].length_s > TALK_S
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["waiting"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)


# --- until somebody answers


@dies(_S.QUEUED, _S.QUEUED)
async def waits_in_line(stage: Stage) -> Scene:
    """Music goes on, and who came first is first."""
    resident = await stage.dials(HALL)
    await stage.office.until_waiting(1)
    later = await stage.somebody_else(HALL)
    await stage.office.until_waiting(2)
    come: list[Baresip] = []

    async def kill_and_let_the_counselor_come() -> None:
        await stage.office.kill()
        come.append(await stage.counselor("201", tone_hz=FIRST_HZ))

    yield kill_and_let_the_counselor_come
    (first,) = come
    assert stage.number in (await first.incoming()).peer
    await first.accept()
    await first.established()
    await later.hang_up()
    await talk_and_part(resident, first)
    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) > 1.0


@dies(_S.OFFERED)
async def hears_a_phone_ring(stage: Stage) -> Scene:
    """It rings on, and is answered."""
    first, resident = await stage.first(), await stage.dials(HALL)
    await first.incoming()
    await stage.until_call("offered")
    yield stage.office.kill
    await first.accept()
    await first.established()
    await talk_and_part(resident, first)
    assert [leg.result for leg in (await stage.record()).legs] == [OfferResult.ANSWERED]


@dies(_S.OFFERED, agent="unreachable")
async def is_put_through_to_a_number_outside(stage: Stage) -> Scene:
    """Its phone rings on, its line of the trunk is known to be used, and free at the end."""
    mobile = await stage.outside(MOBILE, tone_hz=SECOND_HZ)
    resident = await stage.dials(STRAIGHT)
    await mobile.incoming()
    await stage.until_call("offered")
    yield stage.office.kill
    await stage.office.until("both lines are used", lambda now: [one["in_use"] for one in now["trunks"]] == [2])
    await mobile.accept()
    await mobile.established()
    await talk_and_part(resident, mobile, SECOND_HZ)
    assert [(leg.destination, leg.trunk) for leg in (await stage.record()).legs] == [("mobile", "carrier")]


@dies(_S.CONFIRMING, agent="unreachable")
async def waits_for_somebodys_key(stage: Stage) -> Scene:
    """Who answered is asked for the key anew, and it is taken."""
    mobile = await stage.outside(MOBILE, tone_hz=SECOND_HZ)
    resident = await stage.dials(DUTY)
    await answers(mobile)
    await stage.until_call("confirming")
    yield stage.office.kill
    await people_talk(PROMPT_S / 2)
    await mobile.press("1")
    await stage.until_call("connected")
    await talk_and_part(resident, mobile, SECOND_HZ)
    assert [leg.result for leg in (await stage.record()).legs] == [OfferResult.ANSWERED]


@dies(_S.BRIEFING)
async def waits_while_the_counselor_is_told_of_him(stage: Stage) -> Scene:
    """The two are connected."""
    first, resident = await stage.first(), await stage.dials(BRIEFED)
    await answers(first)
    await stage.until_call("briefing")
    yield stage.office.kill
    await stage.until_call("connected")
    await talk_and_part(resident, first)


@dies(_S.CONNECTING, is_wired=True)
async def is_being_connected(stage: Stage) -> Scene:
    """The two are connected by the next daemon."""
    first, resident = await stage.first(), await stage.dials(HALL)
    await first.incoming()
    await stage.until_call("offered")
    stage.wire.swallow_requests()
    await first.accept()
    await stage.until_call("connecting")
    yield stage.office.kill
    await stage.until_call("connected")
    await talk_and_part(resident, first)
    assert [leg.result for leg in (await stage.record()).legs] == [OfferResult.ANSWERED]


# --- while people talk


@dies(_S.CONNECTED)
async def talks(stage: Stage) -> Scene:
    """Nobody notices."""
    resident, first = await stage.talk()
    began_s = time.monotonic()
    yield stage.office.kill
    await people_talk(TALK_S)
    lasted_s = time.monotonic() - began_s
    await first.hang_up()
    await resident.closed(timeout_s=2)
    assert seconds(resident, FIRST_HZ) >= lasted_s
    assert seconds(first, RESIDENT_HZ) >= lasted_s
    assert (await stage.record()).released_by is ReleasedBy.AGENT


@dies(_S.CONNECTED)
async def is_on_hold(stage: Stage) -> Scene:
    """Music goes on, and the counselor takes the caller back."""
    resident, first = await stage.talk()
    await press(first, "*3")
    await stage.until_calls("the caller is on hold", True, of=lambda call: call["held"])
    yield stage.office.kill
    await stage.until_calls("he is still", True, of=lambda call: call["held"])
    await people_talk(TALK_S)
    await press(first, "*3")
    await stage.until_calls("the caller is back", False, of=lambda call: call["held"])
    await talk_and_part(resident, first)
    assert seconds(resident, MUSIC_HZ) >= TALK_S
    cdr = await stage.record()
    assert TALK_S <= cdr.hold_s < cdr.talk_s


async def a_colleague_called(stage: Stage, keys: str) -> tuple[Baresip, Baresip, Baresip]:
    """Resident, counselor, and the colleague who has answered to the counselor's keys."""
    resident, first = await stage.talk()
    second = await stage.second()
    await press(first, keys)
    await answers(second)
    await stage.office.until_agent("202", "on-call")
    return resident, first, second


async def the_first_leaves_the_second(stage: Stage, resident: Baresip, first: Baresip, second: Baresip) -> None:
    """They talk on as they did, and then the counselor hangs up, and the caller has the colleague."""
    await people_talk(TALK_S)
    await first.hang_up()
    await stage.until_calls("the caller is with the colleague", "202", of=lambda call: call["agent"])
    await talk_and_part(resident, second, SECOND_HZ)


@dies(_S.CONNECTED)
async def waits_while_the_counselor_asks_a_colleague(stage: Stage) -> Scene:
    """The two counselors talk on; when the first hangs up, the caller is with the second."""
    resident, first, second = await a_colleague_called(stage, "*4202#")
    yield stage.office.kill
    await the_first_leaves_the_second(stage, resident, first, second)
    assert seconds(first, SECOND_HZ) >= TALK_S
    assert seconds(resident, MUSIC_HZ) >= TALK_S


@dies(_S.CONNECTED)
async def talks_with_two(stage: Stage) -> Scene:
    """All three hear one another on; when one leaves, the others talk."""
    resident, first, second = await a_colleague_called(stage, "*5202#")
    yield stage.office.kill
    await the_first_leaves_the_second(stage, resident, first, second)
    assert audio.chord_seconds(resident.heard(), FIRST_HZ, SECOND_HZ) >= TALK_S


@dies(_S.CONNECTED)
async def is_passed_on_by_the_phone(stage: Stage) -> Scene:
    """The colleague's phone rings on, and the caller is with him."""
    resident, first = await stage.talk()
    second = await stage.second()
    await first.transfer("202")
    await second.incoming()
    await stage.until_calls("he is called in", "202", of=lambda call: call["invited"])
    yield stage.office.kill
    await second.accept()
    await second.established()
    await stage.office.until_agent("201", "available")
    await talk_and_part(resident, second, SECOND_HZ)
    assert [leg.agent for leg in (await stage.record()).legs] == ["201", "202"]


@dies(_S.CONNECTED)
async def is_being_passed_on_with_keys(stage: Stage) -> Scene:
    """Half a code is forgotten, and does nothing; a whole one passes the caller on."""
    resident, first = await stage.talk()
    second = await stage.second()
    await press(first, "*220")
    yield stage.office.kill
    await press(first, "2#")
    await press(first, "*2202#")
    await answers(second)
    await first.closed()
    await talk_and_part(resident, second, SECOND_HZ)
    assert [leg.agent for leg in (await stage.record()).legs] == ["201", "202"]


@dies(_S.CONNECTED)
async def is_being_put_through_to_119(stage: Stage) -> Scene:
    """119 rings on, over the line that is kept for it, and the caller is with 119."""
    resident, first = await stage.talk()
    emergency = await stage.outside("test-119", tone_hz=SECOND_HZ)
    await press(first, "*119")
    await emergency.incoming()
    await stage.until_calls("119 is called in", True, of=lambda call: call["invited"] is not None)
    yield stage.office.kill
    await stage.office.until("both lines are used", lambda now: [one["in_use"] for one in now["trunks"]] == [2])
    await emergency.accept()
    await emergency.established()
    await first.closed()
    await talk_and_part(resident, emergency, SECOND_HZ)
    assert [leg.destination for leg in (await stage.record()).legs] == [None, "fire"]


@dies(_S.CONNECTED)
async def is_recorded(stage: Stage) -> Scene:
    """What is spoken while no daemon is there is on the one recording, which is stored."""
    resident, first = await stage.talk(TAPED)
    await stage.until_calls("it is recorded", "on", of=lambda call: call["recording"])
    yield stage.office.kill
    await talk_and_part(resident, first)
    (tape,) = await tapes(stage.office)
    (kept,) = (await stage.record()).tapes
    assert kept.recording == tape.recording


@dies(_S.CONNECTED)
async def is_heard_by_a_supervisor(stage: Stage) -> Scene:
    """He hears on, neither of the two hears him, and he is hung up on when they part."""
    resident, first = await stage.talk()
    supervisor = await stage.counselor("203", tone_hz=SECOND_HZ)
    await supervisor.dial("*31201")
    await supervisor.established()
    await people_talk(TALK_S / 2)
    yield stage.office.kill
    await talk_and_part(resident, first)
    await supervisor.closed()
    assert seconds(supervisor, RESIDENT_HZ) >= TALK_S
    assert seconds(resident, SECOND_HZ) + seconds(first, SECOND_HZ) == 0
    assert [one.supervisor for one in (await stage.record()).hearings] == ["kim"]


# --- being called back


@dies(_S.CONNECTED, _S.QUEUED, records=2)
async def waits_to_be_called_back(stage: Stage) -> Scene:
    """He is called when the counselor is free."""
    first, talker, resident = await stage.asked_back()
    await resident.closed(timeout_s=PROMPT_S + 5)
    await stage.office.until_call_states("connected", "queued")
    yield stage.office.kill
    await talker.hang_up()
    await first.closed()
    await answers(first)
    await answers(resident)
    await stage.office.until_call("connected")
    await talk_and_part(resident, first)
    await is_reached(stage)


@dies(_S.OFFERED, records=2)
async def is_about_to_be_called_back(stage: Stage) -> Scene:
    """The counselor's phone rings on; then the resident's rings."""
    first, resident = await stage.is_called_back()
    await stage.office.until_call("offered")
    yield stage.office.kill
    await first.accept()
    await first.established()
    await answers(resident)
    await stage.office.until_call("connected")
    await talk_and_part(resident, first)
    await is_reached(stage)


@dies(_S.CALLING, records=2)
async def is_called_back(stage: Stage) -> Scene:
    """The resident's phone rings on; he is never called twice."""
    first, resident = await stage.is_called_back()
    await first.accept()
    await first.established()
    await resident.incoming()
    await stage.office.until_call("calling")
    yield stage.office.kill
    await resident.accept()
    await resident.established()
    await stage.office.until_call("connected")
    await talk_and_part(resident, first)
    await is_reached(stage)
    assert len((await stage.records(2))[1].legs) == 2


@dies(_S.GREETING, records=2)
async def is_told_who_calls_back(stage: Stage) -> Scene:
    """The two are connected."""
    first, resident = await stage.is_called_back()
    await first.accept()
    await first.established()
    await answers(resident)
    await stage.office.until_call("greeting")
    yield stage.office.kill
    await stage.office.until_call("connected")
    await talk_and_part(resident, first)
    await is_reached(stage)


@dies(_S.POSTPONED, records=2)
async def was_not_reached_and_is_to_be_called_again(stage: Stage) -> Scene:
    """The counselor is free meanwhile; the resident is called again when it is time, and at once if one says so."""
    first, resident = await stage.is_called_back()
    await first.accept()
    await first.established()
    await resident.incoming()
    await resident.hang_up()
    await first.closed()
    await stage.office.until_call("postponed")
    yield stage.office.kill
    await stage.office.until_agent("201", "available")
    (request,) = json.loads(await command(stage.office, "callback", "list", "--json", "--open"))
    await command(stage.office, "callback", "call-now", str(request["id"]))
    await answers(first)
    await answers(resident)
    await stage.office.until_call("connected")
    await talk_and_part(resident, first)
    await is_reached(stage, tries=1)


async def is_reached(stage: Stage, *, tries: int = 0) -> None:
    """He who asked has been called back, after so many times in vain."""
    asked, returned = await stage.records(2)
    assert asked.outcome is Outcome.CALLBACK
    assert returned.returns is not None
    assert (returned.outcome, returned.returns.result) == (Outcome.HANDLED, ReturnResult.REACHED)
    assert returned.returns.tries == tries


# --- at the end


@dies(_S.CLEARING, agent="unreachable", is_wired=True)
async def is_being_hung_up_on(stage: Stage) -> Scene:
    """The next daemon hangs up."""
    resident = await stage.dials(OVER)
    await stage.until_call("announcing")
    await resident.established()  # the announcement is ordered with that
    stage.wire.swallow_requests()
    await stage.until_call("clearing")
    assert not resident.seen(HUNG_UP)
    yield stage.office.kill
    await resident.closed(timeout_s=2)
    assert (await stage.record()).released_by is ReleasedBy.SYSTEM


@dies(_S.ENDED, agent="wrap-up", is_seen=False)
async def has_talked_and_the_counselor_writes_it_down(stage: Stage) -> Scene:
    """The call is over (``ENDED``): its record is not written twice, and the counselor is left in peace."""
    resident, first = await stage.talk(REST)
    await resident.hang_up()
    await first.closed()
    await stage.office.until_agent("201", "wrap-up")
    yield stage.office.kill_in_the_act
    await stage.office.until_agent("201", "wrap-up")
    assert (await stage.record()).outcome is Outcome.HANDLED


async def press(phone: Baresip, keys: str) -> None:
    for key in keys:
        await phone.press(key)


# --- what is shown of each


NUMBERS = count()
"""Of residents, another for each try: records are told apart by it."""


@pytest.fixture(scope="module")
def shared(
    lab_asterisk: LabAsterisk, agi_port: int, module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Centre]:
    """The office of all scenes, not started yet."""
    audio.write_tone(lab_asterisk.sounds_dir / "callrouter/lasts.wav", LASTS_HZ, duration_s=LASTS_S)
    lab_asterisk.cli(f"dialplan set global CALLROUTER_DEADLINE {PATIENT_S:g}")
    office = Centre(
        lab_asterisk,
        tmp_path_factory.mktemp("killed") / "centre",
        agi_port=agi_port,
        database_url=module_database,
        agents=("201", "202"),
        edit=all_that_scenes_need,
        anew=True,
    )
    yield office
    lab_asterisk.cli(f"dialplan set global CALLROUTER_DEADLINE {DEADLINE_S}")
    office.daemon.kill()
    office.assert_same_again()


TOGETHER = [
    {hears_an_announcement, hears_that_it_is_closed, leaves_a_message},
    {is_asked_by_a_menu, waits_for_somebodys_key},
    {hears_a_phone_ring, is_put_through_to_a_number_outside},
]
"""Scenes that share no phone, and so a kill."""
KILLS = [
    *([row for row in ROWS if row.scene in some] for some in TOGETHER),
    *([row] for row in ROWS if not any(row.scene in some for some in TOGETHER)),
]


@pytest.fixture
async def stages(
    request: pytest.FixtureRequest,
    shared: Centre,
    lab_asterisk: LabAsterisk,
    caller: People,
    counselor: People,
    outside: People,
) -> AsyncIterator[list[Stage]]:
    """The office, taking calls, at the end of a wire if a scene wants one; for each scene a number of its resident."""
    rows: list[Row] = request.getfixturevalue("rows")
    is_wired = any(row.is_wired for row in rows)
    async with Wire(lab_asterisk.http_port) as wire:
        if is_wired:
            await shared.kill_in_the_act()
        if not shared.daemon.is_running():
            await shared.restart(settings={"ARI_URL": wire.url} if is_wired else None)
        numbers = [f"05522{next(NUMBERS):05d}" for _ in rows]
        yield [Stage(shared, lab_asterisk, number, caller, counselor, outside, wire) for number in numbers]


@pytest.mark.parametrize(
    "rows", [pytest.param(rows, id="+".join(row.scene.__name__ for row in rows)) for rows in KILLS]
)
async def test_a_daemon_that_is_killed_in_any_state_of_a_call_is_followed_by_one_that_loses_nobody(
    rows: list[Row], stages: list[Stage]
) -> None:
    office, scenes = stages[0].office, [row.scene(stage) for row, stage in zip(rows, stages, strict=True)]
    ways = [await anext(scene) for scene in scenes]
    if all(row.is_seen for row in rows):
        await office.until_call_states(*sorted(state for row in rows for state in row.states))

    await ways[0]()
    took_s = await in_charge(office)
    if took_s > IN_CHARGE_WITHIN_S:  # on a machine that is busy with others: once more
        await office.kill_in_the_act()
        took_s = min(took_s, await in_charge(office))
    await asyncio.gather(*(anext(scene, None) for scene in scenes))

    print(f"in charge after {took_s:.2f} s")
    assert took_s < IN_CHARGE_WITHIN_S or is_overloaded(), office.daemon.log_tail()
    (agent,) = {row.agent for row in rows if row.agent != "unreachable"} or {"unreachable"}
    await stages[0].is_at_rest(agent)
    for row, stage in zip(rows, stages, strict=True):
        await stage.has_records(row.records)


def is_overloaded() -> bool:
    """Whether more wants to run on this machine than can: then times say nothing of us."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)


async def in_charge(office: Centre) -> float:
    """Start the next daemon; after how many seconds the calls are its own."""
    began_s = time.monotonic()
    await office.restart()
    return time.monotonic() - began_s


def test_every_state_of_a_call_has_a_scene_in_which_the_daemon_dies() -> None:
    assert {state for row in ROWS for state in row.states} == set(CallState)
