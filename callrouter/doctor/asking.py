"""Asking one Asterisk over HTTP, without an application of ours there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from callrouter.ari.http import HttpChannel, http_session
from callrouter.ari.peer import Peer, peer_of
from callrouter.config.settings import SiteSettings


@asynccontextmanager
async def asking(site: SiteSettings) -> AsyncIterator[tuple[Peer, HttpChannel, aiohttp.ClientSession]]:
    """The site as one whom requests go to, what takes them, and its session, which allows one websocket besides."""
    peer = peer_of(site)
    http = HttpChannel(peer)
    async with http_session(peer, websockets=1) as session, asyncio.TaskGroup() as group:
        serving = group.create_task(http.run(session))
        await asyncio.sleep(0)  # it takes requests from its first step on
        try:
            yield peer, http, session
        finally:
            serving.cancel()
