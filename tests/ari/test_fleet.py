"""All sites together, against a fake Asterisk."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from callrouter.ari import reception as reception_module
from callrouter.ari.fleet import Fleet
from callrouter.ari.outcome import Outcome
from callrouter.ari.peer import Peer
from callrouter.ari.sync import SiteSnapshot
from callrouter.config.settings import DialInSettings
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.causes import Cause
from callrouter.core.ids import CallId, ChannelId, SiteName
from tests.fakes.ari import PATIENCE_S, TIMESTAMP, Answer, FakeAri, arrival

CALL = CallId("01a20b11-1afe-7650-8942-ca3ab4100bde")
LEG = naming.leg_channel(CALL, 1)


@dataclass
class Inbox:
    events: list[ev.Event] = field(default_factory=list)
    stood_down: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def post(self, event: ev.Event, site: SiteName | None = None) -> None:
        self.events.append(event)
        self.changed.set()

    def stand_down(self) -> None:
        self.stood_down = True
        self.changed.set()

    async def until(self, kind: type[ev.Event]) -> ev.Event:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def fleet(peer: Peer, inbox: Inbox) -> AsyncIterator[Fleet]:
    fleet = Fleet([peer], lambda: CALL, lambda: datetime.now(UTC), time.monotonic)
    fleet.inbox = inbox
    task = asyncio.create_task(fleet.run())
    await inbox.until(ev.SiteUp)
    yield fleet
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_site_that_comes_up_is_told_with_its_version(fleet: Fleet, peer: Peer) -> None:
    state = fleet.states[peer.site]

    assert state.up
    assert state.version is not None


async def test_a_command_is_carried_out_and_counted_by_its_outcome(
    fleet: Fleet, peer: Peer, inbox: Inbox, fake: FakeAri
) -> None:
    fake.on(f"POST channels/{LEG}", Answer(500, {"error": "Allocation failed"}))

    fleet.carry_out(cmd.Originate(peer.site, CALL, LEG, "PJSIP/201", "창원", "055", 30.0, ChannelId("1.0")))

    assert await inbox.until(ev.LegRefused) == ev.LegRefused(LEG, endpoint=True)
    assert fleet.outcomes[peer.site, Outcome.REFUSED] == 1


@pytest.mark.parametrize(("status", "level"), [(500, "debug"), (400, "warning"), (403, "warning")])
async def test_a_phone_that_is_off_is_no_warning_at_every_offer_and_other_refusals_are(
    fleet: Fleet, peer: Peer, inbox: Inbox, fake: FakeAri, status: int, level: str
) -> None:
    fake.on(f"POST channels/{LEG}", Answer(status, {"error": "Allocation failed"}))
    with capture_logs() as logs:
        fleet.carry_out(cmd.Originate(peer.site, CALL, LEG, "PJSIP/201", "창원", "055", 30.0, ChannelId("1.0")))
        await inbox.until(ev.LegRefused)
    assert [(log["log_level"], log["status"]) for log in logs if log["event"] == "ari.command_failed"] == [
        (level, status)
    ]


async def test_hanging_up_what_is_gone_tells_its_end(fleet: Fleet, peer: Peer, inbox: Inbox, fake: FakeAri) -> None:
    fake.on(f"DELETE channels/{LEG}", Answer(404, {"message": "Channel not found"}))

    fleet.carry_out(cmd.Hangup(peer.site, CALL, LEG, Cause.NORMAL_CLEARING))

    assert await inbox.until(ev.LegEnded) == ev.LegEnded(LEG, 16)


async def test_a_caller_who_comes_in_is_posted_as_an_arrival(fleet: Fleet, inbox: Inbox, fake: FakeAri) -> None:
    await fake.emit({**arrival("1795492460.0"), "args": ["inbound", "120"]})

    event = await inbox.until(ev.CallArrived)

    assert isinstance(event, ev.CallArrived)
    assert event.channel == "1795492460.0"


async def test_when_another_daemon_takes_over_the_inbox_is_told_to_stand_down(
    fleet: Fleet, peer: Peer, inbox: Inbox, fake: FakeAri
) -> None:
    await fake.emit({"type": "ApplicationReplaced", "timestamp": TIMESTAMP})

    await inbox.until(ev.SiteDown)
    async with asyncio.timeout(PATIENCE_S):
        while not inbox.stood_down:
            inbox.changed.clear()
            await inbox.changed.wait()
    assert not fleet.states[peer.site].up


async def test_it_is_known_when_no_site_is_connected_any_more_and_when_another_took_one(
    fake: FakeAri, fleet: Fleet, inbox: Inbox
) -> None:
    assert not fleet.none_up.is_set()
    assert not fleet.taken.is_set()
    (application,) = fleet._applications.values()
    await fake.sockets[application].send_json({"type": "ApplicationReplaced", "timestamp": TIMESTAMP})
    async with asyncio.timeout(PATIENCE_S):
        await fleet.taken.wait()
        await fleet.none_up.wait()
    assert inbox.stood_down


async def test_of_several_sites_each_needs_a_name_by_which_its_channels_are_known(peer: Peer) -> None:
    def up(fleet: Fleet, site: Peer, name: str) -> list[str]:
        snapshot = SiteSnapshot(0.0, 0.1, "id", datetime.now(UTC), "22.10.1", (), (), (), system_name=name)
        with capture_logs() as logs:
            fleet.up(site.site, snapshot)
        return [str(log["event"]) for log in logs if log["log_level"] == "error"]

    other = replace(peer, site=SiteName("other"))
    alone = Fleet([peer], lambda: CALL, lambda: datetime.now(UTC), time.monotonic)
    assert up(alone, peer, "") == []
    both = Fleet([peer, other], lambda: CALL, lambda: datetime.now(UTC), time.monotonic)
    assert up(both, peer, "") == ["ari.namesakes"]
    assert up(both, peer, "one") == []
    assert up(both, other, "one") == ["ari.namesakes"]
    assert both.namesakes == {peer.site, other.site}
    assert up(both, other, "two") == []
    assert both.namesakes == frozenset()


async def test_an_asterisk_that_dials_is_up_by_its_own_connection_and_why_it_is_not_is_known(
    peer: Peer, inbox: Inbox, fake: FakeAri, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "PATIENCE_S", 0.1)
    fleet = a_dialled_fleet(peer, inbox)
    task = asyncio.create_task(fleet.run())
    assert fleet.reception is not None
    await asyncio.wait_for(fleet.reception.listening.wait(), PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        while "has not dialled in" not in fleet.states[peer.site].words:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)

    async with fake.dialling(fleet.reception.port):
        await inbox.until(ev.SiteUp)
        assert fleet.states[peer.site].up
        fleet.let_go()
        await asyncio.wait_for(fleet.none_up.wait(), PATIENCE_S)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_lets_go_of_what_asterisk_dials_sees_that_another_has_it(peer: Peer, inbox: Inbox) -> None:
    old = a_dialled_fleet(peer, inbox)
    leading = asyncio.create_task(old.run())
    assert old.reception is not None
    await asyncio.wait_for(old.reception.listening.wait(), PATIENCE_S)
    old.let_go()
    seeing = asyncio.create_task(old.until_taken())
    await asyncio.sleep(0.15)  # for what it might take for another
    assert not seeing.done()

    new = a_dialled_fleet(peer, inbox, port=old.reception.port)
    following = asyncio.create_task(new.run())
    await asyncio.wait_for(seeing, PATIENCE_S)

    for task in (leading, following):
        task.cancel()
    await asyncio.gather(leading, following, return_exceptions=True)


async def test_where_one_of_several_is_dialled_by_us_its_application_tells_who_has_it(peer: Peer, inbox: Inbox) -> None:
    fleet = a_dialled_fleet(peer, inbox, others=(replace(peer, site=SiteName("hall")),))
    seeing = asyncio.create_task(fleet.until_taken())
    fleet.replaced(SiteName("hall"))

    await asyncio.wait_for(seeing, PATIENCE_S)


def a_dialled_fleet(peer: Peer, inbox: Inbox, *, port: int = 0, others: tuple[Peer, ...] = ()) -> Fleet:
    """Whom one Asterisk dials."""
    peers = [replace(peer, dials_in=True), *others]
    fleet = Fleet(peers, lambda: CALL, lambda: datetime.now(UTC), time.monotonic, dial_in=DialInSettings(port=port))
    fleet.inbox = inbox
    return fleet
