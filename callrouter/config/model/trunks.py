"""Trunk groups: shared lines, of which there are not as many as wanted."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.section import Name, Section, parse_member
from callrouter.config.scalars import Names, Text, Whole
from callrouter.core.trunk_spec import NumberForm, Selection

Select = Annotated[Selection, BeforeValidator(lambda value: parse_member(value, Selection))]
Form = Annotated[NumberForm, BeforeValidator(lambda value: parse_member(value, NumberForm))]


class TrunkMember(Section):
    """One of a group's ``members:``. Their order is that of ``select: order``."""

    endpoint: Text
    """The PJSIP endpoint that calls go out and come in by."""
    channels: Whole
    """How many calls it carries at once."""
    site: Name | None = None
    """The site that it is at; left out: the only one there is."""
    per_second: Whole | None = None
    """How many calls may be begun over it within a second; left out: any number."""
    weight: Whole = 1
    """How much of the calls it takes, against the others, with ``select: weight``."""


class TrunkShare(Section):
    """What a tenant has of a group, under ``shares:``."""

    guarantee: Whole = 0
    """So many channels are its own as soon as it wants them; what is idle of them, others borrow."""
    ceiling: Whole | None = None
    """It never has more; left out: as many as are idle."""


class Trunk(Section):
    """A trunk group, under ``trunks:``."""

    title: Text | None = None
    """Name for people."""
    channels: Whole | None = None
    """How many calls it carries at once; for ``members``, left out."""
    endpoints: Names = Field(default=[])
    """PJSIP endpoints that its calls go out and come in by, in their order. Default: the group's own name."""
    between: dict[Name, Name] = Field(default={})
    """The two sites that it joins, each with the PJSIP endpoint there that leads to the other. Counselors at one
    are rung for callers at the other then."""
    members: list[TrunkMember] = Field(default=[])
    """Instead of ``channels`` and ``endpoints``: each endpoint with what it carries."""
    select: Select = Selection.ORDER
    """Which member a call goes out by, of those that could carry it: the first; by ``weight``; ``largest-free``."""
    shares: dict[Name, TrunkShare] = Field(default={})
    """What tenants have of it; left out: whoever comes first."""
    reserve: Whole = 0
    """So many channels are kept for calls of queues and destinations with ``emergency: true``."""
    overflow: Name | None = None
    """The group that takes the calls for which this one has no channel; left out: none."""
    failures: Whole = 1
    """So many calls in a row that a member failed have it left alone for a while."""
    caller_id: Text | None = None
    """The number that is shown when a destination is called over it; left out: the caller's."""
    format: Form = NumberForm.NATIONAL
    """How it wants numbers: ``national`` (0552110000), ``e164`` (+82552110000) or ``local`` (2110000)."""
    area: Text | None = None
    """The area code of its place (055), for ``format: local``."""

    @model_validator(mode="after")
    def _one_form(self) -> "Trunk":
        if (self.channels is None) != bool(self.members):
            raise ValueError("the size of a trunk group is said once; write either channels: or members:")
        if self.members and self.endpoints:
            raise ValueError("members: name the endpoints; take endpoints: out")
        if self.members and self.between:
            raise ValueError("between: names the endpoints; write channels: instead of members:")
        return self
