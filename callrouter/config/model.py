"""What may be written in the YAML files: every key, its meaning, unit and default.

Strict, and unknown keys are refused. Values are texts as written (see :mod:`callrouter.config.source`);
:mod:`callrouter.config.scalars` says what they mean.
"""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from callrouter.config.scalars import (
    Day,
    Names,
    Seconds,
    Text,
    Whole,
    one_or_many,
    parse_hours,
    parse_window,
)
from callrouter.core.calendars import Hours, Window
from callrouter.core.decision import CallerKind
from callrouter.core.rulebook import WaitingSound


class Section(BaseModel):
    """Common to all sections."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _name(value: object) -> object:
    """Names become metric labels, file names and channel variables: keep them plain."""
    if not isinstance(value, str) or not value or not all(c.isascii() and (c.isalnum() or c in "-_") for c in value):
        raise ValueError(f'"{value}" is not a name; use ASCII letters, digits, - and _')
    return value


def _port(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) < 65536:
        return int(value)
    raise ValueError(f'"{value}" is not a TCP port; write a number from 0 to 65535 (0: any free one)')


def _network(value: object) -> object:
    try:
        return str(ip_network(str(value)))
    except ValueError as error:
        raise ValueError(f'"{value}" is not a network; write it as 192.0.2.0/24') from error


def _url(value: object) -> object:
    if isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) > 8:
        return value.rstrip("/")
    raise ValueError(f'"{value}" is not an HTTP address; write it as http://127.0.0.1:8088')


def _endpoint(value: object) -> object:
    technology, slash, rest = value.partition("/") if isinstance(value, str) else ("", "", "")
    if technology and slash and rest and not any(c.isspace() or c in "&," for c in rest):
        return value
    raise ValueError(f'"{value}" is not an endpoint; write what Asterisk dials, such as PJSIP/201')


Name = Annotated[str, BeforeValidator(_name)]
Port = Annotated[int, BeforeValidator(_port)]


class Service(Section):
    """``service:``: the whole of it."""

    title: Text = "120"
    fallback_context: Name = "callrouter-fallback"
    """Dialplan context that a caller goes to when the daemon cannot take him."""
    drain: Seconds = 600.0
    """How long a stopping daemon waits for calls in progress."""


class Site(Section):
    """One Asterisk server, under ``sites:``."""

    title: Text
    ari_url: Annotated[str, BeforeValidator(_url)] = "http://127.0.0.1:8088"
    user: Text = "callrouter"
    password_env: Text | None = None
    """The environment variable that holds the ARI password."""
    password_file: Text | None = None
    """A file that holds nothing but the ARI password; relative to the configuration."""
    application: Name = "callrouter"
    sounds_dir: Text | None = None
    """Where the prompts are written; Asterisk must know it as ``callrouter/``. Default: see ``usual_sounds_dir``."""

    @model_validator(mode="after")
    def _one_password(self) -> "Site":
        if (self.password_env is None) == (self.password_file is None):
            raise ValueError("a site needs one source of its password; write either password_env or password_file")
        return self


class Web(Section):
    """``web:``: pages, API and metrics."""

    host: Text = "127.0.0.1"
    port: Port = 8080


class Agi(Section):
    """``agi:``: the FastAGI server."""

    host: Text = "127.0.0.1"
    port: Port = 4573
    allow: list[Annotated[str, BeforeValidator(_network)]] = Field(default=["127.0.0.0/8", "::1/128"])
    """Networks that may ask; FastAGI knows no password."""


class State(Section):
    """``state:``: what must survive a restart."""

    dir: Text = "/var/lib/callrouter"


class Database(Section):
    """``database:``: PostgreSQL for the CDRs."""

    url_env: Text = "CALLROUTER_DATABASE_URL"
    """The environment variable that holds the URL; not set: CDRs stay in the journal."""


class Logging(Section):
    """``logging:``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "json"


class LimitsSection(Section):
    """``limits:``: see :class:`callrouter.core.rulebook.Limits`; what is not written keeps its default."""

    max_calls: Whole | None = None
    announcement: Seconds | None = None
    dead_man: Seconds | None = None
    connect: Seconds | None = None
    clearing: Seconds | None = None
    rest_after_no_answer: Seconds | None = None
    rest_after_busy: Seconds | None = None
    rest_after_rejected: Seconds | None = None
    rest_after_unreachable: Seconds | None = None
    retry_after_congestion: Seconds | None = None


class Tenant(Section):
    """Whose calls they are, under ``tenants:``."""

    title: Text


class Topic(Section):
    """What a caller wants, under ``topics:``."""

    title: Text


class Region(Section):
    """A place that calls come from, under ``regions:``."""

    title: Text
    tenant: Name
    place: Text | None = None
    """Its name in the table of exchanges."""
    prefixes: Names = Field(default=[])
    """National prefixes (with the 0) that belong here, whatever the table says."""
    dialed: Names = Field(default=[])
    """Dialled numbers that mean this region."""
    trunks: Names = Field(default=[])
    """Trunk groups whose calls come from here."""


class Numbering(Section):
    """``numbering:``: how regions are found."""

    table: Text | None = "kr055"
    """``kr055`` is shipped; else a CSV file of the same columns, relative to the configuration."""
    default_region: Name


def _exception(value: object) -> object:
    """``closed``, or hours, or a list of hours."""
    items = value if isinstance(value, list) else [value]
    if items == ["closed"]:
        return []
    if not items or not all(isinstance(item, str) for item in items):
        raise ValueError("this is not closed and not hours; write closed, or 09:00-13:00")
    try:
        return [parse_hours(item) for item in items if isinstance(item, str)]
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise ValueError(f"{message}; {remedy}, or closed alone") from error


Windows = Annotated[list[Annotated[Window, BeforeValidator(parse_window)]], BeforeValidator(one_or_many)]
OtherHours = Annotated[list[Hours], BeforeValidator(_exception)]


class Calendar(Section):
    """Opening hours, under ``calendars:``: weekly windows, or a combination of calendars."""

    title: Text | None = None
    zone: Text | None = None
    """IANA name; default: the section ``timezone:``."""
    open: Windows | None = None
    closed_on: Names = Field(default=[])
    """Sets of ``holidays:`` on which it stays closed."""
    exceptions: dict[Day, OtherHours] = Field(default={})
    """Dates with other hours, or ``closed``; they win over ``closed_on``."""
    union: Names = Field(default=[])
    intersect: Names = Field(default=[])
    exclude: Names = Field(default=[], alias="except")

    @model_validator(mode="after")
    def _weekly_or_combined(self) -> "Calendar":
        combined = bool(self.union or self.intersect or self.exclude)
        if combined == (self.open is not None):
            raise ValueError("a calendar has either its own hours or parts; write open:, or union/intersect/except:")
        if combined and (self.closed_on or self.exceptions):
            raise ValueError("a combined calendar has no dates of its own; write them in its parts")
        if self.exclude and not (self.union or self.intersect):
            raise ValueError("except: alone is never open; say with union: what it is taken from")
        return self


class Queue(Section):
    """Where callers wait, under ``queues:``."""

    title: Text
    sound: Annotated[WaitingSound, BeforeValidator(lambda value: _member(value, WaitingSound))] = WaitingSound.MUSIC
    music_class: Text = "default"
    ring_timeout: Seconds = 20.0
    wrap_up: Seconds = 10.0


class Agent(Section):
    """A counselor, under ``agents:``."""

    name: Text
    site: Name
    endpoint: Annotated[str, BeforeValidator(_endpoint)]
    queues: Names
    tenant: Name
    trunk: Name | None = None
    wrap_up: Seconds | None = None


class Trunk(Section):
    """A trunk group, under ``trunks:``."""

    title: Text | None = None
    channels: Whole
    """How many calls it carries at once."""
    endpoints: Names = Field(default=[])
    """PJSIP endpoints that calls of this group come in by; default: the group's own name."""


class Prompt(Section):
    """An announcement, under ``prompts:``; a plain text stands for ``text:``."""

    text: Text
    media: Text | None = None
    """What Asterisk plays instead of ``sound:callrouter/<name>``."""


def _member(value: object, kinds: type[WaitingSound] | type[CallerKind]) -> object:
    if value in {kind.value for kind in kinds}:
        return kinds(value)
    names = ", ".join(kind.value for kind in kinds)
    raise ValueError(f'"{value}" is not known here; write one of: {names}')


Kind = Annotated[CallerKind, BeforeValidator(lambda value: _member(value, CallerKind))]


class When(Section):
    """Conditions; all must hold. A list means any of its members."""

    dialed: Names | None = None
    """Dialled numbers; with a * at the end, what they begin with."""
    region: Names | None = None
    tenant: Names | None = None
    calendar: Names | None = None
    caller: Annotated[list[Kind], BeforeValidator(one_or_many)] | None = None
    topic: Names | None = None
    trunk: Names | None = None
    """Trunk groups, or PJSIP endpoints."""
    unless: "When | None" = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _says_something(self) -> "When":
        values = [getattr(self, name) for name in type(self).model_fields]
        if [] in values:
            raise ValueError(
                "a condition with an empty list would hold for nothing; write a value, or take the key out"
            )
        if all(value is None for value in values):
            raise ValueError("there is no condition here; write one, or take the key out")
        return self


class Step(Section):
    """One step of a plan: exactly one of its verbs."""

    announce: Name | None = None
    """Answer, and play this prompt."""
    queue: Name | None = None
    """Wait here until a counselor answers."""
    max_wait: Seconds | None = None
    """For ``queue``: how long at most."""
    dialplan: Text | None = None
    """Go on in the dialplan: ``context,extension``."""
    hangup: Literal["normal", "busy", "congestion", "rejected"] | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> "Step":
        verbs = [verb for verb in ("announce", "queue", "dialplan", "hangup") if getattr(self, verb) is not None]
        if len(verbs) != 1:
            count = " and ".join(verbs) if verbs else "nothing"
            raise ValueError(f"a step does one thing, this one {count}; write announce, queue, dialplan or hangup")
        if self.max_wait is not None and self.queue is None:
            raise ValueError("max_wait belongs to a queue; take it out")
        if self.dialplan is not None and len([part for part in self.dialplan.split(",") if part.strip()]) != 2:
            raise ValueError(f'"{self.dialplan}" is no place in the dialplan; write context,extension')
        return self


def _step(value: object) -> object:
    """``hangup`` alone, or with nothing after it, is the normal one."""
    if value == "hangup" or value == {"hangup": None}:
        return {"hangup": "normal"}
    return value


Steps = list[Annotated[Step, BeforeValidator(_step)]]


class Route(Section):
    """A rule, in the list ``routes:``: the first whose conditions hold takes the call."""

    id: Name
    title: Text | None = None
    when: When | None = None
    """Left out: every call; so must it be in the last route, and only there."""
    do: Steps | None = None
    plan: Name | None = None
    """A plan of ``plans:`` instead of ``do:``."""

    @model_validator(mode="after")
    def _one_plan(self) -> "Route":
        if (self.do is None) == (self.plan is None):
            raise ValueError("a route does one plan; write either do: with steps, or plan: with a name")
        return self


def _prompt(value: object) -> object:
    if value is None:
        raise ValueError("nothing is written here; write what is to be said")
    return {"text": value} if isinstance(value, str) else value


class Model(Section):
    """The whole configuration. Any section may stand in any file."""

    service: Service = Service()
    sites: dict[Name, Site]
    web: Web = Web()
    agi: Agi = Agi()
    state: State = State()
    database: Database = Database()
    logging: Logging = Logging()
    limits: LimitsSection = LimitsSection()
    tenants: dict[Name, Tenant]
    topics: dict[Name, Topic] = Field(default={})
    numbering: Numbering
    regions: dict[Name, Region]
    timezone: Text = "Asia/Seoul"
    holidays: dict[Name, dict[Day, Text]] = Field(default={})
    calendars: dict[Name, Calendar]
    queues: dict[Name, Queue]
    agents: dict[Name, Agent]
    trunks: dict[Name, Trunk] = Field(default={})
    prompts: dict[Name, Annotated[Prompt, BeforeValidator(_prompt)]]
    plans: dict[Name, Steps] = Field(default={})
    routes: list[Route]
