"""Several Asterisk servers of one call centre, joined by trunks, as the province and its cities are."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab import ports, testing, tools
from lab.asterisk import LabAsterisk
from lab.asterisk_config import Peer
from tests.acceptance.centre import edit

ADDRESSES = {"gyeongnam": "127.0.0.1", "changwon": "127.0.0.11", "jinju": "127.0.0.12"}


def line_to(site: str) -> str:
    """The PJSIP endpoint at every other site that leads to ``site``."""
    return f"line-to-{site}"


@contextmanager
def asterisks(agi_port: int, *names: str) -> Iterator[Mapping[str, LabAsterisk]]:
    """One running Asterisk a site, by the names of the sites; each has a trunk to each other."""
    tools.ensure(["sipp", "baresip"])
    sip_ports = {name: ports.free_udp(ADDRESSES[name]) for name in names}
    with ExitStack() as stack:
        sites = {}
        for name in names:
            others = tuple(Peer(line_to(to), ADDRESSES[to], sip_ports[to]) for to in names if to != name)
            site = testing.asterisk_for_tests(agi_port, address=ADDRESSES[name], sip_port=sip_ports[name], peers=others)
            stack.callback(site.remove)
            site.start()
            sites[name] = site
        yield sites


def password_variable(site: str) -> str:
    """The environment variable, without ``CALLROUTER_``, with the password of a site's ARI."""
    return f"TEST_{site.upper()}_PASSWORD"


def write_sites(config: Path, sites: Mapping[str, LabAsterisk], lines: Iterable[tuple[str, str, int]]) -> None:
    """Have the configuration name these sites, and the trunks between pairs of them, with so many channels each."""
    text = "".join(
        f"  {name}:\n    title: {name}\n    ari_url: {site.ari.server_url}\n"
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
