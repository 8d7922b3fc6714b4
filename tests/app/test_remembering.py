"""Three calls of one resident, over a restart: asked and remembered, known again, taken back and asked again."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.agi.protocol import AgiRequest, AgiSession
from callrouter.agi.route import route
from callrouter.app.remembering import RememberedCallers
from callrouter.config import load
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.audit import AuditEntry
from callrouter.core.cdr import Cdr
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, ChannelId, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.remembered import Remembered
from callrouter.web.remembered import ForgetReport
from tests.config.test_remembering import RULES
from tests.fakes.keeping import KeepsAtOnce

BASE = Path(__file__).parents[1] / "bad_config" / "base"
HALL = SiteName("hall")
MOBILE, AS_SENT = "010-1234-5678", "+821012345678"
NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
PATIENCE_S = 10.0


class Daemon(KeepsAtOnce):
    """The parts of a daemon that decide and remember; what it would have Asterisk do is left."""

    def __init__(self, folder: Path, remembered: Remembered) -> None:
        self.rulebook = load(folder, {"TEST_PASSWORD": "x"}).rulebook
        self.at = NOW
        self.remembered = remembered
        self.callers = RememberedCallers(remembered)
        self.cdrs: list[Cdr] = []
        self.dispatcher = Dispatcher(Exchange(self.rulebook, NOW), self, self, lambda: self.at, memory=remembered)
        self._calls = 0

    def carry_out(self, command: cmd.AriCommand, settled: Callable[[], None]) -> None:
        """Not at all."""

    def resync(self, site: SiteName) -> None:
        """Not at all."""

    def append_facts(self, call_id: CallId, kind: str, body: bytes) -> None:
        """Not at all."""

    def finish(self, cdr: Cdr) -> None:
        self.cdrs.append(cdr)

    def audit(self, entry: AuditEntry) -> None:
        """Not at all."""

    async def call(self, caller: str, *keys: str) -> Cdr:
        """A resident calls, presses keys, and hangs up."""
        self._calls += 1
        call, channel = CallId(f"call-{self._calls}"), ChannelId(f"{self._calls}.0")
        events: list[ev.Event] = [
            ev.CallArrived(call, channel, CallFacts("120", HALL, caller)),
            *(ev.DigitPressed(channel, key) for key in keys),
            ev.CallerLeft(channel),
        ]
        for event in events:
            self.dispatcher.post(event, HALL)
        async with asyncio.timeout(PATIENCE_S):
            while not self.cdrs or self.cdrs[-1].call_id != call:  # noqa: ASYNC110 - turns of the loop, not a wait
                await asyncio.sleep(0)
        return self.cdrs[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(BASE, tmp_path / "config"))
    (folder / "routes.yaml").write_text(RULES, encoding="utf-8")
    return folder


@asynccontextmanager
async def a_daemon(folder: Path) -> AsyncIterator[Daemon]:
    async with Remembered(folder, lambda: NOW) as remembered:
        daemon = Daemon(folder, remembered)
        task = asyncio.create_task(daemon.dispatcher.run())
        yield daemon
        task.cancel()


def where(cdr: Cdr) -> tuple[str, str, str]:
    return cdr.rule, cdr.region, cdr.region_source


async def test_a_resident_is_asked_once_and_known_by_the_next_daemon_until_it_is_taken_back(folder: Path) -> None:
    async with a_daemon(folder) as first:
        assert where(await first.call(MOBILE, "1", "1")) == ("city", "city", "menu")
    async with a_daemon(folder) as second:
        assert where(await second.call(AS_SENT)) == ("city", "city", "remembered")
        assert await second.callers.forget(MOBILE, "kim") == ForgetReport(1, 0, None)
        assert where(await second.call(MOBILE)) == ("unknown", "province", "default")
    async with a_daemon(folder) as third:
        assert where(await third.call(MOBILE)) == ("unknown", "province", "default")


async def test_without_consent_the_next_call_is_asked_again(folder: Path) -> None:
    async with a_daemon(folder) as daemon:
        await daemon.call(MOBILE, "1", "2")
        assert daemon.callers.report().callers == 0
        assert where(await daemon.call(MOBILE)) == ("unknown", "province", "default")


async def test_when_its_time_is_over_the_caller_is_asked_again(folder: Path) -> None:
    async with a_daemon(folder) as daemon:
        await daemon.call(MOBILE, "1", "1")
        daemon.at = NOW + timedelta(days=180) - timedelta(seconds=1)
        assert where(await daemon.call(MOBILE)) == ("city", "city", "remembered")
        daemon.at = NOW + timedelta(days=180)
        assert where(await daemon.call(MOBILE)) == ("unknown", "province", "default")


async def test_a_resident_takes_it_back_with_a_key(folder: Path) -> None:
    (folder / "routes.yaml").write_text(
        RULES.replace(
            "    do: [{queue: main}]",
            "    do: [{menu: welcome, keys: {9: {forget: true}}, default: next}, {queue: main}]",
        ),
        encoding="utf-8",
    )
    async with a_daemon(folder) as daemon:
        await daemon.call(MOBILE, "1", "1")
        assert daemon.callers.report().callers == 1
        await daemon.call(MOBILE, "9")
        assert daemon.callers.report().callers == 0


async def test_fastagi_knows_what_calls_know(folder: Path) -> None:
    said = {"request": "agi://127.0.0.1/route", "channel": "PJSIP/carrier-1", "callerid": "01012345678", "arg_1": "120"}
    lines = [f"agi_{key}: {value}\n" for key, value in said.items()]
    (request,) = AgiSession().receive("".join([*lines, "\n"]).encode())
    assert isinstance(request, AgiRequest)
    async with a_daemon(folder) as daemon:
        await daemon.call(MOBILE, "1", "1")
        known = route(request, daemon.rulebook, lambda: NOW, HALL, recall=daemon.remembered.recall)
        unknown = route(request, daemon.rulebook, lambda: NOW, HALL)
    assert (known["CALLROUTER_RULE"], known["CALLROUTER_REGION"]) == ("city", "city")
    assert unknown["CALLROUTER_RULE"] == "unknown"


async def test_the_log_says_that_somebody_was_forgotten_and_not_who(folder: Path) -> None:
    async with a_daemon(folder) as daemon:
        await daemon.call(MOBILE, "1", "1")
        with capture_logs() as logs:
            assert await daemon.callers.forget("anonymous", "kim") is None
            assert await daemon.callers.forget("01099999999", "kim") == ForgetReport(0, 1, None)
            assert await daemon.callers.forget_all("kim") == ForgetReport(1, 0, None)
    assert logs == [
        {"event": "memory.forgotten", "log_level": "info", "callers": count, "who": "kim"} for count in (0, 1)
    ]
