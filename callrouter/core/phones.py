"""Counselors' phones as their sites tell of them: whether each is registered, and which calls it has.

A phone is told of as a whole, again with each change, so that hearing the same twice changes nothing. Our own legs are
known by their ids: a phone that rings for one of our callers has no call of its own.
"""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from callrouter.core import naming
from callrouter.core.ids import ChannelId, SiteName
from callrouter.core.rulebook import AgentSpec

_LOCAL = re.compile(r"PJSIP/[^/@&]+")
"""A phone that is registered at the site itself; behind an ``@`` it would be somebody's at the far end of a trunk."""


class PhoneSeen(msgspec.Struct, frozen=True, gc=False):
    """How a phone is now."""

    online: bool
    """Whether calls can reach it: it is registered, and answers if Asterisk asks."""
    channels: tuple[ChannelId, ...] = ()

    @property
    def has_own_call(self) -> bool:
        """Whether a call is at the phone that we did not send there."""
        return not all(map(naming.is_phone, self.channels))


NOT_TOLD_OF = PhoneSeen(online=True)
"""What is taken for true of a phone that nobody has told of: dialling it shows whether it is there."""


def is_watched(spec: AgentSpec) -> bool:
    """Whether the site can tell how the counselor's phone is: not so behind a trunk."""
    return spec.trunk is None and _LOCAL.fullmatch(spec.endpoint) is not None


class Phones:
    """What was told last of every phone."""

    def __init__(self) -> None:
        self._seen: dict[tuple[SiteName, str], tuple[PhoneSeen, datetime]] = {}

    def take(self, site: SiteName, phones: Mapping[str, PhoneSeen], as_of: datetime) -> None:
        """Know how these phones of a site are, by what Asterisk dials (``PJSIP/201``); not what is older than known."""
        for endpoint, phone in phones.items():
            known = self._seen.get((site, endpoint))
            if known is None or known[1] <= as_of:
                self._seen[site, endpoint] = (phone, as_of)

    def at(self, site: SiteName, endpoint: str) -> PhoneSeen:
        """How what Asterisk dials so at a site is, as far as is known."""
        known = self._seen.get((site, endpoint))
        return known[0] if known is not None else NOT_TOLD_OF

    def of(self, spec: AgentSpec) -> PhoneSeen:
        """How a counselor's phone is, as far as is known."""
        known = self._seen.get((spec.site, spec.endpoint)) if is_watched(spec) else None
        return known[0] if known is not None else NOT_TOLD_OF
