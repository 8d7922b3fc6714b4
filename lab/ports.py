"""Ports that are free right now."""

import socket


def free_udp(address: str = "127.0.0.1") -> int:
    """A UDP port of ``address`` that nobody has."""
    return _free(socket.SOCK_DGRAM, address)


def free_tcp(address: str = "127.0.0.1") -> int:
    """A TCP port of ``address`` that nobody has."""
    return _free(socket.SOCK_STREAM, address)


def _free(kind: socket.SocketKind, address: str) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
