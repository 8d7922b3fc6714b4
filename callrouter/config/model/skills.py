"""What counselors can do, and what queues ask of them."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.section import Name, Section
from callrouter.config.scalars import Names, Seconds, parse_whole

BEST = 10
"""The highest level of a skill."""


def parse_level(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[1-9]|10", value):
        return int(value)
    raise ValueError(f'"{value}" is not a level; write a whole number from 1 to {BEST}')


def parse_lower_level(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]", value):
        return int(value)
    raise ValueError(f'"{value}" is not a lower level; write a whole number from 0 (not needed any more) to {BEST - 1}')


def parse_weight(value: object) -> object:
    weight = parse_whole(value)
    if weight < 1:
        raise ValueError(f'"{value}" is not a weight: the tenant would never have its turn; write 1 or more')
    return weight


Level = Annotated[int, BeforeValidator(parse_level)]
LowerLevel = Annotated[int, BeforeValidator(parse_lower_level)]
Weight = Annotated[int, BeforeValidator(parse_weight)]


class Wish(Section):
    """What a queue asks of the counselors, in the list ``skills:``; for callers of whom all that is named is true."""

    language: Names = Field(default=[])
    """For callers in these languages only: as the channel has it, or as a menu set it."""
    topic: Names = Field(default=[])
    """For callers with these topics only."""
    tenant: Names = Field(default=[])
    """For callers of these tenants only."""
    need: dict[Name, Level] = Field(default_factory=dict)
    """Skills, each with the least level: who does not have them is not rung."""
    prefer: dict[Name, Level] = Field(default_factory=dict)
    """Who has these, at this level or above, is rung first."""

    @model_validator(mode="after")
    def _asks_something(self) -> "Wish":
        if not self.need and not self.prefer:
            raise ValueError("nothing is asked of the counselors; write need: or prefer:, as {english: 2}")
        return self


class Relaxation(Section):
    """How what a queue needs is eased while a caller waits, in the list ``relax:``."""

    after: Seconds
    """So long after the caller entered the queue."""
    need: dict[Name, LowerLevel]
    """Skills, each with the lower level that is enough from then on; 0: it is not needed any more."""
