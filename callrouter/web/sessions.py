"""Sessions of who logged in by page. They are in memory alone: a daemon that starts anew knows none.

What is kept is a digest: a copy of the memory lets nobody in. Time is handed in, in seconds of a clock that only goes
forward.
"""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from callrouter.core.access import Account
from callrouter.core.ids import AccountName

MOST_SESSIONS: Final = 2_000
MOST_OF_AN_ACCOUNT: Final = 10
TOKEN_BYTES: Final = 32


def digest(token: str) -> str:
    """By what a token is known, and kept: tokens are long and random, so that a quick hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(slots=True)
class Session:
    """One browser of one account, as the account was when it logged in."""

    account: Account
    began_s: float
    used_s: float


class Sessions:
    """All of them. ``idle_s`` and ``longest_s`` are after how long they end, unused and at all."""

    def __init__(self, idle_s: float, longest_s: float) -> None:
        self._idle_s = idle_s
        self._longest_s = longest_s
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, account: Account, now_s: float) -> str:
        """A new session; what its cookie holds. The oldest makes room where there are too many."""
        own = [key for key, one in self._sessions.items() if one.account.name == account.name]
        for key in own[: max(0, len(own) + 1 - MOST_OF_AN_ACCOUNT)]:
            del self._sessions[key]
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.popitem(last=False)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._sessions[digest(token)] = Session(account, now_s, now_s)
        return token

    def find(self, token: str, now_s: float) -> Session | None:
        """The session of a cookie, which is used now; None if there is none, or none any more."""
        key = digest(token)
        session = self._sessions.get(key)
        if session is None:
            return None
        if now_s - session.used_s >= self._idle_s or now_s - session.began_s >= self._longest_s:
            del self._sessions[key]
            return None
        session.used_s = now_s
        return session

    def end(self, token: str) -> AccountName | None:
        """End it; whose it was, if it was there."""
        session = self._sessions.pop(digest(token), None)
        return session.account.name if session is not None else None
