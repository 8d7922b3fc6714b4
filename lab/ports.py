"""Ports: which are free right now, and who to ask when one is not."""

import secrets
import socket
from contextlib import suppress

from lab.errors import LabError

TRIES = 100
LOOPBACK = "127.0.0.1"
FREE = range(11000, 20000)
"""Where free ports are looked for: below those that the kernel gives to whoever asks for any, and below those of media.
What is free now is not taken by chance before it is used."""


def free_udp(address: str = LOOPBACK) -> int:
    """A UDP port of ``address`` that nobody has."""
    return _free(socket.SOCK_DGRAM, address)


def free_tcp(address: str = LOOPBACK) -> int:
    """A TCP port of ``address`` that nobody has."""
    return _free(socket.SOCK_STREAM, address)


def free_sip(address: str = LOOPBACK) -> int:
    """A port of ``address`` for a SIP phone: nobody has it, of UDP or of TCP, nor the next one, which TLS gets.

    Raises:
        LabError: a hundred ports in a row had somebody.
    """
    for _ in range(TRIES):
        port = free_udp(address)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tls,
            suppress(OSError),
        ):
            tcp.bind((address, port))
            tls.bind((address, port + 1))
            return port
    raise LabError(f"no port of {address} is free for SIP")


def require_udp(port: int, purpose: str, address: str = LOOPBACK) -> None:
    """Raise LabError, with the command that tells who has it, if UDP ``port`` of ``address`` is taken."""
    _require(socket.SOCK_DGRAM, port, purpose, address)


def require_tcp(port: int, purpose: str) -> None:
    """Raise LabError, with the command that tells who has it, if TCP ``port`` of loopback is taken."""
    _require(socket.SOCK_STREAM, port, purpose, LOOPBACK)


def _free(kind: socket.SocketKind, address: str) -> int:
    for _ in range(TRIES):
        port = secrets.choice(FREE)
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind((address, port))
            return port
    raise LabError(f"no port of {address} is free between {FREE.start} and {FREE.stop - 1}")


def _require(kind: socket.SocketKind, port: int, purpose: str, address: str) -> None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as exc:
            message = f"{purpose} port {address}:{port} is taken; who has it: ss -lntup | grep :{port}"
            raise LabError(message) from exc
