"""Plans: from the steps as written to the core's, named plans put in where they are used."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callrouter.config import model
from callrouter.config.conditions import compile_when
from callrouter.config.destinations import destination
from callrouter.config.problems import Path, nearest
from callrouter.config.references import Context
from callrouter.core.callback import LINES
from callrouter.core.causes import Cause
from callrouter.core.dictating import DIGIT_PROMPTS
from callrouter.core.geography import Region
from callrouter.core.ids import BoxName, PromptName, QueueName, RegionName, TenantName, TopicName
from callrouter.core.plan import (
    Announce,
    Callback,
    Choice,
    Confirm,
    Dial,
    EnterQueue,
    HandOver,
    HangUp,
    If,
    Menu,
    NumberCheck,
    Plan,
    RouteAgain,
    Step,
    Voicemail,
    is_final,
)

_CAUSES = {
    "normal": Cause.NORMAL_CLEARING,
    "busy": Cause.USER_BUSY,
    "congestion": Cause.NORMAL_CIRCUIT_CONGESTION,
    "rejected": Cause.CALL_REJECTED,
}


@dataclass(frozen=True, slots=True)
class Given:
    """What a parameter stands for, and where that is written."""

    value: str
    path: Path


Scope = Mapping[str, Given | None]
"""The parameters of a plan; None: not known, as when the plan is looked at by itself."""

NOTHING: Scope = {}


@dataclass(slots=True)
class PlanCompiler:
    """Compiles plans wherever they are written or used; faults go to the context's problems."""

    context: Context
    used: set[str] = field(default_factory=set)
    """The plans of ``plans:`` that anything leads to."""
    _under_way: list[str] = field(default_factory=list)

    def check_named(self) -> None:
        """Look at every plan of ``plans:`` by itself."""
        for name, spec in self.context.model.plans.items():
            scope = dict.fromkeys(spec.parameters)
            self._under_way.append(name)
            self.steps(name, spec.do, ("plans", name, "do"), scope)
            self._under_way.pop()
        self.used.clear()

    def named(self, name: str, arguments: Mapping[str, str], path: Path, scope: Scope = NOTHING) -> Plan | None:
        """The plan of ``plans:`` of that name with these arguments, as it is used at ``path``."""
        chosen = self._given(name, (*path, "plan"), scope)
        if chosen is None or not self.context.refer("plans", chosen.value, chosen.path):
            return None
        name = chosen.value
        if name in self._under_way:
            way = " → ".join([*self._under_way[self._under_way.index(name) :], name])
            self.context.error((*path, "plan"), f"the plan leads to itself: {way}", "break the circle")
            return None
        spec = self.context.model.plans[name]
        given = {key: self._given(value, (*path, "with", key), scope) for key, value in arguments.items()}
        for key in given:
            if key not in spec.parameters:
                remedy = nearest(key, spec.parameters)
                self.context.error((*path, "with", key), f'the plan "{name}" has no parameter "{key}"', remedy)
        missing = [key for key in spec.parameters if key not in given]
        if missing:
            words = ", ".join(missing)
            message = f'the plan "{name}" needs {words}'
            self.context.error((*path, "plan"), message, f"write with: {{{missing[0]}: …}}")
            return None
        self.used.add(name)
        self._under_way.append(name)
        plan = self.steps(name, spec.do, ("plans", name, "do"), given)
        self._under_way.pop()
        return plan

    def use(self, use: model.Use | None, path: Path) -> Plan | None:
        """How it goes on as written at ``path``, outside any plan; None if nothing is written, or it is faulty."""
        return self._use(use, path, NOTHING)

    def steps(self, name: str, written: list[model.Step], path: Path, scope: Scope = NOTHING) -> Plan | None:
        """The steps as a plan, or None if one is faulty or it does not end."""
        compiled: list[Step] = []
        for index, step in enumerate(written):
            if compiled and is_final(compiled[-1]):
                is_queue = isinstance(compiled[-1], EnterQueue)
                remedy = "take it out, or give the queue a max_wait" if is_queue else "take it out"
                self.context.error((*path, index), "this step is never reached: the one before ends the plan", remedy)
                return None
            done = self._step(step, (*path, index), scope)
            if done is None:
                return None
            compiled += done
        if compiled and isinstance(compiled[-1], Voicemail | Callback):
            compiled.append(HangUp())
        if not compiled or not is_final(compiled[-1]):
            place: Path = (*path, len(written) - 1) if written else path
            self.context.error(place, f'the plan of "{name}" does not end', "let its last step be - hangup")
            return None
        return Plan(name, tuple(compiled))

    def _step(self, step: model.Step, path: Path, scope: Scope) -> list[Step] | None:
        """The steps that a written one stands for: a plan that is used stands for its own."""
        if step.announce is not None:
            return [Announce(self._prompt(step.announce, (*path, "announce"), scope))]
        if step.menu is not None:
            return [self._menu(step, path, scope)]
        if step.condition is not None:
            conditions = compile_when(self.context, step.condition, (*path, "if"))
            then, otherwise = (
                self._use(step.then, (*path, "then"), scope),
                self._use(step.otherwise, (*path, "else"), scope),
            )
            return [If(conditions, then, otherwise)]
        if step.plan is not None:
            plan = self.named(step.plan, step.arguments, path, scope)
            return list(plan.steps) if plan is not None else None
        if step.queue is not None:
            queue = QueueName(self._known("queues", step.queue, (*path, "queue"), scope))
            return [EnterQueue(queue, step.max_wait, step.head_start)]
        if step.dial is not None:
            return [self._dial(step, step.dial, path, scope)]
        if step.voicemail is not None:
            return [self._voicemail(step, path, scope)]
        if step.callback is not None:
            return [self._callback(step, step.callback, path, scope)]
        return [_simple(step)]

    def _dial(self, step: model.Step, names: list[str], path: Path, scope: Scope) -> Dial:
        is_list = isinstance(self.context.document.at((*path, "dial")), list)
        found = []
        for index, name in enumerate(names):
            known = self._known("destinations", name, (*path, "dial", index) if is_list else (*path, "dial"), scope)
            found.append(destination(self.context, known))
        confirm = None
        if step.confirm is not None:
            usual = Confirm(self._prompt(step.confirm, (*path, "confirm"), scope))
            key = usual.key if step.key is None else step.key
            confirm = Confirm(usual.prompt, key, step.confirm_timeout or usual.timeout_s)
        rounds = step.rounds if step.rounds is not None else 1
        return Dial(tuple(one for one in found if one is not None), rounds, confirm, step.music)

    def _voicemail(self, step: model.Step, path: Path, scope: Scope) -> Voicemail:
        name = self._known("voicemail", step.voicemail or "", (*path, "voicemail"), scope)
        box = self.context.model.voicemail.get(name)
        usual = Voicemail(BoxName(name), PromptName(""), PromptName(""), PromptName(""))
        return Voicemail(
            BoxName(name),
            self._prompt(step.greeting or "", (*path, "greeting"), scope),
            PromptName(box.thanks if box is not None else ""),
            PromptName(box.failed if box is not None else ""),
            step.longest if step.longest is not None else usual.max_s,
            step.shortest if step.shortest is not None else usual.min_s,
            step.silence if step.silence is not None else usual.silence_s,
            step.end_key if step.end_key is not None else usual.end_key,
        )

    def _callback(self, step: model.Step, queue: str, path: Path, scope: Scope) -> Callback:
        allowed = tuple(sorted(LINES.intersection(self.context.model.outbound.allow)))
        if not allowed:
            message = "nobody can be called back: calls must not go to anything that residents call from"
            self.context.error((*path, "callback"), message, "write outbound: {allow: [landline, mobile]}, or more")
        name = QueueName(self._known("queues", queue, (*path, "callback"), scope))
        return Callback(
            name, allowed, self._use(step.otherwise, (*path, "else"), scope), self._check(step, path, scope)
        )

    def _check(self, step: model.Step, path: Path, scope: Scope) -> NumberCheck | None:
        """How the number is confirmed; None if it is not."""
        if step.confirm is None:
            return None
        check_digits(self.context, (*path, "confirm"))
        usual = NumberCheck(self._prompt(step.confirm, (*path, "confirm"), scope))
        return NumberCheck(
            usual.prompt,
            self._prompt(step.ask, (*path, "ask"), scope) if step.ask is not None else None,
            self._prompt(step.wrong, (*path, "wrong"), scope) if step.wrong is not None else None,
            step.timeout if step.timeout is not None else usual.timeout_s,
            step.tries if step.tries is not None else usual.tries,
            keeps=step.unconfirmed != "drop",
        )

    def _menu(self, step: model.Step, path: Path, scope: Scope) -> Menu:
        keys = step.keys or {}
        choices = tuple(self._choice(key, choice, (*path, "keys", key), scope) for key, choice in keys.items())
        default = self._choice("", step.default or model.Choice(), (*path, "default"), scope)
        invalid = self._prompt(step.invalid, (*path, "invalid"), scope) if step.invalid is not None else None
        usual = Menu(PromptName(""), (), default)
        return Menu(
            self._prompt(step.menu or "", (*path, "menu"), scope),
            choices,
            default,
            step.timeout if step.timeout is not None else usual.timeout_s,
            step.tries if step.tries is not None else usual.tries,
            invalid,
        )

    def _choice(self, key: str, spec: model.Choice, path: Path, scope: Scope) -> Choice:
        region = None
        if spec.topic is not None:
            self.context.refer("topics", spec.topic, (*path, "topic"))
        if spec.region is not None and self.context.refer("regions", spec.region, (*path, "region")):
            known = self.context.model.regions[spec.region]
            region = Region(RegionName(spec.region), known.title, TenantName(known.tenant))
        topic = TopicName(spec.topic) if spec.topic is not None else None
        plan = self._use(spec, path, scope)
        return Choice(key, topic, spec.language, region, plan, spec.remember, spec.forget)

    def _use(self, use: model.Use | None, path: Path, scope: Scope) -> Plan | None:
        """The plan that a choice leads to; None for the next step, and for a faulty one."""
        if use is None:
            return None
        if use.plan is not None:
            return self.named(use.plan, use.arguments, path, scope)
        if use.do is not None:
            is_list = isinstance(self.context.document.at(path), list)
            name = f"key {path[-1]}" if path[-2] == "keys" else str(path[-1])
            return self.steps(name, use.do, path if is_list else (*path, "do"), scope)
        return None

    def _prompt(self, name: str, path: Path, scope: Scope) -> PromptName:
        return PromptName(self._known("prompts", name, path, scope))

    def _known(self, section: str, name: str, path: Path, scope: Scope) -> str:
        given = self._given(name, path, scope)
        if given is None:
            return ""
        self.context.refer(section, given.value, given.path)
        return given.value

    def _given(self, written: str, path: Path, scope: Scope) -> Given | None:
        """What is written, or what the parameter stands for; None if that is not known."""
        if not written.startswith("$"):
            return Given(written, path)
        if written[1:] not in scope:
            remedy = nearest(written[1:], scope) if scope else "only a plan of plans: has parameters"
            self.context.error(path, f'unknown parameter "{written}"', remedy)
            return None
        return scope[written[1:]]


def _simple(step: model.Step) -> Step:
    """A step that needs nothing else of the configuration."""
    if step.route is not None:
        return RouteAgain()
    if step.dialplan is not None:
        place, _, extension = step.dialplan.partition(",")
        return HandOver(place.strip(), extension.strip())
    return HangUp(_CAUSES[step.hangup or "normal"])


def check_digits(context: Context, path: Path) -> None:
    """Note that digits cannot be said."""
    missing = sorted(set(DIGIT_PROMPTS) - context.names("prompts"))
    if missing:
        message = f"to read a number out, {len(missing)} prompts are missing, first {missing[0]}"
        context.error(path, message, "write them in prompts:, as the sample configuration has them")
