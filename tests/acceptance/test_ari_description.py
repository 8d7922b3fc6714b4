"""Our ARI layer on a real Asterisk: what it says of itself, and what it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from callrouter.ari import description, operations
from callrouter.ari.outcome import Outcome, Reply
from callrouter.ari.peer import Peer
from callrouter.ari.session import EVENT_FILTER, AriSession
from callrouter.ari.snapshots import Application, AsteriskPing, Bridge, Channel
from callrouter.core.ids import SiteName
from lab.asterisk import LabAsterisk
from tests.ari.conftest import Diary

pytestmark = pytest.mark.asterisk

APPLICATION = "ari-layer"
PATIENCE_S = 10.0


@asynccontextmanager
async def connected(asterisk: LabAsterisk, diary: Diary, *, command_sockets: int = 2) -> AsyncIterator[AriSession]:
    """A session that is up on the real server; without command sockets it does as with an older one."""
    access = asterisk.ari
    peer = Peer(SiteName("lab"), access.server_url, access.user, access.password, APPLICATION)
    session = AriSession(peer, diary, command_sockets=command_sockets)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(session.run())
        await diary.until_written("up")
        yield session
        task.cancel()


async def order(session: AriSession, request: operations.Request) -> Reply:
    """One command of one call."""
    return await session.commands.request("call", request, timeout_s=PATIENCE_S)


def test_our_operations_and_events_are_those_that_asterisk_describes(lab_asterisk: LabAsterisk) -> None:
    documents = {name: lab_asterisk.get(f"api-docs/{name}.json") for name in description.DOCUMENTS}

    assert description.check(documents) == ()


@pytest.mark.parametrize("command_sockets", [2, 0], ids=["over websockets", "over HTTP"])
async def test_a_leg_is_made_seen_and_ended_under_our_own_id(lab_asterisk: LabAsterisk, command_sockets: int) -> None:
    leg_id = "leg 1/한글"
    async with connected(lab_asterisk, Diary(), command_sockets=command_sockets) as session:
        leg = operations.originate(leg_id, "PJSIP/nobody", application=APPLICATION)
        unknown = await order(session, leg)
        ringing = operations.create(leg_id, "Local/120@no-such-context/n", application=APPLICATION)
        made = await order(session, ringing)
        seen = await order(session, operations.get_channel(leg_id))
        ended = await order(session, operations.hang_up(leg_id, reason_code=17))
        async with asyncio.timeout(PATIENCE_S):
            # A channel takes a moment to go; until then it is hung up once more, and that is fine.
            while (again := await order(session, operations.hang_up(leg_id))).outcome is Outcome.DONE:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    assert unknown.outcome is Outcome.REFUSED
    assert [reply.outcome for reply in (made, seen, ended)] == [Outcome.DONE] * 3
    assert seen.read(Channel).id == leg_id
    assert again.outcome is Outcome.GONE


async def test_a_bridge_is_made_once_and_every_answer_has_its_outcome(lab_asterisk: LabAsterisk) -> None:
    async with connected(lab_asterisk, Diary()) as session:
        made = await order(session, operations.create_bridge("bridge-1", "talk"))
        again = await order(session, operations.create_bridge("bridge-1", "talk"))
        nobody = await order(session, operations.add_channels("bridge-1", ["nobody"]))
        ended = await order(session, operations.destroy_bridge("bridge-1"))
        gone = await order(session, operations.destroy_bridge("bridge-1"))

    assert made.read(Bridge).id == "bridge-1"
    assert [reply.outcome for reply in (made, again, nobody, ended, gone)] == [
        Outcome.DONE,
        Outcome.CONFLICT,
        Outcome.REFUSED,
        Outcome.DONE,
        Outcome.GONE,
    ]


async def test_the_event_filter_holds_and_commands_are_still_answered(lab_asterisk: LabAsterisk) -> None:
    diary = Diary()
    async with connected(lab_asterisk, diary) as session:
        async with asyncio.timeout(PATIENCE_S):
            # Bytes come over HTTP, text over a command socket; nobody tells when the sockets are ready.
            while not isinstance((pong := await order(session, operations.ping())).body, str):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        application = (await order(session, operations.get_application(APPLICATION))).read(Application)

    assert pong.read(AsteriskPing).ping == "pong"
    assert {entry.type for entry in application.events_allowed} == set(EVENT_FILTER)


async def test_a_second_daemon_makes_the_first_stand_down_and_stays(lab_asterisk: LabAsterisk) -> None:
    first, second = Diary(), Diary()
    async with connected(lab_asterisk, first), connected(lab_asterisk, second) as session:
        await first.until_written("replaced")
        application = (await order(session, operations.get_application(APPLICATION))).read(Application)

    assert first.words[-2:] == ["down", "replaced"]
    assert application.name == APPLICATION
    assert "down" not in second.words


async def test_nothing_of_ours_stays_behind_in_asterisk(lab_asterisk: LabAsterisk) -> None:
    async with connected(lab_asterisk, Diary()):
        during = {entry["name"] for entry in lab_asterisk.get("applications")}
    async with asyncio.timeout(PATIENCE_S):
        # Asterisk takes an application down after its socket is closed, and tells nobody.
        while any(entry["name"].startswith(APPLICATION) for entry in lab_asterisk.get("applications")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert APPLICATION in during
