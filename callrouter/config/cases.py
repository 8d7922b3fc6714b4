"""Golden cases: calls whose way is known, asked of the router that routes.

They stand in ``routes-test.yaml`` beside the configuration. A faulty or failing case never keeps a daemon from
starting; it keeps rules from being called fine.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from zoneinfo import ZoneInfo

import msgspec
from pydantic import ValidationError

from callrouter.config.case_model import CaseFile, CaseSpec, Expectation
from callrouter.config.geography import endpoints_of
from callrouter.config.load import Loaded
from callrouter.config.nodes import Tree
from callrouter.config.plans import PlanCompiler
from callrouter.config.problems import Path, Place, Problems, nearest
from callrouter.config.references import Context
from callrouter.config.source import CASE_FILES, Document, read_files
from callrouter.config.validate import Checked, report
from callrouter.core.conditions import QueueState
from callrouter.core.decision import Decision
from callrouter.core.ids import QueueName, RegionName, SiteName, SwitchName, TopicName
from callrouter.core.inbound import CallFacts
from callrouter.core.plan import Plan, Step
from callrouter.core.remembering import remembered_as
from callrouter.core.rulebook import Router
from callrouter.core.switches import SwitchesOn, SwitchOn


@dataclass(frozen=True, slots=True)
class Case:
    """One call, when it comes, and what must become of it."""

    name: str
    place: Place
    facts: CallFacts
    at: datetime
    """Aware."""
    expect: Expectation
    queues: Mapping[QueueName, QueueState] = field(default_factory=dict)
    """How queues stand; of others nothing is known."""
    switches: SwitchesOn = field(default_factory=dict)
    plan: Plan | None = None
    """What ``expect.steps`` means."""

    def queue(self, name: QueueName) -> QueueState:
        """How a queue stands."""
        return self.queues.get(name, QueueState())


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected."""

    what: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the router made of a case."""

    case: Case
    decision: Decision
    differences: tuple[Difference, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences

    def __str__(self) -> str:
        verdict = "; ".join(map(str, self.differences)) or "holds"
        return f'{self.case.place}: "{self.case.name}": {verdict}'


@dataclass(slots=True)
class CaseSheet:
    """One file of cases as read: those that are well formed, with their places."""

    document: Document
    specs: list[tuple[int, CaseSpec]] = field(default_factory=list)
    """Each with its position in the list."""


def case_files(directory: FilePath) -> dict[str, FilePath]:
    """The files of cases that stand in ``directory``, by the names that they are called by."""
    return {name: directory / name for name in sorted(CASE_FILES) if os.path.lexists(directory / name)}


def read_cases(files: Mapping[str, FilePath], problems: Problems) -> list[CaseSheet]:
    """The well-formed cases of each file. Faults go to ``problems``."""
    return [_read(name, path, problems) for name, path in files.items()]


def _read(name: str, path: FilePath, problems: Problems) -> CaseSheet:
    count = len(problems.errors)
    document = read_files({name: path}, problems, Document(home=name, example="cases"))
    sheet = CaseSheet(document)
    if len(problems.errors) > count and not document.sections:
        return sheet
    bad: set[str | int] = set()
    try:
        CaseFile.model_validate(document.sections)
    except ValidationError as error:
        bad = {path[1] for path in report(document, error, CaseFile, problems) if len(path) > 1}
    written = document.sections.get("cases")
    items: list[Tree] = written if isinstance(written, list) else []
    sheet.specs = [(index, CaseSpec.model_validate(item)) for index, item in enumerate(items) if index not in bad]
    return sheet


def compile_cases(sheets: Sequence[CaseSheet], loaded: Loaded, problems: Problems) -> tuple[Case, ...]:
    """The sound cases, in order; names that the configuration does not know are faults and go to ``problems``."""
    compiler = _Compiler(loaded, problems)
    return tuple(case for sheet in sheets for case in compiler.sheet(sheet))


def run_cases(cases: Sequence[Case], router: Router) -> tuple[Outcome, ...]:
    """What the router makes of each case."""
    return tuple(_outcome(case, router.decide(case.facts, case.at, case.queue, case.switches)) for case in cases)


@dataclass(slots=True)
class _Compiler:
    loaded: Loaded
    problems: Problems
    _first_at: dict[str, Place] = field(default_factory=dict)
    _usual: dict[QueueName, QueueState] = field(init=False)

    def __post_init__(self) -> None:
        """All who serve a queue are free, unless a case says otherwise."""
        self._usual = self.loaded.rulebook.usual_queues()

    def sheet(self, sheet: CaseSheet) -> Iterator[Case]:
        """The sheet's sound cases."""
        model = self.loaded.model
        sections = {name: getattr(model, name) for name in type(model).model_fields}
        names = {name: frozenset(section) for name, section in sections.items() if isinstance(section, dict)}
        context = Context(sheet.document, Checked(model, names), model, self.problems)
        for index, spec in sheet.specs:
            count = len(self.problems.errors)
            case = self._case(context, spec, ("cases", index))
            if len(self.problems.errors) == count:
                yield case

    def _case(self, context: Context, spec: CaseSpec, path: Path) -> Case:
        place = context.document.place((*path, "name"))
        first = self._first_at.setdefault(spec.name, place)
        if first != place:
            context.error((*path, "name"), f'the name "{spec.name}" is taken, first at {first}', "choose another")
        if spec.topic is not None:
            context.refer("topics", spec.topic, (*path, "topic"))
        if spec.region is not None:
            context.refer("regions", spec.region, (*path, "region"))
        if spec.remembered is not None:
            _check_remembered(context, spec.remembered, spec.caller or "", (*path, "remembered"))
        site = next(iter(self.loaded.settings.sites), SiteName(""))
        facts = CallFacts(
            spec.to,
            site,
            spec.caller or "",
            trunk=_endpoint(context, spec.trunk, (*path, "trunk")),
            diversion=spec.diversion or "",
            topic=TopicName(spec.topic) if spec.topic is not None else None,
            language=spec.language or "",
            region=RegionName(spec.region) if spec.region is not None else None,
            remembered=RegionName(spec.remembered) if spec.remembered is not None else None,
        )
        plan = _expected_names(context, spec, (*path, "expect"))
        at = _instant(context, spec.at, self.loaded.timezone, (*path, "at"))
        queues, switches = self._queues(context, spec, path), _switches(context, spec, path)
        return Case(spec.name, place, facts, at, spec.expect, queues, switches, plan)

    def _queues(self, context: Context, spec: CaseSpec, path: Path) -> dict[QueueName, QueueState]:
        """How every queue stands in the case."""
        states = dict(self._usual)
        for text, now in spec.queues.items():
            name = QueueName(text)
            if context.refer("queues", text, (*path, "queues", text), key=True):
                free = states[name]
                agents = free.agents if now.agents is None else now.agents
                available = min(free.available, agents) if now.available is None else now.available
                states[name] = QueueState(agents, available, now.waiting or 0, now.longest_wait or 0.0)
        return states


def _check_remembered(context: Context, region: str, caller: str, path: Path) -> None:
    if context.refer("regions", region, path) and remembered_as(caller) is None:
        remedy = "take it out, or write from: with a number such as 010-1234-5678"
        context.error(path, "nothing is ever remembered of a caller without a number of his own", remedy)


def _switches(context: Context, spec: CaseSpec, path: Path) -> SwitchesOn:
    """The switches that are on in the case."""
    for index, text in enumerate(spec.switches):
        context.refer("switches", text, (*path, "switches", index))
    return {name: SwitchOn(name) for name in map(SwitchName, spec.switches)}


def _endpoint(context: Context, trunk: str | None, path: Path) -> str:
    """The PJSIP endpoint that is meant: a group stands for its first."""
    if trunk is None:
        return ""
    trunks = context.model.trunks
    if trunk in trunks:
        return endpoints_of(context, trunk)[0]
    endpoints = {endpoint for group in trunks for endpoint in endpoints_of(context, group)}
    if trunk not in endpoints:
        context.error(path, f'unknown trunk "{trunk}"', nearest(trunk, endpoints.union(trunks)))
    return trunk


def _instant(context: Context, at: datetime, zone: ZoneInfo, path: Path) -> datetime:
    """``at`` with the zone; what the clock never shows is a fault."""
    if at.tzinfo is not None:
        return at
    local = at.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        message = f"{at:%Y-%m-%dT%H:%M} never comes in {zone.key}: the clock is put forward over it"
        context.error(path, message, "write another time, or one with an offset")
    return local


def _expected_names(context: Context, spec: CaseSpec, path: Path) -> Plan | None:
    """Look up every name that is expected; returns the plan that is."""
    expect = spec.expect
    routes = {route.id for route in context.model.routes}
    if expect.rule is not None and expect.rule not in routes:
        context.error((*path, "rule"), f'unknown rule "{expect.rule}"', nearest(expect.rule, routes))
    for section, name in (("regions", expect.region), ("tenants", expect.tenant), ("queues", expect.queue)):
        if name is not None:
            context.refer(section, name, (*path, section.removesuffix("s")))
    for key in ("calendars", "closed"):
        for index, name in enumerate(getattr(expect, key) or ()):
            context.refer("calendars", name, (*path, key, index))
    if expect.steps is None:
        return None
    return PlanCompiler(context).steps(spec.name, expect.steps, (*path, "steps"))


def _outcome(case: Case, decision: Decision) -> Outcome:
    return Outcome(case, decision, tuple(_differences(case, decision)))


def _differences(case: Case, decision: Decision) -> Iterator[Difference]:
    expect = case.expect
    queue = decision.queue.queue if decision.queue is not None else "none"
    why = decision.extra.get("region_why", "")
    for what, expected, got, more in (
        ("rule", expect.rule, decision.rule, ""),
        ("region", expect.region, decision.region, why),
        ("region_source", expect.region_source, decision.region_source.value, why),
        ("tenant", expect.tenant, decision.tenant, ""),
        ("caller", expect.caller, decision.caller_kind.value, ""),
        ("action", expect.action, decision.action.value, decision.target),
        ("queue", expect.queue, queue, ""),
    ):
        if expected is not None and expected != got:
            yield Difference(what, expected, f"{got} ({more})" if more else got)
    if case.plan is not None:
        yield from _step_differences(case.plan.steps, decision.plan.steps)
    is_open = set(decision.calendars)
    opened = ", ".join(decision.calendars) or "none"
    missing = [name for name in expect.calendars or () if name not in is_open]
    if missing:
        yield Difference("calendars", f"{', '.join(missing)} to be open", opened)
    surplus = [name for name in expect.closed or () if name in is_open]
    if surplus:
        yield Difference("closed", f"{', '.join(surplus)} to be closed", f"{opened} open")


def _step_differences(expected: tuple[Step, ...], got: tuple[Step, ...]) -> Iterator[Difference]:
    """The first step that is another."""
    for index in range(max(len(expected), len(got))):
        wanted, found = expected[index : index + 1], got[index : index + 1]
        if wanted != found:
            yield Difference(f"step {index + 1}", _words(wanted), _words(found))
            return


def _words(steps: tuple[Step, ...]) -> str:
    """A step by its verb, its object, and in parentheses whatever else it holds."""
    for step in steps:
        held: dict[str, object] = msgspec.to_builtins(step)
        verb, *values = (f"{value:g}" if isinstance(value, float) else f"{value}" for value in held.values())
        more = [f"{key} {value}" for key, value in zip([*held][2:], values[1:], strict=True) if value != "None"]
        return " ".join([verb, *values[:1]]) + (f" ({', '.join(more)})" if more else "")
    return "no step"
