"""Residents who have waited for long ask to be called back, on a real Asterisk: taken down once, listed, done."""

import asyncio
import json
from pathlib import Path

import pytest

from callrouter.core.cdr import Cdr, Outcome, ReleasedBy
from lab import audio
from lab.baresip import Baresip
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.ordering import read

pytestmark = pytest.mark.asterisk

TALKER, RESIDENT = "0552250001", "0552251234"
MASKED = "055-225-****"
THANKS_HZ, SORRY_HZ = PROMPT_HZ["waiting"], PROMPT_HZ["closed"]
TOLERANCE_S = 0.4

# The tests' Asterisk has a tone for each of these prompts: `waiting` stands for thanks, `closed` for the apology.
ROUTE = """\
routes:
  - id: call-me
    when: {not: {region: gimhae}}
    do:
      - queue: changwon
        max_wait: 2s
      - menu: all-busy
        keys: {1: next}
        default: [hangup]
      - callback: changwon
        else: [{announce: closed}, hangup]
      - announce: waiting
      - hangup
"""


def callback_first(config: Path) -> None:
    """Offer to call back whoever has waited for two seconds."""
    routes = config / "routes.yaml"
    rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
    routes.write_text(ROUTE + rest, encoding="utf-8")


@pytest.fixture
async def office(centre: MakeCentre, caller: People, counselor: People) -> Centre:
    """The only counselor talks, and goes on talking."""
    office = await centre(agents=("201",), edit=callback_first)
    await office.talk(await caller(TALKER), await counselor("201"))
    return office


async def asks(resident: Baresip, office: Centre) -> None:
    """Wait in vain, agree with a key, and hear what comes of it."""
    await resident.dial("120")
    await resident.established()
    await office.until("the caller is asked", lambda status: any(call["state"] == "asking" for call in status["calls"]))
    await resident.press("1")
    await resident.closed(timeout_s=PROMPT_S + 5)


async def command(office: Centre, *arguments: str, status: int = 0) -> str:
    """A command of the daemon's machine."""
    done = await asyncio.to_thread(office.daemon.run, "callback", *arguments)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


async def until_open(office: Centre, count: int) -> None:
    """Wait until so many callers wait to be called back."""
    await office.until(
        f"{count} requests are open", lambda status: sum(queue["waiting"] for queue in status["callbacks"]) == count
    )


async def record_of(office: Centre, caller: str, count: int = 1) -> Cdr:
    """The last call of that number; ``count`` calls have ended."""
    return [cdr for cdr in await office.cdrs(count) if cdr.caller == caller][-1]


async def test_who_waits_in_vain_and_presses_1_is_thanked_listed_and_done(caller: People, office: Centre) -> None:
    resident = await caller(RESIDENT)
    await asks(resident, office)
    cdr = await record_of(office, RESIDENT)
    await until_open(office, 1)

    listed, whole = await command(office, "list", "--open"), await command(office, "list", "--numbers")
    page, metrics = await read(office, "/"), await read(office, "/metrics")
    document = json.loads(await read(office, "/api/v1/callbacks"))
    tried = await command(office, "tried", "1")
    done = await command(office, "done", "1", "--result", "reached", "--note", "여권", "--by", "201")
    again = await command(office, "done", "1", "--result", "cancelled", status=1)
    await until_open(office, 0)

    assert (cdr.outcome, cdr.released_by, cdr.queue) == (Outcome.CALLBACK, ReleasedBy.SYSTEM, "changwon")
    assert cdr.callback is not None
    assert (cdr.callback.queue, cdr.callback.number, cdr.callback.place) == ("changwon", "+82552251234", 2)
    assert cdr.explanation.splitlines()[-1] == "call back: wanted of changwon"
    assert audio.tone_seconds(resident.heard(), THANKS_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert "055-225-1234" in whole
    assert MASKED in listed
    assert "055-225-1234" not in listed + page + metrics + json.dumps(document)
    assert RESIDENT not in page + json.dumps(document) + office.daemon.log_text()
    assert 'callrouter_callbacks_open{queue="changwon"} 1.0' in metrics
    assert [(one["number"], one["done_at"]) for one in document["callbacks"]] == [(MASKED, None)]
    assert (tried, done) == ("request 1 was tried once\n", "request 1 is done: reached\n")
    assert again == "request 1 is done already, by 201: reached\n"
    assert "reached" in await command(office, "list")


async def test_who_asks_twice_waits_once_until_that_is_done(caller: People, office: Centre) -> None:
    resident = await caller(RESIDENT)
    await asks(resident, office)
    await record_of(office, RESIDENT)
    await asks(resident, office)
    second = await record_of(office, RESIDENT, 2)
    await until_open(office, 1)

    assert second.outcome is Outcome.CALLBACK
    assert second.callback is None
    assert "call back: changwon has an earlier request of this number, which is open still" in second.explanation


async def test_who_withholds_the_number_hears_that_nobody_can_call(caller: People, office: Centre) -> None:
    resident = await caller("anonymous")
    await asks(resident, office)
    cdr = await record_of(office, "anonymous")

    assert (cdr.outcome, cdr.callback) == (Outcome.OVERFLOWED, None)
    assert "call back by changwon? not this number: withheld → else" in cdr.explanation
    assert audio.tone_seconds(resident.heard(), SORRY_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(resident.heard(), THANKS_HZ) < TOLERANCE_S


async def test_a_daemon_that_dies_during_the_thanks_has_taken_the_request_down(caller: People, office: Centre) -> None:
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await resident.established()
    await office.until("the caller is asked", lambda status: any(call["state"] == "asking" for call in status["calls"]))
    await resident.press("1")
    await office.until(
        "the caller is thanked", lambda status: any(call["state"] == "announcing" for call in status["calls"])
    )
    await office.kill()
    await office.restart()
    await resident.closed(timeout_s=PROMPT_S + 5)
    cdr = await record_of(office, RESIDENT)
    await until_open(office, 1)

    assert cdr.outcome is Outcome.CALLBACK
    assert cdr.callback is not None
    assert cdr.explanation.count("call back: wanted of changwon") == 1
