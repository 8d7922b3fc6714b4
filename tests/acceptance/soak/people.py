"""Residents who call and are called, counselors who answer, and what they do then: each in an order of chance.

Nobody here proves anything: they do what people do, whatever becomes of it, and note what they see.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any

from callrouter.errors import CallrouterError
from callrouter.web.calls import CallRequest, Verb
from callrouter.web.client import ask_call
from lab.desk_phone import DeskPhone, Line
from lab.errors import LabError
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.soak.ground import AGENTS, INTERPRETER, MOBILE, SHORT, Deck, Ground
from tests.acceptance.soak.seen import LegSeen, Seen

MOST_CALLS = 9999
"""Numbers of an exchange have four digits."""
CHANGWON, GIMHAE, JINJU, SACHEON = "055225", "055330", "055742", "055830"
"""Exchanges, of which each is routed in its own way (``ground.ROUTES``)."""
VOICE_HZ = 1100.0
PATIENCE_S = 15.0
"""So long a resident waits for an answer."""
BRIEF = (0.1, 0.5, 1.0, 1.5, 2.0, 4.0)
LONG = (6.0, 8.0, 10.0)

Doing = Coroutine[Any, Any, None]
Resident = Callable[[Ground, str, str], Doing]
Deed = Callable[[Ground, DeskPhone, Line], Doing]


# --- residents


async def hangs_up_soon(ground: Ground, number: str, dialed: str) -> None:
    """Who hangs up some time after he was answered, by a voice or by a counselor."""
    await _by_sipp(ground, number, dialed, ground.chance.choice(BRIEF))


async def hangs_up_late(ground: Ground, number: str, dialed: str) -> None:
    """The same, with more to say."""
    await _by_sipp(ground, number, dialed, ground.chance.choice(LONG))


async def _by_sipp(ground: Ground, number: str, dialed: str, pause_s: float) -> None:
    async with Sipp(
        "uac_talk",
        address=CARRIER_ADDRESS,
        target=ground.asterisk.sip_address,
        service=dialed,
        caller=number,
        count=1,
        pause_ms=int(1000 * pause_s),
        timeout_s=40,
    ) as resident:
        await resident.result()
        moments, answers = resident.moments(), resident.received("SIP/2.0")
    entered = any(not line.startswith("SIP/2.0 100") for line in answers)
    if moments:
        ground.seen.append(Seen(number, dialed, moments[0], moments[-1], entered))


async def _with_keys(ground: Ground, number: str, dialed: str, *, keys: str = "", stays_s: float = 0.0) -> None:
    """Who presses ``keys`` once he is answered, and hangs up after a time; 0: never."""
    is_heard = keys == "3"
    async with DeskPhone(
        number,
        CARRIER_ADDRESS,
        server=ground.asterisk.sip_address,
        tone_hz=VOICE_HZ if is_heard else None,
        has_sound=is_heard,
    ) as phone:
        line = await phone.dial(dialed)
        with contextlib.suppress(LabError):
            await line.established(PATIENCE_S)
            if keys:
                await asyncio.sleep(ground.chance.uniform(0.2, 1.5))
                await line.press(keys)
            await line.closed(stays_s or 2 * PATIENCE_S)
        await leave(line)
        ended_at = line.over_at or datetime.now(UTC)
        ground.seen.append(Seen(number, dialed, line.begun_at, ended_at, line.status > 100 or line.up_at is not None))


def _who(what: str, *, keys: str = "", stays: tuple[float, ...] = (0.0,)) -> Resident:
    async def resident(ground: Ground, number: str, dialed: str) -> None:
        ground.done[what] += 1
        await _with_keys(ground, number, dialed, keys=keys, stays_s=ground.chance.choice(stays))

    return resident


async def gives_up(ground: Ground, number: str, dialed: str) -> None:
    """Who is not answered before a counselor answers, and may hang up before that."""
    ground.done["gave up ringing"] += 1
    async with DeskPhone(number, CARRIER_ADDRESS, server=ground.asterisk.sip_address, has_sound=False) as phone:
        line = await phone.dial(dialed)
        with contextlib.suppress(LabError):
            await line.closed(ground.chance.choice((*BRIEF, *LONG)))
        await leave(line)
        ended_at = line.over_at or datetime.now(UTC)
        ground.seen.append(Seen(number, dialed, line.begun_at, ended_at, line.status > 100 or line.up_at is not None))


async def leave(line: Line) -> None:
    """Hang up, however far the call has come."""
    for _ in range(3):
        if line.is_over:
            return
        with contextlib.suppress(LabError):
            await line.hang_up()


RESIDENTS: tuple[tuple[str, Resident], ...] = (
    *[(CHANGWON, hangs_up_soon)] * 3,
    *[(CHANGWON, hangs_up_late)] * 6,
    (CHANGWON, _who("asked in line to be called back", keys="2", stays=LONG)),
    (GIMHAE, _who("chose a queue", keys="1", stays=LONG)),
    (GIMHAE, _who("asked to be called back", keys="2")),
    (GIMHAE, _who("asked to be called back", keys="2")),
    (GIMHAE, _who("left a message", keys="3", stays=(5.0, 20.0))),
    (GIMHAE, _who("chose a mobile", keys="4", stays=LONG)),
    (GIMHAE, _who("chose nothing", stays=LONG)),
    (JINJU, _who("went over to a mobile", stays=LONG)),
    (SACHEON, gives_up),
)


async def residents(ground: Ground, seconds: float, per_second: float, first: int = 0) -> int:
    """Residents, one after another, until the time is over and the last has hung up; how many there have been."""
    end = time.monotonic() + seconds
    deck = Deck(ground.chance, RESIDENTS)
    number = first
    async with asyncio.TaskGroup() as all_:
        while time.monotonic() < end and number < MOST_CALLS:
            exchange, resident = deck.draw()
            if time.monotonic() > ground.wishes_s:
                exchange, resident = CHANGWON, hangs_up_soon
            # The number that is dialled is this call's alone: Asterisk's log tells it where it sends a call away.
            all_.create_task(resident(ground, f"{exchange}{number:04}", f"120{number:05}"))
            number += 1
            await asyncio.sleep(ground.chance.expovariate(per_second))
    return number


# --- counselors


async def talks(ground: Ground, phone: DeskPhone, line: Line) -> None:
    """Just talks."""


async def hangs_up(ground: Ground, phone: DeskPhone, line: Line) -> None:
    """Is done with it before the resident is."""
    await leave(line)


async def holds(ground: Ground, phone: DeskPhone, line: Line) -> None:
    """Looks something up, with the caller on hold."""
    await line.hold()
    await asyncio.sleep(ground.chance.uniform(0.3, 1.0))
    await line.resume()


async def _refers(ground: Ground, phone: DeskPhone, line: Line, *, to: str = "") -> None:
    """Passes the caller on with the phone's transfer key (REFER)."""
    await line.refer(to or ground.free_agent())


async def _presses(ground: Ground, phone: DeskPhone, line: Line, *, code: str) -> None:
    """Passes the caller on, or calls somebody in, by keys; then leaves the two alone."""
    await line.press(f"{code}{ground.free_agent()}#")
    if code != "*2":
        await asyncio.sleep(ground.chance.uniform(1.0, 2.5))
        await leave(line)


async def attends(ground: Ground, phone: DeskPhone, line: Line) -> None:
    """Asks a colleague on a second line, and passes the caller on with the phone's transfer key (REFER, Replaces)."""
    await line.hold()
    asked = await phone.dial(ground.free_agent())
    try:
        await (asked.established(4.0) if ground.chance.random() < 0.7 else asked.rings())
        await asyncio.sleep(ground.chance.uniform(0.2, 1.0))
        await line.transfer_to(asked)
        await asyncio.gather(line.transferred(), asked.closed())
    except LabError:
        await leave(asked)
        if not line.is_over:
            await line.resume()
        raise


async def _orders(ground: Ground, phone: DeskPhone, line: Line, *, verb: Verb, to: str = "") -> None:
    """Has it done by the daemon's API, as ``callrouter call`` does."""
    with contextlib.suppress(CallrouterError):
        await ask_call(ground.office.daemon.url, CallRequest(phone.user, verb, to or ground.free_agent()))
    if verb == "consult":
        await asyncio.sleep(ground.chance.uniform(1.0, 2.5))
        await leave(line)


DEEDS: tuple[tuple[str, Deed], ...] = (
    *[("talked", talks)] * 6,
    ("hung up", hangs_up),
    ("held", holds),
    ("referred to a colleague", _refers),
    ("referred to a queue", partial(_refers, to=SHORT)),
    ("referred to a mobile", partial(_refers, to=MOBILE)),
    ("passed on by keys", partial(_presses, code="*2")),
    ("consulted by keys", partial(_presses, code="*4")),
    ("passed on by line", attends),
    ("passed on by line", attends),
    ("passed on by order", partial(_orders, verb="transfer")),
    ("consulted by order", partial(_orders, verb="consult")),
    ("conferred by order", partial(_orders, verb="conference", to=INTERPRETER)),
)
ANSWERS, DECLINES, RINGS = "answers", "declines", "rings"
AT_THE_PHONE = (*[ANSWERS] * 8, DECLINES, RINGS)


class Phones:
    """The phones of counselors, and the one that stands for all of the telephone network."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._answers = Deck(ground.chance, AT_THE_PHONE)
        self._network = Deck(ground.chance, (*[ANSWERS] * 3, *(() if ground.is_short else (DECLINES, RINGS))))
        self._deeds = Deck(ground.chance, DEEDS)
        self._attended: asyncio.TaskGroup

    async def attend(self, stack: AsyncExitStack) -> None:
        """Have all of them registered and attended, until the stack is left."""
        asterisk = self._ground.asterisk
        passwords = asterisk.credentials.phone_passwords
        network = DeskPhone(
            "network",
            CARRIER_ADDRESS,
            server=asterisk.sip_address,
            port=asterisk.settings.carrier_port,
            has_sound=False,
        )
        phones = [
            DeskPhone(agent, PHONES_ADDRESS, server=asterisk.sip_address, password=passwords[agent], has_sound=False)
            for agent in AGENTS
        ]
        for phone in (network, *phones):
            await stack.enter_async_context(phone)
        self._attended = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [self._attended.create_task(self._sit_at(network, self._be_called))]
        tasks += [self._attended.create_task(self._sit_at(phone, self._serve)) for phone in phones]
        stack.callback(lambda: [task.cancel() for task in tasks])

    def note(self) -> None:
        """Tell the ground what was seen, once nobody is on the line."""
        now = datetime.now(UTC)
        self._ground.legs += [LegSeen.of(line, now) for line in self._ground.lines]

    async def _sit_at(self, phone: DeskPhone, take: Callable[[DeskPhone, Line], Doing]) -> None:
        while True:
            line = await phone.incoming(None)
            self._ground.lines.append(line)
            self._attended.create_task(take(phone, line))

    async def _serve(self, phone: DeskPhone, line: Line) -> None:
        chance, ground = self._ground.chance, self._ground
        if not await self._pick_up(line, self._answers):
            return
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        what, deed = self._deeds.draw()
        if line.is_over:
            return
        ground.done[what] += 1
        with contextlib.suppress(LabError):
            await deed(ground, phone, line)
        if chance.random() < 0.3:
            with contextlib.suppress(LabError):
                await line.closed(chance.uniform(2.0, 5.0))
            await leave(line)

    async def _be_called(self, phone: DeskPhone, line: Line) -> None:
        if await self._pick_up(line, self._network):
            with contextlib.suppress(LabError):
                await line.closed(self._ground.chance.uniform(1.0, 5.0))
            await leave(line)

    async def _pick_up(self, line: Line, deck: Deck[str]) -> bool:
        how = deck.draw()
        if how == RINGS:
            return False
        await asyncio.sleep(self._ground.chance.uniform(0.05, 1.0))
        await (line.answer() if how == ANSWERS else line.decline())
        return line.is_up
