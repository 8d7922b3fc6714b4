"""Whom a site's Asterisk is reached by."""

from pathlib import Path

from callrouter.ari.peer import Peer, peer_of
from callrouter.config.settings import SiteSettings
from callrouter.core.ids import SiteName


def test_all_that_the_site_says_of_it_counts_who_vouches_for_its_certificate_too() -> None:
    ca_file = Path("/etc/callrouter/ca.pem")
    site = SiteSettings(SiteName("hall"), "시청", "https://10.0.0.5:8089", "u", "p", "app", Path("/sounds"), ca_file)
    assert peer_of(site) == Peer(SiteName("hall"), "https://10.0.0.5:8089", "u", "p", "app", ca_file)
