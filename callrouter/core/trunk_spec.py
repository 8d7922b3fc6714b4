"""Trunk groups as configured: their members, who may have how much of them, and how they want numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from callrouter.core.dial_string import to_dial
from callrouter.core.ids import SiteName, TenantName, TrunkName
from callrouter.core.numbers import parse

_OVER = re.compile(r"(?P<tech>PJSIP)/(?P<number>[^/@&]+)@(?P<endpoint>[^/@&]+)")
"""A dial string that calls something at the far end of an endpoint."""


class Selection(StrEnum):
    """Which of the members that could carry a call does."""

    ORDER = "order"
    """The first."""
    WEIGHT = "weight"
    """The one that carries the least for its weight."""
    LARGEST_FREE = "largest-free"
    """The one with the most free channels."""


class NumberForm(StrEnum):
    """How a trunk wants numbers."""

    NATIONAL = "national"
    """``0552110000``."""
    E164 = "e164"
    """``+82552110000``."""
    LOCAL = "local"
    """``2110000`` within the trunk's own area, else national."""


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """A PJSIP endpoint by which calls of a group go out and come in."""

    endpoint: str
    channels: int
    """How many calls it carries at once."""
    site: SiteName | None = None
    """At which Asterisk it is; None: at each, under the same name."""
    per_second: int | None = None
    """How many calls may be begun over it within a second; None: any number."""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Share:
    """What a tenant has of a group."""

    guarantee: int = 0
    """So many channels are its own as soon as it wants them, but for those that others have just then."""
    ceiling: int | None = None
    """It never has more; None: as many as are idle."""


NO_SHARE = Share()


@dataclass(frozen=True, slots=True)
class TrunkSpec:
    """A trunk group as configured."""

    name: TrunkName
    channels: int
    """How many calls it carries at once, over all members."""
    members: tuple[MemberSpec, ...] = ()
    """None: one, of the group's own name, which carries all."""
    select: Selection = Selection.ORDER
    shares: Mapping[TenantName, Share] = field(default_factory=dict)
    reserve: int = 0
    """So many channels are kept for marked calls."""
    overflow: TrunkName | None = None
    """The group that takes the calls for which this one has no channel."""
    failures: int = 1
    """So many calls in a row that a member failed have it left alone for a while."""
    title: str = ""
    form: NumberForm = NumberForm.NATIONAL
    area: str = ""
    """The area code of the trunk's place (``055``), for ``NumberForm.LOCAL``."""
    caller_number: str = ""
    """The number that is shown to destinations; empty: the caller's."""
    between: bool = False
    """It joins two sites of ours, with a member at each. A call over it is seen at both, and is one of ours, held at
    the site where it is made: so what Asterisk has there is not counted beside."""

    @property
    def parts(self) -> tuple[MemberSpec, ...]:
        """The members; there is one at least."""
        return self.members or (MemberSpec(self.name, self.channels),)

    def written(self, number: str) -> str:
        """A number as the trunk wants it; what is none stays as it is."""
        known = parse(number)
        if not known.national:
            return number
        if self.form is NumberForm.E164 and known.e164:
            return known.e164
        if self.form is NumberForm.LOCAL and len(known.parts) > 1 and known.parts[0] == self.area:
            return "".join(known.parts[1:])
        return known.national

    def dialled(self, endpoint: str, member: str, number: str = "") -> str:
        """What Asterisk dials over the endpoint ``member``.

        ``number`` is who is called, where the configuration has a number. Else ``endpoint`` is a dial string: if it
        goes over a member of the group, or over the group's own name, this member takes that one's place.
        """
        if number:
            return f"PJSIP/{to_dial(self.written(number))}@{member}"
        found = _OVER.fullmatch(endpoint)
        if found is not None and found["endpoint"] in {self.name, *(one.endpoint for one in self.parts)}:
            return f"{found['tech']}/{found['number']}@{member}"
        return endpoint
