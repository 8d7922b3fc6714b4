"""What a caller asks of the counselor who is to answer, and how that is eased while he waits.

A demand follows from the queue's rules, from what is known of the call, and from how long it has waited; nothing of it
is kept, so that it comes out the same when a call is taken up again from its facts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from callrouter.core.ids import SkillName, TenantName, TopicName
from callrouter.core.inbound import CallFacts

Levels = tuple[tuple[SkillName, int], ...]
"""Skills by name, each with the least level."""


def meets(skills: Mapping[SkillName, int], need: Levels) -> bool:
    """Whether skills come up to what is needed."""
    return all(skills.get(name, 0) >= level for name, level in need)


class Demand(NamedTuple):
    """What is asked of a counselor: ``need`` decides who may be rung, ``prefer`` who of them is rung first."""

    need: Levels = ()
    prefer: Levels = ()

    def is_met_by(self, skills: Mapping[SkillName, int]) -> bool:
        """Whether somebody with these skills may be rung."""
        return meets(skills, self.need)

    def shortfall(self, skills: Mapping[SkillName, int]) -> int:
        """How many of the preferred skills are missing, or not of the level."""
        return sum(skills.get(name, 0) < level for name, level in self.prefer)


NO_DEMAND = Demand()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a queue asks for some of its callers; an empty set of languages, topics or tenants stands for all."""

    need: Mapping[SkillName, int]
    prefer: Mapping[SkillName, int]
    languages: frozenset[str] = frozenset()
    topics: frozenset[TopicName] = frozenset()
    tenants: frozenset[TenantName] = frozenset()

    def concerns(self, known: CallFacts, tenant: TenantName) -> bool:
        """Whether it is meant for a call of which this is known."""
        return (
            (not self.languages or known.language in self.languages)
            and (not self.topics or known.topic in self.topics)
            and (not self.tenants or tenant in self.tenants)
        )


@dataclass(frozen=True, slots=True)
class Relaxation:
    """After so long, the skills named here are needed at these lower levels only (0: not at all)."""

    after_s: float
    need: Mapping[SkillName, int]


@dataclass(frozen=True, slots=True)
class SkillRules:
    """What a queue asks, and how that is eased, in the order of time."""

    wishes: tuple[Wish, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()

    def demand(self, known: CallFacts, tenant: TenantName, waited_s: float) -> Demand:
        """What is asked for a call that has waited so long.

        What several wishes ask counts with the highest level. What is needed no more, or at a lower level, is still
        preferred.
        """
        need: dict[SkillName, int] = {}
        prefer: dict[SkillName, int] = {}
        for wish in self.wishes:
            if wish.concerns(known, tenant):
                _raise(need, wish.need.items())
                _raise(prefer, wish.prefer.items())
        if not need and not prefer:
            return NO_DEMAND
        eased = dict(need)
        for relaxation in self.relaxations:
            if relaxation.after_s <= waited_s:
                for name, level in relaxation.need.items():
                    eased[name] = min(eased.get(name, 0), level)
        _raise(prefer, (wanted for wanted in need.items() if wanted[1] > eased[wanted[0]]))
        return Demand(_levels(eased), _levels(prefer))

    def next_after(self, waited_s: float) -> float | None:
        """How long until the demand is eased again, in seconds; None: never."""
        return next((each.after_s - waited_s for each in self.relaxations if each.after_s > waited_s), None)


NO_SKILLS = SkillRules()


@dataclass(frozen=True, slots=True)
class Stage:
    """What is asked from so long a wait on."""

    after_s: float
    demand: Demand = field(default=NO_DEMAND)


def stages(rules: SkillRules, known: CallFacts, tenant: TenantName) -> tuple[Stage, ...]:
    """All that is asked for such a call, one after another; empty if nothing is."""
    found: list[Stage] = []
    for after_s in (0.0, *(each.after_s for each in rules.relaxations)):
        demand = rules.demand(known, tenant, after_s)
        if demand != (found[-1].demand if found else NO_DEMAND):
            found.append(Stage(after_s, demand))
    return tuple(found)


def _raise(levels: dict[SkillName, int], wanted: Iterable[tuple[SkillName, int]]) -> None:
    for name, level in wanted:
        levels[name] = max(levels.get(name, 0), level)


def _levels(levels: Mapping[SkillName, int]) -> Levels:
    return tuple(sorted((name, level) for name, level in levels.items() if level > 0))
