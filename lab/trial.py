"""One call from a simulated resident to a simulated counselor, told as it happens, with what each of them heard."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from callrouter.core.ids import AgentId, CallId
from callrouter.core.numbers import masked
from callrouter.core.states import CallState
from callrouter.web.status import Call, StatusDocument
from lab import audio
from lab.baresip import Baresip
from lab.errors import LabError
from lab.phones import CARRIER_ADDRESS, RESIDENT_NUMBER, SERVICE_NUMBER
from lab.progress import say

COUNSELORS_ADDRESS = "127.0.0.3"
RESIDENT_HZ = 1100.0
COUNSELOR_HZ = 1300.0
RINGS_S = 1.0
TALK_S = 4.0
ENOUGH = 0.75
"""Share of the time in which they talked that each must have heard the other's tone: the rest is set-up and hang-up."""

ANSWER_S = 15.0
PATIENCE_S = 120.0
"""For an announcement, and for other phones that ring before."""
LISTEN_S = 60.0
LOOK_S = 0.3


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one of them heard: the other's tone and, if there is an echo, the own one. In seconds."""

    who: str
    other: str
    tone_hz: float
    heard_s: float
    own_s: float
    talk_s: float

    @property
    def is_good(self) -> bool:
        """Whether the other was heard nearly all the time, and nobody heard himself."""
        return self.heard_s >= ENOUGH * self.talk_s and self.own_s < audio.BLOCK_S * 2

    def __str__(self) -> str:
        echo = f", and his own for {self.own_s:.1f} s" if self.own_s else ""
        return (
            f"{self.who} heard {self.other}'s tone of {self.tone_hz:g} Hz for {self.heard_s:.1f} of the"
            f" {self.talk_s:.1f} s in which they talked{echo}"
        )


@dataclass(frozen=True, slots=True)
class Post:
    """A counselor's place: who, and the account of the phone."""

    agent: AgentId
    extension: str
    password: str


class Trial:
    """A call at the centre whose Asterisk is at ``server`` and whose daemon is asked by ``look``."""

    def __init__(self, server: str, look: Callable[[], Awaitable[StatusDocument]]) -> None:
        self._server = server
        self._look = look
        self._began_s = time.monotonic()
        self._before: frozenset[CallId] = frozenset()
        self.call: CallId | None = None
        """Its id, once the daemon has taken it."""

    async def listen(self) -> tuple[Hearing, ...]:
        """Call, press no key, and listen until the line is closed, or for a minute; nothing to compare."""
        async with self._resident() as resident:
            await self._dial(resident)
            _, ended = await _first(asyncio.sleep(LISTEN_S, True), resident.closed(PATIENCE_S))
            if ended is None:
                await resident.hang_up()
                await resident.closed()
            whom = "the resident hangs up" if ended is None else "the line was closed"
            self._tell(f"{whom}; the resident heard {audio.sound_seconds(resident.heard()):.1f} s of announcement")
        return ()

    async def talk(self, post: Post) -> tuple[Hearing, ...]:
        """Call, let the counselor at ``post`` answer, talk for a while, hang up; what each of the two heard.

        Nothing is known of that if a counselor with a phone that is not simulated took the call.

        Raises:
            LabError: they did not come to talk.
        """
        async with self._counselor(post) as counselor, self._resident() as resident:
            say(f"  counselor {post.extension} has a phone, registered from {COUNSELORS_ADDRESS}")
            await self._dial(resident)
            answered_by = await self._ring(resident, counselor, post)
            if answered_by is not None:
                await self._leave_to(answered_by, resident)
                return ()
            return await self._converse(resident, counselor, post)

    async def _dial(self, resident: Baresip) -> None:
        self._before = frozenset(call.call for call in (await self._look()).calls)
        self._began_s = time.monotonic()
        self._tell(f"resident {RESIDENT_NUMBER} dials {SERVICE_NUMBER}, from {CARRIER_ADDRESS}")
        await resident.dial(SERVICE_NUMBER)
        await resident.established(ANSWER_S)
        self._tell("answered: an announcement begins")
        await self._present()

    async def _ring(self, resident: Baresip, counselor: Baresip, post: Post) -> AgentId | None:
        """Wait until the counselor's phone rings; or somebody else, who is told, has answered."""
        elsewhere: AgentId | None
        rings, over, elsewhere = await _first(
            counselor.incoming(PATIENCE_S), resident.closed(PATIENCE_S), self._elsewhere(post.agent)
        )
        if over is not None:
            raise LabError(f"the call ended before the counselor's phone rang: {over.reason or 'no reason given'}")
        if rings is None:
            return elsewhere
        shown = counselor.shows()
        self._tell(f'rings at {post.extension}, which shows "{shown.name}" {shown.number}')
        await self._present(post.agent)
        return None

    async def _converse(self, resident: Baresip, counselor: Baresip, post: Post) -> tuple[Hearing, ...]:
        await asyncio.sleep(RINGS_S)
        await counselor.accept()
        await counselor.established()
        talking_s = time.monotonic()
        self._tell(f"counselor {post.extension} answers: they talk, each in a tone")
        _, cut = await _first(asyncio.sleep(TALK_S, True), resident.closed(PATIENCE_S))
        if cut is not None:
            raise LabError(f"the call was cut off while they talked: {cut.reason or 'no reason given'}")
        talk_s = time.monotonic() - talking_s
        await resident.hang_up()
        self._tell("the resident hangs up")
        await resident.closed()
        await counselor.closed()
        return _hearings(resident, counselor, post, talk_s)

    async def _leave_to(self, agent: AgentId, resident: Baresip) -> None:
        self._tell(f"{agent} answers, on a phone that is not simulated; the resident says a tone and hangs up soon")
        _, ended = await _first(asyncio.sleep(TALK_S, True), resident.closed(PATIENCE_S))
        if ended is None:
            await resident.hang_up()
            await resident.closed()
        self._tell("over")

    # --- what the daemon says

    async def _present(self, agent: AgentId | None = None) -> Call | None:
        """Our call as the daemon has it: the one that ``agent`` is offered, else the first that came after dialling."""
        calls = (await self._look()).calls
        if self.call is None or agent is not None:
            ours = [call for call in calls if call.call not in self._before and call.caller == masked(RESIDENT_NUMBER)]
            ours.sort(key=lambda call: (call.agent != agent, call.call))
            self.call = ours[0].call if ours else self.call
        return next((call for call in calls if call.call == self.call), None)

    async def _elsewhere(self, agent: AgentId) -> AgentId:
        """Who else has answered our call. Says so when a phone that is not simulated rings first."""
        seen: str | None = None
        told: set[str] = set()
        while True:
            call = await self._present()
            other = call.agent if call is not None and call.agent != agent else None
            if call is not None and other is not None and call.state is CallState.CONNECTED:
                return AgentId(other)
            # A phone that is off is offered the call for a moment only.
            if other is not None and other == seen and other not in told:
                told.add(other)
                self._tell(f"{other}'s phone rings first: that counselor has been idle longer")
            seen = other
            await asyncio.sleep(LOOK_S)

    # --- people

    def _resident(self) -> Baresip:
        return Baresip(RESIDENT_NUMBER, CARRIER_ADDRESS, server=self._server, tone_hz=RESIDENT_HZ)

    def _counselor(self, post: Post) -> Baresip:
        return Baresip(
            post.extension, COUNSELORS_ADDRESS, server=self._server, password=post.password, tone_hz=COUNSELOR_HZ
        )

    def _tell(self, what: str) -> None:
        say(f"  {time.monotonic() - self._began_s:5.1f} s  {what}")


def _hearings(resident: Baresip, counselor: Baresip, post: Post, talk_s: float) -> tuple[Hearing, ...]:
    """What the recordings of both hold."""
    people = (
        ("the resident", resident, f"counselor {post.extension}", COUNSELOR_HZ, RESIDENT_HZ),
        (f"counselor {post.extension}", counselor, "the resident", RESIDENT_HZ, COUNSELOR_HZ),
    )
    return tuple(
        Hearing(
            who, other, tone, audio.tone_seconds(phone.heard(), tone), audio.tone_seconds(phone.heard(), own), talk_s
        )
        for who, phone, other, tone, own in people
    )


async def _first(*attempts: Coroutine[Any, Any, Any]) -> list[Any]:
    """Wait until one of them is done; the results in their order, None for those that are not done and given up."""
    tasks = [asyncio.ensure_future(attempt) for attempt in attempts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() if task.done() else None for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
