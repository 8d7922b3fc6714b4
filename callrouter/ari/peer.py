"""Where an Asterisk is, and who we are to it."""

import base64
from dataclasses import dataclass, field

from callrouter.core.ids import SiteName


@dataclass(frozen=True, slots=True)
class Peer:
    """One Asterisk's ARI: ``url`` such as ``http://127.0.0.1:8088``, without ``/ari``."""

    site: SiteName
    url: str
    user: str
    password: str = field(repr=False)
    application: str = "callrouter"

    @property
    def rest_url(self) -> str:
        """What request paths are put behind."""
        return f"{self.url.rstrip('/')}/ari/"

    @property
    def headers(self) -> dict[str, str]:
        """HTTP basic authentication (RFC 7617), built here because aiohttp gave up its own way."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {token}"}
