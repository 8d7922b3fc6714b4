"""A request that waits in Asterisk holds up what comes behind it on its websocket, and calls go around that."""

import asyncio
import time

import pytest

from callrouter.ari import operations
from callrouter.ari.http import HttpChannel, http_session
from callrouter.ari.outcome import Outcome, Reply
from callrouter.ari.peer import Peer
from callrouter.ari.sockets import STUCK_S, CommandSockets
from callrouter.ari.transport import Commands
from callrouter.core.ids import SiteName
from lab import audio
from lab.asterisk import LabAsterisk
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.test_long_announcement import LASTS_HZ, LASTS_S, RESIDENT, with_a_long_announcement

PATIENT_S = 3 * LASTS_S

pytestmark = pytest.mark.asterisk


async def test_who_has_nothing_on_a_stuck_socket_does_not_wait_for_the_end_of_another_callers_announcement(
    lab_asterisk: LabAsterisk, caller: People, centre: MakeCentre
) -> None:
    audio.write_tone(lab_asterisk.sounds_dir / "callrouter/lasts.wav", LASTS_HZ, duration_s=LASTS_S)
    office = await centre(agents=("201",), edit=with_a_long_announcement)
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await office.until_call("announcing")
    await resident.established()
    began_s = time.monotonic()
    (channel,) = [one["id"] for one in lab_asterisk.channels()]

    access = lab_asterisk.ari
    peer = Peer(SiteName("lab"), access.server_url, access.user, access.password)
    http, sockets = HttpChannel(peer), CommandSockets(peer, ("callrouter-stuck",))
    commands = Commands(http, sockets)
    async with http_session(peer, websockets=1) as session, asyncio.TaskGroup() as group:
        services = [group.create_task(one.run(session)) for one in (http, sockets)]
        async with asyncio.timeout(5):
            while sockets.of_lane("a") is None:  # noqa: ASYNC110 - nobody tells when
                await asyncio.sleep(0.01)
        stuck: list[Reply] = []
        commands.send("a", operations.set_variable(channel, "STUCK", "1", may_block=False), stuck.append, PATIENT_S)
        await asyncio.sleep(STUCK_S + 0.1)  # so long, and longer, it waits for the end of the announcement
        assert stuck == []
        asked_s = time.monotonic()
        assert (await commands.request("b", operations.ping())).outcome is Outcome.DONE
        answered_s = time.monotonic()
        behind = await commands.request("a", operations.ping(), timeout_s=PATIENT_S)
        over_s = time.monotonic()
        for service in services:
            service.cancel()

    assert [reply.outcome for reply in (*stuck, behind)] == [Outcome.DONE] * 2
    assert answered_s - asked_s < 1.0
    assert over_s - began_s > LASTS_S / 2, "it did not wait: what this is about has changed in Asterisk"
    await resident.hang_up()
    await office.cdr()
