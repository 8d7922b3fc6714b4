"""A port that is taken is named, with the command that tells by whom."""

import socket

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
