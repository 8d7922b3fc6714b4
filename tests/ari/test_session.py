"""A session's life: up, down, up again, replaced; and what it tells its listener, in which order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from callrouter.ari import operations
from callrouter.ari import session as session_module
from callrouter.ari.outcome import Outcome
from callrouter.ari.peer import Peer
from callrouter.ari.reception import Reception
from callrouter.ari.session import EVENT_FILTER, AriSession, Timing
from callrouter.ari.snapshots import ChannelState
from callrouter.ari.wire import StasisStart
from callrouter.config.settings import DialInSettings
from callrouter.core.ids import SiteName
from tests.ari.conftest import Diary
from tests.fakes.ari import PATIENCE_S, TIMESTAMP, Answer, FakeAri, Seen, arrival, channel, fake_ari

CALM = Timing(probe_s=60, second_snapshot_s=60, snapshot_s=60, rejected_s=60)
"""Nothing is repeated while a test looks at something else."""


@asynccontextmanager
async def session_of(
    peer: Peer, diary: Diary, timing: Timing = CALM, *, command_sockets: int = 0
) -> AsyncIterator[asyncio.Task[None]]:
    """A running session; the waits after failures are short and certain."""
    session = AriSession(peer, diary, timing=timing, command_sockets=command_sockets, chance=lambda: 0.0)
    task = asyncio.create_task(session.run())
    try:
        yield task
    finally:
        task.cancel()
        ended, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
    assert ended, "the session does not end when it is cancelled"
    assert task.cancelled() or task.exception() is None


async def test_it_comes_up_with_what_is_ours_and_nothing_else(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    helper = channel("helper;2") | {"dialplan": {"app_name": "AppDial2", "app_data": "(Outgoing Line)"}}
    stranger = channel("stranger", application="another")
    fake.channels = [channel("caller"), helper]
    fake.bridges = [{"id": "talk", "channels": ["caller"]}]
    fake.on("GET channels", Answer(200, [*fake.channels, stranger]))
    fake.on("GET bridges", Answer(200, [*fake.bridges, {"id": "conference"}]))

    async with session_of(peer, diary):
        await diary.until_written("up")

    snapshot = diary.all("up")[0]
    assert [entry.id for entry in snapshot.channels] == ["caller"]
    assert snapshot.channels[0].state is ChannelState.UP
    assert [entry.id for entry in snapshot.legs] == ["helper;2"]
    assert [entry.id for entry in snapshot.bridges] == ["talk"]
    assert (snapshot.asterisk_id, snapshot.version) == ("aa:bb", "22.10.1")
    assert snapshot.started_at.isoformat() == "2026-11-24T03:55:18.565000+00:00"
    assert snapshot.requested_at <= snapshot.received_at


async def test_events_that_come_before_the_snapshot_are_told_after_it_and_in_order(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    released = asyncio.Event()
    fake.on("GET bridges", Answer(200, [], after=released))

    async with session_of(peer, diary):
        await fake.until(lambda: bool(fake.requests("GET bridges")))
        await fake.emit(arrival("first"))
        await fake.emit(arrival("second"))
        assert diary.words == []
        released.set()
        await diary.until_written("up")
        await fake.emit(arrival("third"))
        await diary.until_written("event", 3)

    assert diary.words == ["up", "event", "event", "event", *diary.words[4:]]
    assert [event.channel.id for event in diary.all("event")] == ["first", "second", "third"]


async def test_the_filter_is_set_on_each_connect_and_lets_the_replacement_through(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    async with session_of(peer, diary):
        await diary.until_written("up")
        await fake.drop()
        await diary.until_written("up", 2)

    assert fake.filters_set == 2
    assert {entry["type"] for entry in fake.filter} == set(EVENT_FILTER)
    assert "ApplicationReplaced" in EVENT_FILTER


async def test_a_lost_connection_is_told_once_and_made_again(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    async with session_of(peer, diary):
        await diary.until_written("up")
        await fake.drop()
        await diary.until_written("up", 2)

    assert diary.words[:3] == ["up", "down", "up"]
    assert "closed the websocket" in diary.all("down")[0]


async def test_another_start_time_tells_a_restart_from_a_reconnect(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    async with session_of(peer, diary):
        await diary.until_written("up")
        fake.started = "2026-11-24T05:00:00.000+0000"
        await fake.drop()
        await diary.until_written("up", 2)

    first, second = diary.all("up")
    assert first.asterisk_id == second.asterisk_id
    assert first.started_at < second.started_at


async def test_a_replaced_session_stands_down_and_does_not_come_back(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    async with session_of(peer, diary, command_sockets=2) as task:
        await diary.until_written("up")
        await fake.until(lambda: len(fake.command_applications) == 2)
        await fake.emit({"type": "ApplicationReplaced", "timestamp": TIMESTAMP})
        await asyncio.wait_for(task, PATIENCE_S)
        await fake.until(lambda: not fake.sockets)

    assert diary.words == ["up", "down", "replaced"]
    assert fake.connected.count("callrouter") == 1


async def test_a_server_that_is_still_loading_is_not_up(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    endpoints, fake.endpoints = fake.endpoints, []
    with capture_logs() as logs:
        async with session_of(peer, diary):
            await fake.until(lambda: len(fake.requests("GET endpoints")) >= 3)
            assert diary.words == []
            fake.endpoints = endpoints
            await diary.until_written("up")

    troubles = [entry for entry in logs if entry["event"] == "ari.not_connected"]
    assert len(troubles) == 1
    assert "no endpoints yet" in troubles[0]["why"]


@pytest.mark.parametrize("status", [404, 503])
async def test_a_refused_websocket_of_a_loading_server_is_tried_again(
    fake: FakeAri, peer: Peer, diary: Diary, status: int
) -> None:
    tries = 0

    def refuse(seen: Seen) -> Answer:
        nonlocal tries
        tries += 1
        if tries == 3:
            fake.no_longer("GET events")
        return Answer(status)

    fake.on("GET events", refuse)
    async with session_of(peer, diary):
        await diary.until_written("up")

    assert tries == 3


async def test_a_wrong_password_is_told_with_its_remedy_and_not_hammered(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    fake.user_is_known = False
    with capture_logs() as logs:
        async with session_of(peer, diary, replace(CALM, rejected_s=0.05)):
            async with asyncio.timeout(PATIENCE_S):
                while not logs:  # noqa: ASYNC110 - the log has nobody to tell
                    await asyncio.sleep(0.001)
            fake.user_is_known = True
            await diary.until_written("up")

    assert [entry["why"] for entry in logs if entry["event"] == "ari.not_connected"] == [
        f"Asterisk at {fake.url} refuses user 'callrouter' (401); compare user and password with [callrouter]"
        " in ari.conf, which must not be read_only"
    ]


async def test_a_server_that_is_not_there_is_told_once_and_found_when_it_comes(diary: Diary) -> None:
    async with fake_ari() as first:
        url = first.url
    nowhere = Peer(SiteName("province"), url, "callrouter", "secret")
    with capture_logs() as logs:
        async with session_of(nowhere, diary):
            async with asyncio.timeout(PATIENCE_S):
                while not logs:  # noqa: ASYNC110 - the log has nobody to tell
                    await asyncio.sleep(0.001)
            async with fake_ari(port=int(url.rsplit(":", 1)[1])):
                await diary.until_written("up")

    troubles = [entry["why"] for entry in logs if entry["event"] == "ari.not_connected"]
    assert troubles[0].startswith(f"cannot reach Asterisk at {url}")
    assert len(set(troubles)) == len(troubles)


async def test_an_application_that_does_not_answer_the_probe_is_down_though_connected(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    async with session_of(peer, diary, replace(CALM, probe_s=0.02)):
        await diary.until_written("up")
        fake.on("GET applications/callrouter", Answer(404, {"message": "Application not found"}))
        await diary.until_written("down")
        fake.no_longer("GET applications/callrouter")
        await diary.until_written("up", 2)

    assert "GET applications/callrouter" in diary.all("down")[0]
    assert "is answered 404" in diary.all("down")[0]


async def test_a_filter_that_got_lost_is_set_again(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    async with session_of(peer, diary, replace(CALM, probe_s=0.02)):
        await diary.until_written("up")
        fake.filter = []
        await fake.until(lambda: fake.filters_set == 2)
        assert {entry["type"] for entry in fake.filter} == set(EVENT_FILTER)

        assert diary.words == ["up"]


async def test_snapshots_are_repeated(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    async with session_of(peer, diary, replace(CALM, second_snapshot_s=0.01, snapshot_s=0.01)):
        await diary.until_written("up")
        fake.channels = [channel("missed")]
        await diary.until(lambda: any(snapshot.channels for snapshot in diary.all("snapshot")))
        await diary.until_written("snapshot", 3)

    times = [snapshot.requested_at for snapshot in (*diary.all("up"), *diary.all("snapshot"))]
    assert times == sorted(times)


async def test_a_message_that_cannot_be_read_is_told_and_followed_by_a_snapshot(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    async with session_of(peer, diary, replace(CALM, second_snapshot_s=0.01)):
        await diary.until_written("snapshot")
        await fake.emit('{"type": "StasisStart"}')
        await fake.emit("garbage")
        await fake.emit({"type": "SomethingNew", "timestamp": TIMESTAMP})
        await fake.emit(arrival("after"))
        await diary.until_written("snapshot", 2)

    assert diary.words.count("overflow") == 2
    assert [event.channel.id for event in diary.all("event")] == ["after"]
    assert isinstance(diary.all("event")[0], StasisStart)


async def test_a_flood_before_the_snapshot_starts_the_connection_over(
    fake: FakeAri, peer: Peer, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.ari.session.MOST_EARLY_EVENTS", 5)
    released = asyncio.Event()
    fake.on("GET bridges", Answer(200, [], after=released))
    async with session_of(peer, diary):
        await fake.until(lambda: bool(fake.requests("GET bridges")))
        for number in range(6):
            await fake.emit(arrival(str(number)))
        await diary.until_written("overflow")
        released.set()
        fake.no_longer("GET bridges")
        await diary.until_written("up")

    assert fake.connected.count("callrouter") == 2
    assert diary.all("event") == []


async def test_commands_find_their_sockets_after_the_version_is_known(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    session = AriSession(peer, diary, timing=CALM, chance=lambda: 0.0)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(session.run())
        await fake.until(lambda: len(fake.requests("GET asterisk/ping")) == 2)
        async with asyncio.timeout(PATIENCE_S):
            ways: set[str] = set()
            while ways != set(fake.command_applications):
                for lane in range(20):
                    reply = await session.commands.request(str(lane), operations.ring("1"))
                    assert reply.outcome is Outcome.DONE
                ways = {seen.way for seen in fake.requests("POST channels/1/ring")[-20:]}
        task.cancel()

    assert len(ways) == 2
    assert all(way.startswith("callrouter-cmd-") for way in ways)


async def test_an_older_server_gets_its_commands_over_http(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    fake.version = "18.26.4"
    session = AriSession(peer, diary, timing=CALM)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(session.run())
        await diary.until_written("up")
        assert (await session.commands.request("call", operations.ring("1"))).outcome is Outcome.DONE
        task.cancel()

    assert fake.requests("POST channels/1/ring")[0].way == "http"
    assert fake.connected == ["callrouter"]


async def test_one_that_may_not_connect_leaves_the_application_to_whoever_has_it(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    may_connect = False
    session = AriSession(
        peer, diary, timing=CALM, command_sockets=0, chance=lambda: 0.0, may_connect=lambda: may_connect
    )
    task = asyncio.create_task(session.run())
    session.phones.watch(["PJSIP/201"])
    await asyncio.sleep(0.2)  # for what it might do
    assert fake.filters_set == 0
    may_connect = True
    await diary.until_written("up")
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE_S)


@asynccontextmanager
async def dialled_session(
    fake: FakeAri, peer: Peer, diary: Diary, timing: Timing = CALM
) -> AsyncIterator[tuple[Reception, asyncio.Task[None]]]:
    """A session whose Asterisk dials."""
    guest = replace(peer, dials_in=True)
    reception = Reception(DialInSettings(port=0), [guest], patience_s=0.2)
    listening = asyncio.create_task(reception.run())
    session = AriSession(guest, diary, timing=timing, command_sockets=0, chance=lambda: 0.0, reception=reception)
    running = asyncio.create_task(session.run())
    try:
        await asyncio.wait_for(reception.listening.wait(), PATIENCE_S)
        yield reception, running
    finally:
        for task in (running, listening):
            task.cancel()
        await asyncio.wait({running, listening}, timeout=PATIENCE_S)


def long_ago(event: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The event as one that happened so long before the fake's clock, which stands still."""
    at = datetime.fromisoformat(TIMESTAMP) - timedelta(seconds=seconds)
    return {**event, "timestamp": at.isoformat()}


async def test_where_asterisk_dials_it_comes_up_with_who_waited_and_tells_who_was_missed(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    waits, gone = arrival("waits") | {"args": ["inbound", "120"]}, arrival("gone") | {"args": ["inbound", "120"]}
    left = {"type": "StasisEnd", "channel": channel("gone")}
    fake.channels = [channel("waits")]
    kept = [long_ago(waits, 9), long_ago(gone, 8), long_ago(left, 3)]

    async with dialled_session(fake, peer, diary) as (reception, _), fake.dialling(reception.port, kept=kept):
        await diary.until_written("up")
        await fake.emit(arrival("next"))
        await diary.until_written("event")

    snapshot = diary.all("up")[0]
    assert snapshot.waits == {"waits": 9.0}
    assert [(one.channel.id, one.came_s, one.went_s) for one in snapshot.missed] == [("gone", 8.0, 3.0)]
    assert [event.channel.id for event in diary.all("event")] == ["next"]
    assert "callrouter" not in [seen.query.get("app") for seen in fake.requests("GET events")], "it was dialled"


async def test_it_is_up_only_when_all_that_was_kept_has_come(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    fake.passes_on = False
    async with dialled_session(fake, peer, diary) as (reception, _), fake.dialling(reception.port):
        await fake.until(lambda: any(one.line.startswith("POST events/user/") for one in fake.seen))
        (asked,) = [one for one in fake.seen if one.line.startswith("POST events/user/")]
        assert diary.words == []
        mark = {"type": "ChannelUserevent", "timestamp": TIMESTAMP, "userevent": {}}
        await fake.emit({**mark, "eventname": "of somebody else"})
        await fake.emit(long_ago(arrival("gone") | {"args": ["inbound", "120"]}, 5))
        await fake.emit({**mark, "eventname": asked.path.rpartition("/")[2]})
        await diary.until_written("up")

    assert [one.channel.id for one in diary.all("up")[0].missed] == ["gone"]
    assert diary.all("event") == []


async def test_a_connection_by_which_nothing_comes_is_not_up(
    fake: FakeAri, peer: Peer, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "ANSWER_TIMEOUT_S", 0.05)
    fake.passes_on = False
    async with dialled_session(fake, peer, diary) as (reception, _), fake.dialling(reception.port):
        await diary.until(lambda: any("does not come by the connection" in why for why in diary.whys))

    assert "up" not in diary.words


async def test_when_asterisk_dials_again_it_comes_up_again(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    async with dialled_session(fake, peer, diary) as (reception, _):
        for times in (1, 2):
            async with fake.dialling(reception.port):
                await diary.until_written("up", times)
            await diary.until_written("down", times)

    assert diary.words == ["up", "down", "up", "down"]


async def test_another_asterisk_than_the_one_that_is_commanded_is_not_taken(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    async with dialled_session(fake, peer, diary) as (reception, _), fake.dialling(reception.port, asterisk_id="cc:dd"):
        await diary.until(lambda: bool(diary.whys) and "another Asterisk (cc:dd) dials in" in diary.whys[-1])

    assert "up" not in diary.words


async def test_an_application_that_somebody_took_away_is_told_with_its_remedy(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    fake.on("GET applications/callrouter", Answer(404))
    async with dialled_session(fake, peer, diary) as (reception, _), fake.dialling(reception.port):
        await diary.until(lambda: bool(diary.whys))

    assert "ari shutdown websocket sessions, then: ari start outbound-websocket" in diary.whys[-1]


async def test_an_asterisk_that_tells_no_time_is_not_up(fake: FakeAri, peer: Peer, diary: Diary) -> None:
    fake.on("GET asterisk/ping", Answer(200, {"asterisk_id": "aa:bb", "timestamp": "noon"}))
    async with dialled_session(fake, peer, diary) as (reception, _), fake.dialling(reception.port):
        await diary.until(lambda: any("tells no time: 'noon'" in why for why in diary.whys))


async def test_a_dialled_session_that_was_replaced_lets_nobody_in_any_more(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    async with dialled_session(fake, peer, diary) as (reception, running):
        async with fake.dialling(reception.port):
            await diary.until_written("up")
            await fake.emit({"type": "ApplicationReplaced", "timestamp": TIMESTAMP})
            await asyncio.wait_for(running, PATIENCE_S)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with fake.dialling(reception.port):
                pass

    assert diary.words == ["up", "down", "replaced"]


async def test_an_asterisk_that_does_not_dial_is_made_to_say_something_once(
    fake: FakeAri, peer: Peer, diary: Diary
) -> None:
    """A connection that is half-open on its side it would hold on to for as long as it has nothing to say."""
    knock = "POST events/user/callrouter-knock"
    fake.passes_on = False
    async with dialled_session(fake, peer, diary) as (reception, _):
        await diary.until(lambda: len(diary.whys) == 3)
        assert len(fake.requests(knock)) == 1
        fake.passes_on = True
        async with fake.dialling(reception.port):
            await diary.until_written("up")
        fake.passes_on = False
        await diary.until(lambda: len(diary.whys) == 6)

    assert len(fake.requests(knock)) == 2, "once for each time that it is away"
