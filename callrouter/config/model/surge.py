"""Surges of topics: when people are told of them."""

import re
from typing import Annotated

from pydantic import BeforeValidator

from callrouter.config.model.section import Section
from callrouter.config.scalars import Whole

_FACTOR = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?", re.ASCII)


def parse_factor(text: object) -> object:
    """How many times as many: a number, with decimals if need be."""
    if not isinstance(text, str) or not _FACTOR.fullmatch(text):
        raise ValueError(f'"{text}" is not a number of times; write a number such as 2 or 1.5')
    return float(text)


class Surge(Section):
    """``surge:``: when a topic has so many more calls than usual that people should know."""

    weeks: Whole = 6
    """How many past weeks this hour is compared with."""
    factor: Annotated[float, BeforeValidator(parse_factor)] = 2.0
    """More than so many times the usual number is a surge."""
    least: Whole = 10
    """Fewer calls in an hour are none."""
