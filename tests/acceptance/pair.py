"""Two Asterisks behind a Kamailio, one daemon for both, and the people at either."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

from lab import ports, testing, tools
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.errors import LabError
from lab.kamailio import Destination, LabKamailio, Rotation
from lab.phones import CARRIER_ADDRESS
from tests.acceptance.centre import PATIENCE_S, POLL_S, edit
from tests.acceptance.conftest import PHONES_ADDRESS

COUNSELORS = {"a": ("201", "203"), "b": ("202", "204")}
"""Who works at which Asterisk."""
TRUNK = "hall"
"""The trunk group that every conversation occupies, so that a seizure that is left is seen."""

_SITES = re.compile(r"^sites:\n(?:[ ].*\n)+", re.MULTILINE)
_AGENT = re.compile(r'^  "(?P<name>\d+)": \{(?P<before>.*)site: gyeongnam, (?P<after>.*)\}$', re.MULTILINE)


class Pair:
    """Asterisks ``a`` and ``b`` and the Kamailio before them."""

    def __init__(self, agi_port: int) -> None:
        carrier_port = ports.kept_sip(CARRIER_ADDRESS)
        self.edge = LabKamailio(f"{testing.PREFIX}{agi_port}-edge", carrier_port=carrier_port)
        self.asterisks: dict[str, LabAsterisk] = {
            site: testing.asterisk_for_tests(agi_port, carrier_port=carrier_port, proxy=self.edge.sip_address)
            for site in COUNSELORS
        }

    def start(self) -> None:
        """Start all that does not run."""
        for asterisk in self.asterisks.values():
            asterisk.start()
        self.edge.asterisks = {site: asterisk.sip_address for site, asterisk in self.asterisks.items()}
        self.edge.start()

    def remove(self) -> None:
        """Stop all, and leave nothing."""
        self.edge.remove()
        for asterisk in self.asterisks.values():
            asterisk.remove()

    # --- the configuration

    def configure(self, config: Path) -> None:
        """Make the sample's one site two, with counselors of its own each."""
        sites = "sites:\n" + "".join(
            f"  {site}:\n    title: {site}\n    ari_url: {asterisk.ari.server_url}\n    user: {asterisk.ari.user}\n"
            f"    password_env: CALLROUTER_SECRET_{site.upper()}\n    sounds_dir: {asterisk.sounds_dir}/callrouter\n"
            for site, asterisk in self.asterisks.items()
        )
        path = config / "callrouter.yaml"
        path.write_text(_SITES.sub(sites, path.read_text(encoding="utf-8")), encoding="utf-8")
        site_of = {name: site for site, counselors in COUNSELORS.items() for name in counselors}
        path = config / "agents.yaml"
        moved = _AGENT.sub(
            lambda m: f'  "{m["name"]}": {{{m["before"]}site: {site_of[m["name"]]}, trunk: {TRUNK}, {m["after"]}}}',
            path.read_text(encoding="utf-8"),
        )
        path.write_text(moved, encoding="utf-8")
        edit(config / "trunks.yaml", r"^trunks:$", f"trunks:\n  {TRUNK}: {{title: hall, channels: 8}}")

    def secrets(self) -> dict[str, str]:
        """The variables with the passwords that :meth:`configure` names."""
        return {f"SECRET_{site.upper()}": asterisk.ari.password for site, asterisk in self.asterisks.items()}

    # --- people

    def resident(self, number: str, *, tone_hz: float | None = None) -> AbstractAsyncContextManager[Baresip]:
        """Someone in the telephone network, whose calls come by the Kamailio."""
        return Baresip(number, CARRIER_ADDRESS, server=self.edge.sip_address, tone_hz=tone_hz)

    def counselor(
        self, site: str, extension: str, *, tone_hz: float | None = None
    ) -> AbstractAsyncContextManager[Baresip]:
        """A counselor's phone, registered at one of the Asterisks."""
        asterisk = self.asterisks[site]
        return Baresip(
            extension,
            PHONES_ADDRESS,
            server=asterisk.sip_address,
            password=asterisk.credentials.phone_passwords[extension],
            tone_hz=tone_hz,
        )

    # --- the dispatcher

    async def until(
        self, what: str, holds: Callable[[dict[str, Destination]], bool], *, timeout_s: float = PATIENCE_S
    ) -> dict[str, Destination]:
        """Wait until Kamailio's dispatcher is as wanted, and return how it is.

        Raises:
            LabError: it is not so within ``timeout_s`` seconds.
        """
        found: dict[str, Destination] = {}
        try:
            async with asyncio.timeout(timeout_s):
                # The dispatcher tells nobody what changes: it is asked.
                while not holds(found := await asyncio.to_thread(self.edge.destinations)):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(f"not within {timeout_s:g} s: {what}\n{found}\n{self.edge.log_text()[-3000:]}") from None
        return found

    async def until_rotation(self, site: str, rotation: Rotation, *, timeout_s: float = PATIENCE_S) -> None:
        """Wait until an Asterisk is so."""
        await self.until(
            f"{site} is {rotation.name}", lambda all_: all_[site].rotation is rotation, timeout_s=timeout_s
        )

    async def until_loads(self, **loads: int) -> None:
        """Wait until so many calls are counted at the Asterisks."""
        await self.until(f"{loads} calls", lambda all_: {name: one.load for name, one in all_.items()} == loads)


@contextmanager
def pair_of_asterisks(agi_port: int) -> Iterator[Pair]:
    """Have both, and Kamailio, for the block."""
    tools.ensure(["sipp", "baresip", "kamailio", "kamcmd"])
    pair = Pair(agi_port)
    try:
        pair.start()
        yield pair
    finally:
        pair.remove()
