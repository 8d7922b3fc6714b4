"""Numbers that stand for all numbers that are alike: with the same kind of line, and the same known beginnings.

A known beginning (of a list of callers, of the table of exchanges) splits the numbers of a form into those that go on
with a longer known beginning and those that do not. For each of these classes that is not empty a number is found.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from callrouter.core.inbound import CallerKind
from callrouter.core.numbers import parse

Form = tuple[str, ...]
"""The digits that each place of a national number may hold."""

_ANY = "0123456789"
_LONGEST = 32
_AREAS: tuple[Form, ...] = (("0", "2"), ("0", "3", "123"), ("0", "4", "1234"), ("0", "5", "12345"), ("0", "6", "1234"))


def _any(count: int) -> Form:
    return (_ANY,) * count


FORMS: tuple[tuple[CallerKind, Form], ...] = (
    *((CallerKind.LANDLINE, (*area, "23456789", *_any(n + 4))) for area in _AREAS for n in (2, 3)),
    *((CallerKind.MOBILE, ("0", "1", "016789", *_any(n + 4))) for n in (4, 3)),
    (CallerKind.INTERNET, ("0", "7", "0", *_any(8))),
    *((CallerKind.PERSONAL, ("0", "5", "0", _ANY, *_any(n + 4))) for n in (4, 3)),
    (CallerKind.SERVICE, ("1", "568", *_any(6))),
    *((CallerKind.SERVICE, ("0", "86", "0", *_any(n + 4))) for n in (3, 4)),
    *((CallerKind.SERVICE, ("1", *_any(n))) for n in (2, 3)),
    *((CallerKind.SERVICE, (*area, "1", *_any(n))) for area in _AREAS for n in (2, 3)),
    # Of numbers that follow no plan, some lengths. Whether they are such, their parsing says.
    *((CallerKind.UNKNOWN, _any(n)) for n in (5, 8, 13, 18)),
)
"""Every form of a Korean number, as :mod:`callrouter.core.numbers` tells them apart."""

_FOREIGN = ("+81312345678", "+8613800138000", "+12025550143", "+442079460000", "+6561234567", "+4930123456")
_WITHHELD = ""


@dataclass(frozen=True, slots=True)
class Beginnings:
    """Known beginnings of numbers, and whole numbers that are known."""

    prefixes: frozenset[str]
    whole: frozenset[str] = frozenset()
    _inner: frozenset[str] = field(init=False, repr=False)
    """What goes on with something known."""

    def __post_init__(self) -> None:
        inner = {text[:length] for text in (*self.prefixes, *self.whole) for length in range(len(text))}
        object.__setattr__(self, "_inner", frozenset(inner))

    def under(self, stem: str, form: Form) -> str | None:
        """A number of ``form`` of whose known beginnings ``stem`` is the longest, and that is not known whole."""
        if len(stem) > len(form) or any(digit not in form[place] for place, digit in enumerate(stem)):
            return None
        return self._extend(stem, form)

    def _extend(self, text: str, form: Form) -> str | None:
        if len(text) == len(form):
            return None if text in self.whole else text
        if text not in self._inner:
            return text + "".join(digits[0] for digits in form[len(text) :])
        for digit in form[len(text)]:
            longer = text + digit
            if longer not in self.prefixes:
                found = self._extend(longer, form)
                if found is not None:
                    return found
        return None


def dialled_numbers(prefixes: Iterable[str], whole: Iterable[str], usual: str) -> tuple[str, ...]:
    """A number for each class of dialled numbers, the whole ones first; the last stands for all others.

    That one is ``usual`` unless it is known.
    """
    known = Beginnings(frozenset(prefixes), frozenset(whole))
    found = [*sorted(known.whole)]
    for prefix in sorted(known.prefixes):
        number = next(_dialled(known, prefix), None)
        if number is not None:
            found.append(number)
    if usual not in known.whole and not any(usual.startswith(prefix) for prefix in known.prefixes):
        found.append(usual)
    else:
        # What has no digits at all begins with no prefix.
        found.append(next(_dialled(known, ""), _WITHHELD))
    return tuple(found)


def _dialled(known: Beginnings, prefix: str) -> Iterator[str]:
    """Numbers that begin with ``prefix``, the shortest first, and stay what they are when they are parsed."""
    for length in range(max(3, len(prefix)), _LONGEST + 1):
        number = known.under(prefix, _any(length))
        if number is not None and parse(number).national == number:
            yield number


def calling_numbers(listed: Beginnings, exchanges: Collection[str]) -> Iterator[str]:
    """Numbers of callers for every class, and some more: withheld and foreign ones, too.

    ``exchanges`` are the prefixes of the numbering plan, which only say something of landlines.
    """
    yield from _calling(Beginnings(listed.prefixes | frozenset(exchanges), listed.whole), exchanges, landlines=True)
    yield from _calling(listed, (), landlines=False)
    yield from sorted(listed.whole)
    yield next(number for number in chain(_FOREIGN, _more_foreign()) if number not in listed.whole)
    yield _WITHHELD


def _calling(known: Beginnings, stems: Iterable[str], *, landlines: bool) -> Iterator[str]:
    for stem in ("", *sorted({*stems, *known.prefixes})):
        for kind, form in FORMS:
            if (kind is CallerKind.LANDLINE) is landlines:
                number = known.under(stem, form)
                if number is not None and parse(number).kind is kind:
                    yield number


def _more_foreign() -> Iterator[str]:
    """Tokyo has more numbers than any list."""
    return (f"+8135{number:07d}" for number in range(10_000_000))
