"""Telling people, once each way, that file descriptors run out."""

import asyncio
from typing import Final, NoReturn

import structlog

from callrouter.descriptors import descriptors

log = structlog.get_logger(__name__)

LOOK_S: Final = 2.0


async def mind_descriptors(look_s: float = LOOK_S) -> NoReturn:
    """Look again and again, until cancelled."""
    is_told = False
    while True:
        now = descriptors()
        if now.are_few_left and not is_told:
            is_told = True
            remedy = "see who connects, and raise LimitNOFILE in the systemd unit"
            log.error("descriptors.few", used=now.used, limit=now.limit, remedy=remedy)
        elif is_told and not now.are_few_left:
            is_told = False
            log.info("descriptors.enough", used=now.used, limit=now.limit)
        await asyncio.sleep(look_s)
