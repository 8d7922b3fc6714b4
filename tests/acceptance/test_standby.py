"""A second daemon takes over when the first dies, hangs or is told to hand over: no call notices, none is lost."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED, INCOMING, Baresip
from lab.errors import NotReadyError
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.duo import Duo, until_copied
from tests.acceptance.talks import people_talk
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

RESIDENT, OTHER, THIRD = "0552251234", "0557421234", "0555551234"
RESIDENT_HZ = 1100.0
COUNSELOR_HZ = 1300.0
LEADS = re.compile(r'^.*"standby.role".*"leading".*$', re.MULTILINE)

MakeDuo = Callable[..., Awaitable[Duo]]


@pytest.fixture
async def duo(lab_asterisk: LabAsterisk, agi_port: int, database: str, tmp_path: Path) -> AsyncIterator[MakeDuo]:
    made: list[Duo] = []

    async def make(**wanted: Any) -> Duo:
        new = Duo(lab_asterisk, tmp_path / "duo", **{"agi_port": agi_port, "database_url": database, **wanted})
        made.append(new)
        await new.start()
        return new

    yield make
    for one in made:
        one.end()


async def one_talks_one_rings_one_waits(
    two: Duo, caller: People, counselor: People
) -> tuple[tuple[Baresip, Baresip, Baresip], tuple[Baresip, Baresip]]:
    """The residents in that order, and the phones of the first two."""
    talker, ringer, waiter = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await caller(OTHER), await caller(THIRD)
    phone, other_phone = await counselor("201", tone_hz=COUNSELOR_HZ), await counselor("202")
    await two.a.talk(talker, phone)
    await ringer.dial("120")
    await other_phone.incoming()
    await waiter.dial("120")
    await two.a.until_waiting(1)
    return (talker, ringer, waiter), (phone, other_phone)


async def test_a_daemon_that_waits_takes_over_from_one_that_is_killed_and_all_calls_go_on(
    duo: MakeDuo, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201", "202"), ring_timeout="30s", wrap_up="0s")
    (talker, ringer, waiter), (phone, other_phone) = await one_talks_one_rings_one_waits(two, caller, counselor)
    await two.a.until("the journal is on disk", lambda status: not status["journal"]["waiting"])

    died_s = time.monotonic()
    await two.a.kill_in_the_act()
    took_s = await two.until_in_charge(two.b, died_s)
    taken_up = await two.b.until("its calls are known", lambda status: len(status["calls"]) == 3)
    await other_phone.accept()
    await other_phone.established()
    await asyncio.sleep(1)  # people talking
    await other_phone.hang_up()
    await ringer.closed()
    await other_phone.incoming()  # now it is the one's turn who waited
    await waiter.hang_up()
    await talker.hang_up()
    await phone.closed()
    records = await two.b.cdrs(3)

    print(f"in charge after {took_s:.2f} s")
    assert sorted(call["state"] for call in taken_up["calls"]) == ["connected", "offered", "queued"]
    assert [cdr.caller for cdr in records] == [RESIDENT, OTHER, THIRD]
    assert [cdr.outcome for cdr in records] == [Outcome.HANDLED, Outcome.HANDLED, Outcome.ABANDONED]
    assert [cdr.agent for cdr in records[:2]] == ["201", "202"]
    assert (records[0].released_by, records[1].released_by) == (ReleasedBy.CALLER, ReleasedBy.AGENT)
    assert [leg.result for leg in records[1].legs] == [OfferResult.ANSWERED]
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) > took_s + 0.5


async def test_a_leader_that_hangs_is_relieved_and_when_it_wakes_it_waits_and_commands_nothing(
    duo: MakeDuo, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201", "202"), ring_timeout="4s", wrap_up="0s")
    talker, ringer = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await caller(OTHER)
    phone, other_phone = await counselor("201", tone_hz=COUNSELOR_HZ), await counselor("202")
    await two.a.talk(talker, phone)
    await ringer.dial("120")
    await other_phone.incoming()
    await two.a.until_call_states("connected", "offered")
    await two.a.until("the journal is on disk", lambda status: not status["journal"]["waiting"])

    hung_s = time.monotonic()
    await two.a.freeze()
    took_s = await two.until_in_charge(two.b, hung_s)
    await two.b.until_call_states("connected", "offered")
    await other_phone.accept()
    await other_phone.established()
    await two.b.until_call_states("connected", "connected")
    await asyncio.sleep(max(0.0, hung_s + 5 - time.monotonic()))  # until what the one that hangs had in mind is due
    two.a.daemon.thaw()
    status = await two.until_role(two.a, "standby")
    await asyncio.sleep(1)  # for what it might command
    leader = await two.b.status()
    assert not other_phone.seen(CLOSED), two.a.daemon.log_tail()
    await ringer.hang_up()
    await other_phone.closed()
    await talker.hang_up()
    await phone.closed()
    records = await two.b.cdrs(2)

    print(f"in charge after {took_s:.2f} s")
    assert (status["ready"], leader["ready"], leader["leading"]["waiting"]) == (False, True, 1)
    assert [(cdr.outcome, cdr.agent, cdr.released_by) for cdr in records] == [
        (Outcome.HANDLED, "201", ReleasedBy.CALLER),
        (Outcome.HANDLED, "202", ReleasedBy.CALLER),
    ]
    assert [leg.result for leg in records[1].legs] == [OfferResult.ANSWERED]
    assert not phone.seen(INCOMING), "the phone was called twice"
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) > took_s + 2


BACK_AND_FORTH = 50


async def test_going_back_and_forth_fifty_times_with_calls_in_every_state_loses_nothing_and_stopping_one_hands_over(
    duo: MakeDuo, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201", "202"), ring_timeout="120s", wrap_up="0s")
    (talker, ringer, waiter), (phone, other_phone) = await one_talks_one_rings_one_waits(two, caller, counselor)

    began_s = time.monotonic()
    leader, other = two.a, two.b
    for _ in range(BACK_AND_FORTH):
        await leader.until("another waits", lambda status: bool(status["leading"]["waiting"]))
        await two.order_to_hand_over(leader)
        await other.until("it takes calls", lambda status: bool(status["ready"]))
        await other.until_call_states("connected", "offered", "queued")
        leader, other = other, leader
    lasted_s = time.monotonic() - began_s
    await leader.until("another waits", lambda status: bool(status["leading"]["waiting"]))
    took_s, ended = await two.stop(leader, other)
    await other.until_call_states("connected", "offered", "queued")
    assert not phone.seen(CLOSED)
    assert not other_phone.seen(CLOSED)
    await other_phone.accept()
    await other_phone.established()
    await other.until_call_states("connected", "connected", "queued")
    await phone.hang_up()
    await talker.closed()
    await phone.incoming()  # now it is the one's turn who waited
    await waiter.hang_up()
    await other_phone.hang_up()
    await ringer.closed()
    records = await other.cdrs(3)

    print(f"{BACK_AND_FORTH} times in {lasted_s:.1f} s; in charge after {took_s:.2f} s")
    assert ended == 0
    assert took_s < 2.0, "it need not wait for silence"
    assert [(cdr.caller, cdr.outcome, cdr.released_by) for cdr in records] == [
        (RESIDENT, Outcome.HANDLED, ReleasedBy.AGENT),
        (OTHER, Outcome.HANDLED, ReleasedBy.AGENT),
        (THIRD, Outcome.ABANDONED, ReleasedBy.CALLER),
    ]
    assert [leg.result for leg in records[1].legs] == [OfferResult.ANSWERED], "it rang once, all the time"
    assert records[2].wait_s > lasted_s - 1
    assert audio.tone_seconds(talker.heard(), COUNSELOR_HZ) > lasted_s - 1
    assert "journal.lost" not in two.a.daemon.log_text() + two.b.daemon.log_text()


@pytest.mark.parametrize("one_folder", [True, False], ids=["with-one-folder", "on-two-machines"])
async def test_one_who_hands_over_is_in_charge_again_within_5_s_if_the_next_hangs_before_it_is_connected(
    one_folder: bool, duo: MakeDuo, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201",), wrap_up="0s", one_folder=one_folder)
    talker, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=COUNSELOR_HZ)
    await two.a.talk(talker, phone)
    await two.a.until("another waits", lambda status: bool(status["leading"]["waiting"]))
    if not one_folder:
        await until_copied(two.a)
    await people_talk(1.0)

    order = asyncio.create_task(two.order_to_hand_over(two.a))
    while not LEADS.search(two.b.daemon.log_text()):  # noqa: ASYNC110 - it tells nobody else
        await asyncio.sleep(0.001)
    hung_s = time.monotonic()
    await two.b.freeze()
    was_connected = "ari.up" in two.b.daemon.log_text()
    took_s = await two.until_in_charge(two.a, hung_s)
    await two.a.until_call_states("connected")
    with pytest.raises(AssertionError, match="nobody took over"):
        await order
    two.b.daemon.thaw()
    await two.until_role(two.b, "standby")
    await talker.hang_up()
    await phone.closed()

    print(f"in charge after {took_s:.2f} s")
    assert not was_connected
    assert (await two.a.cdr()).released_by is ReleasedBy.CALLER
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) > took_s


async def test_two_daemons_by_mistake_do_not_fight(
    duo: MakeDuo, centre: MakeCentre, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201",))
    same_folder = {"STATE_DIR": str(two.state_dir), "STANDBY_ENABLED": "no"}
    with pytest.raises(NotReadyError, match="another callrouter is using this journal"):
        await centre(agents=("201",), agi_port=0, settings=same_folder)
    assert (await two.a.status())["ready"]

    stranger = await centre(agents=("201",), agi_port=0)  # with a state folder of its own
    await two.until_role(two.a, "resting")
    await two.until_role(two.b, "resting")
    resident, phone = await caller(RESIDENT), await counselor("201")
    await stranger.talk(resident, phone)
    await resident.hang_up()
    await phone.closed()

    assert (await stranger.cdr()).outcome is Outcome.HANDLED
    assert not phone.seen(INCOMING), "the phone was called twice"
    assert "stop one of the two" in (await two.a.status())["hindrances"][0]
    assert [(await one.status())["leading"]["role"] for one in (two.a, two.b)] == ["resting", "resting"]


async def test_a_leader_that_is_cut_off_from_asterisk_hands_over_to_one_that_is_not(
    duo: MakeDuo, caller: People, counselor: People, lab_asterisk: LabAsterisk
) -> None:
    async with Wire(lab_asterisk.http_port) as wire:
        two = await duo(agents=("201",), a_settings={"ARI_URL": wire.url})
        resident, phone = await caller(RESIDENT), await counselor("201")
        await two.a.talk(resident, phone)

        cut_s = time.monotonic()
        wire.swallow()  # nothing is closed: both ends believe that they are connected
        took_s = await two.until_in_charge(two.b, cut_s)
        await two.b.until_call_states("connected")
        await two.until_role(two.a, "standby")
        await resident.hang_up()
        await phone.closed()
        cdr = await two.b.cdr()

    print(f"in charge after {took_s:.2f} s")
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)
