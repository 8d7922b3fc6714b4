"""Where calls come from, and when: tenants, topics, regions, holidays, calendars."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from callrouter.config.model.section import Name, Section
from callrouter.config.model.skills import Weight
from callrouter.config.scalars import (
    Day,
    Names,
    Text,
    one_or_many,
    parse_closed_on,
    parse_hours,
    parse_window,
)
from callrouter.core.calendars import Days, Hours, Window


class Tenant(Section):
    """Whose calls they are, under ``tenants:``."""

    title: Text
    """Name for people."""
    weight: Weight | None = None
    """How many turns it has, against the others, where they share counselors. If no tenant has one, first come, first
    served; if one has, 1 for the others."""


class Topic(Section):
    """What a caller wants, under ``topics:``."""

    title: Text
    """Name for people."""
    suggest: Name | None = None
    """The switch that is suggested when it surges."""


class Region(Section):
    """A place that calls come from, under ``regions:``."""

    title: Text
    """Shown in the counselor's display."""
    tenant: Name
    """Whose call it is then."""
    place: Text | None = None
    """Its name in the table of exchanges."""
    prefixes: Names = Field(default=[])
    """National prefixes (with the 0) that belong here, whatever the table says."""
    dialed: Names = Field(default=[])
    """Dialled numbers that mean this region."""
    trunks: Names = Field(default=[])
    """Trunk groups whose calls come from here."""
    diversion: Names = Field(default=[])
    """Numbers from which calls are diverted to us that come from here."""


class Numbering(Section):
    """``numbering:``: how regions are found."""

    table: Text | None = "kr055"
    """``kr055`` is shipped; else a CSV file of the same columns, relative to the configuration."""
    default_region: Name
    """The region of a call of which nothing else is known."""


DATES = "YYYY-MM-DD"
"""Stands for the dates among the keys of a set of holidays."""


_NO_TITLES = ("closed", "open", "yes", "true", "on", "false", "off", "none", "null")


def parse_holiday(value: object) -> object:
    """What a day is called; None for ``no``."""
    if not isinstance(value, str) or not value:
        raise ValueError("nothing is written here; write what the day is called, or no to take it out")
    if value.lower() in _NO_TITLES:
        raise ValueError(f'"{value}" is no name of a day; write what it is called, or no to take it out')
    return None if value.lower() == "no" else value


def dates_apart(value: object) -> object:
    """The dates of a set, which stand next to its other keys, as a mapping of their own."""
    if not isinstance(value, dict):
        return value
    dates = {key: title for key, title in value.items() if key[:1].isdigit() or key == DATES}
    return {**{key: other for key, other in value.items() if key not in dates}, DATES: dates}


class Holidays(Section):
    """A set of dates on which calendars may stay closed, under ``holidays:``."""

    model_config = ConfigDict(populate_by_name=False)

    country: Text | None = None
    """The country whose public holidays it begins with, by its code (``KR``)."""
    language: Text | None = None
    """Of their names; default: the country's own."""
    until: Day | None = None
    """The last day up to which the set is known to be right; default: its last date."""
    dates: dict[Day, Annotated[str | None, BeforeValidator(parse_holiday)]] = Field(default={}, alias="YYYY-MM-DD")
    """What a day is called; None for a day that is none, whatever the country or an earlier set says."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Dates stand next to the other keys."""
        described = handler.resolve_ref_schema(handler(schema))
        dates = described["properties"].pop(DATES)
        pattern = dates["propertyNames"].get("pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
        described["patternProperties"] = {pattern: dates["additionalProperties"]}
        return described

    @model_validator(mode="after")
    def _language_of_a_country(self) -> "Holidays":
        if self.language is not None and self.country is None:
            raise ValueError("language: belongs to a country; name one with country:, or take it out")
        return self


def parse_exception(value: object) -> object:
    """``closed``, or ``usual`` (None), or hours, or a list of hours."""
    items = value if isinstance(value, list) else [value]
    if items in (["closed"], ["usual"]):
        return [] if items == ["closed"] else None
    if not items or not all(isinstance(item, str) for item in items):
        raise ValueError("this is not closed and not hours; write closed, or 09:00-13:00")
    try:
        return [parse_hours(item) for item in items if isinstance(item, str)]
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise ValueError(f"{message}; {remedy}, or closed or usual alone") from error


Windows = Annotated[list[Annotated[Window, BeforeValidator(parse_window)]], BeforeValidator(one_or_many)]


OtherHours = Annotated[list[Hours] | None, BeforeValidator(parse_exception)]


ClosedOn = Annotated[list[Annotated[str | Days, BeforeValidator(parse_closed_on)]], BeforeValidator(one_or_many)]


class Calendar(Section):
    """Opening hours, under ``calendars:``: windows, those of another calendar, or a combination of calendars."""

    title: Text | None = None
    zone: Text | None = None
    """IANA name; default: the section ``timezone:``."""
    like: Text | None = None
    """The calendar that it is like, but for what is written here."""
    open: Windows | None = None
    closed: Windows | None = None
    """Breaks in ``open``."""
    closed_on: ClosedOn = Field(default=[])
    """Sets of ``holidays:``, of which later ones win, and days of the month, on which it stays closed."""
    exceptions: dict[Day, OtherHours] = Field(default={})
    """Dates with other hours, ``closed``, or ``usual`` for the windows; they win over ``closed_on``."""
    union: Names = Field(default=[])
    intersect: Names = Field(default=[])
    exclude: Names = Field(default=[], alias="except")

    @model_validator(mode="after")
    def _weekly_or_combined(self) -> "Calendar":
        combined = bool(self.union or self.intersect or self.exclude)
        if combined == (self.open is not None or self.like is not None):
            raise ValueError(
                "a calendar has either its own hours or parts; write open: or like:, or union/intersect/except:"
            )
        if combined and (self.closed or self.closed_on or self.exceptions):
            raise ValueError("a combined calendar has no dates of its own; write them in its parts")
        if self.exclude and not (self.union or self.intersect):
            raise ValueError("except: alone is never open; say with union: what it is taken from")
        return self
