"""Switches: named overrides that a person sets at once. What they are, and what it means that one is on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from callrouter.core.ids import SiteName, SwitchName

DAY_S = 86_400.0


class SwitchVia(StrEnum):
    """By what way a switch was set."""

    COMMAND = "command"
    API = "api"
    PHONE = "phone"
    EXPIRY = "expiry"
    """Its time was over."""
    RELOAD = "reload"
    """The rules do not have it any more."""


@dataclass(frozen=True, slots=True)
class SwitchSpec:
    """A switch as configured."""

    name: SwitchName
    title: str
    max_s: float = DAY_S
    """How long it stays on, in seconds, unless it is renewed; asked for or not, never longer."""
    code: str = ""
    """What an authorised phone dials to turn it over, such as ``*21``; empty: no phone can."""
    phones: frozenset[tuple[SiteName, str]] = frozenset()
    """Those that may: the site and the endpoint as Asterisk names it in a channel, such as ``PJSIP/201``."""


class SwitchOn(msgspec.Struct, frozen=True):
    """A switch that is on. Times are aware."""

    name: SwitchName
    by: str = ""
    """Who set it last."""
    since: datetime | None = None
    """When it came to be on; renewing it does not change that."""
    until: datetime | None = None
    """When it will go off by itself."""
    note: str = ""

    @property
    def words(self) -> str:
        """For the trace; times in the zone that they carry."""
        by = f" by {self.by}" if self.by else ""
        since = f" since {moment(self.since)}" if self.since else ""
        until = f" until {moment(self.until)}" if self.until else ""
        return f"switch {self.name} on{by}{since}{until}{f' ({self.note})' if self.note else ''}"


SwitchesOn = Mapping[SwitchName, SwitchOn]
"""The switches that are on; what is not in it is off."""

ALL_OFF: SwitchesOn = {}


@dataclass(frozen=True, slots=True)
class SwitchOrder:
    """What somebody wants of a switch. With neither ``for_s`` nor ``until`` it is to stay on for as long as it may."""

    name: SwitchName
    on: bool
    who: str
    via: SwitchVia
    for_s: float | None = None
    """Seconds from now."""
    until: datetime | None = None
    """Aware."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class SwitchAnswer:
    """What became of an order: ``message`` says it to people. When ``ok`` is false nothing has changed."""

    ok: bool
    changed: bool
    message: str
    on: SwitchOn | None = None
    """How the switch stands now; None: off, or not known."""


def moment(at: datetime) -> str:
    """A time for people, to the minute, in the zone that it carries."""
    return f"{at:%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """``24 h``, ``90 min``, ``45 s``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and not seconds % size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def one_line(text: str) -> str:
    """Without line ends and what a terminal would obey: it goes into a trace that has a line for each rule."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
