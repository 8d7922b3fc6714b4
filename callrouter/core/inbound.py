"""What is known of a call when it comes in, and in the words of what that is told."""

from dataclasses import dataclass
from enum import StrEnum

from callrouter.core.ids import RegionName, SiteName, TopicName


class CallerKind(StrEnum):
    """What a caller's number says of the line it comes from."""

    LANDLINE = "landline"
    MOBILE = "mobile"
    INTERNET = "internet"
    """070."""
    PERSONAL = "personal"
    """050x."""
    SERVICE = "service"
    """1588, 080, 110, 120 and the like: an office, not a resident's line."""
    FOREIGN = "foreign"
    ANONYMOUS = "anonymous"
    UNKNOWN = "unknown"


class RegionSource(StrEnum):
    """Where the caller's region was taken from, best first."""

    MENU = "menu"
    """The caller said so, in this very call."""
    DIALED = "dialed"
    TRUNK = "trunk"
    DIVERSION = "diversion"
    """The number from which the call was diverted to us (SIP Diversion, RFC 5806)."""
    REMEMBERED = "remembered"
    """The caller said so in an earlier call, and agreed to its being remembered."""
    EXCHANGE = "exchange"
    """The local exchange in a landline number: a hint, for numbers are portable."""
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call when it is routed."""

    dialed: str
    site: SiteName
    caller: str = ""
    """The calling line identity as it arrived; empty when it was withheld."""
    caller_name: str = ""
    trunk: str = ""
    """The PJSIP endpoint that the call came in by."""
    diversion: str = ""
    topic: TopicName | None = None
    language: str = ""
    region: RegionName | None = None
    """The caller's own answer in a menu of this call."""
    remembered: RegionName | None = None
    """The caller's answer in an earlier call, remembered by consent, as it was known when this call came in."""
    hops: int = 0
    """How often the call has gone out by us or our like before, as a header of ours says; anybody can write one."""
    word: str = ""
    """What names the leg of ours that it is, as the same header says."""
