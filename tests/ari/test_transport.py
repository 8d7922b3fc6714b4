"""Commands on their way: over sockets of their own, over HTTP, and when everything goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from callrouter.ari import operations, sockets
from callrouter.ari.http import HttpChannel, http_session
from callrouter.ari.outcome import Doubt, Outcome, Reply
from callrouter.ari.peer import Peer
from callrouter.ari.sockets import CommandSockets, can_carry_rest
from callrouter.ari.transport import Commands
from callrouter.core.ids import SiteName
from tests.fakes.ari import PATIENCE_S, Answer, FakeAri, Seen

TWO = ("callrouter-cmd-1", "callrouter-cmd-2")


@asynccontextmanager
async def running(*services: Callable[[aiohttp.ClientSession], Awaitable[None]], peer: Peer) -> AsyncIterator[None]:
    """Run these with a session, and cancel them at the end."""
    async with http_session(peer, websockets=2) as session:
        tasks = [asyncio.ensure_future(service(session)) for service in services]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            endings = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(ending is None or isinstance(ending, asyncio.CancelledError) for ending in endings)


@asynccontextmanager
async def commands_of(
    fake: FakeAri, peer: Peer, *, limit: int = 1000, connections: int = 10, applications: tuple[str, ...] = TWO
) -> AsyncIterator[Commands]:
    """Commands with all their sockets ready."""
    http = HttpChannel(peer, limit=limit, connections=connections)
    sockets = CommandSockets(peer, applications, limit=limit)
    async with running(http.run, sockets.run, peer=peer):
        await fake.until(lambda: len(fake.requests("GET asterisk/ping")) >= len(applications))
        async with asyncio.timeout(PATIENCE_S):
            for lane in range(20 if applications else 0):  # all sockets, whichever lane falls to which
                while sockets.of_lane(str(lane)) is None:  # noqa: ASYNC110 - the answers are on their way
                    await asyncio.sleep(0.001)
        yield Commands(http, sockets)


class Replies:
    """Collects what a callback is told."""

    def __init__(self) -> None:
        self.all: list[Reply] = []
        self._changed = asyncio.Event()

    def __call__(self, reply: Reply) -> None:
        self.all.append(reply)
        self._changed.set()

    async def until(self, count: int) -> list[Reply]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.all) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.all


async def test_what_cannot_block_goes_over_a_command_socket_and_the_rest_over_http(fake: FakeAri, peer: Peer) -> None:
    async with commands_of(fake, peer) as commands:
        assert (await commands.request("call", operations.hang_up("1"))).outcome is Outcome.DONE
        assert (await commands.request("call", operations.answer("1"))).outcome is Outcome.DONE
        assert (await commands.request("call", operations.answer("2", may_block=False))).outcome is Outcome.DONE

    assert fake.requests("DELETE channels/1")[0].way in TWO
    assert fake.requests("POST channels/1/answer")[0].way == "http"
    assert fake.requests("POST channels/2/answer")[0].way in TWO


@pytest.mark.parametrize("applications", [TWO, ()], ids=["websocket", "http"])
async def test_a_request_arrives_with_its_ids_query_and_body_unharmed(
    fake: FakeAri, peer: Peer, applications: tuple[str, ...]
) -> None:
    request = operations.originate(
        "a b/c",
        "PJSIP/201",
        application="callrouter",
        caller_id='"창원 055%20+&" <0552251234>',
        variables={"X": "육십"},
    )
    async with commands_of(fake, peer, applications=applications) as commands:
        await commands.request("call", request)

    seen = fake.requests("POST channels/a%20b%2Fc")[0]
    assert seen.query == {"endpoint": "PJSIP/201", "app": "callrouter", "callerId": '"창원 055%20+&" <0552251234>'}
    assert json.loads(seen.body) == {"variables": {"X": "육십"}}


@pytest.mark.parametrize("applications", [TWO, ()], ids=["websocket", "http"])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(204, Outcome.DONE), (404, Outcome.GONE), (409, Outcome.CONFLICT), (500, Outcome.REFUSED)],
)
async def test_an_answer_becomes_an_outcome(
    fake: FakeAri, peer: Peer, applications: tuple[str, ...], status: int, outcome: Outcome
) -> None:
    fake.on("DELETE channels/1", Answer(status, {"message": "so it is"}))
    async with commands_of(fake, peer, applications=applications) as commands:
        reply = await commands.request("call", operations.hang_up("1"))

    assert (reply.outcome, reply.status) == (outcome, status)


@pytest.mark.parametrize("applications", [TWO, ()], ids=["websocket", "http"])
async def test_commands_of_one_call_keep_their_order(fake: FakeAri, peer: Peer, applications: tuple[str, ...]) -> None:
    replies = Replies()
    async with commands_of(fake, peer, applications=applications) as commands:
        for number in range(50):
            commands.send("call", operations.hang_up(str(number)), replies)
        await replies.until(50)

    order = [seen.path for seen in fake.seen if seen.method == "DELETE"]
    assert order == [f"channels/{number}" for number in range(50)]


async def test_a_command_that_hangs_over_http_holds_up_its_own_call_only(fake: FakeAri, peer: Peer) -> None:
    never = asyncio.Event()
    fake.on("POST channels/slow/answer", Answer(after=never))
    async with commands_of(fake, peer, connections=2) as commands:
        slow, behind, other = Replies(), Replies(), Replies()
        commands.send("one", operations.answer("slow"), slow)
        commands.send("one", operations.answer("behind"), behind)
        commands.send("two", operations.answer("other"), other)

        await other.until(1)
        assert not slow.all
        assert not behind.all
        never.set()
        await behind.until(1)
        assert slow.all[0].outcome is Outcome.DONE


@pytest.mark.parametrize("applications", [TWO, ()], ids=["websocket", "http"])
async def test_a_sound_can_be_stopped_while_something_waits_for_its_end(
    fake: FakeAri, peer: Peer, applications: tuple[str, ...]
) -> None:
    the_end = asyncio.Event()
    fake.on("POST channels/1/variable", Answer(after=the_end))
    async with commands_of(fake, peer, applications=applications, connections=1) as commands:
        waits = Replies()
        commands.send("call", operations.set_variable("1", "TIMEOUT(absolute)", "20"), waits)
        await fake.until(lambda: len(fake.requests("POST channels/1/variable")) == 1)
        assert (await commands.request("call", operations.stop_playback("sound"))).outcome is Outcome.DONE
        assert not waits.all
        the_end.set()
        await waits.until(1)


async def test_an_order_that_asterisk_does_not_come_to_holds_up_its_own_call_only(
    fake: FakeAri, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "STUCK_S", 0.05)
    done = asyncio.Event()
    fake.on("DELETE channels/1", Answer(after=done))
    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        own, shortly_after = Replies(), Replies()
        commands.send("call", operations.hang_up("1"), own)
        commands.send("other", operations.hang_up("2"), shortly_after)
        await asyncio.sleep(0.1)  # for so long, and longer, it is stuck
        assert (await commands.request("third", operations.hang_up("3"))).outcome is Outcome.DONE
        commands.send("call", operations.hang_up("4"), own)
        commands.send("other", operations.hang_up("5"), shortly_after)
        assert (own.all, shortly_after.all) == ([], [])
        done.set()
        await own.until(2)
        await shortly_after.until(2)
        assert (await commands.request("third", operations.hang_up("6"))).outcome is Outcome.DONE

    deleted = [(seen.path.removeprefix("channels/"), seen.way) for seen in fake.seen if seen.method == "DELETE"]
    assert [number for number, way in deleted if way == "http"] == ["3"]
    assert [number for number, way in deleted if way != "http"] == ["1", "2", "4", "5", "6"]


async def test_a_stuck_socket_is_gone_around_until_it_answers_also_when_nobody_waits_for_that_any_more(
    fake: FakeAri, peer: Peer
) -> None:
    done = asyncio.Event()
    fake.on("DELETE channels/1", Answer(after=done))
    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        given_up = Replies()
        commands.send("call", operations.hang_up("1"), given_up, 0.05)
        commands.send("other", operations.hang_up("2"), given_up, 0.05)
        assert {reply.doubt for reply in await given_up.until(2)} == {Doubt.TIMED_OUT}
        assert (await commands.request("third", operations.hang_up("3"))).outcome is Outcome.DONE
        behind = Replies()
        commands.send("call", operations.hang_up("4"), behind)
        done.set()
        await behind.until(1)
        assert (await commands.request("third", operations.hang_up("5"))).outcome is Outcome.DONE

    deleted = [(seen.path.removeprefix("channels/"), seen.way) for seen in fake.seen if seen.method == "DELETE"]
    assert [number for number, way in deleted if way == "http"] == ["3"]
    assert [number for number, way in deleted if way != "http"] == ["1", "2", "4", "5"]


async def test_what_goes_over_a_socket_that_is_there_again_does_not_overtake_what_went_over_http(
    fake: FakeAri, peer: Peer
) -> None:
    done = asyncio.Event()
    fake.on("DELETE channels/1", Answer(after=done))
    http, sockets = HttpChannel(peer), CommandSockets(peer, TWO[:1])
    commands, replies = Commands(http, sockets), Replies()
    async with http_session(peer, websockets=2) as session:
        over_http = asyncio.ensure_future(http.run(session))
        await asyncio.sleep(0)
        commands.send("call", operations.hang_up("1"), replies)
        commands.send("call", operations.hang_up("2"), replies)
        over_socket = asyncio.ensure_future(sockets.run(session))
        await fake.until(lambda: len(fake.requests("GET asterisk/ping")) == 1)
        async with asyncio.timeout(PATIENCE_S):
            while sockets.of_lane("call") is None:  # noqa: ASYNC110 - the answer is on its way
                await asyncio.sleep(0.001)
        commands.send("call", operations.hang_up("3"), replies)
        other = await commands.request("other", operations.hang_up("4"))
        assert other.outcome is Outcome.DONE
        done.set()
        await replies.until(3)
        await commands.request("call", operations.hang_up("5"))
        for task in (over_http, over_socket):
            task.cancel()
        await asyncio.gather(over_http, over_socket, return_exceptions=True)

    deleted = [seen for seen in fake.seen if seen.method == "DELETE"]
    assert [seen.path for seen in deleted if seen.path != "channels/4"] == [f"channels/{n}" for n in (1, 2, 3, 5)]
    assert [seen.path for seen in deleted if seen.way in TWO] == ["channels/4", "channels/5"]


@pytest.mark.parametrize("applications", [TWO, ()], ids=["websocket", "http"])
async def test_an_answer_that_does_not_come_in_time_is_unknown(
    fake: FakeAri, peer: Peer, applications: tuple[str, ...]
) -> None:
    never = asyncio.Event()
    fake.on("DELETE channels/1", Answer(after=never))
    async with commands_of(fake, peer, applications=applications) as commands:
        reply = await commands.request("call", operations.hang_up("1"), timeout_s=0.05)
        never.set()

    assert (reply.outcome, reply.doubt) == (Outcome.UNKNOWN, Doubt.TIMED_OUT)
    assert reply.was_sent


async def test_an_answer_that_comes_too_late_or_twice_is_counted_and_nothing_else(fake: FakeAri, peer: Peer) -> None:
    released = asyncio.Event()
    fake.on("DELETE channels/late", Answer(after=released))
    fake.on("DELETE channels/twice", Answer(times=2))
    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        replies = Replies()
        commands.send("call", operations.hang_up("late"), replies, 0.05)
        await replies.until(1)
        released.set()
        commands.send("call", operations.hang_up("twice"), replies)
        await commands.request("call", operations.hang_up("next"))

        assert [reply.outcome for reply in replies.all] == [Outcome.UNKNOWN, Outcome.DONE]
        assert commands.late == 2


async def test_a_lost_socket_leaves_its_commands_unknown_and_comes_back(fake: FakeAri, peer: Peer) -> None:
    fake.on("DELETE channels/1", Answer(times=0))
    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        replies = Replies()
        for _ in range(3):
            commands.send("call", operations.hang_up("1"), replies)
        await fake.until(lambda: len(fake.requests("DELETE channels/1")) == 3)
        await fake.drop(TWO[0])

        assert {reply.doubt for reply in await replies.until(3)} == {Doubt.CONNECTION_LOST}
        assert (await commands.request("call", operations.hang_up("2"))).outcome is Outcome.DONE
        await fake.until(lambda: fake.connected == [TWO[0], TWO[0]])


async def test_an_asterisk_that_stops_reading_is_found_and_connected_to_anew(
    fake: FakeAri, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "WRITE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(sockets, "WATCH_S", 0.05)
    more_than_the_kernel_holds = operations.originate(
        "1", "PJSIP/201", application="callrouter", variables={"X": "x" * 100_000}
    )
    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        fake.stop_reading(TWO[0])
        replies = Replies()
        for _ in range(500):
            commands.send("call", more_than_the_kernel_holds, replies, 60.0)

        assert {reply.doubt for reply in await replies.until(500)} == {Doubt.CONNECTION_LOST}
        await fake.until(lambda: fake.connected == [TWO[0], TWO[0]])


async def test_commands_go_over_http_while_their_socket_cannot_carry_rest(fake: FakeAri, peer: Peer) -> None:
    fake.rest_over_websocket = False
    http = HttpChannel(peer)
    sockets = CommandSockets(peer, TWO)
    async with running(http.run, sockets.run, peer=peer):
        await fake.until(lambda: len(fake.connected) == 2)
        reply = await Commands(http, sockets).request("call", operations.hang_up("1"))

    assert reply.outcome is Outcome.DONE
    assert fake.requests("DELETE channels/1")[0].way == "http"


async def test_a_socket_whose_application_was_taken_stands_down(fake: FakeAri, peer: Peer) -> None:
    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        await fake.emit({"type": "ApplicationReplaced", "timestamp": "2026-11-24T03:54:20.183+0000"}, TWO[0])
        await fake.until(lambda: TWO[0] not in fake.sockets)
        await commands.request("call", operations.hang_up("1"))

    assert fake.requests("DELETE channels/1")[0].way == "http"
    assert fake.connected == [TWO[0]]


@pytest.mark.parametrize("applications", [TWO[:1], ()], ids=["websocket", "http"])
async def test_too_many_waiting_commands_are_turned_away_at_once_and_counted(
    fake: FakeAri, peer: Peer, applications: tuple[str, ...]
) -> None:
    released = asyncio.Event()
    fake.on("DELETE channels/1", Answer(after=released))
    async with commands_of(fake, peer, applications=applications, limit=5) as commands:
        replies = Replies()
        for _ in range(8):
            commands.send("call", operations.hang_up("1"), replies)

        assert [reply.doubt for reply in replies.all] == [Doubt.TOO_MANY] * 3
        assert commands.refused == 3
        released.set()
        assert [reply.outcome for reply in (await replies.until(8))[3:]] == [Outcome.DONE] * 5


async def test_garbage_on_a_command_socket_costs_only_itself(
    fake: FakeAri, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        await fake.emit("} what {", TWO[0])
        await fake.emit({"type": "RESTResponse", "request_id": 7}, TWO[0])
        await commands.request("call", operations.hang_up("1"))

    assert fake.requests("DELETE channels/1")[0].way == TWO[0]


async def test_a_receiver_that_fails_does_not_cost_the_next_reply(fake: FakeAri, peer: Peer) -> None:
    def failing(reply: Reply) -> None:
        raise RuntimeError("a defect of the receiver")

    async with commands_of(fake, peer, applications=TWO[:1]) as commands:
        commands.send("call", operations.hang_up("1"), failing)
        assert (await commands.request("call", operations.hang_up("2"))).outcome is Outcome.DONE

    assert fake.connected == [TWO[0]]


async def test_an_asterisk_that_is_not_there_certainly_has_not_seen_the_command() -> None:
    peer = Peer(SiteName("nowhere"), "http://127.0.0.1:1", "callrouter", "secret")
    http = HttpChannel(peer)
    async with running(http.run, peer=peer):
        reply = await Commands(http, CommandSockets(peer, ())).request("call", operations.hang_up("1"))

    assert (reply.outcome, reply.doubt) == (Outcome.UNKNOWN, Doubt.NOT_SENT)
    assert not reply.was_sent


async def test_a_connection_that_breaks_in_mid_request_leaves_the_outcome_unknown(fake: FakeAri, peer: Peer) -> None:
    fake.on("POST channels/1/answer", Answer(times=0))
    async with commands_of(fake, peer, applications=()) as commands:
        reply = await commands.request("call", operations.answer("1"))

    assert (reply.outcome, reply.doubt) == (Outcome.UNKNOWN, Doubt.CONNECTION_LOST)


async def test_before_it_runs_and_after_it_ends_nothing_is_sent(fake: FakeAri, peer: Peer) -> None:
    http = HttpChannel(peer)
    commands = Commands(http, CommandSockets(peer, ()))
    assert (await commands.request("call", operations.ping())).doubt is Doubt.NOT_SENT
    released = asyncio.Event()
    fake.on("POST channels/1/answer", Answer(after=released))
    replies = Replies()

    async with running(http.run, peer=peer):
        commands.send("call", operations.answer("1"), replies)
        commands.send("call", operations.answer("2"), replies)
        await fake.until(lambda: len(fake.seen) == 1)

    assert [reply.doubt for reply in replies.all] == [Doubt.CONNECTION_LOST, Doubt.NOT_SENT]
    assert (await commands.request("call", operations.ping())).doubt is Doubt.NOT_SENT


async def test_every_command_carries_the_credentials(fake: FakeAri, peer: Peer) -> None:
    headers: list[Any] = []

    def look(seen: Seen) -> Answer:
        headers.append(seen.way)
        return Answer(401)

    fake.on("POST channels/1/answer", look)
    async with commands_of(fake, peer, applications=()) as commands:
        reply = await commands.request("call", operations.answer("1"))

    assert peer.headers == {"Authorization": "Basic Y2FsbHJvdXRlcjpzZWNyZXQ="}
    assert "secret" not in repr(peer)
    assert (reply.outcome, headers) == (Outcome.REFUSED, ["http"])


@pytest.mark.parametrize(
    ("version", "can"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", True),
        ("22.4.0", True),
        ("22.3.0", False),
        ("20.14.0", True),
        ("20.13.1", False),
        ("21.9.0", True),
        ("21.8.0", False),
        ("18.26.4", False),
        ("23.0.0-rc1", True),
        ("certified/20.7-cert5", False),
        ("GIT-master-1234", True),
    ],
)
def test_the_version_says_whether_a_websocket_carries_rest(version: str, can: bool) -> None:
    assert can_carry_rest(version) is can
