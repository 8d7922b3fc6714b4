"""Passwords: hashed by argon2id, in threads, few at a time; calls need the machine more than who logs in does."""

import asyncio
from typing import Final

import argon2

from callrouter.core.access import LONGEST_PASSWORD, normal

AT_ONCE: Final = 2
"""Each takes a core for a twentieth of a second or so, and 46 MiB."""
MOST_WAITING: Final = 16
"""More who wait for their turn are sent away at once."""

HASHER: Final = argon2.PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
_NOBODYS: Final = "$argon2id$v=19$m=47104,t=2,p=1$rwbTuGDdirglBBaC/LYTBg$nLrU+UzO5x4Re9CA4wfTp4H/WmLgONceb63PCf1FNOA"
"""Of no password: what is tried where there is no such account, so that it takes as long."""


class TooManyError(Exception):
    """So many log in at this moment that this one has to ask again."""


def hashed(password: str) -> str:
    """The hash to keep of a password; takes a moment."""
    return HASHER.hash(normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password; as long in any case. None: nobody's."""
    try:
        HASHER.verify(kept or _NOBODYS, normal(password[:LONGEST_PASSWORD]))
    except (argon2.exceptions.Argon2Error, argon2.exceptions.InvalidHashError):
        return False
    return kept is not None and len(password) <= LONGEST_PASSWORD


class PasswordCheck:
    """Checks passwords without keeping the event loop."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + most_waiting
        self._asked = 0

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; see :func:`matches`.

        Raises:
            TooManyError: too many wait already.
        """
        if self._asked >= self._most:
            raise TooManyError
        self._asked += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(matches, kept, password)
        finally:
            self._asked -= 1
