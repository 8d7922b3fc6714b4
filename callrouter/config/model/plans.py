"""Rules: conditions, plans step by step, routes."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.section import Name, Reference, Section, parse_member
from callrouter.config.scalars import (
    Compared,
    Flag,
    Names,
    Retention,
    Seconds,
    Text,
    Whole,
    one_or_many,
    parse_count,
    parse_wait,
)
from callrouter.core.inbound import CallerKind, RegionSource

Kind = Annotated[CallerKind, BeforeValidator(lambda value: parse_member(value, CallerKind))]


Source = Annotated[RegionSource, BeforeValidator(lambda value: parse_member(value, RegionSource))]


class QueueWhen(Section):
    """``queue:`` in conditions: how a queue stands at this moment. A comparison is ``< 1``, ``>= 10``, ``> 5 min``."""

    name: Name
    agents: Annotated[Compared, BeforeValidator(parse_count)] | None = None
    """Counselors who serve it."""
    available: Annotated[Compared, BeforeValidator(parse_count)] | None = None
    """Those of them who could take a call now."""
    waiting: Annotated[Compared, BeforeValidator(parse_count)] | None = None
    """Callers who wait."""
    longest_wait: Annotated[Compared, BeforeValidator(parse_wait)] | None = None
    """How long the first of them has waited."""

    @model_validator(mode="after")
    def _compares(self) -> "QueueWhen":
        if all(value is None for value in (self.agents, self.available, self.waiting, self.longest_wait)):
            raise ValueError("nothing is asked of the queue; write agents, available, waiting or longest_wait")
        return self


class When(Section):
    """Conditions; all must hold. A list means any of its members."""

    dialed: Names | None = None
    """Dialled numbers; with a * at the end, what they begin with."""
    region: Names | None = None
    region_source: Annotated[list[Source], BeforeValidator(one_or_many)] | None = None
    """What the region was taken from; ``default``: nothing is known of the place."""
    tenant: Names | None = None
    calendar: Names | None = None
    caller: Annotated[list[Kind], BeforeValidator(one_or_many)] | None = None
    caller_list: Names | None = None
    """Lists of ``caller_lists:`` in which the caller's number stands."""
    topic: Names | None = None
    language: Names | None = None
    """As the channel has it (``ko``, ``en``), or as a menu set it."""
    queue: QueueWhen | None = None
    switch: Names | None = None
    """Switches of ``switches:`` that are on."""
    trunk: Names | None = None
    """Trunk groups, or PJSIP endpoints."""
    unless: "When | None" = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _says_something(self) -> "When":
        values = [value for value in self.__dict__.values() if value is not None]
        if [] in values:
            raise ValueError(
                "a condition with an empty list would hold for nothing; write a value, or take the key out"
            )
        if not values:
            raise ValueError("there is no condition here; write one, or take the key out")
        return self


class Plan(Section):
    """A plan under ``plans:``; a list stands for ``do:``."""

    parameters: Names = Field(default=[])
    """Names that stand as ``$name`` in its steps, and are given with ``with:`` where the plan is used."""
    do: "Steps"


class Use(Section):
    """How it goes on: with steps (a list stands for ``do:``), or with a plan of ``plans:`` (a name stands for it)."""

    do: "Steps | None" = None
    plan: Reference | None = None
    arguments: dict[Name, Reference] = Field(default_factory=dict, alias="with")

    @model_validator(mode="after")
    def _one_plan(self) -> "Use":
        if self.do is not None and self.plan is not None:
            raise ValueError("this goes on in two ways; write either do: with steps, or plan: with a name")
        if self.arguments and self.plan is None:
            raise ValueError("with: belongs to a plan; write plan:, or take it out")
        return self


class Choice(Use):
    """What a key of a menu means: what is then known of the call, and how it goes on (left out: the next step)."""

    topic: Name | None = None
    region: Name | None = None
    language: Text | None = None
    remember: Retention | None = None
    """The caller agrees that the region he has chosen be remembered for so long. A menu of its own asks for that."""
    forget: Flag = False
    """Forget what is remembered of the caller."""

    @property
    def learns(self) -> bool:
        """Whether it says anything of the call."""
        return self.topic is not None or self.region is not None or self.language is not None

    @model_validator(mode="after")
    def _one_wish(self) -> "Choice":
        if self.remember is not None and self.forget:
            raise ValueError("one key cannot both remember and forget; take one of them out")
        return self


def as_use(value: object) -> object:
    if isinstance(value, list):
        return {"do": value}
    return {"plan": value} if isinstance(value, str) else value


def as_plan(value: object) -> object:
    """A list of steps, or a mapping with parameters."""
    if isinstance(value, list | dict):
        return as_use(value)
    raise ValueError("this is no plan; write its steps with - before each")


def as_choice(value: object) -> object:
    """``next`` goes on with the next step."""
    return {} if value == "next" else as_use(value)


def parse_key(value: object) -> object:
    if isinstance(value, str) and len(value) == 1 and value in "0123456789*#":
        return value
    raise ValueError(f'"{value}" is not a key of a telephone; write one of 0 to 9, * or #')


Key = Annotated[str, BeforeValidator(parse_key)]


Branch = Annotated[Use, BeforeValidator(as_use)]


Answer = Annotated[Choice, BeforeValidator(as_choice)]


LONGEST_MESSAGE_S = 15 * 60


LEAST_SILENCE_S = 3.0
"""Longer than the 2 s after which Asterisk finds out that a disk is full: so the two ends are told apart."""


_VERBS = ("announce", "menu", "queue", "dial", "voicemail", "callback", "if", "plan", "route", "dialplan", "hangup")


_BELONGS = {
    "keys": ("menu",),
    "default": ("menu",),
    "timeout": ("menu", "callback"),
    "tries": ("menu", "callback"),
    "invalid": ("menu",),
    "max_wait": ("queue",),
    "head_start": ("queue",),
    "rounds": ("dial",),
    "confirm": ("dial", "callback"),
    "ask": ("callback",),
    "wrong": ("callback",),
    "unconfirmed": ("callback",),
    "key": ("dial",),
    "confirm_timeout": ("dial",),
    "music": ("dial",),
    "greeting": ("voicemail",),
    "longest": ("voicemail",),
    "shortest": ("voicemail",),
    "silence": ("voicemail",),
    "end_key": ("voicemail",),
    "then": ("if",),
    "otherwise": ("if", "callback"),
    "arguments": ("plan",),
}
"""Keys of a step that mean something with some verbs only."""


_A_STEP = {
    "menu": "a menu",
    "queue": "a queue",
    "voicemail": "voicemail:",
    "if": "if:",
    "callback": "callback:",
    "plan": "plan:",
}


class Step(Section):
    """One step of a plan: exactly one of its verbs."""

    announce: Reference | None = None
    """Answer, and play this prompt."""
    menu: Reference | None = None
    """Answer, play this prompt, and wait for a key."""
    keys: dict[Key, Answer] | None = None
    """For ``menu``: what each key means."""
    default: Answer | None = None
    """For ``menu``: what happens to who presses no key that means something."""
    timeout: Seconds | None = None
    """For ``menu``, and for ``confirm`` of ``callback``: how long to wait for a key after the prompt. Default: 5 s"""
    tries: Whole | None = None
    """For ``menu``, and for ``confirm`` of ``callback``: how often the prompt is played in all. Default: 3"""
    invalid: Reference | None = None
    """For ``menu``: a prompt that is played before it after a key that means nothing."""
    condition: When | None = Field(default=None, alias="if")
    """Ask once more, at this moment."""
    then: Branch | None = None
    """For ``if``: how it goes on when all conditions hold. Left out: with the next step"""
    otherwise: Branch | None = Field(default=None, alias="else")
    """For ``if``: when one does not hold; for ``callback``: for who cannot be called. Left out: with the next step"""
    plan: Reference | None = None
    """Go on with a plan of ``plans:``."""
    arguments: dict[Name, Reference] = Field(default_factory=dict, alias="with")
    """For ``plan``: its parameters."""
    route: Literal["again"] | None = None
    """Decide anew by the routes, with what menus have found out."""
    queue: Reference | None = None
    """Wait here until a counselor answers."""
    max_wait: Seconds | None = None
    """For ``queue``: how long at most."""
    head_start: Seconds | None = None
    """For ``queue``: he is served as if he had come so much earlier, beside what the queue gives to all."""
    dial: Annotated[list[Reference], BeforeValidator(one_or_many)] | None = None
    """Call these destinations one after another, until one takes the call; if none does, go on with the next step."""
    rounds: Whole | None = None
    """For ``dial``: how often the list is gone through. Default: 1"""
    confirm: Reference | None = None
    """For ``dial``: a prompt that asks who answers to press ``key``; only then are the two connected. For ``callback``:
    the number is read out, and then this prompt, which says that 1 confirms it and, with ``ask``, 2 replaces it."""
    ask: Reference | None = None
    """For ``callback`` with ``confirm``: a prompt that asks for another number, ended with #. Left out: no other"""
    wrong: Reference | None = None
    """For ``ask``: a prompt that is played before it when the number cannot be called."""
    unconfirmed: Literal["keep", "drop"] | None = None
    """For ``callback`` with ``confirm``: whether who hangs up while a number is read out, or presses nothing, is called
    back at it. Default: keep"""
    key: Key | None = None
    """For ``confirm``. Default: 1"""
    confirm_timeout: Seconds | None = None
    """For ``confirm``: how long the key is waited for. Default: 15 s"""
    music: Text | None = None
    """For ``dial``: class of the music on hold that the caller hears. Left out: ringing"""
    voicemail: Reference | None = None
    """Record what the caller says after a greeting and a beep, for this box. As the last step: hang up after that."""
    greeting: Reference | None = None
    """For ``voicemail``: the prompt before the beep."""
    longest: Seconds | None = Field(default=None, alias="max")
    """For ``voicemail``: how long a message may be, 15 min at most. Default: 3 min"""
    shortest: Seconds | None = Field(default=None, alias="min")
    """For ``voicemail``: less speech than this is no message. Default: 2 s"""
    silence: Seconds | None = None
    """For ``voicemail``: so much silence ends the message. Default: 5 s"""
    end_key: Literal["#", "*", "any", "none"] | None = None
    """For ``voicemail``: the key that ends the message. Default: #"""
    callback: Reference | None = None
    """Take down that this queue is to call the caller back, at the number of the call."""
    dialplan: Text | None = None
    """Go on in the dialplan: ``context,extension``."""
    hangup: Literal["normal", "busy", "congestion", "rejected"] | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> "Step":
        # Of some thirty keys one or two are there, and there are four steps to a route: these alone are looked at.
        given = {name for name in self.model_fields_set if getattr(self, name) not in (None, {})}
        verbs = [verb for verb in _VERBS if ("condition" if verb == "if" else verb) in given]
        if len(verbs) != 1:
            count = " and ".join(verbs) if verbs else "nothing"
            known = f"{', '.join(_VERBS[:-1])} or {_VERBS[-1]}"
            raise ValueError(f"a step does one thing, this one {count}; write {known}")
        for name, owners in _BELONGS.items() if len(given) > 1 else ():
            if name in given and verbs[0] not in owners:
                key = type(self).model_fields[name].alias or name
                owned = " or ".join(_A_STEP.get(verb, verb) for verb in owners)
                raise ValueError(f"{key} belongs to {owned}; take it out")
        if self.menu is not None:
            self._check_menu()
        if self.voicemail is not None:
            self._check_voicemail()
        if self.callback is not None:
            self._check_callback()
        if self.condition is not None and self.then is None and self.otherwise is None:
            raise ValueError("the question changes nothing; write then:, else:, or both")
        if self.dial is not None:
            self._check_dial()
        if self.dialplan is not None and len([part for part in self.dialplan.split(",") if part.strip()]) != 2:
            raise ValueError(f'"{self.dialplan}" is no place in the dialplan; write context,extension')
        return self

    def _check_dial(self) -> None:
        if not self.dial:
            raise ValueError("nobody is called; name a destination")
        if self.rounds == 0:
            raise ValueError("in no rounds nobody is called; write rounds: 1 or more")
        if self.confirm is None and (self.key is not None or self.confirm_timeout is not None):
            raise ValueError("nobody is asked for a key; write confirm: with a prompt that asks for it")

    def _check_callback(self) -> None:
        if self.confirm is None:
            for key in ("ask", "unconfirmed", "timeout", "tries"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: is about a number that is not read out; write confirm: with a prompt")
        if self.wrong is not None and self.ask is None:
            raise ValueError("wrong: is said of a number that nobody enters; write ask: with a prompt that asks for it")
        if self.tries == 0:
            raise ValueError("a number that is never read out is not confirmed; write tries: 1 or more")

    def _check_voicemail(self) -> None:
        if self.greeting is None:
            raise ValueError("the voicemail has no greeting; write greeting: with the prompt before the beep")
        if self.shortest is not None and self.shortest < 1:
            raise ValueError(f"min: {self.shortest:g} s would keep what is no message; write 1s or more")
        if self.silence is not None and self.silence < LEAST_SILENCE_S:
            raise ValueError(f"silence: {self.silence:g} s cuts people off who think; write 3s or more")
        if self.longest is not None and not 5 <= self.longest <= LONGEST_MESSAGE_S:
            raise ValueError(f"max: {self.longest:g} s is no length for a message; write 5s to 15 min")
        if self.longest is not None and self.shortest is not None and self.shortest > self.longest:
            raise ValueError("min: is more than max:, so that no message is ever kept; write less")

    def _check_menu(self) -> None:
        if not self.keys:
            raise ValueError("the menu has no keys; write keys: with what each of them means")
        if self.default is None:
            raise ValueError("the menu has no default; say with default: what becomes of who presses no key")
        if self.default.remember is not None or self.default.forget:
            raise ValueError("who presses nothing agrees to nothing; write remember: and forget: with a key")
        consents = [key for key, answer in self.keys.items() if answer.remember is not None]
        if consents and any(answer.learns for answer in (*self.keys.values(), self.default)):
            raise ValueError(
                f"key {consents[0]} agrees to be remembered in a menu that asks for something else, too;"
                " ask for it in a menu of its own"
            )
        if self.tries == 0:
            raise ValueError("a menu that is never played asks nothing; write tries: 1 or more")


def as_step(value: object) -> object:
    """``hangup`` alone, or with nothing after it, is the normal one."""
    if value == "hangup" or value == {"hangup": None}:
        return {"hangup": "normal"}
    return value


Steps = list[Annotated[Step, BeforeValidator(as_step)]]


class Route(Section):
    """A rule, in the list ``routes:``: the first whose conditions hold takes the call."""

    id: Name
    title: Text | None = None
    when: When | None = None
    """Left out: every call; so must it be in the last route, and only there."""
    do: Steps | None = None
    plan: Name | None = None
    """A plan of ``plans:`` instead of ``do:``."""
    arguments: dict[Name, Name] = Field(default_factory=dict, alias="with")
    """For ``plan``: its parameters."""

    @model_validator(mode="after")
    def _one_plan(self) -> "Route":
        if (self.do is None) == (self.plan is None):
            raise ValueError("a route does one plan; write either do: with steps, or plan: with a name")
        if self.arguments and self.plan is None:
            raise ValueError("with: belongs to a plan; write plan:, or take it out")
        return self
