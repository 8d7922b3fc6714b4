"""Kinds of call: calls that no rule can tell apart, each with a call that stands for all of its kind.

Where a call comes from follows from the dialled number, the trunk, the diversion and the caller's number together. So
real calls are made of real numbers and located as every call is; what then comes out the same is one kind.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from callrouter.core.conditions import CallerListed, Condition, DialedIs, LanguageIs, RegionFrom, TopicIs, TrunkIs
from callrouter.core.geography import Origin
from callrouter.core.ids import RegionName, SiteName, TopicName
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.numbers import parse
from callrouter.core.plan import Menu, walk
from callrouter.core.routing import Ruleset
from callrouter.proof.asked import conditions_of
from callrouter.proof.numbers import Beginnings, calling_numbers, dialled_numbers

HOTLINE = "120"
"""The dialled number that stands for those which the rules do not know, unless they know it."""
NOWHERE = "no place known"
_FEW = 3
_ANY_SITE = SiteName("")
"""No rule asks at which Asterisk a call came in."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call."""

    facts: CallFacts
    """One call of it."""
    origin: Origin
    caller: CallerKind

    @property
    def place(self) -> str:
        """The region, or that no place is known: such calls have the default region."""
        return self.origin.region.name if self.origin.source is not RegionSource.DEFAULT else NOWHERE

    @property
    def words(self) -> str:
        """``changwon, landline 055-223-0000, dialled 120``, and what else is known of the call."""
        number = parse(self.facts.caller).display
        said = {name: f"{name} {value}" for name, value in self.known.items() if value}
        said |= {"place": self.place, "caller": f"{self.caller} {number}".rstrip()}
        return ", ".join(said.values())

    @property
    def known(self) -> dict[str, str]:
        """All that rules may ask of it, in words."""
        facts = self.facts
        return {
            "place": self.place,
            "caller": self.caller.value,
            "dialled": facts.dialed or "nothing",
            "trunk": facts.trunk,
            "topic": facts.topic or "",
            "language": facts.language,
        }


def words_of(some: Sequence[Kind], of: Sequence[Kind]) -> str:
    """What tells ``some`` from all the others ``of`` which they are a part: ``changwon; dialled 120 or 110``.

    Of what is the same for all nothing is said. ``some of:`` comes before words that fit others, too.
    """
    chosen, said = list(of), []
    for name in of[0].known:
        values, every = dict.fromkeys(kind.known[name] for kind in some), dict.fromkeys(kind.known[name] for kind in of)
        fitting = [kind for kind in chosen if kind.known[name] in values]
        if len(fitting) < len(chosen):
            said.append(_values(name, list(values), list(every)))
            chosen = fitting
    if not said:
        places = {kind.place for kind in of}
        everyone = "every call" if len(places) > 1 else next(iter(places))
        return everyone if len(some) == len(of) else f"some of: {everyone}, such as {some[0].words}"
    return ("" if len(chosen) == len(some) else "some of: ") + "; ".join(said)


def _values(name: str, values: Sequence[str], every: Sequence[str]) -> str:
    """``changwon``, ``all but changwon``, ``changwon, gimhae, jinju and 7 more``, ``any known topic``."""
    others = [value for value in every if value not in values]
    if others == [""] and len(values) > _FEW:
        return f"any known {name}"
    head = "" if name in ("place", "caller") else f"{name} "
    said = [f"{head}{value}" if value else f"no known {name}" for value in values]
    if len(values) <= min(_FEW, len(others)) or others == [""]:
        return " or ".join(said)
    if len(others) <= _FEW:
        return f"{head}all but " + " and ".join(value or "none" for value in others)
    return f"{', '.join(said[:_FEW])} and {len(values) - _FEW} more"


@dataclass(frozen=True, slots=True)
class _Ways:
    """What may be known of a call besides the caller's number; a word that no rule knows stands for all of them."""

    dialed: Sequence[str]
    trunks: Sequence[str]
    diversions: Sequence[str]
    topics: Sequence[TopicName | None]
    languages: Sequence[str]
    remembered: Sequence[RegionName | None]
    """What callers may have had remembered of them."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some calls only."""

    region: RegionName | None = None
    dialed: str | None = None
    """National form."""


def kinds(rules: Ruleset, at: datetime, chosen: Chosen | None = None) -> tuple[Kind, ...]:
    """Every kind of call that may come in, or those that were ``chosen``.

    ``at`` is any instant: no kind depends on it.
    """
    asked = conditions_of(rules.routes)
    chosen = chosen or Chosen()
    ways = _ways(rules, asked)
    if chosen.dialed is not None:
        ways = replace(ways, dialed=(chosen.dialed,))
    asks_for_source = any(isinstance(condition, RegionFrom) for condition in asked)
    lists = [condition for condition in asked if isinstance(condition, CallerListed)]
    callers = list(_callers(rules, lists, at))
    found: dict[object, Kind] = {}
    for dialed, trunk, diversion, remembered, caller in product(
        ways.dialed, ways.trunks, ways.diversions, ways.remembered, callers
    ):
        facts = CallFacts(dialed, _ANY_SITE, caller.number, trunk=trunk, diversion=diversion, remembered=remembered)
        number = parse(caller.number)
        origin = rules.geography.locate(facts, number, parse(dialed))
        if chosen.region not in (None, origin.region.name):
            continue
        source = origin.source if asks_for_source else origin.source is RegionSource.DEFAULT
        alike = (dialed, trunk, origin.region.name, source, number.kind, caller.lists)
        found.setdefault(alike, Kind(facts, origin, number.kind))
    return tuple(
        replace(kind, facts=replace(kind.facts, topic=topic, language=language))
        for kind, topic, language in product(found.values(), ways.topics, ways.languages)
    )


def _ways(rules: Ruleset, asked: Iterable[Condition]) -> _Ways:
    whole, prefixes = set(rules.geography.by_dialed), set[str]()
    trunks, topics, languages = set(rules.geography.by_trunk), set[TopicName](), set[str]()
    for condition in asked:
        match condition:
            case DialedIs(numbers=numbers, prefixes=begun):
                whole |= numbers
                prefixes |= {*begun}
            case TrunkIs(endpoints=endpoints):
                trunks |= endpoints
            case TopicIs(topics=named):
                topics |= named
            case LanguageIs(languages=named):
                languages |= named
            case _:
                pass
    return _Ways(
        dialed=dialled_numbers(prefixes, whole, HOTLINE),
        trunks=("", *sorted(trunks)),
        diversions=("", *sorted(rules.geography.by_diversion)),
        topics=(None, *sorted(topics)),
        languages=("", *sorted(languages)),
        remembered=(None, *sorted(_rememberable(rules))),
    )


def _rememberable(rules: Ruleset) -> set[RegionName]:
    """The regions that callers choose with a key, where any menu asks whether that may be remembered."""
    menus = [step for route in rules.routes for step in walk(route.plan) if isinstance(step, Menu)]
    choices = [choice for menu in menus for choice in menu.choices]
    if all(choice.remember_s is None for choice in choices):
        return set()
    return {choice.region.name for choice in choices if choice.region is not None}


@dataclass(frozen=True, slots=True)
class _Caller:
    """A caller's number, and in which lists it stands."""

    number: str
    lists: tuple[bool, ...]


def _callers(rules: Ruleset, lists: Sequence[CallerListed], at: datetime) -> Iterator[_Caller]:
    """A number for each place, kind of line and set of lists."""
    listed = Beginnings(
        frozenset(prefix for one in lists for prefix in one.prefixes),
        frozenset(number for one in lists for number in one.numbers),
    )
    seen = set()
    for number in calling_numbers(listed, rules.geography.plan.prefixes):
        parsed = parse(number)
        facts = CallFacts("", _ANY_SITE, number)
        origin = rules.geography.locate(facts, parsed, parse(""))
        among = tuple(rules.ask((one,), facts, at).holds for one in lists)
        alike = (parsed.kind, origin.region.name, origin.source is RegionSource.DEFAULT, among)
        if alike not in seen:
            seen.add(alike)
            yield _Caller(number, among)
