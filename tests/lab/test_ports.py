"""A port that is taken is named, with the command that tells by whom; one that is kept is nobody else's."""

import socket
from collections.abc import Callable

import pytest

from lab import ports
from lab.errors import LabError


def test_a_taken_port_is_named_with_who_to_ask() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LabError) as caught:
            ports.require_tcp(port, "web")

    assert str(caught.value) == f"web port 127.0.0.1:{port} is taken; who has it: ss -lntup | grep :{port}"


def test_a_taken_port_of_phones_is_found_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(LabError, match="SIP port 127"):
            ports.require_udp(other.getsockname()[1], "SIP")


def test_a_free_port_is_fine_also_right_after_its_last_use() -> None:
    port = ports.free_tcp()
    with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(("127.0.0.1", port)):
        server.accept()[0].close()

    ports.require_tcp(port, "web")
    ports.require_udp(ports.free_udp(), "SIP")


@pytest.mark.parametrize("keeps", [ports.kept_udp, ports.kept_tcp, ports.kept_sip])
@pytest.mark.parametrize("finds", [ports.free_udp, ports.free_tcp, ports.free_sip, ports.kept_udp])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_nobody_is_given_a_port_that_is_kept_for_one_who_is_not_there_yet(
    keeps: Callable[[], int], finds: Callable[[str], int], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = keeps()

    monkeypatch.setattr(ports, "FREE", range(port, port + 1))
    with pytest.raises(LabError, match=f"no port of {address} is free between {port} and {port}"):
        finds(address)


def test_who_comes_for_a_port_that_was_kept_for_him_has_it() -> None:
    port = ports.kept_tcp()
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("finds", [ports.free_sip, ports.kept_sip])
def test_the_port_of_a_sip_phone_has_a_free_one_after_it_for_tls(
    finds: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", ports.free_sip())) as other:
        after = other.getsockname()[1]
        monkeypatch.setattr(ports, "FREE", range(after - 1, after))
        with pytest.raises(LabError):
            finds()


def test_after_the_port_that_is_kept_for_a_sip_phone_the_next_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.kept_sip()

    monkeypatch.setattr(ports, "FREE", range(port + 1, port + 2))
    with pytest.raises(LabError):
        ports.free_tcp()
