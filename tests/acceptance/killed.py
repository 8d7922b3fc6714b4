"""What scenes of a daemon's death play on: one office, killed again and again, and the table that they are put into."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callrouter.core.cdr import Cdr
from callrouter.core.states import CallState
from callrouter.store.postgres import CdrSearch, open_archive
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.errors import LabError
from lab.testing import PROMPT_S
from tests.acceptance.centre import PATIENCE_S, POLL_S, Centre, People
from tests.acceptance.talks import FIRST_HZ, RESIDENT_HZ, SECOND_HZ, answers, people_talk
from tests.acceptance.wire import Wire

TALK_S = 1.2
MOBILE = "01098765432"

HALL, TOLD, CLOSED, MENU, MESSAGE, DUTY, STRAIGHT, BRIEFED, TAPED, BACK, REST, OVER = (
    str(number) for number in range(1200, 1212)
)
"""What a resident dials who is to come by what a scene needs."""

# The tests' Asterisk has a tone for each of these prompts.
STEPS: dict[str, list[object]] = {
    TOLD: [{"announce": "lasts"}, {"queue": "hall"}],
    CLOSED: [{"announce": "lasts"}, "hangup"],
    MENU: [{"menu": "waiting", "timeout": "5s", "keys": {"1": [{"queue": "hall"}]}, "default": ["hangup"]}],
    MESSAGE: [{"voicemail": "night", "greeting": "closed", "max": "20s", "min": "1s", "silence": "9s"}],
    DUTY: [{"dial": ["mobile"], "confirm": "waiting", "confirm_timeout": "6s"}, "hangup"],
    STRAIGHT: [{"dial": ["mobile"]}, "hangup"],
    BRIEFED: [{"queue": "briefed"}],
    TAPED: [{"queue": "taped"}],
    BACK: [{"queue": "back"}],
    REST: [{"queue": "rest"}],
    OVER: [{"announce": "closed"}, "hangup"],
}
ROUTES = [
    *({"id": f"n{dialed}", "when": {"dialed": dialed}, "do": steps} for dialed, steps in STEPS.items()),
    {"id": "hall", "do": [{"queue": "hall"}]},
]
PLANS = {
    "call-me": [{"callback": "back"}, {"announce": "waiting"}, "hangup"],
    "call-me-where": [{"callback": "back", "confirm": "changwon-welcome", "ask": "emergency"}, "hangup"],
}
QUEUES: dict[str, dict[str, object]] = {
    "hall": {},
    "briefed": {"agent_prompt": "night-welcome"},
    "taped": {"recording": {"notice": "recording-notice", "retention": "60d"}},
    "back": {
        "keys": {"2": "call-me", "3": "call-me-where"},
        "call_back": {
            "trunk": "carrier",
            "attempts": "2",
            "retry_after": "30s",
            "ring_timeout": "20s",
            "to_resident": "closed",
        },
    },
    "rest": {"wrap_up": "60s"},
}
FILES: dict[str, dict[str, object]] = {
    "routes.yaml": {"routes": ROUTES, "plans": PLANS},
    "queues.yaml": {
        "queues": {name: {"title": name, "ring_timeout": "20s", "wrap_up": "0s", **of} for name, of in QUEUES.items()}
    },
    "duty.yaml": {
        "destinations": {"mobile": {"title": "duty", "number": MOBILE, "trunk": "carrier", "ring_timeout": "20s"}},
    },
    "voicemail.yaml": {
        "voicemail": {"night": {"title": "night", "thanks": "waiting", "failed": "all-busy", "retention": "30d"}}
    },
    "supervisors.yaml": {
        "supervisors": {"kim": {"name": "kim", "site": "gyeongnam", "endpoint": "PJSIP/203", "queues": ["hall"]}},
        "supervision": {"code": "*31"},
    },
    "more-prompts.yaml": {"prompts": {"lasts": "오래 가는 안내입니다."}},
}


def all_that_scenes_need(config: Path) -> None:
    """The sample with these queues and routes. YAML reads JSON."""
    for name, sections in FILES.items():
        (config / name).write_text(json.dumps(sections), encoding="utf-8")
    agents = config / "agents.yaml"
    written = agents.read_text(encoding="utf-8")
    agents.write_text(written.replace("[gyeongnam, changwon]", f"[{', '.join(QUEUES)}]"), encoding="utf-8")


class Stage:
    """What a scene plays on. ``number`` is its resident's own, whose records are told by it."""

    def __init__(
        self,
        office: Centre,
        asterisk: LabAsterisk,
        number: str,
        caller: People,
        counselor: People,
        outside: People,
        wire: Wire,
    ) -> None:
        self.office, self.asterisk, self.number = office, asterisk, number
        self.caller, self.counselor, self.outside, self.wire = caller, counselor, outside, wire
        self.other = f"05574{number[5:]}"
        """The number of somebody else who calls."""
        self.others = 0
        self.dialed = ""

    async def somebody_else(self, number: str) -> Baresip:
        """Another resident, who dials ``number`` too."""
        self.others += 1
        other = await self.caller(self.other)
        await other.dial(number)
        return other

    async def dials(self, number: str) -> Baresip:
        """A resident who speaks in a tone, and dials what leads to what the scene needs."""
        resident = await self.caller(self.number, tone_hz=RESIDENT_HZ)
        self.dialed = number
        await resident.dial(number)
        return resident

    async def first(self) -> Baresip:
        """The counselor 201, who can be called."""
        phone = await self.counselor("201", tone_hz=FIRST_HZ)
        await self.office.until_agent("201", "available")
        return phone

    async def second(self) -> Baresip:
        """His colleague 202, who can be called."""
        phone = await self.counselor("202", tone_hz=SECOND_HZ)
        await self.office.until_agent("202", "available")
        return phone

    async def talk(self, number: str = HALL) -> tuple[Baresip, Baresip]:
        """A resident and the counselor 201 talk."""
        first = await self.first()
        resident = await self.dials(number)
        await answers(first)
        await self.until_call("connected")
        await people_talk(TALK_S / 2)  # baresip loses a stream that changes its source within its first packets
        return resident, first

    async def asked_back(self, key: str = "2") -> tuple[Baresip, Baresip, Baresip]:
        """A counselor who talks, whoever he talks to, and a resident in line who has pressed ``key``."""
        first = await self.first()
        talker = await self.somebody_else(BACK)
        await answers(first)
        await self.office.until_call("connected")
        resident = await self.outside(self.number, tone_hz=RESIDENT_HZ)
        await resident.dial(BACK)
        await self.office.until_waiting(1)
        await resident.press(key)
        return first, talker, resident

    async def is_called_back(self) -> tuple[Baresip, Baresip]:
        """The counselor's phone rings for a resident who asked for it; they are returned."""
        first, talker, resident = await self.asked_back()
        await resident.closed(timeout_s=PROMPT_S + 5)
        await talker.hang_up()
        await first.closed()
        await first.incoming()
        return first, resident

    async def until_call(self, state: str) -> None:
        """Wait until the resident's call is in ``state``, whoever else calls."""
        await self.office.until(
            f"the call to {self.dialed} is {state}",
            lambda now: [one["state"] for one in now["calls"] if one["dialed"] == self.dialed] == [state],
        )

    async def until_calls(self, what: str, *wanted: object, of: Callable[[dict[str, Any]], object]) -> None:
        """Wait until what ``of`` tells of each call is ``wanted``."""
        await self.office.until(what, lambda now: [of(call) for call in now["calls"]] == list(wanted))

    async def until_arrived(self) -> None:
        """Wait until Asterisk has handed a caller over, whoever listens."""
        async with asyncio.timeout(PATIENCE_S):
            # The daemon that would be told hangs.
            while "Stasis" not in [  # noqa: ASYNC110
                one["dialplan"]["app_name"] for one in await asyncio.to_thread(self.asterisk.channels)
            ]:
                await asyncio.sleep(POLL_S)

    async def records(self, count: int = 1, *, caller: str | None = None) -> list[Cdr]:
        """The resident's, once there are so many, in the order of their beginnings.

        Raises:
            LabError: there are not exactly so many.
        """
        assert self.office.database_url is not None
        found: list[Cdr] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S), open_archive(self.office.database_url) as archive:
                wanted = CdrSearch(caller=caller or self.number)
                # Rows come when the daemon has written them, and nobody tells when.
                while len(found := await archive.find(wanted)) < count:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        if len(found) != count:
            raise LabError(f"{len(found)} records, not {count}:\n{found}\n{self.office.daemon.log_tail()}")
        return sorted(found, key=lambda cdr: cdr.started_at)

    async def record(self) -> Cdr:
        """The only one."""
        (only,) = await self.records()
        return only

    async def is_at_rest(self, agent: str) -> None:
        """No call has left anything but its record; the counselor 201 is where he should be.

        Raises:
            LabError: it is not so.
        """
        await self.office.until(
            "nothing is left",
            lambda now: (
                not now["calls"]
                and [one["in_use"] for one in now["trunks"]] == [0]
                and now["database"]["backlog"] == 0
                and {one["agent"]: one["state"] for one in now["agents"]}["201"] == agent
            ),
        )
        left = [await asyncio.to_thread(self.asterisk.get, what) for what in ("channels", "bridges")]
        if left != [[], []]:
            raise LabError(f"Asterisk still has {left}\n{self.office.daemon.log_tail()}")

    async def has_records(self, count: int) -> None:
        """So many there are of the resident, and one of each call of somebody else.

        Raises:
            LabError: it is not so.
        """
        await self.records(count)
        await self.records(self.others, caller=self.other)


Scene = AsyncGenerator[Callable[[], Awaitable[None]]]
"""What happens until the daemon dies, how it dies, and what people notice after another has been started."""


@dataclass(frozen=True, slots=True)
class Row:
    """A scene: in which ``states`` its calls are when the daemon dies, what they leave, and where 201 is at the end."""

    scene: Callable[[Stage], Scene]
    states: tuple[CallState, ...]
    records: int
    agent: str
    is_seen: bool
    is_wired: bool


ROWS: list[Row] = []


def dies(
    *states: CallState,
    records: int = 1,
    agent: str = "available",
    is_seen: bool = True,
    is_wired: bool = False,
) -> Callable[[Callable[[Stage], Scene]], Callable[[Stage], Scene]]:
    """Put a scene into the table. ``is_seen`` is whether the daemon that dies can be asked in which state they are."""

    def put(scene: Callable[[Stage], Scene]) -> Callable[[Stage], Scene]:
        ROWS.append(Row(scene, states, records, agent, is_seen, is_wired))
        return scene

    return put
