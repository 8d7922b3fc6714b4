"""Residents who keep their place without a phone are called back, on a real Asterisk: first the agent, then they."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Cdr, Disposition, OfferResult, Outcome, ReleasedBy, ReturnResult
from callrouter.store.embedded import EmbeddedPostgres
from lab import audio
from lab.baresip import Baresip
from lab.testing import MUSIC_HZ, PROMPT_HZ, PROMPT_S, RING_BACK_HZ
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.stored import file_of, tapes
from tests.acceptance.talks import RESIDENT, RESIDENT_HZ, answers, people_talk

pytestmark = pytest.mark.asterisk

TALKER = "0552250001"
COUNSELOR_HZ = 1300.0
SHOWN = "0552111120"
TALK_S, ENOUGH_S, TOLERANCE_S = 1.5, 1.0, 0.4
RETRY_S = 10

# The tests' Asterisk has a tone for each of these prompts: `waiting` stands for thanks, `night-welcome` for what the
# counselor is told, `closed` for what the resident is.
TRUNKS = f"""\
trunks:
  carrier: {{title: 국선, channels: CHANNELS, caller_id: "{SHOWN}"}}
"""
PLANS = """\
  call-me: [{callback: changwon}, {announce: waiting}, hangup]
  call-me-where: [{callback: changwon, confirm: changwon-welcome, ask: emergency}, {announce: waiting}, hangup]
"""
QUEUE = f"""\
    keys: {{2: call-me, 3: call-me-where}}
    call_back:
      trunk: carrier
      attempts: 2
      retry_after: {RETRY_S}s
      ring_timeout: 4s
      to_agent: night-welcome
      to_resident: closed
"""
TO_AGENT_HZ, TO_RESIDENT_HZ = PROMPT_HZ["night-welcome"], PROMPT_HZ["closed"]
NOTICE_HZ = PROMPT_HZ["recording-notice"]


def calls_back(*, channels: int = 4, more: str = "") -> Callable[[Path], None]:
    """Let the queue of Changwon call back."""

    def edit(config: Path) -> None:
        (config / "trunks.yaml").write_text(TRUNKS.replace("CHANNELS", str(channels)), encoding="utf-8")
        queues, routes = config / "queues.yaml", config / "routes.yaml"
        title = "    title: 창원시\n"
        text = queues.read_text(encoding="utf-8")
        assert title in text
        queues.write_text(text.replace(title, title + QUEUE + more), encoding="utf-8")
        routes.write_text(routes.read_text(encoding="utf-8") + PLANS, encoding="utf-8")

    return edit


async def asks_while_waiting(office: Centre, resident: Baresip) -> None:
    """Dial, wait in line, press the key, hear thanks."""
    await resident.dial("120")
    await office.until_waiting(1)
    await resident.press("2")
    await resident.closed(timeout_s=PROMPT_S + 5)
    await office.until_waiting(1)


async def record_of_return(office: Centre, count: int) -> Cdr:
    """The record of the call that was made; ``count`` calls have ended."""
    (found,) = [cdr for cdr in await office.cdrs(count) if cdr.returns is not None]
    return found


def legs(cdr: Cdr) -> list[tuple[str | None, str | None, OfferResult]]:
    """Who was called over which trunk, in order, and what became of it."""
    in_order = sorted(cdr.legs, key=lambda leg: leg.attempt)
    return [(leg.agent or leg.destination, leg.trunk, leg.result) for leg in in_order]


def asking(status: dict[str, Any]) -> int:
    """How many wait to be called back by the queue of Changwon."""
    return sum(queue["waiting"] for queue in status["callbacks"] if queue["queue"] == "changwon")


async def until_state(office: Centre, state: str, *, timeout_s: float = 10.0) -> None:
    """Wait until some call is in ``state``."""
    await office.until(
        f"a call is {state}", lambda now: state in [call["state"] for call in now["calls"]], timeout_s=timeout_s
    )


async def busy_with_a_request(
    centre: MakeCentre,
    caller: People,
    counselor: People,
    outside: People,
    edit: Callable[[Path], None] | None = None,
    **wanted: object,
) -> tuple[Centre, Baresip, Baresip, Baresip]:
    """The only counselor talks; a resident has asked to be called back. They, and who talks, are returned."""
    office = await centre(agents=("201",), edit=edit or calls_back(), wrap_up="0s", ring_timeout="5s", **wanted)
    phone, talker = await counselor("201", tone_hz=COUNSELOR_HZ), await caller(TALKER)
    await office.talk(talker, phone)
    resident = await outside(RESIDENT, tone_hz=RESIDENT_HZ)
    await asks_while_waiting(office, resident)
    return office, phone, talker, resident


async def test_who_asked_while_waiting_is_called_when_the_counselor_is_free_and_at_the_phone(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)

    await talker.hang_up()
    await phone.closed()
    await phone.incoming()
    assert not resident.seen("CALL_INCOMING"), "the resident is called before the counselor is there"
    await phone.accept()
    await resident.incoming()
    await asyncio.sleep(PROMPT_S + TALK_S)  # the counselor hears what this is, and ringing
    await resident.accept()
    await resident.established()
    await office.until_call("connected")
    await people_talk(TALK_S)
    await phone.hang_up()
    await resident.closed(timeout_s=2)

    assert resident.shows().number == SHOWN
    assert phone.shows().number == RESIDENT
    assert audio.tone_seconds(phone.heard(), TO_AGENT_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(phone.heard(), *RING_BACK_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), TO_RESIDENT_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= ENOUGH_S
    cdr = await record_of_return(office, 3)
    asked = next(one for one in await office.cdrs(3) if one.outcome is Outcome.CALLBACK)
    assert (cdr.outcome, cdr.disposition, cdr.released_by) == (Outcome.HANDLED, Disposition.ANSWERED, ReleasedBy.AGENT)
    assert (cdr.agent, cdr.queue, cdr.caller, cdr.tenant) == ("201", "changwon", RESIDENT, asked.tenant)
    assert cdr.returns is not None
    assert (cdr.returns.request, cdr.returns.result, cdr.returns.tries) == (asked.call_id, ReturnResult.REACHED, 0)
    assert legs(cdr) == [
        ("201", None, OfferResult.ANSWERED),
        (RESIDENT, "carrier", OfferResult.ANSWERED),
    ]
    status = await office.until("the trunk is free", lambda now: now["trunks"][0]["in_use"] == 0)
    assert status["calls"] == []


async def test_a_resident_who_is_busy_is_called_again_later_and_the_counselor_is_free_meanwhile(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)

    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await resident.incoming()
    await resident.hang_up()  # busy
    await phone.closed(timeout_s=3)
    await until_state(office, "postponed")
    await office.until_agent("201", "available", timeout_s=1)
    await phone.incoming(timeout_s=RETRY_S + 2)
    await phone.accept()
    await answers(resident)
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    cdr = await record_of_return(office, 3)
    assert cdr.returns is not None
    assert (cdr.outcome, cdr.returns.result, cdr.returns.tries) == (Outcome.HANDLED, ReturnResult.REACHED, 1)
    assert legs(cdr) == [
        ("201", None, OfferResult.CALLER_GONE),
        (RESIDENT, "carrier", OfferResult.BUSY),
        ("201", None, OfferResult.ANSWERED),
        (RESIDENT, "carrier", OfferResult.ANSWERED),
    ]


async def test_who_is_not_reached_as_often_as_may_be_tried_is_closed_so_and_stays_in_the_list(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)

    await talker.hang_up()
    await phone.closed()
    for _ in range(2):
        await phone.incoming(timeout_s=RETRY_S + 2)
        await phone.accept()
        await resident.incoming()
        await resident.closed(timeout_s=6)  # nobody answers
        await phone.closed(timeout_s=2)

    cdr = await record_of_return(office, 3)
    assert cdr.returns is not None
    assert (cdr.returns.result, cdr.returns.tries) == (ReturnResult.NOT_REACHED, 2)
    assert (cdr.outcome, cdr.disposition, cdr.agent) == (Outcome.ABANDONED, Disposition.NO_ANSWER, None)
    listed = await asyncio.to_thread(office.daemon.run, "callback", "list")
    assert "not-reached" in listed.stdout
    assert "callrouter" in listed.stdout
    await office.until_agent("201", "available")


async def test_a_counselor_who_hangs_up_before_the_resident_answers_costs_him_no_attempt_and_no_place(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)

    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await resident.incoming()
    await phone.hang_up()
    await resident.closed(timeout_s=3)
    await answers(phone)
    await answers(resident)
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    cdr = await record_of_return(office, 3)
    assert cdr.returns is not None
    assert (cdr.returns.result, cdr.returns.tries) == (ReturnResult.REACHED, 0)
    assert [result for _, _, result in legs(cdr)] == [
        OfferResult.LOST,
        OfferResult.CALLER_GONE,
        OfferResult.ANSWERED,
        OfferResult.ANSWERED,
    ]


async def test_a_resident_whose_counselor_hangs_up_during_the_greeting_waits_on_with_music_for_another(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)

    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await answers(resident)
    await until_state(office, "greeting")
    await phone.hang_up()
    await answers(phone)
    await office.until_call("connected")
    await people_talk(TALK_S)
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) > 0
    cdr = await record_of_return(office, 3)
    assert legs(cdr) == [
        ("201", None, OfferResult.LOST),
        (RESIDENT, "carrier", OfferResult.ANSWERED),
        ("201", None, OfferResult.ANSWERED),
    ]


async def test_nobody_is_called_before_the_hours_begin(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    hours = calls_back(more="      calendar: weekday-night\n")
    office = await centre(agents=("201",), edit=hours, wrap_up="0s", clock="2026-11-24T17:59:45")
    phone, talker = await counselor("201"), await caller(TALKER)
    await office.talk(talker, phone)
    resident = await outside(RESIDENT)
    await resident.dial("120")
    await office.until_waiting(1)
    await resident.press("2")
    await resident.closed(timeout_s=PROMPT_S + 5)
    await talker.hang_up()
    await phone.closed()
    await until_state(office, "postponed")
    await office.until_agent("201", "available")
    await phone.incoming(timeout_s=20)
    await phone.accept()
    await answers(resident)
    await office.until_call("connected")
    await phone.hang_up()
    await resident.closed(timeout_s=2)

    cdr = await record_of_return(office, 3)
    first = min(leg.offered_at for leg in cdr.legs)
    assert f"{first:%H:%M}" == "09:00", "six in the evening, in UTC"


async def test_without_room_in_the_trunk_group_the_counselor_is_not_rung_either(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    """The group's only channel is taken by who came in by it and talks to a duty desk, until that ends."""
    duty = """\
routes:
  - id: duty
    when: {region: gimhae}
    do:
      - dial: [desk]
      - hangup
"""

    def edit(config: Path) -> None:
        calls_back(channels=1)(config)
        trunks, routes = config / "trunks.yaml", config / "routes.yaml"
        desk = "destinations:\n  desk: {title: 당직실, endpoint: PJSIP/202, ring_timeout: 4s}\n"
        trunks.write_text(trunks.read_text(encoding="utf-8") + desk, encoding="utf-8")
        routes.write_text(duty + routes.read_text(encoding="utf-8").partition("routes:\n")[2], encoding="utf-8")

    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside, edit)
    desk, other = await counselor("202"), await caller("0553301234")
    await other.dial("120")
    await answers(desk)
    await talker.hang_up()
    await phone.closed()
    await office.until_agent("201", "available")
    await office.until_waiting(1)
    await desk.hang_up()
    await answers(phone)
    await answers(resident)
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    cdr = await record_of_return(office, 4)
    assert [result for _, _, result in legs(cdr)] == [OfferResult.ANSWERED, OfferResult.ANSWERED]


@pytest.mark.parametrize("loses_the_newest", [False, True], ids=["all in the journal", "the newest lost"])
async def test_a_daemon_that_dies_while_the_resident_is_called_never_calls_twice_at_once(
    caller: People, counselor: People, outside: People, centre: MakeCentre, loses_the_newest: bool
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)

    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await resident.incoming()
    await (office.kill_in_the_act() if loses_the_newest else office.kill())
    await office.restart()
    if resident.seen("CALL_CLOSED") or phone.seen("CALL_CLOSED"):  # what was lost is made anew
        await answers(phone)
        await resident.incoming()
    await resident.accept()
    await resident.established()
    await office.until_call("connected")
    await people_talk(TALK_S)
    await resident.hang_up()
    await phone.closed(timeout_s=3)

    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    cdr = await record_of_return(office, 3)
    assert cdr.returns is not None
    assert (cdr.returns.result, cdr.returns.tries) == (ReturnResult.REACHED, 0)
    called = sorted((leg.offered_at, leg.ended_at) for leg in cdr.legs if leg.agent is None)
    assert all(before[1] <= after[0] for before, after in pairwise(called))
    await office.until("the trunk is free", lambda now: now["trunks"][0]["in_use"] == 0)


async def test_a_request_outlives_the_daemon(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)

    await office.kill()
    await talker.hang_up()
    await phone.hang_up()
    await office.restart()
    await answers(phone)
    await answers(resident)
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed(timeout_s=3)

    cdr = await record_of_return(office, 3)
    assert cdr.returns is not None
    assert cdr.returns.result is ReturnResult.REACHED


async def command(office: Centre, *arguments: str, status: int = 0) -> str:
    """A command of the daemon's machine."""
    done = await asyncio.to_thread(office.daemon.run, "callback", *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_who_is_closed_in_the_list_or_cancelled_is_not_called_and_who_is_hastened_is_at_once(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    """One asks three times: cancelled, closed by hand, and called outside the hours because somebody says so."""
    hours = calls_back(more="      calendar: weekday-night\n")
    office = await centre(agents=("201",), edit=hours, wrap_up="0s")
    phone, talker = await counselor("201"), await caller(TALKER)
    await office.talk(talker, phone)
    resident = await outside(RESIDENT)

    async def asks(request: int) -> None:
        await resident.dial("120")
        await office.until_waiting(1)
        await resident.press("2")
        await resident.closed(timeout_s=PROMPT_S + 5)
        await office.until("the request is listed", lambda now: asking(now) == 1)
        assert "postponed" in await command(office, "show", str(request))

    await asks(1)
    assert "nobody calls back any more" in await command(office, "cancel", "1")
    await office.until("the request is closed", lambda now: asking(now) == 0)
    await asks(2)
    await command(office, "done", "2", "--result", "reached", "--by", "203")
    await office.until("only the talker is left", lambda now: [c["state"] for c in now["calls"]] == ["connected"])
    await asks(3)
    assert "call-now" not in await command(office, "call-now", "3")
    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await answers(resident)
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    made = [cdr for cdr in await office.cdrs(7) if cdr.returns is not None]
    assert [cdr.returns.result for cdr in made if cdr.returns is not None] == [
        ReturnResult.CANCELLED,
        ReturnResult.CANCELLED,
        ReturnResult.REACHED,
    ]
    listed = await command(office, "list")
    assert "reached" in listed
    assert "203" in listed


async def test_the_number_is_read_out_and_another_one_is_entered_and_called(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    other = "01098765432"
    office = await centre(agents=("201",), edit=calls_back(), wrap_up="0s")
    phone, talker = await counselor("201"), await caller(TALKER)
    await office.talk(talker, phone)
    resident, mobile = await caller(RESIDENT), await outside(other, tone_hz=RESIDENT_HZ)
    await resident.dial("120")
    await office.until_waiting(1)
    await resident.press("3")
    await until_state(office, "dictating")
    await asyncio.sleep(len(RESIDENT) * PROMPT_S + PROMPT_S)  # listening to the number
    await resident.press("2")
    await asyncio.sleep(PROMPT_S)  # listening to what to do
    for digit in f"{other}#":
        await resident.press(digit)
    await asyncio.sleep(6 * PROMPT_S)  # pressing takes a while; then the first digits of the other number
    await resident.press("1")
    await resident.closed(timeout_s=PROMPT_S + 5)
    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await answers(mobile)
    await office.until_call("connected")
    await mobile.hang_up()
    await phone.closed(timeout_s=2)

    said = {digit: audio.tone_seconds(resident.heard(), PROMPT_HZ[f"digit-{digit}"]) for digit in "0123456789"}
    assert said["5"] == pytest.approx(3 * PROMPT_S, abs=TOLERANCE_S), "055-225-1234"
    assert said["0"] >= 1.5 * PROMPT_S, "and 01, of the mobile's"
    assert said["6"] < TOLERANCE_S, "the key cuts it short"
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["emergency"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    cdr = await record_of_return(office, 3)
    assert (cdr.caller, cdr.outcome) == (other, Outcome.HANDLED)


async def test_who_hangs_up_while_his_number_is_read_out_is_called_back_at_it(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), edit=calls_back(), wrap_up="0s")
    phone, talker = await counselor("201"), await caller(TALKER)
    await office.talk(talker, phone)
    resident = await outside(RESIDENT)
    await resident.dial("120")
    await office.until_waiting(1)
    await resident.press("3")
    await until_state(office, "dictating")
    await resident.hang_up()
    await office.until_waiting(1)
    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await answers(resident)
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    cdr = await record_of_return(office, 3)
    assert (cdr.caller, cdr.outcome) == (RESIDENT, Outcome.HANDLED)


async def test_who_calls_by_himself_has_his_place_and_is_not_called_back_any_more(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)
    other = await caller("0552250009")
    await other.dial("120")
    await office.until_waiting(2)
    await resident.dial("120")
    await until_state(office, "postponed")
    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await until_state(office, "connected")
    await people_talk(TALK_S)
    await other.hang_up()
    await resident.hang_up()
    await phone.closed(timeout_s=2)

    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S, "he was before the other"
    cdr = await record_of_return(office, 5)
    assert cdr.returns is not None
    assert (cdr.returns.result, cdr.legs) == (ReturnResult.REACHED, ())
    assert not resident.seen("CALL_INCOMING")
    assert "served" in await command(office, "list")


async def test_a_resident_hears_that_he_will_be_recorded_and_so_does_the_counselor_and_then_he_is(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    """The first counselor to answer hangs up in the middle of the notice: then it is heard anew, with the next."""
    edit = calls_back(more="    recording: {notice: recording-notice, retention: 60d}\n")
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside, edit)
    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await answers(resident)
    await until_state(office, "greeting")
    await asyncio.sleep(1.5 * PROMPT_S)  # the greeting is over, and half of the notice
    await phone.hang_up()
    await answers(phone)
    await office.until_call("connected")
    await people_talk(TALK_S)
    await resident.hang_up()
    await phone.closed(timeout_s=2)
    cdr = await record_of_return(office, 3)
    _, kept = await tapes(office, 2)

    heard_s = audio.tone_seconds(resident.heard(), NOTICE_HZ)
    assert 1.2 * PROMPT_S <= heard_s <= 1.8 * PROMPT_S, "half of it, and all of it"
    assert audio.tone_seconds(phone.heard(), NOTICE_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(resident.heard(), TO_RESIDENT_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert [notice.heard_at is not None for notice in cdr.notices] == [False, True]
    assert [(tape.recording, tape.agent) for tape in cdr.tapes] == [(kept.recording, "201")]
    file = file_of(office, kept)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == kept.sha256
    assert audio.chord_seconds(file, RESIDENT_HZ, COUNSELOR_HZ) >= ENOUGH_S
    assert audio.tone_seconds(file, NOTICE_HZ) == 0


async def test_a_resident_is_called_back_while_the_database_is_away_and_all_is_written_once_when_it_is_there(
    caller: People, counselor: People, outside: People, centre: MakeCentre, open_folder: Path
) -> None:
    """And the daemon dies in between, so that all of it is in its journal alone."""
    server = EmbeddedPostgres(open_folder / "away-from-requests")
    url = await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.stop)
    try:
        office, phone, talker, resident = await busy_with_a_request(
            centre, caller, counselor, outside, database_url=url
        )
        await office.kill()
        await office.restart()
        await until_state(office, "connected")
        await talker.hang_up()
        await phone.closed()
        await answers(phone)
        await answers(resident)
        await office.until_call("connected")
        await resident.hang_up()
        await phone.closed(timeout_s=2)
        away = await office.until("three records wait", lambda now: now["database"]["backlog"] == 3)
        await asyncio.to_thread(server.start)
        await office.until("nothing waits", lambda now: now["database"]["backlog"] == 0)
        cdr = await record_of_return(office, 3)
        (request,) = json.loads(await command(office, "list", "--json"))
        await office.kill()
        await office.restart()
        await office.until("the database is back", lambda now: now["database"]["connected"])
        again = await office.cdrs(3)
        requests = json.loads(await command(office, "list", "--json"))
    finally:
        await office.kill_in_the_act()
        await asyncio.to_thread(server.stop)

    assert not away["database"]["connected"]
    assert cdr.returns is not None
    assert (cdr.outcome, cdr.returns.result, cdr.returns.tries) == (Outcome.HANDLED, ReturnResult.REACHED, 0)
    assert (request["call_id"], request["result"], request["tries"]) == (cdr.returns.request, "reached", 0)
    assert cdr in again
    assert requests == [request]
