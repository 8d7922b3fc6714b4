"""Who calls, from where: the caller's and the dialled number in national form, the kind of line, the region.

The same as :mod:`callrouter.core.numbers` and :mod:`callrouter.core.geography` do, as far as patterns can: only numbers
abroad are not looked up in libphonenumber, but told by their form.
"""

import re
from collections.abc import Iterator, Mapping

from callrouter.core.geography import Geography
from callrouter.core.ids import RegionName
from callrouter.core.inbound import CallerKind, RegionSource
from callrouter.core.numbers import KOREA
from callrouter.survival.script import CALLER, REGIONS, Extension, equal, remark, word

_AREAS = ("03[1-3]", "04[1-4]", "05[1-5]", "06[1-4]")
_FORMS: tuple[tuple[CallerKind, tuple[str, ...]], ...] = (
    (CallerKind.LANDLINE, tuple(f"{area}N{rest}" for area in ("02", *_AREAS) for rest in ("XXXXXX", "XXXXXXX"))),
    (CallerKind.MOBILE, ("01[016-9]XXXXXXX", "01[016-9]XXXXXXXX")),
    (CallerKind.INTERNET, ("070XXXXXXXX",)),
    (CallerKind.PERSONAL, ("050XXXXXXXX", "050XXXXXXXXX")),
    (
        CallerKind.SERVICE,
        (
            *("0[68]0XXXXXXX", "0[68]0XXXXXXXX", "1[568]XXXXXX", "1XX", "1XXX"),
            *(f"{area}1{rest}" for area in ("02", *_AREAS) for rest in ("XX", "XXX")),
        ),
    ),
)
"""Patterns of national numbers."""

_WITHHELD = ("anonymous", "unknown", "restricted", "private", "withheld", "unavailable", "s", "asterisk")
_DIGITS = "+0-9"
_LONGEST = 33
"""One digit more than a number may have."""


def national_lines(script: Extension, source: str, variable: str) -> None:
    """Have ``source``, an expression of digits and +, in national form in ``variable``; without + if it has none."""
    plus, short, bare, done = (script.label() for _ in range(4))
    script.do(f"Set({variable}={source})")
    script.do(f'GotoIf($["v${{{variable}:0:3}}"="v+{KOREA}"]?{plus})')
    script.do(f'GotoIf($["v${{{variable}:0:2}}"="v{KOREA}" & ${{LEN(${{{variable}}})}}>=10]?{short}:{done})')
    script.put(plus)
    script.do(f"Set({variable}=${{{variable}:1}})")
    script.put(short)
    script.do(f"Set(CR_REST=${{{variable}:2}})")
    script.do(f'GotoIf($["v${{CR_REST:0:1}}"="v0"]?:{bare})')
    script.do("Set(CR_REST=${CR_REST:1})")
    script.put(bare)
    # Too short for any number with its area: as it came, like 82120.
    script.do(f"GotoIf($[${{LEN(${{CR_REST}})}}<4]?{done})")
    script.do(f"Set({variable}=0${{CR_REST}})")
    offices = " | ".join(f'"v${{CR_REST:0:2}}"="v1{digit}"' for digit in "568")
    script.do(f"GotoIf($[${{LEN(${{CR_REST}})}}=8 & ({offices})]?:{done})")
    script.do(f"Set({variable}=${{CR_REST}})")
    script.put(done)


def caller_lines(script: Extension) -> None:
    """Have the caller's number in ``CR_CALLER``, and go on where its form decides."""
    script.do("Set(CR_SAID=${CALLERID(num)})")
    script.do(f"Set(CR_DIGITS=${{FILTER({_DIGITS},${{CR_SAID}})}})")
    script.do("Set(CR_WORD=${TOLOWER(${FILTER(a-zA-Z,${CR_SAID})})})")
    script.do(f"Set(CR_PLAIN=${{FILTER({_DIGITS}\\x20\\x28\\x29\\x2d\\x2e\\x2f,${{CR_SAID}})}})")
    # Digits and what people write between them; else a word that stands for no number; else it cannot be read.
    digits = script.label()
    script.do("GotoIf($[${LEN(${CR_PLAIN})}=${LEN(${CR_SAID})}]?" + digits + ")")
    script.do(f"GotoIf({equal('CR_WORD', _WITHHELD)[0]}?{CALLER},anonymous,1:{CALLER},unknown,1)")
    script.put(digits)
    script.do("GotoIf($[${LEN(${CR_DIGITS})}=0]?" + f"{CALLER},anonymous,1)")
    national_lines(script, f"${{CR_DIGITS:0:{_LONGEST}}}", "CR_CALLER")
    script.do(f"Goto({CALLER},${{CR_CALLER}},1)")


def pattern_lines(geography: Geography, then: str, *, asks_place: bool) -> Iterator[str]:
    """The context of number forms: each sets the kind of line, and the region as far as the number tells it."""
    numbers = {name: number for number, name in enumerate(geography.regions)}
    default = numbers[geography.default]
    yield remark("What the caller's number says: the kind of line, and the exchange it belongs to.")
    yield f"[{CALLER}]"
    for kind, patterns in _FORMS:
        for pattern in patterns:
            yield from _found(f"_{pattern}", kind, RegionSource.DEFAULT, default)
    for pattern, place in _exchanges(geography) if asks_place else ():
        yield from _found(f"_{pattern}", CallerKind.LANDLINE, RegionSource.EXCHANGE, numbers[place])
    for pattern in ("_+[1-9]XXXXXX!", "_00[1-9]XXXXXX!", "_[1-9]XXXXXXXXXX!"):
        yield from _found(pattern, CallerKind.FOREIGN, RegionSource.DEFAULT, default)
    for pattern, kind in (
        ("_[0-9+]!", CallerKind.UNKNOWN),
        ("unknown", CallerKind.UNKNOWN),
        ("anonymous", CallerKind.ANONYMOUS),
    ):
        yield from _found(pattern, kind, RegionSource.DEFAULT, default)
    yield ""
    yield remark("What says more of the place than the number does; then the regions, and whose calls they are.")
    yield f"[{REGIONS}]"
    yield _better_sources(geography, numbers).text()
    for name, region in geography.regions.items():
        yield f"exten => g{numbers[name]},1,Set(CR_REGION={word(name, 'a region')})"
        yield f" same => n,Set(CR_TENANT={word(region.tenant, 'a tenant')})"
        yield f" same => n,Goto({then})"
    yield ""


def _better_sources(geography: Geography, numbers: Mapping[RegionName, int]) -> Extension:
    """The dialled number, the trunk, the number that diverted the call: the first that is known says the place."""
    script = Extension("s")
    for source, variable, known in (
        (RegionSource.DIALED, "CR_DIALED", geography.by_dialed),
        (RegionSource.TRUNK, "CR_TRUNK", geography.by_trunk),
        (RegionSource.DIVERSION, "CR_DIVERTED", geography.by_diversion),
    ):
        for region in sorted(set(known.values())):
            values = [word(value, f"region {region}") for value, name in known.items() if name == region]
            here, beyond = script.label(), script.label()
            for test in equal(variable, sorted(values)):
                script.do(f"GotoIf({test}?{here})")
            script.do(f"Goto({beyond})")
            script.put(here)
            script.do(f"Set(CR_SOURCE={source.value})")
            script.do(f"Goto({REGIONS},g{numbers[region]},1)")
            script.put(beyond)
    script.do(f"Goto({REGIONS},g${{CR_PLACE}},1)")
    return script


def _found(pattern: str, kind: CallerKind, source: RegionSource, region: int) -> Iterator[str]:
    yield f"exten => {pattern},1,Set(CR_KIND={kind.value})"
    yield f" same => n,Set(CR_SOURCE={source.value})"
    yield f" same => n,Set(CR_PLACE={region})"
    yield f" same => n,Goto({REGIONS},s,1)"


def _exchanges(geography: Geography) -> Iterator[tuple[str, RegionName]]:
    """Patterns of landline numbers that tell a region: Asterisk takes the one whose digits are the most exact."""
    for prefix in sorted(geography.plan.prefixes):
        match = geography.plan.find(prefix)
        for form in _FORMS[0][1] if match is not None else ():
            places = _PLACES.findall(form)
            if len(prefix) <= len(places) and all(map(_fits, prefix, places)):
                assert match is not None  # noqa: S101
                yield prefix + "".join(places[len(prefix) :]), match.place.region


_PLACES = re.compile(r"\[[^\]]+\]|.")


def _fits(digit: str, place: str) -> bool:
    """Whether a place of a pattern takes that digit."""
    return re.fullmatch({"X": "[0-9]", "N": "[2-9]"}.get(place, place), digit, re.ASCII) is not None
