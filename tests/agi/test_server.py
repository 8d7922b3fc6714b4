"""The FastAGI server over real sockets on the loopback."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from ipaddress import IPv4Network, IPv6Network

import pytest
from structlog.testing import capture_logs

from callrouter.addresses import is_in
from callrouter.agi.protocol import AgiRequest, WireLimits
from callrouter.agi.server import AgiCounters, AgiHandler, AgiLimits, AgiServer
from callrouter.errors import UnreachableError

TIMEOUT_S = 5.0
SOON = AgiLimits(session_s=0.15)
"""For the sessions that must run into the deadline."""


def decide(request: AgiRequest) -> Mapping[str, str]:
    return {"CALLROUTER_ACTION": "queue", "CALLROUTER_TARGET": f"{request.caller} {request.parameters['dialed']}"}


def fail(request: AgiRequest) -> Mapping[str, str]:
    raise RuntimeError("a defect in a rule")


def headers(script: str = "route?dialed=120") -> bytes:
    return f"agi_network: yes\nagi_network_script: {script}\nagi_callerid: 0552251234\n\n".encode()


class Asterisk:
    """The other side: what res_agi does, in small steps."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> str:
        """The next command; empty when the server has closed."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return (await self.reader.readline()).decode()
        except ConnectionError:
            return ""

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(TIMEOUT_S):
            await self.writer.drain()
            await asyncio.sleep(0)  # drain alone lets nobody else run while there is room in the buffer

    async def is_cut_off(self, flood: Iterable[bytes]) -> bool:
        """Whether the server closes before all of the flood is sent."""
        try:
            for data in flood:
                await self.say(data)
        except ConnectionError:
            return True
        return False

    async def run_agi(self, script: str = "route?dialed=120", reply: bytes = b"200 result=1\n") -> list[str]:
        """Ask, obey until the server closes, and return the commands."""
        await self.say(headers(script))
        commands = []
        while command := await self.line():
            commands.append(command.rstrip("\n"))
            await self.say(reply)
        return commands


@asynccontextmanager
async def serving(
    limits: AgiLimits | None = None, handlers: Mapping[str, AgiHandler] | None = None
) -> AsyncIterator[AgiServer]:
    before = asyncio.all_tasks()
    async with AgiServer("127.0.0.1", 0, handlers or {"route": decide, "broken": fail}, limits=limits) as server:
        yield server
    assert asyncio.all_tasks() <= before, "a session outlived its server"
    assert server.counters.open_sessions == 0


@asynccontextmanager
async def calling(server: AgiServer) -> AsyncIterator[Asterisk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Asterisk(reader, writer)
    finally:
        writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    """The server has no event for what is asked here, so look often, and not for ever."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def settled(server: AgiServer, **expected: int) -> AgiCounters:
    """The counters once no session is open; then what is expected of them must be true."""
    await until(lambda: _ended(server.counters) >= sum(expected.values()) and not server.counters.open_sessions)
    counters = server.counters
    assert counters == AgiCounters(
        accepted=sum(n for name, n in expected.items() if name not in ("refused", "crowded_out")),
        open_sessions=0,
        **{name: expected.get(name, 0) for name in OUTCOMES},
    )
    return counters


OUTCOMES = ("served", "refused", "crowded_out", "malformed", "timed_out", "abandoned", "failed")


def _ended(counters: AgiCounters) -> int:
    return sum(getattr(counters, name) for name in OUTCOMES)


async def test_the_dialplan_gets_the_decision_as_channel_variables() -> None:
    async with serving() as server, calling(server) as asterisk:
        assert await asterisk.run_agi() == [
            'SET VARIABLE CALLROUTER_ACTION "queue"',
            'SET VARIABLE CALLROUTER_TARGET "0552251234 120"',
        ]
        await settled(server, served=1)


async def test_many_calls_at_once_each_get_their_own_answer() -> None:
    async with serving() as server:

        async def ask(number: int) -> list[str]:
            async with calling(server) as asterisk:
                return await asterisk.run_agi(f"route?dialed={number}")

        answers = await asyncio.gather(*(ask(number) for number in range(50)))
        assert [answer[1] for answer in answers] == [
            f'SET VARIABLE CALLROUTER_TARGET "0552251234 {number}"' for number in range(50)
        ]
        await settled(server, served=50)


async def test_an_unknown_script_gets_no_action_and_the_reason() -> None:
    async with serving() as server, calling(server) as asterisk:
        commands = await asterisk.run_agi("rout?dialed=120")
        assert commands == [
            "VERBOSE \"callrouter: no script 'rout'; there are: broken, route\" 1",
            'SET VARIABLE CALLROUTER_ACTION ""',
            "SET VARIABLE CALLROUTER_ERROR \"no script 'rout'; there are: broken, route\"",
        ]
        await settled(server, failed=1)


@pytest.mark.parametrize("script", ["%22" * 500, "%F0%9F%98%80" * 300, "\\" * 900, "a/../b"])
async def test_no_script_name_is_too_strange_to_be_answered(script: str) -> None:
    async with serving() as server, calling(server) as asterisk:
        assert 'SET VARIABLE CALLROUTER_ACTION ""' in await asterisk.run_agi(script)
        await settled(server, failed=1)


async def test_a_long_list_of_scripts_still_fits_into_the_reason() -> None:
    async with (
        serving(handlers={f"📞창원{number}": decide for number in range(200)}) as server,
        calling(server) as asterisk,
    ):
        assert 'SET VARIABLE CALLROUTER_ACTION ""' in await asterisk.run_agi()
        await settled(server, failed=1)


async def test_a_handler_that_fails_gives_no_action_and_harms_no_other_call() -> None:
    async with serving() as server:
        with capture_logs() as logs:
            async with calling(server) as asterisk:
                commands = await asterisk.run_agi("broken")
        assert commands[1:] == [
            'SET VARIABLE CALLROUTER_ACTION ""',
            'SET VARIABLE CALLROUTER_ERROR "the decision failed; the daemon\'s log says why"',
        ]
        assert "agi.handler_failed" in [log["event"] for log in logs]
        async with calling(server) as asterisk:
            assert len(await asterisk.run_agi()) == 2
        await settled(server, failed=1, served=1)


@pytest.mark.parametrize("variables", [{"lower": "1"}, {"GOOD": "1", "LONG": "x" * 3000}])
async def test_an_answer_that_cannot_be_said_whole_is_not_said_by_halves(variables: dict[str, str]) -> None:
    async with (
        serving(handlers={"route": lambda request: variables}) as server,
        calling(server) as asterisk,
    ):
        commands = await asterisk.run_agi()
        assert commands[1] == 'SET VARIABLE CALLROUTER_ACTION ""'
        assert commands[2].startswith("SET VARIABLE CALLROUTER_ERROR ")
        assert not any("GOOD" in command for command in commands)
        await settled(server, failed=1)


async def test_a_refused_command_ends_the_session() -> None:
    async with serving() as server, calling(server) as asterisk:
        assert len(await asterisk.run_agi(reply=b"510 Invalid or unknown command\n")) == 1
        await settled(server, failed=1)


@pytest.mark.parametrize("reply", [b"HANGUP\n", b"HANGUP\n200 result=1\n", b"200 result=1\nHANGUP\n", b"511 Not now\n"])
async def test_a_caller_who_hangs_up_ends_the_session(reply: bytes) -> None:
    async with serving() as server, calling(server) as asterisk:
        assert len(await asterisk.run_agi(reply=reply)) == 1
        await settled(server, abandoned=1)


async def test_a_peer_that_connects_and_closes_costs_nothing() -> None:
    async with serving() as server:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.close()
            await writer.wait_closed()
        await settled(server, abandoned=20)


async def test_a_peer_that_resets_costs_nothing() -> None:
    async with serving() as server:
        async with calling(server) as asterisk:
            await asterisk.say(headers())
            assert await asterisk.line()
            sock = asterisk.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await settled(server, abandoned=1)


async def test_a_peer_that_closes_within_its_headers_is_malformed() -> None:
    async with serving() as server:
        async with calling(server) as asterisk:
            await asterisk.say(b"agi_network: yes\nagi_net")
            asterisk.writer.write_eof()
            assert await asterisk.line() == ""
        await settled(server, malformed=1)


async def test_a_half_closed_session_ends_at_once() -> None:
    async with serving(AgiLimits(session_s=60)) as server:
        async with calling(server) as asterisk:
            await asterisk.say(headers())
            asterisk.writer.write_eof()
            assert await asterisk.line()
            assert await asterisk.line() == ""
        await settled(server, abandoned=1)


async def test_a_silent_peer_is_closed_at_the_deadline() -> None:
    async with serving(SOON) as server, calling(server) as asterisk:
        assert await asterisk.line() == ""
        await settled(server, timed_out=1)


async def test_a_peer_that_never_replies_is_closed_at_the_deadline() -> None:
    async with serving(SOON) as server, calling(server) as asterisk:
        await asterisk.say(headers())
        assert await asterisk.line()
        assert await asterisk.line() == ""
        await settled(server, timed_out=1)


async def test_a_peer_that_drips_bytes_is_closed_at_the_deadline() -> None:
    """Each byte is within every limit; only the deadline of the whole session ends it."""
    async with serving(SOON) as server, calling(server) as asterisk:
        closed = asyncio.create_task(asterisk.line())
        while not closed.done():
            try:
                await asterisk.say(b"a")
            except ConnectionError:
                break
            await asyncio.wait([closed], timeout=0.01)
        assert await closed == ""
        await settled(server, timed_out=1)


@pytest.mark.parametrize(
    "flood", [b"x" * 4096, b"\n" * 4096, b"agi_a: 1\n" * 512, b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff" * 2048]
)
async def test_an_endless_peer_is_closed_long_before_the_deadline(flood: bytes) -> None:
    limits = AgiLimits(session_s=60, wire=WireLimits(total_bytes=20_000))
    async with serving(limits) as server, calling(server) as asterisk:
        assert await asterisk.is_cut_off(flood for _ in range(100_000))
        await settled(server, malformed=1)


async def test_an_endless_stream_of_good_headers_is_closed() -> None:
    async with serving(AgiLimits(session_s=60)) as server, calling(server) as asterisk:
        assert await asterisk.is_cut_off(b"agi_h%d: x\n" % number for number in range(100_000))
        await settled(server, malformed=1)


async def test_bad_peers_do_not_keep_a_good_call_waiting() -> None:
    async with serving(AgiLimits(session_s=60)) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(30)]
        async with calling(server) as asterisk:
            assert len(await asterisk.run_agi()) == 2
        assert server.counters.open_sessions == 30
        for _, writer in silent:
            writer.transport.abort()
        await settled(server, served=1, abandoned=30)


async def test_beyond_the_limit_a_connection_is_closed_at_once_and_room_comes_back() -> None:
    async with serving(AgiLimits(session_s=60, sessions=1)) as server:
        async with calling(server) as first:
            await first.say(headers())
            assert await first.line()
            async with calling(server) as second:
                assert await second.line() == ""
            assert server.counters.crowded_out == 1
        await settled(server, abandoned=1, crowded_out=1)
        async with calling(server) as third:
            assert len(await third.run_agi()) == 2


@pytest.mark.parametrize(
    ("networks", "counted"),
    [
        ((IPv4Network("10.0.0.0/8"), IPv6Network("::1/128")), {"refused": 1}),
        ((), {"refused": 1}),
        ((IPv4Network("127.0.0.1/32"),), {"served": 1}),
    ],
)
async def test_only_peers_of_the_allowed_networks_are_heard(
    networks: tuple[IPv4Network | IPv6Network, ...], counted: dict[str, int]
) -> None:
    async with AgiServer("127.0.0.1", 0, {"route": decide}, allowed_networks=networks) as server:
        async with calling(server) as asterisk:
            if "refused" in counted:
                assert await asterisk.line() == ""
            else:
                assert len(await asterisk.run_agi()) == 2
        await settled(server, **counted)


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [("::1", True), ("::ffff:127.0.0.1", True), ("fe80::1%lo", False), ("10.0.0.1", False), ("", False)],
)
def test_an_address_is_judged_in_whichever_form_it_comes(peer: str, allowed: bool) -> None:
    assert is_in(peer, AgiServer("127.0.0.1", 0, {})._allowed) is allowed


async def test_leaving_finishes_the_session_in_progress_and_takes_no_other() -> None:
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        leave = asyncio.Event()
        entered: asyncio.Future[AgiServer] = asyncio.get_running_loop().create_future()

        async def serve() -> None:
            async with serving() as server:
                entered.set_result(server)
                await leave.wait()

        serve_task = group.create_task(serve())
        server = await entered
        async with calling(server) as asterisk:
            await asterisk.say(headers())
            assert "ACTION" in await asterisk.line()
            leave.set()
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                except ConnectionRefusedError:
                    break
                except ConnectionResetError:
                    continue  # caught in the listening queue as it closed
                writer.transport.abort()
                await asyncio.sleep(0.001)
            assert not serve_task.done()
            await asterisk.say(b"200 result=1\n")
            assert "TARGET" in await asterisk.line()
            await asterisk.say(b"200 result=1\n")
            assert await asterisk.line() == ""
        await serve_task
        assert server.counters.served == 1


async def test_leaving_waits_no_longer_than_the_session_deadline() -> None:
    async with asyncio.timeout(TIMEOUT_S):
        async with serving(SOON) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await until(lambda: server.counters.open_sessions == 1)
        assert server.counters.timed_out == 1
        assert await reader.read() == b""
        writer.transport.abort()


async def test_an_error_in_the_block_leaves_it_as_it_is_and_closes_every_session() -> None:
    server = AgiServer("127.0.0.1", 0, {}, limits=AgiLimits(session_s=60))

    async def fail_while_serving() -> None:
        async with server:
            streams.append(await asyncio.open_connection("127.0.0.1", server.port))
            await until(lambda: server.counters.open_sessions == 1)
            raise LookupError("something else")

    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    async with asyncio.timeout(TIMEOUT_S):
        with pytest.raises(LookupError, match="something else"):
            await fail_while_serving()
    assert server.counters.open_sessions == 0
    streams[0][1].transport.abort()


async def test_cancelling_run_closes_every_session() -> None:
    server = AgiServer("127.0.0.1", 0, {"route": decide}, limits=AgiLimits(session_s=60))
    running = asyncio.create_task(server.run())
    await until(lambda: server.port != 0)
    async with calling(server) as asterisk:
        await asterisk.say(headers())
        assert await asterisk.line()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await asterisk.line() == ""
    assert server.counters.open_sessions == 0


async def test_an_address_in_use_is_named_with_its_remedy() -> None:
    async with serving() as server:
        with pytest.raises(UnreachableError, match=rf"127.0.0.1:{server.port}: .*configure another"):
            async with AgiServer("127.0.0.1", server.port, {}):
                pytest.fail("the port was taken")


async def test_sessions_leave_no_memory_behind() -> None:
    async with serving() as server:

        async def ask() -> None:
            async with calling(server) as asterisk:
                await asterisk.run_agi()

        for _ in range(30):
            await ask()
        await settled(server, served=30)
        gc.collect()
        left = sum(isinstance(thing, AgiRequest) for thing in gc.get_objects())
    assert left == 0
