"""Asterisk dials the daemon: who calls while it is being restarted waits for it, hears that, and is served.

The mode in which the daemon dials Asterisk is shown beside it, with the same call: there the fallback gets the caller.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from callrouter.pbx.certificates import make_certificate
from callrouter.pbx.dialling import DialOut, client
from lab import audio, ports, testing, tools
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.phones import CARRIER_ADDRESS
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.duo import Duo
from tests.acceptance.talks import answers, people_talk

pytestmark = pytest.mark.asterisk

RESIDENT, OTHER, THIRD = "0552251234", "0557421234", "0555551234"
RESIDENT_HZ, COUNSELOR_HZ = 1100.0, 1300.0
WAIT_S, SHORT_WAIT_S = 15, 2
"""How long a caller waits for a daemon."""
FALLBACK_ANSWERS_S = PROMPT_S + 3.0
CLIENT = "etc/websocket_client.conf"
AWAY_S = 2.0
"""How long the daemon stays away after a call has come."""


@pytest.fixture(scope="module")
def port() -> int:
    """Where the daemon is dialled."""
    return ports.kept_tcp()


@pytest.fixture(scope="module")
def lab_asterisk(agi_port: int, port: int) -> Iterator[LabAsterisk]:
    """An Asterisk that dials the daemon, in place of the one that is dialled."""
    tools.ensure(["sipp", "baresip"])
    dials = DialOut(f"ws://127.0.0.1:{port}/gyeongnam", "callrouter")
    asterisk = testing.asterisk_for_tests(agi_port, global_variables={"CALLROUTER_WAIT_S": str(WAIT_S)}, dials=dials)
    try:
        asterisk.start()
        yield asterisk
    finally:
        asterisk.remove()


@pytest.fixture
def dialled(port: int) -> dict[str, Any]:
    """What a centre is told that is dialled."""
    return {"settings": {"ARI_CONNECTION": "outbound", "DIAL_IN_PORT": str(port)}}


@pytest.fixture(scope="module")
def other_asterisk(agi_port: int) -> Iterator[LabAsterisk]:
    """An Asterisk that the daemon dials."""
    asterisk = testing.asterisk_for_tests(agi_port)
    try:
        asterisk.start()
        yield asterisk
    finally:
        asterisk.remove()


@pytest.fixture
async def other_centre(other_asterisk: LabAsterisk, tmp_path: Path) -> AsyncIterator[Centre]:
    one = Centre(other_asterisk, tmp_path / "inbound", agi_port=ports.kept_tcp(), database_url=None, anew=True)
    await one.start()
    yield one
    one.daemon.kill()
    one.assert_same_again()


async def a_call_while_the_daemon_is_restarted(office: Centre, resident: Baresip, phone: Baresip) -> float:
    """Kill the daemon, have the resident call and the counselor answer, and start it; after how long he did."""
    await office.until_agent("201", "available")
    await office.kill()
    called_s = time.monotonic()
    await resident.dial("120")
    answering = asyncio.create_task(answers(phone))
    await asyncio.sleep(AWAY_S)  # for so long nobody starts it
    await office.restart()
    await answering
    took_s = time.monotonic() - called_s
    await people_talk()
    await resident.hang_up()
    await phone.closed()
    return took_s


async def test_who_calls_during_a_restart_waits_and_is_served_where_asterisk_dials_and_goes_to_the_fallback_elsewhere(
    caller: People,
    counselor: People,
    centre: MakeCentre,
    dialled: dict[str, Any],
    other_asterisk: LabAsterisk,
    other_centre: Centre,
) -> None:
    outbound = await centre(anew=True, agents=("201",), **dialled)
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=COUNSELOR_HZ)
    at, password = other_asterisk.sip_address, other_asterisk.credentials.phone_passwords["201"]
    other = Baresip(OTHER, CARRIER_ADDRESS, server=at)
    async with other, Baresip("201", PHONES_ADDRESS, server=at, password=password) as other_phone:
        waited_s, _ = await asyncio.gather(
            a_call_while_the_daemon_is_restarted(outbound, resident, phone),
            a_call_while_the_daemon_is_restarted(other_centre, other, other_phone),
        )
        # The daemon dials: the fallback's announcement, whoever is rung by it, and no record: no daemon had the call.
        assert audio.tone_seconds(other.heard(), PROMPT_HZ["fallback-wait"]) > 0.7
        assert (await other_centre.status())["totals"]["arrived"] == 0

    # Asterisk dials: ring-back, then the daemon's own greeting, the counselor, one record from the first moment on.
    heard = resident.heard()
    assert audio.tone_seconds(heard, PROMPT_HZ["fallback-wait"]) == 0
    assert audio.tone_seconds(heard, PROMPT_HZ["changwon-welcome"]) > 0.7
    assert audio.tone_seconds(heard, COUNSELOR_HZ) > 1
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) > 1
    assert "180 Ringing" in resident.trace()
    record = await outbound.cdr()
    assert (record.outcome, record.agent, record.released_by) == (Outcome.HANDLED, "201", ReleasedBy.CALLER)
    assert (record.caller, record.rule) == (RESIDENT, "changwon-day")
    assert [leg.result for leg in record.legs] == [OfferResult.ANSWERED]
    assert record.wait_s > AWAY_S
    assert record.wait_s + record.ring_s == pytest.approx(waited_s, abs=0.5)


async def test_people_talk_on_over_a_restart_a_phone_answered_meanwhile_is_connected_and_who_gave_up_has_his_record(
    caller: People, counselor: People, centre: MakeCentre, dialled: dict[str, Any]
) -> None:
    office = await centre(anew=True, agents=("201", "202"), ring_timeout="30s", **dialled)
    talker, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=COUNSELOR_HZ)
    rung, other_phone = await caller(OTHER), await counselor("202", tone_hz=COUNSELOR_HZ)
    gives_up = await caller(THIRD)
    await office.talk(talker, phone)
    await rung.dial("120")
    await other_phone.incoming()
    await office.until_call_states("connected", "offered")

    await office.kill()
    killed_s = time.monotonic()
    await other_phone.accept()
    await gives_up.dial("120")
    await asyncio.sleep(AWAY_S)  # for so long he waits
    await gives_up.hang_up()
    await gives_up.closed()
    await office.restart()
    await office.until_call_states("connected", "connected")
    back_s = time.monotonic()
    await people_talk()
    await other_phone.hang_up()
    await rung.closed()
    await talker.hang_up()
    await phone.closed()

    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) > back_s - killed_s
    assert audio.tone_seconds(rung.heard(), COUNSELOR_HZ) > 1
    # By caller, not in order: the clock of the second daemon begins late, by as long as it takes to start.
    records = {one.caller: one for one in await office.cdrs(3)}
    first, second, third = (records[number] for number in (RESIDENT, OTHER, THIRD))
    assert (first.outcome, second.outcome, third.outcome) == (Outcome.HANDLED, Outcome.HANDLED, Outcome.ABANDONED)
    assert (first.agent, second.agent) == ("201", "202")
    assert [leg.result for leg in second.legs] == [OfferResult.ANSWERED]
    assert third.released_by is ReleasedBy.CALLER
    assert (third.ended_at - third.started_at).total_seconds() == pytest.approx(AWAY_S, abs=0.3)


async def test_a_wrong_password_is_told_once_with_its_remedy_and_who_waits_too_long_gets_the_fallback_and_a_record(
    caller: People, counselor: People, centre: MakeCentre, dialled: dict[str, Any], lab_asterisk: LabAsterisk
) -> None:
    office = await centre(anew=True, agents=("201",), **dialled)
    resident, phone = await caller(RESIDENT), await counselor("202")
    right, password = (
        (lab_asterisk.directory / CLIENT).read_text(encoding="utf-8"),
        lab_asterisk.credentials.ari_password,
    )
    await dial_with(lab_asterisk, right.replace(f"password={password}", "password=guessed"))
    await asyncio.to_thread(lab_asterisk.cli, f"dialplan set global CALLROUTER_WAIT_S {SHORT_WAIT_S}")
    await office.until("nobody is connected", lambda status: not status["ready"])

    await resident.dial("120")
    await phone.incoming(timeout_s=SHORT_WAIT_S + FALLBACK_ANSWERS_S)
    status = await office.until("it says why", lambda status: "refused" in status["sites"][0]["state"])
    await dial_with(lab_asterisk, right)
    await asyncio.to_thread(lab_asterisk.cli, f"dialplan set global CALLROUTER_WAIT_S {WAIT_S}")
    await office.until("it takes calls", lambda status: bool(status["ready"]))
    await resident.hang_up()
    record = await office.cdr()

    refusals = [line for line in office.daemon.log_text().splitlines() if "ari.dial_in_refused" in line]
    assert len(refusals) == 1, "told once, however often it is tried"
    assert "wrong user or password; write username=" in refusals[0]
    assert password not in office.daemon.log_text()
    assert "guessed" not in office.daemon.log_text()
    assert "no Asterisk is connected" in status["hindrances"][0]
    assert (record.outcome, record.released_by) == (Outcome.FAILED, ReleasedBy.SYSTEM)
    assert "released: taken-away" in record.explanation
    assert (record.ended_at - record.started_at).total_seconds() == pytest.approx(SHORT_WAIT_S, abs=0.5)
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["fallback-wait"]) > 0.7


async def dial_with(asterisk: LabAsterisk, text: str) -> None:
    """Have Asterisk dial by another websocket_client.conf."""
    (asterisk.directory / CLIENT).write_text(text, encoding="utf-8")
    await asyncio.to_thread(asterisk.cli, "module reload res_websocket_client.so")
    await asyncio.to_thread(asterisk.cli, "module reload res_ari.so")


async def test_over_tls_asterisk_dials_whom_its_certificate_names_and_nobody_else(
    caller: People,
    counselor: People,
    centre: MakeCentre,
    dialled: dict[str, Any],
    port: int,
    lab_asterisk: LabAsterisk,
    tmp_path: Path,
) -> None:
    for name in ("own", "other"):
        make_certificate(tmp_path / f"{name}.crt", tmp_path / f"{name}.key", "127.0.0.1")
        shutil.copy(tmp_path / f"{name}.crt", lab_asterisk.directory / "etc")
    paths = {
        f"DIAL_IN_{kind}": str(tmp_path / f"own.{ending}") for kind, ending in (("CERTIFICATE", "crt"), ("KEY", "key"))
    }
    plain = (lab_asterisk.directory / CLIENT).read_text(encoding="utf-8")
    access, seen = lab_asterisk.ari, lab_asterisk.home.inside(lab_asterisk.directory / "etc")

    def trusting(name: str) -> str:
        to = DialOut(f"wss://127.0.0.1:{port}/gyeongnam", "callrouter", f"{seen}/{name}.crt")
        return client(to, access.user, access.password)

    await dial_with(lab_asterisk, trusting("own"))
    try:
        office = await centre(anew=True, agents=("201",), settings={**dialled["settings"], **paths})
        resident, phone = await caller(RESIDENT), await counselor("201")
        await office.talk(resident, phone)
        await resident.hang_up()
        await phone.closed()
        assert (await office.cdr()).outcome is Outcome.HANDLED

        await dial_with(lab_asterisk, trusting("other"))
        await office.until("it is not dialled", lambda status: not status["ready"])
        await office.until("it says so", lambda status: "has not dialled in at wss" in status["sites"][0]["state"])
    finally:
        await dial_with(lab_asterisk, plain)


async def test_an_asterisk_that_is_restarted_dials_again_and_its_next_call_is_served(
    caller: People, counselor: People, centre: MakeCentre, dialled: dict[str, Any], lab_asterisk: LabAsterisk
) -> None:
    office = await centre(anew=True, agents=("201",), **dialled)
    await asyncio.to_thread(lab_asterisk.kill)
    await office.until("it has noticed", lambda status: not status["ready"])
    await asyncio.to_thread(lab_asterisk.restart)
    await office.until("it takes calls again", lambda status: bool(status["ready"]))

    resident, phone = await caller(RESIDENT), await counselor("201")
    await office.talk(resident, phone)
    await resident.hang_up()
    await phone.closed()

    assert (await office.cdr()).outcome is Outcome.HANDLED


async def test_of_two_daemons_the_one_that_leads_is_dialled_whether_the_other_hands_over_dies_or_hangs(
    caller: People,
    counselor: People,
    dialled: dict[str, Any],
    lab_asterisk: LabAsterisk,
    agi_port: int,
    database: str,
    tmp_path: Path,
) -> None:
    two = Duo(lab_asterisk, tmp_path / "duo", agi_port=agi_port, database_url=database, wrap_up="0s", **dialled)
    try:
        await two.start()
        talker, phone = await caller(RESIDENT), await counselor("201", tone_hz=COUNSELOR_HZ)
        newcomer = await caller(OTHER)
        await two.a.talk(talker, phone)
        began_s = time.monotonic()

        handed_over_s = time.monotonic()
        await two.order_to_hand_over(two.a)
        took = [await two.until_in_charge(two.b, handed_over_s)]
        await two.b.until_call("connected")

        await two.b.until("the other waits", lambda status: bool(status["leading"]["waiting"]))
        await two.b.kill()
        died_s = time.monotonic()
        took.append(await two.until_in_charge(two.a, died_s))
        await two.again(two.b)

        await two.a.freeze()
        hung_s = time.monotonic()
        await newcomer.dial("120")
        took.append(await two.until_in_charge(two.b, hung_s))
        await two.b.until_call_states("connected", "queued")
        talked_s = time.monotonic() - began_s
        await talker.hang_up()
        await two.b.taken(phone)
        await phone.hang_up()
        await newcomer.closed()
        records = {one.caller: one.outcome for one in await two.b.cdrs(2)}
    finally:
        two.end()

    print("in charge after", ", ".join(f"{one:.2f} s" for one in took))
    assert two.a.daemon.exit_status() is not None, "who hangs has the connection, and is ended"
    assert "standby.leader_ended" in two.b.daemon.log_text()
    assert audio.tone_seconds(talker.heard(), COUNSELOR_HZ) > talked_s - 1
    assert records == {RESIDENT: Outcome.HANDLED, OTHER: Outcome.HANDLED}
    assert audio.tone_seconds(newcomer.heard(), PROMPT_HZ["fallback-wait"]) == 0
