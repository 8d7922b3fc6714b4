"""Nobody hears nothing: the daemon is stopped, killed and frozen while residents call, wait and talk."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED, INCOMING, Baresip
from lab.testing import DEADLINE_S, MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.talks import answers, dials_and_hears

pytestmark = pytest.mark.asterisk


RESIDENT = "0552251234"
OTHER = "0557421234"
RESIDENT_HZ = 1100.0
COUNSELOR_HZ = 1300.0
DEAD_MAN_S = 3
QUICK_TO_GIVE_UP = {"LIMITS_DEAD_MAN": f"{DEAD_MAN_S}s"}
FALLBACK_ANSWERS_S = PROMPT_S + 3.0


async def wait_in_line(resident: Baresip, office: Centre, asterisk: LabAsterisk) -> None:
    """Have the resident hear music, and the switch be as short as it is then: it is long during an announcement."""
    await dials_and_hears(resident, asterisk, "Started music on hold")
    await office.until_waiting(1)


async def test_with_the_daemon_stopped_a_call_goes_to_the_fallback(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(RESIDENT), await counselor("201")
    office.daemon.terminate()
    status = await asyncio.to_thread(office.daemon.wait_ended)

    await resident.dial("120")
    await phone.incoming(timeout_s=FALLBACK_ANSWERS_S)
    await resident.hang_up()
    await resident.closed()

    assert status == 0
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["fallback-wait"]) == pytest.approx(PROMPT_S, abs=0.25)


async def test_with_the_daemon_killed_a_call_goes_to_the_fallback(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(RESIDENT), await counselor("201")
    await asyncio.to_thread(office.daemon.kill)

    await resident.dial("120")

    await phone.incoming(timeout_s=FALLBACK_ANSWERS_S)


async def test_with_the_daemon_frozen_a_call_goes_to_the_fallback_within_seconds(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(RESIDENT), await counselor("201")
    office.daemon.freeze()

    await resident.dial("120")

    await phone.incoming(timeout_s=DEADLINE_S + FALLBACK_ANSWERS_S)


@pytest.mark.parametrize("end", [Centre.kill, Centre.freeze], ids=["killed", "frozen"])
async def test_a_resident_who_waits_when_the_daemon_dies_gets_a_person_all_the_same(
    caller: People,
    counselor: People,
    centre: MakeCentre,
    end: Callable[[Centre], Awaitable[None]],
    lab_asterisk: LabAsterisk,
) -> None:
    office = await centre(agents=("201",), settings=QUICK_TO_GIVE_UP)  # nobody's phone is registered
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    await wait_in_line(resident, office, lab_asterisk)
    phone = await counselor("202", tone_hz=COUNSELOR_HZ)

    await end(office)
    await phone.incoming(timeout_s=DEAD_MAN_S + FALLBACK_ANSWERS_S)
    await phone.accept()
    await phone.established()
    await asyncio.sleep(DEAD_MAN_S + 1)  # people talk for longer than the switch, which must be lifted by now
    assert not phone.seen(CLOSED)
    await phone.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) > 0.5
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= DEAD_MAN_S
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= DEAD_MAN_S


async def test_a_daemon_that_wakes_after_a_resident_was_taken_from_it_does_not_take_him_for_one_who_hung_up(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201",), settings=QUICK_TO_GIVE_UP)  # whose phone is not registered
    resident, phone = await caller(RESIDENT), await counselor("202")
    await wait_in_line(resident, office, lab_asterisk)

    await office.freeze()
    await phone.incoming(timeout_s=DEAD_MAN_S + FALLBACK_ANSWERS_S)
    office.daemon.thaw()
    cdr = await office.cdr()

    assert (cdr.outcome, cdr.released_by) == (Outcome.FAILED, ReleasedBy.SYSTEM)
    assert "released: taken-away" in cdr.explanation
    assert not resident.seen(CLOSED)


async def test_a_resident_who_was_handed_to_the_dialplan_is_not_cut_off_by_the_switch(
    caller: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    def office_by_day(config: Path) -> None:
        routes = config / "routes.yaml"
        head, _, _ = routes.read_text(encoding="utf-8").partition("routes:\n")
        routes.write_text(f"{head}routes: [{{id: office, do: [{{dialplan: 'office,200'}}]}}]\n", encoding="utf-8")

    for priority, application in ((1, "Answer"), (2, "MusicOnHold")):
        await asyncio.to_thread(
            lab_asterisk.cli, f"dialplan add extension 200,{priority},{application} into office replace"
        )
    office = await centre(settings=QUICK_TO_GIVE_UP, edit=office_by_day)
    resident = await caller(RESIDENT)

    await resident.dial("120")
    await resident.established()
    await office.cdr()
    await asyncio.sleep(DEAD_MAN_S + 1)  # listening to music over there for longer than the switch
    assert not resident.seen(CLOSED)
    await resident.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) >= DEAD_MAN_S


async def test_who_waits_longer_than_the_switch_stays_while_the_daemon_lives(
    caller: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201",), settings=QUICK_TO_GIVE_UP)
    resident = await caller(RESIDENT)
    await wait_in_line(resident, office, lab_asterisk)

    await asyncio.sleep(2.5 * DEAD_MAN_S)  # waiting
    await office.until_waiting(1)
    await resident.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) >= 2.2 * DEAD_MAN_S


async def test_people_who_talk_go_on_over_a_kill_and_the_next_daemon_writes_the_record(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), settings=QUICK_TO_GIVE_UP)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)
    await office.talk(resident, phone)
    began_s = time.monotonic()

    await office.kill()
    await asyncio.sleep(DEAD_MAN_S + 1)  # people talk for longer than the switch, which must be lifted by now
    await office.restart()
    taken_up = await office.until("the call is known again", lambda status: bool(status["calls"]))
    await phone.hang_up()
    await resident.closed(timeout_s=2)
    talked_s = time.monotonic() - began_s

    assert [call["state"] for call in taken_up["calls"]] == ["connected"]
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= talked_s - 1
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= talked_s - 1
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by, cdr.agent) == (Outcome.HANDLED, ReleasedBy.AGENT, "201")


async def test_a_call_that_ended_while_the_daemon_was_dead_is_closed_by_the_next_one_and_marked(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(RESIDENT), await counselor("201")
    await office.talk(resident, phone)

    await office.kill()
    await resident.hang_up()
    await resident.closed()
    assert not phone.seen(CLOSED), "a lone counselor's leg is what a dead daemon leaves behind"
    await office.restart()
    await phone.closed(timeout_s=5)

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "201")
    assert "ended_at is an estimate" in cdr.explanation
    await office.until_agent("201", "available")


async def test_who_waits_keeps_the_place_over_a_kill_and_a_restart(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201",), wrap_up="0s")
    first, second = await caller(RESIDENT), await caller(OTHER)
    await wait_in_line(first, office, lab_asterisk)
    await second.dial("120")
    await office.until_waiting(2)

    await office.kill()
    phone = await counselor("201")
    await office.restart()
    served = [(await phone.incoming()).peer]
    await phone.accept()
    await phone.established()
    await office.until_call_states("connected", "queued")  # or who hangs up has not taken the caller
    await phone.hang_up()
    served.append((await phone.incoming()).peer)
    await second.hang_up()

    assert [RESIDENT in served[0], OTHER in served[1]] == [True, True]
    earlier, later = await office.cdrs(2)
    assert (earlier.caller, earlier.outcome) == (RESIDENT, Outcome.HANDLED)
    assert (later.caller, later.outcome) == (OTHER, Outcome.ABANDONED)


async def test_a_phone_that_rings_when_the_daemon_dies_can_still_be_answered(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), ring_timeout="20s")
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)
    await resident.dial("120")
    await phone.incoming()
    await office.until_call("offered")

    await office.kill()
    await office.restart()
    await office.until_call("offered")
    await phone.accept()
    await phone.established()
    await office.until_call("connected")
    await asyncio.sleep(1)  # people talking
    await resident.hang_up()
    await phone.closed()

    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= 0.7
    cdr = await office.cdr()
    assert [leg.result for leg in cdr.legs] == [OfferResult.ANSWERED]


async def test_a_phone_that_is_answered_while_no_daemon_is_there_is_hung_up_and_rung_again_by_the_next(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), ring_timeout="20s")
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=COUNSELOR_HZ)
    await resident.dial("120")
    await phone.incoming()
    await office.until_call("offered")

    await office.kill()
    await phone.accept()
    await phone.closed(timeout_s=2)
    await asyncio.sleep(1)  # listening to music: the next daemon may be there in less than half a second
    await office.restart()
    await answers(phone)
    await office.until_call("connected")
    await asyncio.sleep(1)  # people talking
    await resident.hang_up()
    await phone.closed()

    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= 0.7
    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) > 0.5, "he waits on meanwhile"
    cdr = await office.cdr()
    assert [leg.result for leg in cdr.legs] == [OfferResult.FAILED, OfferResult.ANSWERED]


async def test_a_daemon_that_dies_in_the_act_of_calling_a_phone_leaves_a_resident_who_is_served_all_the_same(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(RESIDENT), await counselor("201")
    await resident.dial("120")
    await phone.incoming()

    await office.kill_in_the_act()
    await office.restart()
    await office.until_call("offered")
    await phone.accept()
    await phone.established()
    await office.until_call("connected")
    await phone.hang_up()
    await resident.closed()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "201")


async def test_a_draining_daemon_lets_people_finish_and_sends_newcomers_to_the_fallback(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(RESIDENT), await counselor("201")
    await office.talk(resident, phone)
    late, other = await caller(OTHER), await counselor("202")

    office.daemon.terminate()
    await office.until("it drains", lambda status: status["draining"])
    await late.dial("120")
    await other.incoming(timeout_s=FALLBACK_ANSWERS_S)
    await phone.incoming()  # the fallback rings everybody, also who talks
    assert not phone.seen(CLOSED), "people who talk are cut off"
    await late.hang_up()
    await phone.closed()  # that ringing; else it would be what is hung up next
    await phone.hang_up()
    await resident.closed()
    status = await asyncio.to_thread(office.daemon.wait_ended)

    assert status == 0
    finished, sent_on = await office.cdrs(2)
    assert (finished.outcome, finished.released_by) == (Outcome.HANDLED, ReleasedBy.AGENT)
    assert (sent_on.caller, sent_on.outcome) == (OTHER, Outcome.REJECTED)


async def test_a_call_that_lasts_longer_than_the_drain_is_taken_up_by_the_next_daemon(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), settings={"SERVICE_DRAIN": "1s"})
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    phone = await counselor("201")
    await office.talk(resident, phone)

    office.daemon.terminate()
    status = await asyncio.to_thread(office.daemon.wait_ended)
    assert not phone.seen(CLOSED)
    await office.restart()
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    assert status == 0
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)


async def test_a_second_daemon_takes_over_and_the_first_commands_nothing_any_more(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    first = await centre(agents=("201",))
    second = await centre(agents=("201",), agi_port=0)
    await first.until("the first has stood down", lambda status: not status["ready"])
    resident, phone = await caller(RESIDENT), await counselor("201")

    await second.talk(resident, phone)
    await resident.hang_up()
    await phone.closed()

    assert (await second.cdr()).outcome is Outcome.HANDLED
    assert (await first.status())["totals"]["arrived"] == 0
    assert not phone.seen(INCOMING), "the phone was called twice"
