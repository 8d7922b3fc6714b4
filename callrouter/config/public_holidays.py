"""Public holidays of a country, computed by the ``holidays`` package.

The package knows every country and takes a fraction of a second to import, so it is imported only when a
configuration names a country, and what it says is kept: a reload does not compute it again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

FIRST_YEAR = 2015
"""Old calls are explained and old cases tested again by the rules of today."""
LAST_YEAR = 2040
"""At least, and at least :data:`YEARS_AHEAD` from today."""
YEARS_AHEAD = 10


class UnknownCountryError(LookupError):
    """The package does not know this country."""


class UnknownLanguageError(LookupError):
    """The package has no names in this language; ``known`` are those that it has."""

    def __init__(self, known: tuple[str, ...]) -> None:
        super().__init__(f"write one of: {', '.join(known)}")
        self.known = known


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """What holidays there are from ``FIRST_YEAR`` to ``end``, the last day that was computed."""

    names: Mapping[date, str]
    end: date


@lru_cache(maxsize=16)
def public_holidays(country: str, language: str | None, last_year: int) -> PublicHolidays:
    """The holidays of ``country`` (``KR``) up to ``last_year``, or to the last year that the package can compute.

    Their names are in ``language``, or in the country's own. Raises UnknownCountryError and UnknownLanguageError.
    """
    from holidays import country_holidays

    if not re.fullmatch("[A-Z]{2}", country):
        raise UnknownCountryError(country)
    try:
        entity = country_holidays(country)
    except NotImplementedError as error:
        raise UnknownCountryError(country) from error
    known = entity.supported_languages or ((entity.default_language,) if entity.default_language else ())
    if language is not None and language not in known:
        raise UnknownLanguageError(known)
    last = min(last_year, entity.end_year)
    years = range(max(FIRST_YEAR, entity.start_year), last + 1)
    found = country_holidays(country, years=years, expand=False, language=language or entity.default_language)
    return PublicHolidays({day: ", ".join(found.get_list(day)) for day in sorted(found)}, date(last, 12, 31))
