"""Who may dial in, and whose the connection is then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from callrouter.ari import reception as reception_module
from callrouter.ari.peer import Peer
from callrouter.ari.reception import Reception
from callrouter.config.settings import DialInSettings
from callrouter.core.ids import SiteName
from callrouter.errors import UnreachableError
from callrouter.pbx.certificates import make_certificate
from tests.fakes.ari import PATIENCE_S, FakeAri

SITE = SiteName("province")
ANY_PORT = DialInSettings(port=0)


@contextlib.asynccontextmanager
async def listening(
    peer: Peer, settings: DialInSettings = ANY_PORT, patience_s: float = 0.2
) -> AsyncIterator[Reception]:
    """A reception for the one site, with a short patience."""
    one = Reception(settings, [peer], patience_s=patience_s, first_word_s=0.2)
    task = asyncio.create_task(one.run())
    try:
        await asyncio.wait_for(one.listening.wait(), PATIENCE_S)
        yield one
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE_S)


@pytest.fixture
async def reception(peer: Peer) -> AsyncIterator[Reception]:
    async with listening(peer) as one:
        yield one


def refusals(logs: list[EventDict]) -> list[str]:
    return [entry["why"] for entry in logs if entry["event"] == "ari.dial_in_refused"]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - the log has nobody to tell
            await asyncio.sleep(0.002)


async def test_who_dials_with_the_sites_password_is_heard_from_the_first_word_on(
    fake: FakeAri, reception: Reception
) -> None:
    async with fake.dialling(reception.port), reception.received(SITE) as events:
        assert "ApplicationRegistered" in await events.read()
        await fake.emit({"type": "StasisEnd"})
        assert "StasisEnd" in await events.read()
        assert events.asterisk_id == "aa:bb"


@pytest.mark.parametrize(("user", "password"), [("callrouter", "guessed"), ("admin", "secret"), ("callrouter", "")])
async def test_a_wrong_password_is_refused_told_once_with_its_remedy_and_written_nowhere(
    fake: FakeAri, reception: Reception, user: str, password: str
) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with fake.dialling(reception.port, user=user, password=password):
                    pass
            assert refused.value.status == 401
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 dials in and is refused: wrong user or password"):
            async with reception.received(SITE):
                pass

    (why,) = refusals(logs)
    assert "write username=callrouter and password= as [callrouter] of ari.conf has them" in why
    assert "guessed" not in str(logs)
    assert "secret" not in str(logs)


async def test_it_is_told_again_when_it_was_right_in_between(fake: FakeAri, reception: Reception) -> None:
    with capture_logs() as logs:
        for password in ("guessed", "secret", "guessed"):
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                async with fake.dialling(reception.port, password=password), reception.received(SITE):
                    pass

    assert len(refusals(logs)) == 2


async def test_where_the_sites_own_password_is_not_set_an_empty_one_opens_nothing(fake: FakeAri, peer: Peer) -> None:
    async with listening(replace(peer, password="")) as reception:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with fake.dialling(reception.port, password=""):
                pass
    assert refused.value.status == 401


async def test_a_site_that_is_not_known_is_told_those_that_are(fake: FakeAri, reception: Reception) -> None:
    with capture_logs() as logs, pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with fake.dialling(reception.port, site="hall"):
            pass

    assert refused.value.status == 404
    assert refusals(logs) == ["no site 'hall' dials in here; let the path of uri= be one of province"]


async def test_an_address_that_is_not_allowed_is_turned_away_before_it_says_a_word(fake: FakeAri, peer: Peer) -> None:
    elsewhere = replace(ANY_PORT, allow=(IPv4Network("192.0.2.0/24"),))
    async with listening(peer, elsewhere) as reception:
        with capture_logs() as logs, pytest.raises(aiohttp.ClientError):
            async with fake.dialling(reception.port):
                pass

    assert refusals(logs) == ["the address is in no network of allow: under dial_in:"]


async def test_one_connection_too_many_is_turned_away(
    fake: FakeAri, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "MOST_CONNECTIONS", 1)
    async with listening(peer) as reception, fake.dialling(reception.port), reception.received(SITE):
        with capture_logs() as logs, pytest.raises(aiohttp.ClientError):
            async with fake.dialling(reception.port):
                pass

    assert refusals(logs) == ["more than 1 connections at once"]


async def test_what_is_no_websocket_is_refused(reception: Reception, peer: Peer) -> None:
    with capture_logs() as logs:
        async with aiohttp.ClientSession(headers=peer.headers) as session:
            answer = await session.get(f"http://127.0.0.1:{reception.port}/province")
            assert answer.status == 426

    assert refusals(logs) == ["this is no websocket of the protocol 'ari'; write protocols=ari"]


async def test_another_application_is_refused_with_the_line_to_write(fake: FakeAri, reception: Reception) -> None:
    with capture_logs() as logs:
        async with fake.dialling(reception.port, application="other") as socket:
            message = await socket.receive(timeout=PATIENCE_S)

    assert message.type is aiohttp.WSMsgType.CLOSE
    assert refusals(logs) == [
        "it serves the application 'other'; write apps=callrouter and nothing else into the section"
        " type=outbound_websocket of ari.conf, as application: of the site says"
    ]


@pytest.mark.parametrize("word", ["", "no JSON", "[]"])
async def test_who_says_nothing_or_nothing_of_sense_is_let_go(fake: FakeAri, reception: Reception, word: str) -> None:
    with capture_logs() as logs:
        async with fake.dialling(reception.port, says=False) as socket:
            if word:
                await socket.send_str(word)
            message = await socket.receive(timeout=PATIENCE_S)

    assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert [why.partition(" (")[0] for why in refusals(logs)] == ["what comes is not ARI"]


async def test_who_dials_again_takes_the_place_of_the_earlier_connection(fake: FakeAri, reception: Reception) -> None:
    with capture_logs() as logs:
        async with fake.dialling(reception.port), reception.received(SITE) as first:
            await first.read()
            async with fake.dialling(reception.port):
                with pytest.raises(UnreachableError):
                    await first.read()
                async with reception.received(SITE) as second:
                    assert "ApplicationRegistered" in await second.read()

    assert [entry["event"] for entry in logs].count("ari.dialled_in_again") == 1


async def test_another_asterisk_with_the_same_password_does_not_take_it(fake: FakeAri, reception: Reception) -> None:
    with capture_logs() as logs:
        async with fake.dialling(reception.port), reception.received(SITE) as first:
            await first.read()
            reception.knows(SITE, "aa:bb")
            async with fake.dialling(reception.port, asterisk_id="cc:dd") as stranger:
                message = await stranger.receive(timeout=PATIENCE_S)
                fake.sockets["callrouter"] = stranger
            assert message.type is aiohttp.WSMsgType.CLOSE

    (why,) = refusals(logs)
    assert why.startswith("another Asterisk (cc:dd) dials in as site province than answers at http://127.0.0.1:")


async def test_while_nobody_dials_it_is_said_where_and_by_what(reception: Reception) -> None:
    with pytest.raises(UnreachableError) as nobody:
        async with reception.received(SITE):
            pass

    assert str(nobody.value) == (
        f"Asterisk has not dialled in at ws://127.0.0.1:{reception.port}/province; that is set in its ari.conf"
        " (type=outbound_websocket) and websocket_client.conf: see callrouter doctor"
    )


async def test_a_port_that_another_has_is_told_once_and_taken_when_it_is_free(fake: FakeAri, peer: Peer) -> None:
    async with listening(peer) as first:
        second = Reception(replace(ANY_PORT, port=first.port), [peer], patience_s=0.05)
        with capture_logs() as logs:
            task = asyncio.create_task(second.run())
            await until(lambda: bool(logs))
            with pytest.raises(UnreachableError, match="is not ours yet, where Asterisk is to dial in"):
                async with second.received(SITE):
                    pass
            following = asyncio.create_task(first.until_another_listens())
            first.stop()
            await asyncio.wait_for(second.listening.wait(), PATIENCE_S)
            await asyncio.wait_for(following, PATIENCE_S)
        async with fake.dialling(second.port), second.received(SITE):
            pass
        task.cancel()
        await asyncio.wait({task})

    assert [entry["event"] for entry in logs].count("ari.not_listening") == 1
    assert "ss -lntp" in logs[0]["remedy"]


async def test_who_stops_lets_go_of_all_who_are_here(fake: FakeAri, reception: Reception) -> None:
    async with fake.dialling(reception.port) as socket, reception.received(SITE) as events:
        await events.read()
        reception.stop()
        with pytest.raises(UnreachableError):
            await events.read()
        assert (await socket.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.CLOSED


async def test_who_has_been_relieved_lets_nobody_in_any_more(fake: FakeAri, reception: Reception) -> None:
    reception.close(SITE)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with fake.dialling(reception.port):
            pass
    assert refused.value.status == 503


async def test_a_connection_that_does_not_answer_pings_is_given_up(
    fake: FakeAri, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "HEARTBEAT_S", 0.1)
    async with listening(peer) as reception, fake.dialling(reception.port), reception.received(SITE) as events:
        await events.read()
        with pytest.raises(UnreachableError):  # the fake reads nothing, and so answers no ping
            await asyncio.wait_for(events.read(), PATIENCE_S)


async def test_with_a_certificate_nothing_goes_in_the_clear(peer: Peer, tmp_path: Path) -> None:
    make_certificate(tmp_path / "own.crt", tmp_path / "own.key", "127.0.0.1")
    settings = replace(ANY_PORT, certificate=tmp_path / "own.crt", key=tmp_path / "own.key")
    trusted = replace(peer, ca_file=tmp_path / "own.crt").tls()
    async with listening(peer, settings) as reception, aiohttp.ClientSession(headers=peer.headers) as session:
        with pytest.raises(aiohttp.ClientError):
            await session.ws_connect(f"ws://127.0.0.1:{reception.port}/province", protocols=("ari",))
        uri = f"wss://127.0.0.1:{reception.port}/province"
        async with session.ws_connect(uri, protocols=("ari",), ssl=trusted) as socket:
            await socket.send_json({"type": "ApplicationRegistered", "application": "callrouter"})
            async with reception.received(SITE) as events:
                assert "ApplicationRegistered" in await events.read()
