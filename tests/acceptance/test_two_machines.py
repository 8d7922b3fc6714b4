"""Two daemons that share no folder: the calls of the one that dies are known to the other, and never do both lead."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from callrouter.core.duty import Duty
from callrouter.web.agents import AgentRequest
from callrouter.web.client import ask_agent, ask_take_over
from callrouter.web.leading import TakeOverRequest
from lab import audio, ports
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED, INCOMING
from tests.acceptance.centre import Centre, People
from tests.acceptance.duo import Duo, until_copied
from tests.acceptance.test_standby import (
    COUNSELOR_HZ,
    OTHER,
    RESIDENT,
    THIRD,
    one_talks_one_rings_one_waits,
)
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

FOURTH = "0557731234"
WAITS = ("standby", "claiming")
"""The roles of one that may not lead, and asks again and again."""
MakeDuo = Callable[..., Awaitable[Duo]]


@pytest.fixture
async def duo(lab_asterisk: LabAsterisk, agi_port: int, database: str, tmp_path: Path) -> AsyncIterator[MakeDuo]:
    made: list[Duo] = []

    async def make(**wanted: Any) -> Duo:
        wanted = {"agi_port": agi_port, "database_url": database, "one_folder": False, **wanted}
        new = Duo(lab_asterisk, tmp_path / "duo", **wanted)
        made.append(new)
        await new.start()
        await until_copied(new.a)
        return new

    yield make
    for one in made:
        one.end()


async def duty_of(centre: Centre, agent: str) -> str:
    return next(str(one["duty"]) for one in (await centre.status())["agents"] if one["agent"] == agent)


async def say_duty(leader: Centre, agent: str, verb: Literal["pause", "ready"]) -> None:
    report = await ask_agent(leader.daemon.url, AgentRequest(agent, verb, reason="lunch"))
    assert report.ok, report.message


async def test_the_other_machine_takes_over_from_one_that_dies_and_all_calls_go_on(
    duo: MakeDuo, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201", "202", "203"), ring_timeout="30s", wrap_up="0s")
    await say_duty(two.a, "203", "pause")
    (talker, ringer, waiter), (phone, other_phone) = await one_talks_one_rings_one_waits(two, caller, counselor)
    last = await caller(FOURTH)
    await last.dial("120")
    await two.a.until_waiting(2)
    await until_copied(two.a)

    died_s = time.monotonic()
    await two.a.kill_in_the_act()
    took_s = await two.until_in_charge(two.b, died_s)
    await two.b.until_call_states("connected", "offered", "queued", "queued")
    assert await duty_of(two.b, "203") == Duty.PAUSED
    await other_phone.accept()
    await other_phone.established()
    await asyncio.sleep(1)  # people talking
    await phone.hang_up()
    await talker.closed()
    await phone.incoming()
    await phone.accept()
    await waiter.established()  # he came before the last
    await two.b.until_connected(2)
    await waiter.hang_up()
    await phone.closed()
    await last.hang_up()
    await other_phone.hang_up()
    await ringer.closed()
    records = await two.b.cdrs(4)

    print(f"in charge after {took_s:.2f} s")
    assert [cdr.caller for cdr in records] == [RESIDENT, OTHER, THIRD, FOURTH]
    assert [cdr.agent for cdr in records[:3]] == ["201", "202", "201"]
    assert [cdr.outcome for cdr in records[:3]] == [Outcome.HANDLED] * 3
    assert (records[0].released_by, records[1].released_by) == (ReleasedBy.AGENT, ReleasedBy.AGENT)
    assert [leg.result for leg in records[1].legs] == [OfferResult.ANSWERED], "it rang once, all the time"
    assert audio.tone_seconds(talker.heard(), COUNSELOR_HZ) > took_s + 0.5


BACK_AND_FORTH = 10


async def test_going_back_and_forth_between_two_machines_loses_nothing_and_what_is_said_on_one_holds_on_the_other(
    duo: MakeDuo, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201", "202", "203"), ring_timeout="120s", wrap_up="0s")
    (talker, ringer, waiter), (phone, other_phone) = await one_talks_one_rings_one_waits(two, caller, counselor)

    began_s = time.monotonic()
    leader, other = two.a, two.b
    duties = []
    for turn in range(BACK_AND_FORTH):
        await say_duty(leader, "203", "ready" if turn % 2 else "pause")
        await until_copied(leader)
        await two.order_to_hand_over(leader)
        await other.until("it takes calls", lambda status: bool(status["ready"]))
        await other.until_call_states("connected", "offered", "queued")
        duties.append(await duty_of(other, "203"))
        leader, other = other, leader
    lasted_s = time.monotonic() - began_s
    await until_copied(leader)
    took_s, ended = await two.stop(leader, other)
    await other.until_call_states("connected", "offered", "queued")
    assert not phone.seen(CLOSED)
    assert not other_phone.seen(CLOSED)
    await other_phone.accept()
    await other_phone.established()
    await other.until_call_states("connected", "connected", "queued")
    await waiter.hang_up()
    await talker.hang_up()
    await other_phone.hang_up()
    await ringer.closed()
    records = await other.cdrs(3)

    print(f"{BACK_AND_FORTH} times in {lasted_s:.1f} s; in charge after {took_s:.2f} s")
    assert ended == 0
    assert duties == [Duty.PAUSED, Duty.ON] * (BACK_AND_FORTH // 2)
    assert [(cdr.caller, cdr.outcome, cdr.released_by) for cdr in records] == [
        (RESIDENT, Outcome.HANDLED, ReleasedBy.CALLER),
        (OTHER, Outcome.HANDLED, ReleasedBy.AGENT),
        (THIRD, Outcome.ABANDONED, ReleasedBy.CALLER),
    ]
    assert [leg.result for leg in records[1].legs] == [OfferResult.ANSWERED], "it rang once, all the time"
    assert audio.tone_seconds(talker.heard(), COUNSELOR_HZ) > lasted_s - 1
    assert "journal.lost" not in two.a.daemon.log_text() + two.b.daemon.log_text()


class Network:
    """What lies between machine ``a`` and all else: the database, the other daemon, and Asterisk."""

    def __init__(self, database: str, asterisk: LabAsterisk) -> None:
        self._listens = [ports.kept_tcp(), ports.kept_tcp()]
        (folder,) = parse_qs(urlsplit(database).query)["host"]
        self.database = Wire(Path(folder) / ".s.PGSQL.5432")
        self._name = urlsplit(database).path
        self.to_a, self.to_b = map(Wire, self._listens)
        self.asterisk = Wire(asterisk.http_port)
        self._all = (self.database, self.to_a, self.to_b, self.asterisk)

    async def __aenter__(self) -> "Network":
        for wire in self._all:
            await wire.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for wire in self._all:
            await wire.__aexit__()

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """Of the two daemons."""
        a, b = self._listens
        of_a = {
            "STANDBY_LISTEN": f"127.0.0.1:{a}",
            "STANDBY_PEER": f"127.0.0.1:{self.to_b.port}",
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.database.port}{self._name}",
            "ARI_URL": self.asterisk.url,
        }
        return {
            "a_settings": of_a,
            "b_settings": {"STANDBY_LISTEN": f"127.0.0.1:{b}", "STANDBY_PEER": f"127.0.0.1:{self.to_a.port}"},
        }

    async def part(self, *, from_asterisk: bool) -> None:
        """Cut ``a`` off: nothing is closed, and nothing comes through any more."""
        for wire in self._all:
            if from_asterisk or wire is not self.asterisk:
                wire.swallow()

    async def heal(self) -> None:
        """All of it works again; connections of before are lost."""
        for wire in self._all:
            await wire.cut()
            await wire.mend()


@pytest.mark.parametrize("from_asterisk", [False, True], ids=["but-not-from-asterisk", "from-all"])
async def test_a_leader_that_is_cut_off_never_leads_together_with_the_other(
    from_asterisk: bool, duo: MakeDuo, caller: People, counselor: People, database: str, lab_asterisk: LabAsterisk
) -> None:
    async with Network(database, lab_asterisk) as network:
        two = await duo(agents=("201",), **network.settings)
        resident, phone = await caller(RESIDENT), await counselor("201")
        await two.a.talk(resident, phone)
        await until_copied(two.a)

        async def never_both() -> None:
            while True:
                other = await two.b.status()  # first: once it takes calls, the one before takes none
                assert not (other["ready"] and (await two.a.status())["ready"])
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(never_both())
        cut_s = time.monotonic()
        await network.part(from_asterisk=from_asterisk)
        took_s = await two.until_in_charge(two.b, cut_s)
        await two.b.until_call_states("connected")
        alone = await two.a.until("it does not lead", lambda status: status["leading"]["role"] != "leading")
        await network.heal()
        await two.until_role(two.a, "standby")
        await until_copied(two.b)
        leader = await two.b.status()
        assert not watching.done(), watching.exception()
        watching.cancel()
        await resident.hang_up()
        await phone.closed()
        cdr = await two.b.cdr()

    print(f"in charge after {took_s:.2f} s")
    assert alone["leading"]["role"] in (WAITS if from_asterisk else ("resting",))
    assert (leader["ready"], leader["leading"]["role"], leader["leading"]["waiting"]) == (True, "leading", 1)
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)
    assert not phone.seen(INCOMING), "the phone was called twice"


async def test_without_postgresql_nobody_leads_on_the_other_machine_until_people_order_it(
    duo: MakeDuo, caller: People, counselor: People, database: str
) -> None:
    (folder,) = parse_qs(urlsplit(database).query)["host"]
    async with Wire(Path(folder) / ".s.PGSQL.5432") as wire:
        by_wire = f"postgresql://postgres@127.0.0.1:{wire.port}{urlsplit(database).path}"
        two = await duo(agents=("201",), b_settings={"DATABASE_URL": by_wire})
        resident, phone = await caller(RESIDENT), await counselor("201")
        await two.a.talk(resident, phone)
        await until_copied(two.a)
        asked_early = await ask_take_over(two.b.daemon.url, TakeOverRequest(force=True))
        await wire.cut()
        await two.a.kill_in_the_act()
        waits = await two.b.until("it says why", lambda status: "PostgreSQL" in status["leading"]["words"])
        asked = await ask_take_over(two.b.daemon.url, TakeOverRequest())
        ordered = await asyncio.to_thread(two.b.daemon.run, "take-over", "--force")
        assert ordered.returncode == 0, ordered.stderr + two.b.daemon.log_tail()
        leads = await two.b.until("it takes calls", lambda status: bool(status["ready"]))
        await two.b.until_call("connected")
        await wire.mend()
        await two.again(two.a)
        await resident.hang_up()
        await phone.closed()
        cdr = await two.b.cdr()

    assert (asked_early.ok, asked.ok) == (False, False)
    assert "the other daemon is alive, and leads" in asked_early.message
    assert "see that the other is dead" in asked.message
    assert not waits["ready"]
    assert waits["leading"]["role"] in WAITS
    assert "callrouter take-over --force" in waits["hindrances"][0]
    assert leads["leading"]["term"] == 2
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)


async def test_a_leader_that_hangs_is_relieved_by_the_other_machine_and_waits_behind_it_when_it_wakes(
    duo: MakeDuo, caller: People, counselor: People
) -> None:
    two = await duo(agents=("201",), ring_timeout="30s", wrap_up="0s")
    resident, phone = await caller(RESIDENT), await counselor("201")
    await two.a.talk(resident, phone)
    await until_copied(two.a)

    hung_s = time.monotonic()
    await two.a.freeze()
    took_s = await two.until_in_charge(two.b, hung_s)
    await two.b.until_call_states("connected")
    two.a.daemon.thaw()
    status = await two.until_role(two.a, "standby")
    await until_copied(two.b)
    leader = await two.b.status()
    await resident.hang_up()
    await phone.closed()
    cdr = await two.b.cdr()

    print(f"in charge after {took_s:.2f} s")
    assert (status["ready"], leader["ready"], leader["leading"]["term"]) == (False, True, 2)
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)
    assert not phone.seen(INCOMING), "the phone was called twice"
