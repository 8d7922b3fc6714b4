"""Several Asterisk servers of one call centre, joined by trunks, as the province and its cities are."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab import ports, testing, tools
from lab.asterisk import LabAsterisk
from lab.asterisk_config import Peer
from tests.acceptance.centre import edit

BY_WAY_ADDRESS = "127.0.0.31"
ADDRESSES = {"gyeongnam": "127.0.0.1", "changwon": "127.0.0.11", "jinju": "127.0.0.12"}


def line_to(site: str) -> str:
    """The PJSIP endpoint at every other site that leads to ``site``."""
    return f"line-to-{site}"


def by_way_to(site: str) -> str:
    """The PJSIP endpoint that leads to ``site`` by a :class:`ByWay`."""
    return f"by-way-to-{site}"


@contextmanager
def asterisks(
    agi_port: int, *names: str, rtp_timeout_s: int = 0, by_way: "ByWay | None" = None
) -> Iterator[Mapping[str, LabAsterisk]]:
    """One running Asterisk a site, by the names of the sites; each has a trunk to each other.

    A call over such a trunk from which no sound comes for ``rtp_timeout_s`` seconds is hung up; 0: never. Two sites may
    have a second trunk, by a ``by_way``.
    """
    tools.ensure(["sipp", "baresip"])
    sip_ports = {name: ports.kept_udp(ADDRESSES[name]) for name in names}
    with ExitStack() as stack:
        sites = {}
        for name in names:
            others = tuple(Peer(line_to(to), ADDRESSES[to], sip_ports[to], rtp_timeout_s) for to in names if to != name)
            if by_way is not None and name in by_way.joins:
                (to,) = {*by_way.joins} - {name}
                by_way.knows(name, sip_ports[name])
                others = (*others, Peer(by_way_to(to), BY_WAY_ADDRESS, by_way.port, rtp_timeout_s))
            site = testing.asterisk_for_tests(agi_port, address=ADDRESSES[name], sip_port=sip_ports[name], peers=others)
            stack.callback(site.remove)
            site.start()
            sites[name] = site
        yield sites


def password_variable(site: str) -> str:
    """The environment variable, without ``CALLROUTER_``, with the password of a site's ARI."""
    return f"TEST_{site.upper()}_PASSWORD"


def write_sites(
    config: Path,
    sites: Mapping[str, LabAsterisk],
    lines: Iterable[tuple[str, str, int]],
    urls: Mapping[str, str] | None = None,
) -> None:
    """Have the configuration name these sites, and the trunks between pairs of them, with so many channels each.

    ``urls``: where a site is reached, if not directly.
    """
    text = "".join(
        f"  {name}:\n    title: {name}\n    ari_url: {(urls or {}).get(name, site.ari.server_url)}\n"
        f"    password_env: CALLROUTER_{password_variable(name)}\n"
        for name, site in sites.items()
    )
    edit(config / "callrouter.yaml", r"^sites:\n(?:  .*\n|\n(?=  ))+", f"sites:\n{text}")
    trunks = "".join(
        f"  {one}-{other}:\n    channels: {channels}\n"
        f"    between: {{{one}: {line_to(other)}, {other}: {line_to(one)}}}\n"
        for one, other, channels in lines
    )
    edit(config / "trunks.yaml", r"^trunks:$", f"trunks:\n{trunks}")


def move_to(config: Path, site: str, *agents: str) -> None:
    """Have these counselors' phones be at ``site``, and let them serve the province, too."""
    for agent in agents:
        pattern = rf'^(  "{agent}": .*)site: \w+(.*)queues: \[changwon\]'
        edit(config / "agents.yaml", pattern, rf"\1site: {site}\2queues: [gyeongnam, changwon]")


class ByWay(asyncio.DatagramProtocol):
    """A way for the SIP of two sites that carries nothing until it is opened, and nothing any more once it is shut.

    Each knows the other by its address.
    """

    def __init__(self, one: str, other: str) -> None:
        self.joins = (one, other)
        self.port = ports.kept_udp(BY_WAY_ADDRESS)
        self._ends: dict[str, tuple[str, int]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def knows(self, site: str, port: int) -> None:
        """Where a site takes SIP."""
        self._ends[site] = (ADDRESSES[site], port)

    async def open(self) -> None:
        """Carry what comes from now on."""
        where = (BY_WAY_ADDRESS, self.port)
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=where)

    def shut(self) -> None:
        """Carry nothing any more."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """From one to the other."""
        one, other = (self._ends[site] for site in self.joins)
        if self._transport is not None:
            self._transport.sendto(data, other if addr == one else one)
