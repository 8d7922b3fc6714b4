"""The store of recordings of an Asterisk: what its answers mean."""

import pytest

from callrouter.ari.operations import Request
from callrouter.ari.outcome import Doubt, Reply, answered, unanswered
from callrouter.ari.recordings import RecordingStore
from callrouter.core.ids import RecordingId
from callrouter.errors import UnreachableError

NAME = RecordingId("m")


def store(reply: Reply) -> tuple[RecordingStore, list[Request]]:
    asked: list[Request] = []

    async def send(request: Request, within_s: float) -> Reply:
        asked.append(request)
        return reply

    return RecordingStore("hall", send), asked


async def test_a_file_is_asked_for_where_bytes_can_come() -> None:
    recordings, asked = store(answered(200, b"RIFF"))

    assert await recordings.read(NAME) == b"RIFF"
    assert [(request.path, request.may_block) for request in asked] == [("recordings/stored/m/file", True)]


async def test_a_file_that_is_not_there_is_none() -> None:
    assert await store(answered(404))[0].read(NAME) is None


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (answered(403), "does not give out the recording m: the answer is 403"),
        (answered(200, "text"), "the answer is 200"),
        (unanswered(Doubt.TIMED_OUT), "no answer (timed out)"),
    ],
)
async def test_asterisk_that_does_not_give_a_file_out_is_said_so(reply: Reply, why: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        await store(reply)[0].read(NAME)
    assert why in str(caught.value)


async def test_a_file_is_deleted_and_may_have_been_before() -> None:
    for status in (204, 404):
        recordings, asked = store(answered(status))
        await recordings.delete(NAME)
        assert [request.method for request in asked] == ["DELETE"]


async def test_asterisk_that_does_not_delete_is_said_so() -> None:
    with pytest.raises(UnreachableError, match="does not delete the recording m"):
        await store(answered(403))[0].delete(NAME)
