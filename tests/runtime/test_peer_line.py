"""The line between two machines: who knows the secret hears beats and copies the journal, and nobody else does."""

import asyncio
import hashlib
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest

from callrouter.core.leading import Sign
from callrouter.errors import JournalError
from callrouter.pbx.certificates import make_certificate
from callrouter.runtime import peer_line, peer_waiting
from callrouter.runtime.peer_line import PeerLine
from callrouter.runtime.peer_waiting import PeerWaiting
from callrouter.runtime.peer_words import (
    Beat,
    Hello,
    Left,
    NoFriendError,
    Proof,
    Rows,
    Secret,
    Waiting,
    Wants,
    Yours,
    hear,
    say,
)
from lab import ports

BEAT_S = 0.05
SILENCE_S = 0.5
PATIENCE_S = 5.0
SECRET = Secret(b"known to both")


class Shown(NamedTuple):
    """What a leader shows."""

    context: ssl.SSLContext
    certificate: bytes


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make_certificate(certificate, key, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return Shown(context, ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii")))


def sees() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Journal:
    """The leader's: a whole of two parts, then what the test commits."""

    def __init__(self) -> None:
        self.left: list[bytes] = []
        self.since: list[float] = []
        self.commits: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    async def take_in(self, left: bytes) -> None:
        self.left.append(left)

    async def stream(self, since: float) -> AsyncGenerator[tuple[bytes, bool, bool], None]:
        self.since.append(since)
        yield b"whole 1", True, False
        yield b"whole 2", True, True
        while True:
            body = await self.commits.get()
            if isinstance(body, Exception):
                raise body
            yield body, False, False


class Copy:
    """The journal of who waits. ``fault`` is raised by the next that would be kept."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.fault: JournalError | None = None
        self.is_open = False
        self.may_take = asyncio.Event()
        self.may_take.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Copy"]:
        if self.fault is not None:
            raise self.fault
        self.is_open = True
        yield self
        self.is_open = False

    async def since(self) -> float:
        return 17.5

    async def leftovers(self) -> list[bytes]:
        return [b"left 1", b"left 2"]

    async def take(self, rows: Sequence[Rows]) -> None:
        await self.may_take.wait()
        if self.fault is not None:
            raise self.fault
        self.rows += [row.body for row in rows]


class Ends:
    """Both ends, and what they copy."""

    def __init__(self, shown: Shown) -> None:
        self.address = ("127.0.0.1", ports.kept_tcp())
        self.shown = shown
        self.journal = Journal()
        self.copy = Copy()

    def leads(self, secret: Secret = SECRET) -> PeerLine:
        return PeerLine(self.address, *self.shown, secret, lambda: (7, 2), self.journal, beat_s=BEAT_S)

    def waits(self, secret: Secret = SECRET, reaches: Callable[[], bool] = lambda: True) -> PeerWaiting:
        return PeerWaiting(
            self.address, sees(), secret, self.copy.open, silence_s=SILENCE_S, beat_s=BEAT_S, reaches=reaches
        )

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Somebody's connection."""
        return await asyncio.open_connection(*self.address, ssl=sees())


@pytest.fixture
def ends(shown: Shown) -> Ends:
    return Ends(shown)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - the other end makes it true
            await asyncio.sleep(0.005)


async def until_end(line: PeerWaiting) -> Sign:
    async with asyncio.timeout(PATIENCE_S):
        return [sign async for sign in line.watch()][-1]


async def until_listening(ends: Ends) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(OSError):
                _, writer = await ends.connect()
                writer.close()
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def watching(line: PeerWaiting) -> AsyncIterator["asyncio.Task[Sign]"]:
    task = asyncio.create_task(until_end(line))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_where_nobody_leads_nobody_is_there(ends: Ends) -> None:
    assert await until_end(ends.waits()) is Sign.GONE


async def test_who_waits_copies_the_whole_and_then_what_comes_and_both_know_how_far_it_is(ends: Ends) -> None:
    waits = ends.waits()
    async with ends.leads() as leads:
        await until_listening(ends)
        assert (leads.copy, leads.hand_over()) == (None, False)
        async with watching(waits):
            await until(lambda: ends.copy.rows == [b"whole 1", b"whole 2"])
            assert await leads.settle(PATIENCE_S)
            assert ends.journal.left == [b"left 1", b"left 2"]
            assert ends.journal.since == [17.5]
            assert (leads.waiting, leads.other_reaches, waits.heard) == (1, True, (7, 2))
            ends.copy.may_take.clear()
            ends.journal.commits.put_nowait(b"3")
            ends.journal.commits.put_nowait(b"4")
            await until(lambda: leads.copy is not None and leads.copy.behind == 2)
            assert not leads.hand_over(), "it would not know all calls"
            assert not await leads.settle(0.05)
            behind = leads.copy
            assert behind is not None
            assert behind.behind_s > 0
            ends.copy.may_take.set()
            assert await leads.settle(PATIENCE_S)
            assert leads.copy is not None
            assert (leads.copy.is_whole, leads.copy.behind, leads.copy.behind_s) == (True, 0, 0.0)
            assert ends.copy.rows[2:] == [b"3", b"4"]
            assert waits.copy.is_whole
            assert waits.copy.behind_s < PATIENCE_S


async def test_a_leader_that_ends_is_gone_at_once_and_what_it_said_last_is_on_the_disk(ends: Ends) -> None:
    waits = ends.waits()
    async with ends.leads():
        await until_listening(ends)
        task = asyncio.create_task(until_end(waits))
        await until(lambda: len(ends.copy.rows) == 2)
        ends.copy.may_take.clear()
        ends.journal.commits.put_nowait(b"3")
        await until(ends.journal.commits.empty)
        await asyncio.sleep(2 * BEAT_S)  # until it has come over
    assert not task.done()
    ends.copy.may_take.set()
    assert await task is Sign.GONE
    assert ends.copy.rows[-1] == b"3"
    assert not ends.copy.is_open, "who takes over opens it"


async def test_a_leader_hands_over_to_one_who_knows_all(ends: Ends) -> None:
    waits = ends.waits()
    async with ends.leads() as leads:
        await until_listening(ends)
        async with watching(waits) as task:
            assert await leads.settle(PATIENCE_S)
            assert leads.hand_over()
            assert await task is Sign.YIELDS
            assert not ends.copy.is_open


async def test_a_leader_whose_application_a_stranger_took_says_so(ends: Ends) -> None:
    async with ends.leads() as leads:
        await until_listening(ends)
        async with watching(ends.waits(reaches=lambda: False)) as task:
            await until(lambda: leads.waiting == 1)
            assert not leads.other_reaches
            leads.say_robbed()
            assert await task is Sign.ROBBED


async def test_who_does_not_know_the_secret_learns_nothing_and_is_learned_nothing_from(ends: Ends) -> None:
    stranger = Secret(b"a guess")
    async with ends.leads() as leads:
        await until_listening(ends)
        assert await until_end(ends.waits(stranger)) is Sign.GONE
        assert (leads.waiting, ends.copy.rows, ends.journal.left) == (0, [], [])
    async with ends.leads(stranger):
        await until_listening(ends)
        assert await until_end(ends.waits()) is Sign.GONE
        assert (ends.copy.rows, ends.journal.since) == ([], [])


async def test_one_who_stands_in_between_with_a_certificate_of_his_own_is_found_out(ends: Ends) -> None:
    reader, writer, other = asyncio.StreamReader(), _Kept(), asyncio.StreamReader()
    leader = asyncio.create_task(SECRET.prove_as_leader(other, writer, b"the leader's certificate"))  # type: ignore[arg-type]
    waiting = asyncio.create_task(SECRET.prove_as_waiting(reader, (answers := _Kept()), b"another's"))  # type: ignore[arg-type]
    await until(lambda: writer.said)
    reader.feed_data(writer.said)  # passed on as it is
    await until(lambda: answers.said)
    other.feed_data(answers.said)
    with pytest.raises(NoFriendError, match="somebody stands in between"):
        await leader
    waiting.cancel()
    await asyncio.wait({waiting})


class _Kept:
    """A writer that sends nothing."""

    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data


async def test_a_leader_that_knows_no_secret_is_not_believed() -> None:
    reader = asyncio.StreamReader()
    for word in (Hello(b"\0" * 32), Proof(b"", hashlib.sha256(b"a guess").digest())):
        say(kept := _Kept(), word)  # type: ignore[arg-type]
        reader.feed_data(kept.said)
    with pytest.raises(NoFriendError, match="its secret is another"):
        await SECRET.prove_as_waiting(reader, _Kept(), b"")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "nonsense", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", b"\0\0\0\2\x91\xa1z"]
)
async def test_whoever_talks_nonsense_is_let_go_of(ends: Ends, nonsense: bytes) -> None:
    async with ends.leads() as leads:
        await until_listening(ends)
        reader, writer = await ends.connect()
        writer.write(nonsense)
        async with asyncio.timeout(PATIENCE_S):
            with suppress(OSError):
                await reader.read()
        assert leads.waiting == 0
        writer.close()


async def test_one_who_says_nothing_is_let_go_of_and_many_keep_nobody_out(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_line, "SHAKE_S", 0.3)
    monkeypatch.setattr(peer_line, "MOST_STRANGERS", 2)
    async with ends.leads() as leads:
        await until_listening(ends)
        strangers = [await ends.connect() for _ in range(3)]
        async with asyncio.timeout(PATIENCE_S):
            for reader, _ in strangers:
                with suppress(OSError):
                    await reader.read()
        async with watching(ends.waits()):
            await until(lambda: leads.waiting == 1)
        for _, writer in strangers:
            writer.close()


@asynccontextmanager
async def a_leader_that(ends: Ends, *words: object) -> AsyncIterator[None]:
    """One who knows the secret, and says these and then nothing, while entered."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await SECRET.prove_as_leader(reader, writer, ends.shown.certificate)
        for word in words:
            say(writer, word)  # type: ignore[arg-type]
        await done.wait()
        writer.close()

    server = await asyncio.start_server(talk, *ends.address, ssl=ends.shown.context)
    try:
        yield
    finally:
        done.set()
        server.close()
        await asyncio.sleep(0)


async def test_a_leader_that_hangs_is_found_by_its_silence(ends: Ends) -> None:
    waits = ends.waits()
    async with a_leader_that(ends, Beat(3, 1)):
        began_s = time.monotonic()
        assert await until_end(waits) is Sign.SILENT
        assert time.monotonic() - began_s >= SILENCE_S
    assert waits.heard == (3, 1)


async def test_one_that_listens_and_does_not_say_a_word_does_not_answer(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_waiting, "SHAKE_S", SILENCE_S)
    with socket.create_server(ends.address):  # nobody reads from it
        assert await until_end(ends.waits()) is Sign.NO_ANSWER


async def test_one_that_encrypts_and_does_not_prove_itself_does_not_answer(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_waiting, "SHAKE_S", SILENCE_S)
    done = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, *ends.address, ssl=ends.shown.context):
        assert await until_end(ends.waits()) is Sign.NO_ANSWER
        done.set()


async def test_a_leader_that_says_what_only_who_waits_says_is_none(ends: Ends) -> None:
    async with a_leader_that(ends, Beat(3, 1), Waiting(True, 0)):
        assert await until_end(ends.waits()) is Sign.GONE


async def test_a_part_of_the_whole_is_no_copy(ends: Ends) -> None:
    waits = ends.waits()
    async with a_leader_that(ends, Rows(1, b"1", True, False), Yours()):
        assert await until_end(waits) is Sign.YIELDS
    assert not waits.copy.is_whole


async def test_a_copy_that_cannot_be_kept_is_begun_anew_after_a_while_and_the_leader_is_heard_meanwhile(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_waiting, "AGAIN_S", 0.3)
    waits = ends.waits()
    async with ends.leads() as leads:
        await until_listening(ends)
        ends.copy.fault = JournalError("the disk is full")
        signs = waits.watch()
        began_s = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            seen = [sign async for sign in signs]
        assert time.monotonic() - began_s >= 0.3
        assert (seen[0], seen[-1], waits.trouble) == (Sign.BEATS, Sign.GONE, "the disk is full")
        ends.copy.fault = None
        async with watching(waits):
            await until(lambda: len(ends.copy.rows) == 2)
            assert waits.trouble == ""
            ends.copy.fault = JournalError("full again")
            ends.journal.commits.put_nowait(b"3")
            await until(lambda: waits.trouble == "full again")
            assert leads.copy is not None
            assert leads.copy.behind == 1


async def test_a_journal_that_cannot_be_told_any_more_ends_the_line_so_that_all_is_told_anew(ends: Ends) -> None:
    async with ends.leads():
        await until_listening(ends)
        async with watching(ends.waits()) as task:
            await until(lambda: len(ends.copy.rows) == 2)
            ends.journal.commits.put_nowait(JournalError("too slow"))
            assert await task is Sign.GONE


@pytest.mark.parametrize("word", [Yours(), Beat(1, 1)])
async def test_one_who_waits_and_says_what_a_leader_says_is_let_go_of(ends: Ends, word: Yours | Beat) -> None:
    async with ends.leads() as leads:
        await until_listening(ends)
        reader, writer = await ends.connect()
        await SECRET.prove_as_waiting(reader, writer, ends.shown.certificate)
        say(writer, Left(b"x"))
        say(writer, Wants(0.0))
        say(writer, word)
        async with asyncio.timeout(PATIENCE_S):
            with suppress(OSError, EOFError):
                while True:
                    await hear(reader)
        await until(lambda: not leads._waiting)
        writer.close()


async def test_one_who_is_not_heard_any_more_is_let_go_of(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_line, "UNHEARD_S", 0.2)
    async with ends.leads() as leads:
        await until_listening(ends)
        reader, writer = await ends.connect()
        await SECRET.prove_as_waiting(reader, writer, ends.shown.certificate)
        await until(lambda: leads._waiting)
        await until(lambda: not leads._waiting)
        writer.close()


async def test_a_port_that_is_taken_is_tried_again_while_calls_go_on(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_line, "LISTEN_AGAIN_S", 0.05)
    other = await asyncio.start_server(lambda *_: None, *ends.address)
    async with ends.leads() as leads:
        assert leads.waiting == 0
        other.close()
        await until_listening(ends)
        async with watching(ends.waits()):
            await until(lambda: leads.waiting == 1)
