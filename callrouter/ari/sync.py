"""What is true at an Asterisk now: the snapshot after every connect, repeated to catch what was missed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from callrouter.ari import operations
from callrouter.ari.http import HttpChannel
from callrouter.ari.operations import Request
from callrouter.ari.outcome import Outcome
from callrouter.ari.peer import Peer
from callrouter.ari.snapshots import Application, AsteriskInfo, Bridge, Channel, Endpoint
from callrouter.errors import AriRejectedError, UnreachableError

ANSWER_TIMEOUT_S: Final = 5.0
"""How long one answer may take. An Asterisk whose application is deadlocked never answers for it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MissedChannel:
    """A channel that came into our application, and was gone again, while nobody was connected.

    ``came_s`` and ``went_s``: so many seconds before the snapshot was asked for. Unless it ``hung_up`` (with the Q.850
    ``cause``, 0 if Asterisk did not know), the dialplan went on with it.
    """

    channel: Channel
    args: tuple[str, ...]
    came_s: float
    went_s: float
    cause: int = 0
    hung_up: bool = False


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """What is ours at one Asterisk.

    ``channels`` are inside our application; ``legs`` belong to it but are not inside (they ring still, or are helper
    legs); ``bridges`` are those of our application; ``endpoints`` are all phones and trunks. Anything that changed
    between ``requested_at`` and ``received_at`` (monotonic seconds) may be in it or not: the listener decides whether
    an event is newer. ``asterisk_id`` and ``started_at`` together name one life of the server: another life has none
    of the old calls. ``system_name`` is what its channels' ids begin with; empty: with the time alone.
    """

    requested_at: float
    received_at: float
    asterisk_id: str
    started_at: datetime
    version: str
    channels: tuple[Channel, ...]
    legs: tuple[Channel, ...]
    bridges: tuple[Bridge, ...]
    endpoints: tuple[Endpoint, ...] = ()
    system_name: str = ""
    waits: Mapping[str, float] = field(default_factory=dict)
    """How many seconds before that the channels came in, of those who came while nobody was connected."""
    missed: tuple[MissedChannel, ...] = ()


async def ask(http: HttpChannel, peer: Peer, request: Request, kind: type[T]) -> T:
    """Ask Asterisk for a snapshot.

    Raises :class:`AriRejectedError` when it may not tell us, :class:`UnreachableError` when it does not answer or is
    not ready, :class:`~callrouter.errors.AriProtocolError` when the answer is something else.
    """
    reply = await http.call(request, ANSWER_TIMEOUT_S)
    if reply.outcome is Outcome.DONE:
        return reply.read(kind)
    what = f"{request.method} {request.path}"
    if reply.status in (401, 403):
        raise AriRejectedError(
            f"Asterisk at {peer.url} refuses {what} to user {peer.user!r} ({reply.status});"
            f" compare user and password with [{peer.user}] in ari.conf, which must not be read_only",
            reply.status,
        )
    why = f"is answered {reply.status}" if reply.doubt is None else f"has no answer ({reply.doubt})"
    raise UnreachableError(f"{what} at {peer.url} {why}; Asterisk may be loading still, or be stuck")


async def await_modules(http: HttpChannel, peer: Peer) -> None:
    """See that Asterisk has loaded its endpoints: ARI answers before that, and would refuse every dial."""
    endpoints = await ask(http, peer, operations.list_endpoints(), tuple[Endpoint, ...])
    if not endpoints:
        raise UnreachableError(
            f"Asterisk at {peer.url} has no endpoints yet; it is loading still, or pjsip.conf defines none"
        )


async def take_snapshot(http: HttpChannel, peer: Peer, clock: Callable[[], float] = time.monotonic) -> SiteSnapshot:
    """Ask for everything that is ours; raises as :func:`ask` does."""
    requested_at = clock()
    info = await ask(http, peer, operations.get_info(), AsteriskInfo)
    application = await ask(http, peer, operations.get_application(peer.application), Application)
    channels = await ask(http, peer, operations.list_channels(), tuple[Channel, ...])
    endpoints = await ask(http, peer, operations.list_endpoints(), tuple[Endpoint, ...])
    bridges = await ask(http, peer, operations.list_bridges(), tuple[Bridge, ...])
    listed, our_bridges = set(application.channel_ids), set(application.bridge_ids)
    inside = tuple(channel for channel in channels if channel.is_in(peer.application))
    return SiteSnapshot(
        requested_at=requested_at,
        received_at=clock(),
        asterisk_id=info.system.entity_id,
        started_at=info.status.startup_time,
        version=info.system.version,
        channels=inside,
        legs=tuple(c for c in channels if c.id in listed and not c.is_in(peer.application)),
        bridges=tuple(bridge for bridge in bridges if bridge.id in our_bridges),
        endpoints=endpoints,
        system_name=info.config.name,
    )
