"""What may go out: whereto, how much of it, and how often the same call."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.section import Name, Section, parse_member
from callrouter.config.scalars import Flag, Names, Whole, one_or_many
from callrouter.core.outbound import USUAL, NumberClass
from callrouter.core.outbound_spec import Bound, Unit, Window

NumberKind = Annotated[NumberClass, BeforeValidator(lambda value: parse_member(value, NumberClass))]


class OutboundLimit(Section):
    """One of ``outbound: limits:``. What it does not name, it holds for all of."""

    tenants: Names = Field(default=[])
    """Whose calls count; left out: everybody's."""
    trunks: Names = Field(default=[])
    """By which trunk groups they go out; left out: by any."""
    kinds: Annotated[list[NumberKind], BeforeValidator(one_or_many)] = Field(default=[])
    """What kinds of numbers they call, as in ``allow``; left out: any."""
    calls_per_hour: Whole | None = None
    """So many calls may be begun within any sixty minutes."""
    calls_per_day: Whole | None = None
    """So many within any twenty-four hours."""
    minutes_per_hour: Whole | None = None
    """So long may be talked within any sixty minutes, all calls together."""
    minutes_per_day: Whole | None = None
    """So long within any twenty-four hours."""
    together: Flag = False
    """The tenants are counted together; else each of them has so much."""
    warn_at: Whole = 80
    """At so many percent people are told, before calls are kept back."""

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """All that are written."""
        every = (Bound(unit, window, 0) for window in Window for unit in Unit)
        written = ((bound, getattr(self, bound.name)) for bound in every)
        return tuple(Bound(bound.unit, bound.window, most) for bound, most in written if most is not None)

    @model_validator(mode="after")
    def _limits_something(self) -> "OutboundLimit":
        if not self.bounds:
            raise ValueError("nothing is limited; write calls_per_hour:, calls_per_day:, minutes_per_hour: or such")
        return self


class Outbound(Section):
    """What calls may go out to, under ``outbound:``."""

    allow: Annotated[list[NumberKind], BeforeValidator(one_or_many)] = Field(default=sorted(USUAL))
    """Kinds of numbers that destinations may have. Not among the default: premium-rate, foreign and personal ones."""
    max_hops: Whole = 3
    """A call that has gone out so often, from here or from a centre like this, goes in a circle, and is ended."""
    limits: dict[Name, OutboundLimit] = Field(default={})
    """How many calls may go out, by names of your own; left out: any number."""
