"""What may be written in ``routes-test.yaml``: every key, its meaning and default.

The file stands beside the configuration and is no part of it. Values are texts as written, as in
:mod:`callrouter.config.model`.
"""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from callrouter.config.model import Kind, Name, Section, Steps
from callrouter.config.scalars import Names, Seconds, Text, Whole

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)


def parse_moment(text: object) -> datetime:
    """``2026-11-24T19:30``, naive; aware with an offset: ``2026-11-24T19:30+09:00``. A blank may stand for the T."""
    if isinstance(text, str) and _MOMENT.fullmatch(text.strip(" \t")):
        try:
            return datetime.fromisoformat(text.strip(" \t"))
        except ValueError as error:
            raise ValueError(f'"{text}" is not a time of the calendar; mend it ({error})') from error
    written = f'"{text}"' if isinstance(text, str) else "this"
    raise ValueError(f"{written} is not a time; write it as 2026-11-24T19:30")


Moment = Annotated[datetime, BeforeValidator(parse_moment)]


class Expectation(Section):
    """What must come out, under ``expect:``; what is not written may be anything."""

    model_config = ConfigDict(populate_by_name=False)

    rule: Name | None = None
    """The id of the route that takes the call."""
    region: Name | None = None
    """Where the call is taken to come from."""
    region_source: Literal["menu", "dialed", "trunk", "diversion", "remembered", "exchange", "default"] | None = None
    """What the region was taken from."""
    tenant: Name | None = None
    """Whose call it is."""
    caller: Kind | None = None
    """What the caller's number says of the line."""
    action: Literal["queue", "daemon", "announce", "dialplan", "hangup"] | None = None
    """What becomes of the call, in one word: ``queue`` if the plan has one, ``announce`` if it only says something,
    ``daemon`` if that depends on the caller or on the moment."""
    queue: Name | None = None
    """The first queue of the plan."""
    steps: Steps | None = None
    """The whole plan, step by step, written as in a route."""
    calendars: Names | None = None
    """Calendars that are open then. Others may be, too."""
    closed: Names | None = None
    """Calendars that are closed then."""

    @model_validator(mode="after")
    def _says_something(self) -> "Expectation":
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("nothing is expected here; write a rule, a region, a queue or the like")
        return self


class QueueNow(Section):
    """How a queue stands, under ``queues:``; what is not written: all counselors are free, and nobody waits."""

    agents: Whole | None = None
    """Counselors who serve it."""
    available: Whole | None = None
    """Those of them who could take a call now."""
    waiting: Whole | None = None
    """Callers who wait."""
    longest_wait: Seconds | None = None
    """How long the first of them has waited."""


class CaseSpec(Section):
    """One call, and what must become of it."""

    model_config = ConfigDict(populate_by_name=False)

    name: Text
    """Says what the case is about; no two cases have the same."""
    caller: Text | None = Field(default=None, alias="from")
    """The caller's number; left out: withheld."""
    to: Text = "120"
    """The dialled number."""
    at: Moment
    """When: 2026-11-24T19:30 in the zone of ``timezone:``, or with an offset behind it (+09:00, Z)."""
    topic: Name | None = None
    """What the caller wants, a name of ``topics:``."""
    trunk: Text | None = None
    """The trunk group that the call comes in by, or one of its endpoints."""
    diversion: Text | None = None
    """The number that diverted the call to us."""
    language: Text | None = None
    """The channel's language, as Asterisk names it."""
    region: Name | None = None
    """The caller's own answer in a menu of this call."""
    remembered: Name | None = None
    """The caller's answer in an earlier call, remembered by consent."""
    queues: dict[Name, QueueNow] = Field(default={})
    """How queues stand at that moment, for conditions that ask for it."""
    switches: Names = Field(default=[])
    """Switches that are on at that moment. Others are off."""
    expect: Expectation


class CaseFile(Section):
    """``routes-test.yaml``."""

    cases: Annotated[list[CaseSpec], Field(min_length=1)]
    """Calls whose way is known. ``callrouter test`` and ``callrouter check`` try each."""
