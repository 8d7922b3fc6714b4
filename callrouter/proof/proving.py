"""The proof itself: every kind of call at every moment of the year, each decided once, by the router."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import product
from zoneinfo import ZoneInfo

from callrouter.core.conditions import Condition, QueueStates, no_queues
from callrouter.core.ids import QueueName, RegionName, RuleId
from callrouter.core.routing import Route, Ruleset
from callrouter.core.switches import ALL_OFF, SwitchesOn
from callrouter.errors import CallrouterError
from callrouter.proof.asked import calendars_asked, conditions_of, of_the_moment, supposing
from callrouter.proof.ends import Answer, Following
from callrouter.proof.kinds import Chosen, Kind, kinds
from callrouter.proof.moments import MINUTE, Moment, Span, joined, moments, year_of

MOST_DECISIONS = 2_000_000
"""About a minute of work."""
MOST_SUPPOSED = 6
"""Of more conditions on the state of the centre, not every combination is supposed."""


class TooManyKindsError(CallrouterError):
    """There would be more to decide than anyone wants to wait for."""


@dataclass(frozen=True, slots=True)
class Example:
    """A call, at an instant of the year, and what becomes of it."""

    at: datetime
    kind: Kind
    answer: Answer


@dataclass(frozen=True, slots=True)
class Course:
    """How the year goes for some kinds of call: for all of them alike."""

    kinds: tuple[Kind, ...]
    answers: tuple[Answer, ...]
    """For each moment."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a rule takes first, of whatever comes in."""

    route: Route
    minutes: int
    """In which it takes calls of any kind."""
    kinds: int
    """How many kinds of call it ever takes."""
    cells: int
    """Minutes summed up over the kinds of call."""
    first: Example | None
    last: Example | None
    """In its last minute; None, as the first, if it takes none."""
    comes_to: str
    """Every end once."""


@dataclass(frozen=True)
class Proof:
    """What becomes of every kind of call in every minute of a year."""

    rules: Ruleset
    year: Span
    number: int
    zone: ZoneInfo
    moments: tuple[Moment, ...]
    kinds: tuple[Kind, ...]
    answers: tuple[tuple[Answer, ...], ...]
    """For each kind of call, for each moment."""
    normal: tuple[str, ...]
    """What the conditions on the state of the centre found: it was taken to be so all year."""
    taking: frozenset[RuleId]
    """The rules that take a call, be it after a menu."""
    supposed: frozenset[RuleId]
    """Others that can take a call if the centre is in another state."""
    whole: bool
    """Whether no kind of call was left out."""

    @cached_property
    def courses(self) -> tuple[Course, ...]:
        """Kinds of call put together whose year is the same."""
        alike: dict[tuple[Answer, ...], list[Kind]] = {}
        for kind, answers in zip(self.kinds, self.answers, strict=True):
            alike.setdefault(answers, []).append(kind)
        return tuple(Course(tuple(found), answers) for answers, found in alike.items())

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """For each rule, what it takes."""
        taken: dict[RuleId, list[tuple[int, int]]] = defaultdict(list)
        for (k, answers), m in product(enumerate(self.answers), range(len(self.moments))):
            taken[answers[m].rule].append((k, m))
        return tuple(self._share(route, taken[route.rule]) for route in self.rules.routes)

    @cached_property
    def queues(self) -> Mapping[QueueName, tuple[int, frozenset[RuleId]]]:
        """The queues that calls come to: in how many minutes, and by which rules."""
        reached: dict[QueueName, tuple[set[int], set[RuleId]]] = {}
        for answers in self.answers:
            for m, answer in enumerate(answers):
                for queue in answer.queues:
                    at, by = reached.setdefault(queue, (set(), set()))
                    at.add(m)
                    by.add(answer.rule)
        minutes = [moment.minutes for moment in self.moments]
        return {queue: (sum(minutes[m] for m in at), frozenset(by)) for queue, (at, by) in sorted(reached.items())}

    @property
    def unheard(self) -> tuple[RegionName, ...]:
        """Regions to which no number, trunk or diversion leads; none if only some calls were looked at."""
        heard = {kind.origin.region.name for kind in self.kinds}
        return tuple(name for name in self.rules.geography.regions if name not in heard) if self.whole else ()

    @property
    def cells(self) -> int:
        """Minutes of the year, summed up over the kinds of call."""
        return self.year.minutes * len(self.kinds)

    def timeline(self, course: Course) -> list[tuple[Span, Answer]]:
        """The year of a course in order; neighbours differ."""
        spans: dict[Answer, list[Span]] = {}
        for moment, answer in zip(self.moments, course.answers, strict=True):
            spans.setdefault(answer, []).extend(moment.spans)
        found = [(span, answer) for answer, of_answer in spans.items() for span in joined(of_answer)]
        return sorted(found, key=lambda piece: piece[0].start)

    def _share(self, route: Route, taken: Sequence[tuple[int, int]]) -> Share:
        minutes = {m: self.moments[m].minutes for _, m in taken}
        answers = [self.answers[k][m] for k, m in taken]
        ends = dict.fromkeys(end.words for answer in answers for end in answer.ends)
        first = min(taken, key=lambda cell: self.moments[cell[1]].at, default=None)
        last = max(taken, key=lambda cell: self.moments[cell[1]].spans[-1].end, default=None)
        return Share(
            route,
            sum(minutes.values()),
            len({k for k, _ in taken}),
            sum(minutes[m] for _, m in taken),
            self._example(first, lambda moment: moment.at),
            self._example(last, lambda moment: moment.spans[-1].end - MINUTE),
            ", ".join(ends),
        )

    def _example(self, cell: tuple[int, int] | None, when: Callable[[Moment], datetime]) -> Example | None:
        if cell is None:
            return None
        k, m = cell
        return Example(when(self.moments[m]), self.kinds[k], self.answers[k][m])


def prove(
    rules: Ruleset,
    number: int,
    zone: ZoneInfo,
    queues: QueueStates = no_queues,
    chosen: Chosen | None = None,
    switches: SwitchesOn = ALL_OFF,
) -> Proof:
    """Decide every kind of call (or those that were ``chosen``) at every moment of the year ``number``.

    ``queues`` says how queues normally stand; ``switches`` are on all year.

    Raises:
        TooManyKindsError: it would take too long.
    """
    year = year_of(number, zone)
    found = moments(calendars_asked(rules), year)
    of_call = kinds(rules, year.start, chosen)
    if len(of_call) * len(found) > MOST_DECISIONS:
        raise TooManyKindsError(
            f"to prove {len(of_call)} kinds of call at {len(found)} moments takes more than {MOST_DECISIONS} decisions;"
            " choose some of them with --region or --dialed"
        )
    by_moment = [_answers(Following(rules, moment.at, queues, switches), of_call) for moment in found]
    answers = tuple(zip(*by_moment, strict=True))
    asked = of_the_moment(conditions_of(rules.routes))
    normal = tuple(rules.ask((one,), of_call[0].facts, year.start, queues, switches).why for one in asked if of_call)
    taking = frozenset(rule for of_kind in answers for answer in of_kind for rule in answer.rules)
    supposed = _supposed(rules, found, of_call, taking)
    return Proof(rules, year, number, zone, found, of_call, answers, normal, taking, supposed, chosen is None)


def _answers(following: Following, of_call: Sequence[Kind]) -> tuple[Answer, ...]:
    """Equal answers are one object, for they are compared and counted again and again."""
    once: dict[Answer, Answer] = {}
    return tuple(once.setdefault(answer, answer) for kind in of_call for answer in (following.answer(kind.facts),))


def _supposed(
    rules: Ruleset, found: Sequence[Moment], of_call: Sequence[Kind], taking: frozenset[RuleId]
) -> frozenset[RuleId]:
    """Of the other rules, those that take a call in some state of the centre; be it one that cannot come."""
    asked = tuple(dict.fromkeys(one for route in rules.routes for one in of_the_moment(route.conditions)))
    missing = {route.rule for route in rules.routes} - taking
    supposed: set[RuleId] = set()
    for held, moment in product(states(asked), found):
        if not missing - supposed:
            break
        routes = supposing(rules.routes, held, [one for one in asked if one not in held])
        other = Ruleset(routes, rules.geography, rules.calendars, rules.config_hash)
        for answer in set(_answers(Following(other, moment.at, no_queues), of_call)):
            supposed.update(missing.intersection(answer.rules))
    return frozenset(supposed)


def states(asked: Sequence[Condition]) -> list[frozenset[Condition]]:
    """What may hold at once: every combination; of many conditions each alone, and each not alone."""
    if not asked:
        return []
    if len(asked) <= MOST_SUPPOSED:
        chosen = product((False, True), repeat=len(asked))
        return [frozenset(one for one, is_held in zip(asked, holds, strict=True) if is_held) for holds in chosen]
    alone = [frozenset({one}) for one in asked]
    return [frozenset(), frozenset(asked), *alone, *(frozenset(asked) - one for one in alone)]
