"""All sites together: each with its own session, health and life, and one way to command any of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from callrouter.ari import wire
from callrouter.ari.orders import Order, orders
from callrouter.ari.outcome import Outcome, Reply
from callrouter.ari.peer import Peer
from callrouter.ari.reception import Reception
from callrouter.ari.recordings import RecordingStore
from callrouter.ari.session import AriSession
from callrouter.ari.snapshots import Endpoint
from callrouter.ari.sync import SiteSnapshot
from callrouter.ari.translate import EventReader, phones_seen
from callrouter.config.settings import DialInSettings
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.ids import CallId, SiteName

log = structlog.get_logger(__name__)

_QUIET: Final = frozenset({Outcome.DONE, Outcome.GONE})
"""Outcomes of a command that are part of every day: what we wanted to end had ended."""


def _is_phone_off(command: cmd.AriCommand, reply: Reply) -> bool:
    """Whether Asterisk could not dial a phone, which it says with 500: that phone is not registered."""
    return isinstance(command, cmd.Originate) and reply.outcome is Outcome.REFUSED and reply.status == 500


class Inbox(Protocol):
    """Takes events for the exchange."""

    def post(self, event: ev.Event, site: SiteName | None = None) -> None:
        """Hand an event in; must not wait."""

    def stand_down(self) -> None:
        """Another daemon is in charge."""


@dataclass(slots=True)
class SiteState:
    """What is known of the connection to one site."""

    up: bool
    words: str
    since: datetime
    version: str | None = None
    system_name: str = ""
    """What tells its channels from those of other sites."""


def _nobody_asks() -> None:
    """When an order is settled is of no interest."""


class _Countdown:
    """Tells when so many have come; at once, if none is to."""

    def __init__(self, left: int, over: Callable[[], None]) -> None:
        self._left = left
        self._over = over
        if not left:
            over()

    def less(self) -> None:
        """One has come."""
        self._left -= 1
        if not self._left:
            self._over()


class Fleet:
    """The sessions of all sites. ``inbox`` is set before :meth:`run`."""

    def __init__(
        self,
        peers: Sequence[Peer],
        new_call: Callable[[], CallId],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        may_connect: Callable[[], bool] = lambda: True,
        dial_in: DialInSettings | None = None,
    ) -> None:
        self.inbox: Inbox | None = None
        self.taken = asyncio.Event()
        """Set when another daemon has taken the application at a site."""
        self.none_up = asyncio.Event()
        """Set while no site is connected."""
        self.none_up.set()
        self.states = {peer.site: SiteState(False, "not connected yet", now()) for peer in peers}
        self.outcomes: Counter[tuple[SiteName, Outcome]] = Counter()
        self._now = now
        self._monotonic = monotonic
        self._applications: Mapping[SiteName, str] = {peer.site: peer.application for peer in peers}
        self._readers = {peer.site: EventReader(peer.site, peer.application, new_call) for peer in peers}
        guests = [peer for peer in peers if peer.dials_in]
        self.reception = Reception(dial_in or DialInSettings(), guests) if guests else None
        self._is_dialled_by_all = len(guests) == len(peers)
        self._sessions = {
            peer.site: AriSession(peer, self, clock=monotonic, may_connect=may_connect, reception=self.reception)
            for peer in peers
        }

    async def run(self) -> None:
        """Keep every site connected, until cancelled or until every one has been taken over by another daemon."""
        async with asyncio.TaskGroup() as group:
            if self.reception is not None:
                group.create_task(self.reception.run(), name="ari:reception")
            for site, session in self._sessions.items():
                group.create_task(session.run(), name=f"ari:{site}")

    def let_go(self) -> None:
        """Have Asterisks that dial in dial another daemon, who listens next."""
        if self.reception is not None:
            self.reception.stop()

    async def until_taken(self) -> None:
        """After :meth:`let_go`: wait until another daemon has an application, or what Asterisk dials for it."""
        if self.reception is not None and self._is_dialled_by_all:
            await self.reception.until_another_listens()
        else:
            await self.taken.wait()

    @property
    def turned_away(self) -> Mapping[SiteName, int]:
        """Requests that were not sent because too many waited, by site."""
        return {site: session.commands.refused for site, session in self._sessions.items()}

    @property
    def late(self) -> Mapping[SiteName, int]:
        """Answers that came after their request had been given up, by site."""
        return {site: session.commands.late for site, session in self._sessions.items()}

    @property
    def namesakes(self) -> frozenset[SiteName]:
        """Sites that are up and whose channels may have the ids of another's: of several, each needs a systemname."""
        if len(self.states) < 2:
            return frozenset()
        names = Counter(state.system_name for state in self.states.values() if state.up)
        return frozenset(
            site
            for site, state in self.states.items()
            if state.up and (not state.system_name or names[state.system_name] > 1)
        )

    # Commands.

    def carry_out(self, command: cmd.AriCommand, settled: Callable[[], None] = _nobody_asks) -> None:
        """Send what the command asks for; what its replies mean comes back as events.

        ``settled`` is called once, when all of it was answered, or given up.
        """
        if isinstance(command, cmd.WatchPhones):
            self._sessions[command.site].phones.watch(command.phones)
        todo = orders(command, self._applications[command.site])
        unsettled = _Countdown(len(todo), settled)
        for order in todo:
            on_reply = partial(self._replied, command, order, unsettled)
            self._sessions[command.site].commands.send(command.call, order.request, on_reply)

    def resync(self, site: SiteName) -> None:
        """Have the site's snapshot taken soon."""
        self._sessions[site].resync()

    def recordings(self, site: SiteName) -> RecordingStore | None:
        """What the site's Asterisk has recorded; None if there is no such site (any more), or it is not connected."""
        session = self._sessions.get(site)
        if session is None or not self.states[site].up:
            return None
        commands = session.commands
        return RecordingStore(
            site, lambda request, within_s: commands.request("recordings", request, timeout_s=within_s)
        )

    def _replied(self, command: cmd.AriCommand, order: Order, unsettled: "_Countdown", reply: Reply) -> None:
        unsettled.less()
        self.outcomes[command.site, reply.outcome] += 1
        if reply.outcome not in _QUIET:
            # A phone that is off is refused at every offer, and the offer's own record says so.
            write = log.debug if _is_phone_off(command, reply) else log.warning
            write(
                "ari.command_failed",
                command=type(command).__name__,
                call=command.call,
                site=command.site,
                outcome=reply.outcome,
                status=reply.status,
                why=str(reply.doubt or reply.body)[:200],
            )
        if order.on_reply is not None:
            event = order.on_reply(reply)
            if event is not None:
                self._post(event, command.site)

    # The sessions' listener.

    def up(self, site: SiteName, snapshot: SiteSnapshot) -> None:
        """Connected."""
        self.states[site] = SiteState(True, "up", self._now(), snapshot.version, snapshot.system_name)
        self.none_up.clear()
        if site in self.namesakes:
            log.error("ari.namesakes", site=site, system_name=snapshot.system_name, sites=sorted(self.namesakes))
        self.snapshot(site, snapshot)

    def snapshot(self, site: SiteName, snapshot: SiteSnapshot) -> None:
        """What is there now, for comparison."""
        age = timedelta(seconds=self._monotonic() - snapshot.requested_at)
        self._post(self._readers[site].site_up(snapshot, self._now() - age), site)

    def event(self, site: SiteName, event: wire.Event) -> None:
        """Something happened."""
        translated = self._readers[site].read(event)
        if translated is not None:
            self._post(translated, site)

    def phones(self, site: SiteName, phones: Iterable[Endpoint]) -> None:
        """So these phones are now."""
        self._post(ev.PhonesSeen(site, phones_seen(phones)), site)

    def down(self, site: SiteName, reason: str) -> None:
        """Not connected any more."""
        self._not_up(site, reason)
        self._post(ev.SiteDown(site), None)

    def away(self, site: SiteName, why: str) -> None:
        """Why it is not connected, by now."""
        self.states[site].words = why

    def overflow(self, site: SiteName) -> None:
        """Events were lost before they reached us; the session takes a snapshot by itself."""
        log.warning("ari.events_lost", site=site)

    def replaced(self, site: SiteName) -> None:
        """Another daemon has the application."""
        self._not_up(site, "another daemon took over")
        self.taken.set()
        if self.inbox is not None:
            self.inbox.stand_down()

    def _not_up(self, site: SiteName, why: str) -> None:
        self.states[site] = SiteState(False, why, self._now(), self.states[site].version)
        if not any(state.up for state in self.states.values()):
            self.none_up.set()

    def _post(self, event: ev.Event, site: SiteName | None) -> None:
        if self.inbox is not None:
            self.inbox.post(event, site)
