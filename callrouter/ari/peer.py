"""Where an Asterisk is, and who we are to it."""

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from callrouter.config.settings import SiteSettings
from callrouter.core.ids import SiteName


@dataclass(frozen=True, slots=True)
class Peer:
    """One Asterisk's ARI: ``url`` such as ``http://127.0.0.1:8088``, without ``/ari``."""

    site: SiteName
    url: str
    user: str
    password: str = field(repr=False)
    application: str = "callrouter"
    ca_file: Path | None = None
    """Who vouches for its certificate (PEM); None: whom the system trusts."""
    dials_in: bool = False
    """Whether Asterisk opens the websocket of events. Commands and questions go to ``url`` all the same."""

    @property
    def rest_url(self) -> str:
        """What request paths are put behind."""
        return f"{self.url.rstrip('/')}/ari/"

    def tls(self) -> ssl.SSLContext | bool:
        """How the certificate of an ``https://`` address is looked at.

        Raises:
            OSError: ``ca_file`` cannot be read, or holds no certificates (``ssl.SSLError``).
        """
        return ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file is not None else True

    @property
    def headers(self) -> dict[str, str]:
        """HTTP basic authentication (RFC 7617), built here because aiohttp gave up its own way."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {token}"}


def peer_of(site: SiteSettings) -> Peer:
    """Whom a site's Asterisk is reached by."""
    return Peer(
        site.name, site.ari_url, site.user, site.password, site.application, site.ca_file, dials_in=site.dials_in
    )
