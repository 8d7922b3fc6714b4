"""Where a leg leads to that ends at another site, at a phone which is called for no caller."""

import msgspec

from callrouter.core.ids import ChannelId, SiteName, TrunkName


class FarEnd(msgspec.Struct, frozen=True, gc=False):
    """The far end, and what carries the leg there."""

    site: SiteName
    trunk: TrunkName
    member: str
    """The endpoint of that group."""
    dialed: ChannelId | None = None
    """The phone's own channel there, if it has dialled by itself."""
