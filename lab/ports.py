"""Ports: which are free right now, which one may come back to, and who to ask when one is not free."""

import secrets
import socket
from contextlib import ExitStack, suppress

from lab.errors import LabError

TRIES = 100
LOOPBACK = "127.0.0.1"
FREE = range(11000, 20000)
"""Where free ports are looked for: below those that the kernel gives to whoever asks for any, and below those of media.
What is free now is not taken by chance before it is used."""
KEEPER = "127.255.255.254"
"""The address at whose UDP port of the same number it is seen, by all processes, that a port is kept for somebody."""


def free_udp(address: str = LOOPBACK) -> int:
    """A UDP port of ``address`` that nobody has, to be used at once."""
    return _find(address, (socket.SOCK_DGRAM,))


def free_tcp(address: str = LOOPBACK) -> int:
    """A TCP port of ``address`` that nobody has, to be used at once."""
    return _find(address, (socket.SOCK_STREAM,))


def free_sip(address: str = LOOPBACK) -> int:
    """A port of ``address`` for SIP, to be used at once: nobody has it, of UDP or TCP, nor the next (for TLS)."""
    return _find(address, (socket.SOCK_DGRAM, socket.SOCK_STREAM), with_next=True)


def kept_udp(address: str = LOOPBACK) -> int:
    """A free UDP port of ``address`` that nobody else finds free until this process ends, used or not."""
    return _find(address, (socket.SOCK_DGRAM,), keeps=True)


def kept_tcp(address: str = LOOPBACK) -> int:
    """A free TCP port of ``address`` that nobody else finds free until this process ends, used or not."""
    return _find(address, (socket.SOCK_STREAM,), keeps=True)


def kept_sip(address: str = LOOPBACK) -> int:
    """As :func:`free_sip`, and nobody else finds it or the next free until this process ends, used or not."""
    return _find(address, (socket.SOCK_DGRAM, socket.SOCK_STREAM), with_next=True, keeps=True)


def require_udp(port: int, purpose: str, address: str = LOOPBACK) -> None:
    """Raise LabError, with the command that tells who has it, if UDP ``port`` of ``address`` is taken."""
    _require(socket.SOCK_DGRAM, port, purpose, address)


def require_tcp(port: int, purpose: str) -> None:
    """Raise LabError, with the command that tells who has it, if TCP ``port`` of loopback is taken."""
    _require(socket.SOCK_STREAM, port, purpose, LOOPBACK)


def _find(address: str, kinds: tuple[socket.SocketKind, ...], *, with_next: bool = False, keeps: bool = False) -> int:
    """A port that is free for sockets of these ``kinds``, and the next one too, if so wanted.

    Raises:
        LabError: a hundred in a row had somebody, or were kept for somebody.
    """
    for _ in range(TRIES):
        port = secrets.choice(FREE)
        wanted = (port, port + 1) if with_next else (port,)
        with ExitStack() as stack, suppress(OSError):
            keepers = [_bound(stack, socket.SOCK_DGRAM, KEEPER, each) for each in wanted]
            for each in wanted:
                for kind in kinds:
                    _bound(stack, kind, address, each)
            if keeps:
                for keeper in keepers:
                    keeper.detach()  # it stays open until this process ends
            return port
    raise LabError(f"no port of {address} is free between {FREE.start} and {FREE.stop - 1}")


def _bound(stack: ExitStack, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """A socket at this port until the ``stack`` is left; OSError: somebody has it."""
    bound = stack.enter_context(socket.socket(socket.AF_INET, kind))
    bound.bind((address, port))
    return bound


def _require(kind: socket.SocketKind, port: int, purpose: str, address: str) -> None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as exc:
            message = f"{purpose} port {address}:{port} is taken; who has it: ss -lntup | grep :{port}"
            raise LabError(message) from exc
