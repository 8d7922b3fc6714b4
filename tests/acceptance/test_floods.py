"""More than we are made for: calls, keys and connections in floods, while people talk."""

import asyncio
import contextlib
import os
import re
import resource
import socket
import struct
import time

import pytest

from callrouter.cli.replay import kept_runs
from callrouter.core.cdr import Outcome
from callrouter.replay.records import Happened
from callrouter.replay.records import read as records
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import POLL_S, Centre, MakeCentre, People
from tests.acceptance.ordering import read, resident_mb
from tests.acceptance.phones import phone_that
from tests.acceptance.talks import FIRST_HZ, RESIDENT, RESIDENT_HZ, people_talk

pytestmark = pytest.mark.asterisk

MOST, FLOOD = 8, 40
WAITS_S = 4
PATIENT = "0557421234"
MOST_FILES = 128


def flood(asterisk: LabAsterisk, *, calls: int = FLOOD, per_s: float = 20.0, waits_s: int = WAITS_S) -> Sipp:
    """Callers who come all at once, wait a little in line, and hang up."""
    return Sipp(
        "uac_patient",
        address=CARRIER_ADDRESS,
        target=asterisk.sip_address,
        count=calls,
        rate_per_s=per_s,
        pause_ms=waits_s * 1000,
        timeout_s=40,
    )


async def at_rest(office: Centre, asterisk: LabAsterisk) -> None:
    """Nothing is left of any call, here or at Asterisk."""
    await office.until(
        "nothing is held any more",
        lambda now: not now["calls"] and not any(one["in_use"] for one in now["trunks"]),
    )
    assert asterisk.channels() == []


async def not_taken(office: Centre, why: str) -> int:
    """How many calls were turned away for this."""
    lines = (await read(office, "/metrics")).splitlines()
    (found,) = (line for line in lines if line.startswith(f'callrouter_calls_not_taken_total{{why="{why}"}}'))
    return int(float(found.split()[-1]))


async def test_of_a_flood_of_calls_those_served_stay_served_and_the_rest_is_told_that_all_is_busy(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(settings={"LIMITS_MAX_CALLS": str(MOST), "LIMITS_WHEN_FULL": "announcement"})
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    late = await caller(PATIENT)
    await office.talk(resident, phone)
    began_s = time.monotonic()

    async with flood(lab_asterisk) as callers:
        await callers.saw("SIP/2.0 486")
        await late.dial("120")  # one of the flood whom we hear
        await late.closed()
        told = await office.until("it is told", lambda now: any("turned away" in one for one in now["remarks"]))
        (await callers.result()).check()
        served, refused = callers.received("SIP/2.0 200"), callers.received("SIP/2.0 486")
        answered = {text.split("Call-ID: ")[1].split()[0] for text in served if "INVITE" in text}
    assert not resident.seen(CLOSED), "who talks is cut off"
    talked_s = time.monotonic() - began_s
    await resident.hang_up()
    await phone.closed()

    assert (len(answered), len(refused)) == (MOST - 1, FLOOD - MOST + 1)
    assert "more than 8 calls at once" in "".join(told["remarks"])
    assert audio.tone_seconds(late.heard(), PROMPT_HZ["all-busy"]) == pytest.approx(PROMPT_S, abs=0.25)
    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= talked_s - 0.5
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= talked_s - 0.5
    records = await office.cdrs(FLOOD + 2)
    outcomes = [one.outcome for one in records]
    assert outcomes.count(Outcome.HANDLED) == 1
    assert outcomes.count(Outcome.ABANDONED) == MOST - 1
    assert outcomes.count(Outcome.REJECTED) == len(refused) + 1 == await not_taken(office, "max-calls")
    await at_rest(office, lab_asterisk)


async def test_calls_that_come_faster_than_they_may_find_no_room_and_those_before_are_served(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(settings={"LIMITS_CALLS_PER_SECOND": "2", "LIMITS_WHEN_FULL": "congestion"})
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    await office.talk(resident, phone)

    async with flood(lab_asterisk, waits_s=1) as callers:
        (await callers.result()).check()
        refused = callers.received("SIP/2.0 503")
    await resident.hang_up()
    await phone.closed()

    assert FLOOD - 10 <= len(refused) <= FLOOD - 3
    outcomes = [one.outcome for one in await office.cdrs(FLOOD + 1)]
    assert outcomes.count(Outcome.REJECTED) == len(refused) == await not_taken(office, "rate")
    assert outcomes.count(Outcome.ABANDONED) == FLOOD - len(refused)
    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= 2.0
    await at_rest(office, lab_asterisk)


def limit_files(pid: int, most: int) -> None:
    """Let a process have so many files and sockets and no more."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))


def files_of(pid: int) -> int:
    """How many it has."""
    return len(os.listdir(f"/proc/{pid}/fd"))


async def test_who_opens_all_the_connections_there_are_to_pages_and_fastagi_takes_nothing_from_calls(
    caller: People, counselor: People, centre: MakeCentre, agi_port: int
) -> None:
    office = await centre()
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    pid, web_port = office.daemon.pid, int(office.daemon.url.rpartition(":")[2])
    limit_files(pid, MOST_FILES)

    hogs = []
    try:
        for port in (web_port, agi_port):
            for _ in range(MOST_FILES):
                with contextlib.suppress(OSError):
                    hogs.append(await asyncio.open_connection("127.0.0.1", port))
        await office.until("the sockets are there", lambda _: files_of(pid) > MOST_FILES // 2)
        assert files_of(pid) < MOST_FILES * 0.9, "calls have none left"
        await office.talk(resident, phone)
        await people_talk(1.0)
        await resident.hang_up()
        await phone.closed()
    finally:
        for _, hog in hogs:
            hog.transport.abort()

    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= 0.7
    assert (await office.cdr()).outcome is Outcome.HANDLED
    assert "web.crowded" in office.daemon.log_text()


async def test_with_no_file_descriptor_left_people_talk_on_who_comes_is_served_and_the_operator_is_told(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    late, other = await caller(PATIENT, tone_hz=RESIDENT_HZ), await counselor("202", tone_hz=FIRST_HZ)
    await office.talk(resident, phone)
    pid = office.daemon.pid

    limit_files(pid, 3)
    await logged(office, "descriptors.few")
    with pytest.raises(OSError, match=r".*"):
        await asyncio.to_thread(office.daemon.status, timeout_s=1.0)
    await late.dial("120")
    await other.incoming(timeout_s=20.0)
    await other.accept()
    await other.established()
    await people_talk(1.0)
    assert not resident.seen(CLOSED), "who talks is cut off"
    await late.hang_up()
    await resident.hang_up()
    await phone.closed()
    limit_files(pid, 1024)
    await logged(office, "descriptors.enough")

    assert audio.tone_seconds(late.heard(), FIRST_HZ) >= 0.7
    assert {cdr.outcome for cdr in await office.cdrs(2, timeout_s=20.0)} == {Outcome.HANDLED}
    await office.until("nothing is left", lambda now: not now["calls"] and now["journal"]["alarm"] is None)


async def logged(office: Centre, event: str) -> None:
    """Wait for a line of the daemon's log."""
    async with asyncio.timeout(10):
        # The log is a file, which tells nobody.
        while event not in office.daemon.log_text():  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


class Presser:
    """Somebody who presses keys faster than fingers can: RFC 4733, straight to Asterisk's RTP port."""

    def __init__(self, address: str, port: int) -> None:
        self._to = (address, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sequence = self._time = 0

    def press(self, digit: int) -> None:
        """One key: it goes down, and three times up (RFC 4733, 2.5.1.4)."""
        self._time += 160
        for number, (is_end, length) in enumerate(((0, 80), (0x80, 160), (0x80, 160), (0x80, 160))):
            self._sequence += 1
            marker = 0x80 if number == 0 else 0
            self._send(marker | 101, struct.pack("!BBH", digit, is_end | 10, length))

    async def be_silent(self, packets: int) -> None:
        """Send silence at the pace of a phone: Asterisk hears nobody whom it does not know by that."""
        for _ in range(packets):
            self._time += 160
            self._sequence += 1
            self._send(8, b"\xd5" * 160)
            await asyncio.sleep(0.02)

    def _send(self, kind: int, payload: bytes) -> None:
        head = struct.pack("!BBHII", 0x80, kind, self._sequence & 0xFFFF, self._time, 4711)
        self._socket.sendto(head + payload, self._to)

    def close(self) -> None:
        """Be done with it."""
        self._socket.close()


def presser_of(caller: Sipp) -> Presser:
    """At the phone of a caller who has been answered."""
    sdp = next(text for text in reversed(caller.received("SIP/2.0 200")) if "m=audio" in text)
    address, port = re.search(r"c=IN IP4 (\S+)", sdp), re.search(r"m=audio (\d+)", sdp)
    assert address is not None
    assert port is not None
    return Presser(address[1], int(port[1]))


async def press_for(presser: Presser, seconds: float) -> int:
    """Press keys for so long; how many that were."""
    pressed, until_s = 0, time.monotonic() + seconds
    while time.monotonic() < until_s:
        for _ in range(10):
            presser.press(2 + pressed % 8)  # 1 would lead him out of the line
            pressed += 1
        await asyncio.sleep(0.01)  # as fast as a network brings them
    return pressed


async def test_a_flood_of_keys_while_waiting_and_talking_is_noticed_by_nobody_else(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    await office.talk(resident, phone)
    began_s = time.monotonic()
    memory_mb = resident_mb(office.daemon.pid)
    kept = sum(file.stat().st_size for file in office.daemon.state_dir.rglob("*") if file.is_file())

    async with Sipp(
        "uac_keys", address=CARRIER_ADDRESS, target=lab_asterisk.sip_address, caller=PATIENT, pause_ms=6000
    ) as keys:
        await keys.saw("SIP/2.0 200")
        await office.until_waiting(1)
        presser = presser_of(keys)
        await presser.be_silent(20)
        pressed = await press_for(presser, 1.0)
        async with phone_that(lab_asterisk, "uas_answer", "202") as other:
            await other.saw("ACK")
            await office.until_call_states("connected", "connected")
            pressed += await press_for(presser, 1.0)
            assert (await office.status())["inbox_depth"] < 1000
            presser.close()
            (await keys.result()).check()
    assert not resident.seen(CLOSED), "who talks is cut off"
    talked_s = time.monotonic() - began_s
    await resident.hang_up()
    await phone.closed()

    assert pressed > 500
    runs = (record for path in kept_runs(office.daemon.state_dir) for record in records(path))
    heard = sum(isinstance(record, Happened) and record.kind == "DigitPressed" for record in runs)
    assert heard > 10, "Asterisk lets through some twenty a second of each caller, and these were not heard"
    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= talked_s - 0.7
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= talked_s - 0.7
    assert resident_mb(office.daemon.pid) - memory_mb < 30
    grown = sum(file.stat().st_size for file in office.daemon.state_dir.rglob("*") if file.is_file()) - kept
    assert grown < 2_000_000
    assert len(await office.cdrs(2)) == 2
    await at_rest(office, lab_asterisk)
