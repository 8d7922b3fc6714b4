"""Telephone numbers as they arrive from a trunk, made into one form.

Korean numbers are told apart by the national numbering plan (a table of forms: fast, and it knows the special numbers
that libphonenumber calls invalid); foreign ones by libphonenumber. Sources: the numbering plan of the Republic of Korea
(MSIT notice on the administration of telecommunication numbers), ITU-T E.164.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec
import phonenumbers

from callrouter.core.inbound import CallerKind

KOREA = "82"
HIDDEN_DIGITS = 4
"""How many digits at a number's end tell the person, and are hidden wherever numbers are shown."""

_WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "private", "withheld", "unavailable", "s", "asterisk"})
"""What trunks and Asterisk write where there is no number; compared without case."""

_SEPARATORS = re.compile(r"[-. ()/\u2010-\u2015]+")
_DIALLABLE = re.compile(r"\+?[0-9]{1,32}", re.ASCII)

_FORMS: tuple[tuple[CallerKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.ASCII))
    for kind, pattern in (
        (CallerKind.LANDLINE, r"(02|03[1-3]|04[1-4]|05[1-5]|06[1-4])([2-9][0-9]{2,3})([0-9]{4})"),
        (CallerKind.MOBILE, r"(01[016-9])([0-9]{3,4})([0-9]{4})"),
        (CallerKind.INTERNET, r"(070)([0-9]{4})([0-9]{4})"),
        (CallerKind.PERSONAL, r"(050[0-9])([0-9]{3,4})([0-9]{4})"),
        (CallerKind.SERVICE, r"(080|060)([0-9]{3,4})([0-9]{4})"),
        (CallerKind.SERVICE, r"(1[568][0-9]{2})([0-9]{4})"),
        (CallerKind.SERVICE, r"(1[0-9]{2,3})"),
        # A short number asked for in one area, such as 055-120.
        (CallerKind.SERVICE, r"(02|03[1-3]|04[1-4]|05[1-5]|06[1-4])(1[0-9]{2,3})"),
    )
)
"""National forms, area or service code first; the groups are what people write between hyphens."""

_ANY_FORM = re.compile("|".join(f"({form.pattern})" for _, form in _FORMS), re.ASCII)
"""All of them at once, each in a group of its own around its groups."""


def _groups_of_forms() -> Mapping[int, tuple[CallerKind, slice]]:
    """The group of each form in :data:`_ANY_FORM` to its kind, and to where its own groups stand among all."""
    found, group = {}, 1
    for kind, form in _FORMS:
        found[group] = (kind, slice(group, group + form.groups))
        group += 1 + form.groups
    return found


_GROUPS = _groups_of_forms()


class Number(msgspec.Struct, frozen=True):
    """A number and what it says of the line behind it."""

    raw: str
    kind: CallerKind
    e164: str | None = None
    """With ``+``; None for short numbers (120) and for what is no number."""
    national: str = ""
    """Korean: with the trunk prefix 0 (``0552251234``). Foreign: as E.164. Empty if there is none."""
    parts: tuple[str, ...] = ()

    @property
    def display(self) -> str:
        """For a counselor's phone: ``055-225-1234``, foreign in international form, empty if withheld or unreadable."""
        return "-".join(self.parts)


@lru_cache(maxsize=4096)
def parse(raw: str) -> Number:
    """Whatever a trunk sent as a number, in one form. Never raises."""
    digits = raw
    if not _DIALLABLE.fullmatch(raw):  # most are nothing but digits
        text = _bare(raw)
        if text.lower() in _WITHHELD:
            return Number(raw, CallerKind.ANONYMOUS)
        digits = _SEPARATORS.sub("", text)
        if not _DIALLABLE.fullmatch(digits):
            return Number(raw, CallerKind.UNKNOWN)
    return _korean(raw, digits) or _foreign(raw, digits) or Number(raw, CallerKind.UNKNOWN, national=digits.lstrip("+"))


def forms(raw: str) -> tuple[str, ...]:
    """All ways in which the number may be written, the longest first, for one may hold another; none: no number."""
    number = parse(raw)
    if not number.national:
        return ()
    e164 = number.e164 or ""
    found = {raw.strip(), e164, e164.removeprefix("+"), number.national, number.display} - {""}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


def masked(raw: str) -> str:
    """``raw`` for people: the last four digits are hidden, shorter numbers wholly; what is no number says only so."""
    number = parse(raw)
    if number.kind is CallerKind.ANONYMOUS:
        return "anonymous"
    if number.kind is CallerKind.UNKNOWN and not number.national:
        return "unreadable"
    return hide_tail(number.display or number.national).rjust(HIDDEN_DIGITS, "*")


def hide_tail(text: str) -> str:
    """The last four digits as stars; everything else stays, separators too.

    Everywhere the same digits are hidden, log, pages and records alike: two places that hid different ones would show
    the whole number to whoever has both.
    """
    hidden = 0
    shown: list[str] = []
    for char in reversed(text):
        hides = char.isdigit() and hidden < HIDDEN_DIGITS
        hidden += hides
        shown.append("*" if hides else char)
    return "".join(reversed(shown))


def _bare(raw: str) -> str:
    """Without what SIP writes around a number: scheme, host, parameters."""
    text = raw.strip()
    for scheme in ("sip:", "sips:", "tel:"):
        if text.lower().startswith(scheme):
            text = text[len(scheme) :]
            break
    return text.partition("@")[0].partition(";")[0].strip()


def _korean(raw: str, digits: str) -> Number | None:
    """The Korean number in ``digits``, or None if they are none."""
    national = _to_national(digits)
    match = _ANY_FORM.fullmatch(national)
    if match is None or match.lastindex is None:
        return None
    # The group that closed last is the outer one of the form that matched.
    kind, groups = _GROUPS[match.lastindex]
    e164 = None if len(national) < 5 else f"+{KOREA}{national.removeprefix('0')}"
    return Number(raw, kind, e164, national, match.groups()[groups])


def _to_national(digits: str) -> str:
    """With a leading 0 where Korea writes one, and no country code."""
    # No national number without its 0 starts with 82 and is that long, so a missing plus is no riddle.
    if digits.startswith(f"+{KOREA}") or (digits.startswith(KOREA) and len(digits) >= 10):
        subscriber = digits.removeprefix("+").removeprefix(KOREA).removeprefix("0")
        is_office = len(subscriber) == 8 and subscriber[0] == "1" and subscriber[1] in "568"
        return subscriber if is_office else f"0{subscriber}"
    return digits


def _foreign(raw: str, digits: str) -> Number | None:
    """The foreign number in ``digits`` (with +, after an international prefix such as 001, or bare), or None."""
    for candidate in (digits, f"+{digits}"):
        try:
            found = phonenumbers.parse(candidate, "KR")
        except phonenumbers.NumberParseException:
            continue
        if found.country_code != int(KOREA) and phonenumbers.is_valid_number(found):
            e164 = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
            shown = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
            return Number(raw, CallerKind.FOREIGN, e164, e164, (shown,))
    return None
