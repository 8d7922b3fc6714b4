"""A phone of the laboratory finds ports of its own."""

import socket
from collections.abc import Iterator

import pytest

from lab import ports
from lab.baresip import Baresip
from lab.errors import NotReadyError

pytestmark = pytest.mark.asterisk
ADDRESS = "127.0.0.2"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((ADDRESS, ports.free_sip(ADDRESS))) as other:
        yield other.getsockname()[1]


async def test_a_phone_whose_port_was_taken_after_it_was_looked_for_starts_at_another(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = ports.free_sip(ADDRESS)
    chosen = iter([taken, free])
    monkeypatch.setattr(ports, "free_sip", lambda _address: next(chosen))
    async with Baresip("0552251234", ADDRESS, server="127.0.0.1:9") as phone:
        await phone.command("reginfo")


async def test_a_phone_that_is_to_have_that_port_says_that_it_is_taken(taken: int) -> None:
    with pytest.raises(NotReadyError, match="Address already in use"):
        async with Baresip("0552251234", ADDRESS, server="127.0.0.1:9", port=taken):
            pass
