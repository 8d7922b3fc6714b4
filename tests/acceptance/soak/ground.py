"""Where it happens: the call centre under test, who runs it, and what was seen of it."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from lab.asterisk import LabAsterisk
from lab.desk_phone import Line
from tests.acceptance.centre import Centre, edit
from tests.acceptance.soak.seen import Away, LegSeen, Seen
from tests.acceptance.wire import Wire

AGENTS = ("201", "202", "203", "204", "205", "206", "301", "302")
MOBILE, INTERPRETER = "01098765432", "01055556666"
SHORT = "70"
"""What phones dial to pass a caller on to a queue."""
LINES = 60
_Thing = TypeVar("_Thing")


class Deck(Generic[_Thing]):
    """Things in an order of chance, all of them before any comes again."""

    def __init__(self, chance: random.Random, things: Sequence[_Thing]) -> None:
        self._chance = chance
        self._things = things
        self._left: list[_Thing] = []

    def draw(self) -> _Thing:
        """The next."""
        if not self._left:
            self._left = self._chance.sample(self._things, len(self._things))
        return self._left.pop()


class Crew(Protocol):
    """The daemons."""

    leader: Centre
    """Which of them is in charge, as far as is known."""

    @property
    def all(self) -> tuple[Centre, ...]:
        """All of them, the leader first."""
        ...

    @property
    def state_dir(self) -> Path:
        """Where they have their journal."""
        ...

    async def settle(self) -> None:
        """Wait until one of them is in charge, and has Asterisk."""
        ...


@dataclass(slots=True)
class Ground:
    """Where it happens."""

    asterisk: LabAsterisk
    crew: Crew
    wire: Wire
    chance: random.Random
    away: list[Away] = field(default_factory=list)
    """When no daemon could take a call, or answer for one."""
    struck: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    """What people did."""
    seen: list[Seen] = field(default_factory=list)
    legs: list[LegSeen] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    """Of the phones that were called."""
    is_short: bool = False
    """There is no time for what is tried again and again."""
    wishes_s: float = float("inf")
    """Until when (monotonic) residents have wishes that take long."""

    @property
    def office(self) -> Centre:
        """Who is in charge."""
        return self.crew.leader

    def free_agent(self) -> str:
        """Whose phone nobody is at; any, if there is none."""
        taken = {line.phone.user for line in self.lines if not line.is_over}
        return self.chance.choice([agent for agent in AGENTS if agent not in taken] or AGENTS)

    async def without_daemon(self, what: Callable[[], Awaitable[None]]) -> None:
        """Do something during which calls go to the fallback, and wait until it is over."""
        begun = datetime.now(UTC)
        await what()
        await self.crew.settle()
        self.away.append(Away(begun, datetime.now(UTC)))


# --- what is configured

ROUTES = """\
routes:
  - id: asked
    when: {region: gimhae}
    do:
      - menu: waiting
        timeout: 2s
        keys:
          1: [{queue: gyeongnam, max_wait: 20s}, {announce: all-busy}, hangup]
          2: [{plan: call-me}]
          3: [{voicemail: night, greeting: closed, max: 6s, min: 1s, silence: 3s}, hangup]
          4: [{dial: [mobile]}, {announce: all-busy}, hangup]
        default: [{queue: changwon, max_wait: 20s}, {announce: all-busy}, hangup]
  - id: overflowing
    when: {region: jinju}
    do:
      - queue: changwon
        max_wait: 2s
      - dial: [mobile]
      - announce: all-busy
      - hangup
  - id: unanswered
    when: {region: sacheon}
    do:
      - queue: gyeongnam
        max_wait: 20s
      - hangup
  - id: plain
    do:
      - announce: changwon-welcome
      - queue: changwon
        max_wait: 20s
      - announce: all-busy
      - hangup
plans:
  call-me: [{callback: changwon}, {announce: callback-noted}, hangup]
"""
QUEUES = """\
queues:
  changwon:
    title: 창원시
    ring_timeout: 3s
    wrap_up: 0s
    keys: {2: call-me}
    call_back: {trunk: carrier, attempts: 2, retry_after: 10s, ring_timeout: 3s, to_agent: callback-agent}
  gyeongnam:
    title: 경상남도
    ring_timeout: 3s
    wrap_up: 0s
    sound: ringback
"""
TRUNKS = f"""\
trunks:
  carrier: {{title: 국선, channels: {LINES}, caller_id: "0552111120"}}
  hall: {{title: 창원시청, channels: 8}}
destinations:
  mobile: {{title: 당직 휴대전화, number: "{MOBILE}", trunk: carrier, ring_timeout: 3s}}
transfers:
  trunk: carrier
  short: {{"{SHORT}": changwon}}
voicemail:
  night: {{title: 야간 민원, thanks: waiting, failed: all-busy, retention: 30d}}
"""


def open_all_day(config: Path) -> None:
    """Every kind of way through the call centre, whenever a call comes, chosen by where it comes from."""
    for name, text in (("routes", ROUTES), ("queues", QUEUES), ("trunks", TRUNKS)):
        (config / f"{name}.yaml").write_text(text, encoding="utf-8")
    (config / "routes-test.yaml").unlink()
    for extension in ("301", "302"):
        edit(
            config / "agents.yaml",
            rf'^(  "{extension}": .*), tenant: changwon\}}$',
            r"\1, tenant: changwon, trunk: hall}",
        )
