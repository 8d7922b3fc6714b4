"""Phones that are watched, against a fake Asterisk."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from callrouter.ari.peer import Peer
from callrouter.ari.session import AriSession
from tests.ari.conftest import Diary
from tests.fakes.ari import TIMESTAMP, Answer, FakeAri

OURS = "callrouter-phones"
SUBSCRIBE = f"POST applications/{OURS}/subscription"
UNSUBSCRIBE = f"DELETE applications/{OURS}/subscription"


def endpoint(name: str, state: str = "online", *channels: str) -> dict[str, Any]:
    return {"technology": "PJSIP", "resource": name, "state": state, "channel_ids": list(channels)}


def change(phone: dict[str, Any]) -> dict[str, Any]:
    return {"type": "EndpointStateChange", "timestamp": TIMESTAMP, "endpoint": phone}


@pytest.fixture
async def session(peer: Peer, fake: FakeAri, diary: Diary) -> AsyncIterator[AriSession]:
    fake.endpoints = [endpoint("201"), endpoint("202", "offline"), endpoint("carrier")]
    known = Answer(200, {"name": OURS})
    for line in (SUBSCRIBE, UNSUBSCRIBE, f"PUT applications/{OURS}/eventFilter"):
        fake.on(line, known)
    session = AriSession(peer, diary, command_sockets=0)
    task = asyncio.create_task(session.run())
    await diary.until_written("up")
    yield session
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def told(diary: Diary) -> list[list[tuple[str, str]]]:
    return [[(one.dialed, one.state) for one in phones] for phones in diary.all("phones")]


async def test_nothing_is_connected_for_phones_before_some_are_watched(session: AriSession, fake: FakeAri) -> None:
    assert OURS not in fake.connected


async def test_watched_phones_are_read_and_told_again_when_they_change(
    session: AriSession, fake: FakeAri, diary: Diary
) -> None:
    session.phones.watch(["PJSIP/201", "PJSIP/202", "PJSIP/nobody"])
    await diary.until_written("phones")
    await fake.emit(change(endpoint("201", "online", "1.1")), OURS)
    await fake.emit(change(endpoint("carrier", "online", "1.2")), OURS)
    await fake.emit(change(endpoint("202")), OURS)
    await diary.until_written("phones", 3)

    assert told(diary) == [
        [("PJSIP/201", "online"), ("PJSIP/202", "offline")],
        [("PJSIP/201", "online")],
        [("PJSIP/202", "online")],
    ]
    (asked,) = fake.requests(SUBSCRIBE)
    assert asked.query == {"eventSource": "endpoint:PJSIP/201,endpoint:PJSIP/202"}
    (filter_,) = fake.requests(f"PUT applications/{OURS}/eventFilter")
    assert json.loads(filter_.body) == {"allowed": [{"type": "EndpointStateChange"}]}


async def test_others_may_be_watched_later(session: AriSession, fake: FakeAri, diary: Diary) -> None:
    session.phones.watch(["PJSIP/201"])
    await diary.until_written("phones")
    session.phones.watch(["PJSIP/202"])
    await diary.until_written("phones", 2)

    assert told(diary)[-1] == [("PJSIP/202", "offline")]
    assert [one.query["eventSource"] for one in fake.requests(UNSUBSCRIBE)] == ["endpoint:PJSIP/201"]


async def test_what_is_told_while_they_are_read_is_told_behind_that(
    session: AriSession, fake: FakeAri, diary: Diary
) -> None:
    gate = asyncio.Event()
    fake.on(SUBSCRIBE, Answer(200, {"name": OURS}, after=gate))
    session.phones.watch(["PJSIP/201"])
    await fake.until(lambda: bool(fake.requests(SUBSCRIBE)))
    await fake.emit(change(endpoint("201", "offline")), OURS)
    await fake.emit("no JSON", OURS)
    gate.set()
    await diary.until_written("phones", 2)

    assert told(diary)[:2] == [[("PJSIP/201", "online")], [("PJSIP/201", "offline")]]


async def test_a_websocket_that_is_lost_or_taken_is_opened_again_and_the_phones_read(
    session: AriSession, fake: FakeAri, diary: Diary
) -> None:
    session.phones.watch(["PJSIP/201"])
    await diary.until_written("phones")
    await fake.drop(OURS)
    await diary.until_written("phones", 2)
    await fake.emit({"type": "ApplicationReplaced", "timestamp": TIMESTAMP}, OURS)
    await diary.until_written("phones", 3)

    assert fake.connected.count(OURS) == 3
    assert diary.words.count("down") == 0, "the calls' own application has not noticed"


async def test_three_hundred_phones_are_subscribed_to_in_parts(
    session: AriSession, fake: FakeAri, diary: Diary
) -> None:
    fake.endpoints = [endpoint(str(number)) for number in range(300)]
    session.phones.watch([f"PJSIP/{number}" for number in range(300)])
    await diary.until_written("phones")

    assert [len(one.query["eventSource"].split(",")) for one in fake.requests(SUBSCRIBE)] == [50] * 6
