"""What may be written in the YAML files: every key, its meaning, unit and default.

Strict, and unknown keys are refused. Values are texts as written (see :mod:`callrouter.config.source`);
:mod:`callrouter.config.scalars` says what they mean.
"""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from callrouter.config.scalars import (
    Compared,
    Day,
    Flag,
    Names,
    Retention,
    Seconds,
    Text,
    Whole,
    one_or_many,
    parse_closed_on,
    parse_count,
    parse_hours,
    parse_wait,
    parse_window,
)
from callrouter.core.calendars import Days, Hours, Window
from callrouter.core.inbound import CallerKind, RegionSource
from callrouter.core.outbound import USUAL, NumberClass
from callrouter.core.rulebook import WaitingSound

MEDIA_SCHEMES = ("sound", "tone", "recording", "number", "digits", "characters")
"""What a media URI of ARI may begin with."""


_NAME = re.compile("[A-Za-z0-9_-]+")


class Section(BaseModel):
    """Common to all sections."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _name(value: object) -> object:
    """Names become metric labels, file names and channel variables: keep them plain."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f'"{value}" is not a name; use ASCII letters, digits, - and _')
    return value


def _port(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) < 65536:
        return int(value)
    raise ValueError(f'"{value}" is not a TCP port; write a number from 0 to 65535 (0: any free one)')


def _switch(value: object) -> object:
    """``yes`` or ``no``, also as YAML's other words for them."""
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    if isinstance(value, str) and value in words:
        return words[value]
    raise ValueError(f'"{value}" is neither yes nor no; write one of them')


def _network(value: object) -> object:
    try:
        return str(ip_network(str(value)))
    except ValueError as error:
        raise ValueError(f'"{value}" is not a network; write it as 192.0.2.0/24') from error


def _url(value: object) -> object:
    if isinstance(value, str) and "@" in value:
        # These files are kept, printed and compared: a password in them would be everywhere.
        raise ValueError("an address holds no user and no password; write user: and password_env: for them")
    if isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) > 8:
        return value.rstrip("/")
    raise ValueError(f'"{value}" is not an HTTP address; write it as http://127.0.0.1:8088')


def _endpoint(value: object) -> object:
    technology, slash, rest = value.partition("/") if isinstance(value, str) else ("", "", "")
    if technology and slash and rest and not any(c.isspace() or c in "&," for c in rest):
        return value
    raise ValueError(f'"{value}" is not an endpoint; write what Asterisk dials, such as PJSIP/201')


def _media(value: object) -> object:
    scheme, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if colon and rest.strip() and scheme in MEDIA_SCHEMES:
        return value
    schemes = ", ".join(f"{scheme}:" for scheme in MEDIA_SCHEMES)
    raise ValueError(f'"{value}" is nothing that Asterisk plays; begin it with one of: {schemes}')


def _reference(value: object) -> object:
    """A name, or ``$parameter`` of the plan in which this stands."""
    return value if isinstance(value, str) and value[:1] == "$" and _name(value[1:]) else _name(value)


def _code(value: object) -> object:
    digits = value.removeprefix("*") if isinstance(value, str) else ""
    if digits != value and len(digits) in (2, 3) and digits.isascii() and digits.isdigit():
        return value
    raise ValueError(f'"{value}" is not a code that phones dial; write a star and two or three digits, as "*21"')


Name = Annotated[str, BeforeValidator(_name)]
Reference = Annotated[str, BeforeValidator(_reference)]
Port = Annotated[int, BeforeValidator(_port)]


class Service(Section):
    """``service:``: the whole of it."""

    title: Text = "120"
    """Name of the service, on the wall board and in ``callrouter status``."""
    fallback_context: Name = "callrouter-fallback"
    """Dialplan context that a caller goes to when the daemon cannot take him."""
    drain: Seconds = 600.0
    """How long a stopping daemon waits for calls in progress."""


class Site(Section):
    """One Asterisk server, under ``sites:``."""

    title: Text
    """Name for people."""
    ari_url: Annotated[str, BeforeValidator(_url)] = "http://127.0.0.1:8088"
    """Asterisk's HTTP server, without ``/ari``."""
    user: Text = "callrouter"
    """User of Asterisk's ``ari.conf``."""
    password_env: Text | None = None
    """The environment variable that holds the ARI password."""
    password_file: Text | None = None
    """A file that holds nothing but the ARI password; relative to the configuration."""
    application: Name = "callrouter"
    """The name in the dialplan's ``Stasis()``."""
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
    """Address to listen on."""
    port: Port = 8080
    """Port to listen on."""


class Agi(Section):
    """``agi:``: the FastAGI server."""

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port = 4573
    """Port to listen on."""
    allow: list[Annotated[str, BeforeValidator(_network)]] = Field(default=["127.0.0.0/8", "::1/128"])
    """Networks that may ask; FastAGI knows no password."""


class State(Section):
    """``state:``: what must survive a restart."""

    dir: Text = "/var/lib/callrouter"
    """Folder of the journal of calls and CDRs."""


class Database(Section):
    """``database:``: PostgreSQL for the CDRs."""

    url_env: Text = "CALLROUTER_DATABASE_URL"
    """The environment variable that holds the URL; not set: CDRs stay in the journal."""


class Logging(Section):
    """``logging:``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this and worse."""
    format: Literal["console", "json"] = "json"
    """``json`` for machines, ``console`` for people."""


class Reload(Section):
    """``reload:``: what makes the daemon take new rules, besides being asked to."""

    on_save: Annotated[bool, BeforeValidator(_switch)] = False
    """Whether saving a file of the configuration does."""


class LimitsSection(Section):
    """``limits:``: what is not written keeps the default of :class:`callrouter.core.rulebook.Limits`."""

    max_calls: Whole | None = None
    """More calls at once go to the dialplan's fallback."""
    announcement: Seconds | None = None
    """An announcement that has not ended by then is taken as ended."""
    dead_man: Seconds | None = None
    """A waiting caller goes to the dialplan's fallback this long after the daemon died."""
    connect: Seconds | None = None
    """An answered phone that is not connected to the caller by then is given up."""
    clearing: Seconds | None = None
    """A channel that has not ended this long after it was hung up is hung up again, then written off."""
    rest_after_no_answer: Seconds | None = None
    """How long a counselor who did not answer is not rung again."""
    rest_after_busy: Seconds | None = None
    """How long a counselor whose phone was busy is not rung again."""
    rest_after_rejected: Seconds | None = None
    """How long a counselor who rejected a call is not rung again."""
    rest_after_unreachable: Seconds | None = None
    """How long a counselor whose phone could not be reached is not rung again."""
    retry_after_congestion: Seconds | None = None
    """How long nobody is rung over a trunk group that had no free line."""


class Switch(Section):
    """A named override, under ``switches:``, that a person sets at once. It is off until somebody switches it on."""

    title: Text
    """Name for people."""
    max: Seconds = 86400.0
    """How long it stays on, at most, unless it is renewed; then it goes off by itself."""
    code: Annotated[str, BeforeValidator(_code)] | None = None
    """What a phone dials to turn it over, and watches with a lamp: a star and two or three digits."""
    phones: Names = Field(default=[])
    """Whose phones may dial the code: agents, or endpoints such as PJSIP/299."""

    @model_validator(mode="after")
    def _code_and_phones(self) -> "Switch":
        if self.code is not None and not self.phones:
            raise ValueError("no phone may dial the code; write phones: with agents, or take code: out")
        if self.phones and self.code is None:
            raise ValueError("these phones have nothing to dial; write code:, or take phones: out")
        return self


class Tenant(Section):
    """Whose calls they are, under ``tenants:``."""

    title: Text
    """Name for people."""


class Topic(Section):
    """What a caller wants, under ``topics:``."""

    title: Text
    """Name for people."""


class Region(Section):
    """A place that calls come from, under ``regions:``."""

    title: Text
    """Shown in the counselor's display."""
    tenant: Name
    """Whose call it is then."""
    place: Text | None = None
    """Its name in the table of exchanges."""
    prefixes: Names = Field(default=[])
    """National prefixes (with the 0) that belong here, whatever the table says."""
    dialed: Names = Field(default=[])
    """Dialled numbers that mean this region."""
    trunks: Names = Field(default=[])
    """Trunk groups whose calls come from here."""
    diversion: Names = Field(default=[])
    """Numbers from which calls are diverted to us that come from here."""


class Numbering(Section):
    """``numbering:``: how regions are found."""

    table: Text | None = "kr055"
    """``kr055`` is shipped; else a CSV file of the same columns, relative to the configuration."""
    default_region: Name
    """The region of a call of which nothing else is known."""


DATES = "YYYY-MM-DD"
"""Stands for the dates among the keys of a set of holidays."""
_NO_TITLES = ("closed", "open", "yes", "true", "on", "false", "off", "none", "null")


def _holiday(value: object) -> object:
    """What a day is called; None for ``no``."""
    if not isinstance(value, str) or not value:
        raise ValueError("nothing is written here; write what the day is called, or no to take it out")
    if value.lower() in _NO_TITLES:
        raise ValueError(f'"{value}" is no name of a day; write what it is called, or no to take it out')
    return None if value.lower() == "no" else value


def _dates_apart(value: object) -> object:
    """The dates of a set, which stand next to its other keys, as a mapping of their own."""
    if not isinstance(value, dict):
        return value
    dates = {key: title for key, title in value.items() if key[:1].isdigit() or key == DATES}
    return {**{key: other for key, other in value.items() if key not in dates}, DATES: dates}


class Holidays(Section):
    """A set of dates on which calendars may stay closed, under ``holidays:``."""

    model_config = ConfigDict(populate_by_name=False)

    country: Text | None = None
    """The country whose public holidays it begins with, by its code (``KR``)."""
    language: Text | None = None
    """Of their names; default: the country's own."""
    until: Day | None = None
    """The last day up to which the set is known to be right; default: its last date."""
    dates: dict[Day, Annotated[str | None, BeforeValidator(_holiday)]] = Field(default={}, alias="YYYY-MM-DD")
    """What a day is called; None for a day that is none, whatever the country or an earlier set says."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Dates stand next to the other keys."""
        described = handler.resolve_ref_schema(handler(schema))
        dates = described["properties"].pop(DATES)
        pattern = dates["propertyNames"].get("pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
        described["patternProperties"] = {pattern: dates["additionalProperties"]}
        return described

    @model_validator(mode="after")
    def _language_of_a_country(self) -> "Holidays":
        if self.language is not None and self.country is None:
            raise ValueError("language: belongs to a country; name one with country:, or take it out")
        return self


def _exception(value: object) -> object:
    """``closed``, or ``usual`` (None), or hours, or a list of hours."""
    items = value if isinstance(value, list) else [value]
    if items in (["closed"], ["usual"]):
        return [] if items == ["closed"] else None
    if not items or not all(isinstance(item, str) for item in items):
        raise ValueError("this is not closed and not hours; write closed, or 09:00-13:00")
    try:
        return [parse_hours(item) for item in items if isinstance(item, str)]
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise ValueError(f"{message}; {remedy}, or closed or usual alone") from error


Windows = Annotated[list[Annotated[Window, BeforeValidator(parse_window)]], BeforeValidator(one_or_many)]
OtherHours = Annotated[list[Hours] | None, BeforeValidator(_exception)]
ClosedOn = Annotated[list[Annotated[str | Days, BeforeValidator(parse_closed_on)]], BeforeValidator(one_or_many)]


class Calendar(Section):
    """Opening hours, under ``calendars:``: windows, those of another calendar, or a combination of calendars."""

    title: Text | None = None
    zone: Text | None = None
    """IANA name; default: the section ``timezone:``."""
    like: Text | None = None
    """The calendar that it is like, but for what is written here."""
    open: Windows | None = None
    closed: Windows | None = None
    """Breaks in ``open``."""
    closed_on: ClosedOn = Field(default=[])
    """Sets of ``holidays:``, of which later ones win, and days of the month, on which it stays closed."""
    exceptions: dict[Day, OtherHours] = Field(default={})
    """Dates with other hours, ``closed``, or ``usual`` for the windows; they win over ``closed_on``."""
    union: Names = Field(default=[])
    intersect: Names = Field(default=[])
    exclude: Names = Field(default=[], alias="except")

    @model_validator(mode="after")
    def _weekly_or_combined(self) -> "Calendar":
        combined = bool(self.union or self.intersect or self.exclude)
        if combined == (self.open is not None or self.like is not None):
            raise ValueError(
                "a calendar has either its own hours or parts; write open: or like:, or union/intersect/except:"
            )
        if combined and (self.closed or self.closed_on or self.exceptions):
            raise ValueError("a combined calendar has no dates of its own; write them in its parts")
        if self.exclude and not (self.union or self.intersect):
            raise ValueError("except: alone is never open; say with union: what it is taken from")
        return self


class Queue(Section):
    """Where callers wait, under ``queues:``."""

    title: Text
    """Name for people."""
    sound: Annotated[WaitingSound, BeforeValidator(lambda value: _member(value, WaitingSound))] = WaitingSound.MUSIC
    """``music``: answered, then music on hold; ``ringback``: not answered before a counselor answers."""
    music_class: Text = "default"
    """Class of Asterisk's ``musiconhold.conf``."""
    ring_timeout: Seconds = 20.0
    """How long one counselor's phone rings before the next is tried."""
    wrap_up: Seconds = 10.0
    """How long a counselor is left in peace after a call."""


class Agent(Section):
    """A counselor, under ``agents:``."""

    name: Text
    """Shown on the wall board and in reports."""
    site: Name
    """The site that their phone is registered at."""
    endpoint: Annotated[str, BeforeValidator(_endpoint)]
    """What Asterisk dials; over a trunk such as PJSIP/401@gimhae-hall."""
    queues: Names
    """Whose callers they answer."""
    tenant: Name
    """Who employs them."""
    trunk: Name | None = None
    """The trunk group that a call to them occupies; left out: none."""
    wrap_up: Seconds | None = None
    """Instead of the queue's."""


class Trunk(Section):
    """A trunk group, under ``trunks:``."""

    title: Text | None = None
    """Name for people."""
    channels: Whole
    """How many calls it carries at once."""
    endpoints: Names = Field(default=[])
    """PJSIP endpoints that calls of this group come in by; they go out by the first. Default: the group's own name."""
    caller_id: Text | None = None
    """The number that is shown when a destination is called over it; left out: the caller's."""
    format: Literal["national", "e164"] = "national"
    """How it wants numbers: ``national`` (0552110000) or ``e164`` (+82552110000)."""


def _member(
    value: object, kinds: type[WaitingSound] | type[CallerKind] | type[NumberClass] | type[RegionSource]
) -> object:
    if value in {kind.value for kind in kinds}:
        return kinds(value)
    names = ", ".join(kind.value for kind in kinds)
    raise ValueError(f'"{value}" is not known here; write one of: {names}')


NumberKind = Annotated[NumberClass, BeforeValidator(lambda value: _member(value, NumberClass))]


class Outbound(Section):
    """What calls may go out to, under ``outbound:``."""

    allow: Annotated[list[NumberKind], BeforeValidator(one_or_many)] = Field(default=sorted(USUAL))
    """Kinds of numbers that destinations may have. Not among the default: premium-rate, foreign and personal ones."""


class Destination(Section):
    """Somebody outside the queues who can be called, under ``destinations:``."""

    title: Text
    """Name for people."""
    number: Text | None = None
    """The number to dial, over ``trunk``."""
    endpoint: Annotated[str, BeforeValidator(_endpoint)] | None = None
    """Instead of a number: what Asterisk dials, such as PJSIP/duty."""
    trunk: Name | None = None
    """The trunk group that the call goes out by; for an endpoint: that it occupies."""
    ring_timeout: Seconds = 25.0
    """How long it rings before the next is tried."""

    @model_validator(mode="after")
    def _one_way(self) -> "Destination":
        if (self.number is None) == (self.endpoint is None):
            raise ValueError("a destination is reached in one way; write either number: or endpoint:")
        if self.number is not None and self.trunk is None:
            raise ValueError("a number is dialled over a trunk group; write trunk: with its name")
        return self


class Box(Section):
    """Where messages of callers are kept, under ``voicemail:``."""

    title: Text
    """Name for people."""
    thanks: Name
    """The prompt after a message that is kept."""
    failed: Name
    """The prompt when there is none: nothing was said, or Asterisk could not record."""
    retention: Seconds = 90 * 86400.0
    """How long a message is kept, heard or not."""


class Callbacks(Section):
    """``callbacks:``: requests to be called back, which the step ``callback`` takes down."""

    retention: Seconds = 90 * 86400.0
    """How long a request is kept, done or not."""


class Prompt(Section):
    """An announcement, under ``prompts:``; a plain text stands for ``text:``."""

    text: Text
    """What is spoken."""
    media: Annotated[str, BeforeValidator(_media)] | None = None
    """What Asterisk plays instead of ``sound:callrouter/<name>``."""


Kind = Annotated[CallerKind, BeforeValidator(lambda value: _member(value, CallerKind))]
Source = Annotated[RegionSource, BeforeValidator(lambda value: _member(value, RegionSource))]


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
        values = list(self.__dict__.values())
        if [] in values:
            raise ValueError(
                "a condition with an empty list would hold for nothing; write a value, or take the key out"
            )
        if all(value is None for value in values):
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
    arguments: dict[Name, Reference] = Field(default={}, alias="with")

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


def _use(value: object) -> object:
    if isinstance(value, list):
        return {"do": value}
    return {"plan": value} if isinstance(value, str) else value


def _plan(value: object) -> object:
    """A list of steps, or a mapping with parameters."""
    if isinstance(value, list | dict):
        return _use(value)
    raise ValueError("this is no plan; write its steps with - before each")


def _choice(value: object) -> object:
    """``next`` goes on with the next step."""
    return {} if value == "next" else _use(value)


def _key(value: object) -> object:
    if isinstance(value, str) and len(value) == 1 and value in "0123456789*#":
        return value
    raise ValueError(f'"{value}" is not a key of a telephone; write one of 0 to 9, * or #')


Key = Annotated[str, BeforeValidator(_key)]
Branch = Annotated[Use, BeforeValidator(_use)]
Answer = Annotated[Choice, BeforeValidator(_choice)]

LONGEST_MESSAGE_S = 15 * 60
LEAST_SILENCE_S = 3.0
"""Longer than the 2 s after which Asterisk finds out that a disk is full: so the two ends are told apart."""
_VERBS = ("announce", "menu", "queue", "dial", "voicemail", "callback", "if", "plan", "route", "dialplan", "hangup")
_BELONGS = {
    "keys": "menu",
    "default": "menu",
    "timeout": "menu",
    "tries": "menu",
    "invalid": "menu",
    "max_wait": "queue",
    "rounds": "dial",
    "confirm": "dial",
    "key": "dial",
    "confirm_timeout": "dial",
    "music": "dial",
    "greeting": "voicemail",
    "longest": "voicemail",
    "shortest": "voicemail",
    "silence": "voicemail",
    "end_key": "voicemail",
    "then": "if",
    "otherwise": "if or callback",
    "arguments": "plan",
}
"""Keys of a step that mean something with some verbs only."""

_A_STEP = {
    "menu": "a menu",
    "queue": "a queue",
    "voicemail": "voicemail:",
    "if": "if:",
    "if or callback": "if: or callback:",
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
    """For ``menu``: how long to wait for a key after the prompt. Default: 5 s"""
    tries: Whole | None = None
    """For ``menu``: how often the prompt is played in all. Default: 3"""
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
    arguments: dict[Name, Reference] = Field(default={}, alias="with")
    """For ``plan``: its parameters."""
    route: Literal["again"] | None = None
    """Decide anew by the routes, with what menus have found out."""
    queue: Reference | None = None
    """Wait here until a counselor answers."""
    max_wait: Seconds | None = None
    """For ``queue``: how long at most."""
    dial: Annotated[list[Reference], BeforeValidator(one_or_many)] | None = None
    """Call these destinations one after another, until one takes the call; if none does, go on with the next step."""
    rounds: Whole | None = None
    """For ``dial``: how often the list is gone through. Default: 1"""
    confirm: Reference | None = None
    """For ``dial``: a prompt that asks who answers to press ``key``; only then are the two connected."""
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
        verbs = [verb for verb in _VERBS if getattr(self, "condition" if verb == "if" else verb) is not None]
        if len(verbs) != 1:
            count = " and ".join(verbs) if verbs else "nothing"
            known = f"{', '.join(_VERBS[:-1])} or {_VERBS[-1]}"
            raise ValueError(f"a step does one thing, this one {count}; write {known}")
        for name, verb in _BELONGS.items():
            if verbs[0] not in verb.split(" or ") and getattr(self, name) not in (None, {}):
                key = type(self).model_fields[name].alias or name
                raise ValueError(f"{key} belongs to {_A_STEP.get(verb, verb)}; take it out")
        if self.menu is not None:
            self._check_menu()
        if self.voicemail is not None:
            self._check_voicemail()
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
    arguments: dict[Name, Name] = Field(default={}, alias="with")
    """For ``plan``: its parameters."""

    @model_validator(mode="after")
    def _one_plan(self) -> "Route":
        if (self.do is None) == (self.plan is None):
            raise ValueError("a route does one plan; write either do: with steps, or plan: with a name")
        if self.arguments and self.plan is None:
            raise ValueError("with: belongs to a plan; write plan:, or take it out")
        return self


def _prompt(value: object) -> object:
    if value is None:
        raise ValueError("nothing is written here; write what is to be said")
    return {"text": value} if isinstance(value, str) else value


class Model(Section):
    """The whole configuration. Any section may stand in any file."""

    service: Service = Service()
    """The service as a whole."""
    sites: dict[Name, Site]
    """The Asterisk servers, by name."""
    web: Web = Web()
    """Pages, API and metrics."""
    agi: Agi = Agi()
    """FastAGI, for dialplans that only ask."""
    state: State = State()
    """What must survive a restart."""
    database: Database = Database()
    """PostgreSQL for the CDRs."""
    logging: Logging = Logging()
    """What is logged, and how."""
    reload: Reload = Reload()
    """What makes the daemon take new rules."""
    limits: LimitsSection = LimitsSection()
    """Limits and rests of every call."""
    tenants: dict[Name, Tenant]
    """Whose calls they are, by name."""
    topics: dict[Name, Topic] = Field(default={})
    """What callers want, by name."""
    numbering: Numbering
    """How regions are found."""
    regions: dict[Name, Region]
    """Places that calls come from, by name."""
    timezone: Text = "Asia/Seoul"
    """IANA name of the zone of calendars that name no other, and of times that people write."""
    holidays: dict[Name, Annotated[Holidays, BeforeValidator(_dates_apart)]] = Field(default={})
    """Sets of dates on which calendars may stay closed, by name."""
    calendars: dict[Name, Calendar]
    """Opening hours, by name."""
    queues: dict[Name, Queue]
    """Where callers wait, by name."""
    agents: dict[Name, Agent]
    """The counselors, by name; usually the extension."""
    trunks: dict[Name, Trunk] = Field(default={})
    """Trunk groups, by name."""
    outbound: Outbound = Outbound()
    """What calls may go out to."""
    destinations: dict[Name, Destination] = Field(default={})
    """Whom plans may call outside the queues, by name."""
    prompts: dict[Name, Annotated[Prompt, BeforeValidator(_prompt)]]
    """Announcements, by the name of their sound file."""
    voicemail: dict[Name, Box] = Field(default={})
    """Boxes for messages of callers, by name."""
    callbacks: Callbacks = Callbacks()
    """Requests to be called back."""
    switches: dict[Name, Switch] = Field(default={})
    """What people switch on and off at once, by name."""
    caller_lists: dict[Name, Names] = Field(default={})
    """Callers by number; with a * at the end, what numbers begin with."""
    plans: dict[Name, Annotated[Plan, BeforeValidator(_plan)]] = Field(default={})
    """Steps by name, for routes, menus and questions to use."""
    routes: list[Route]
    """Rules in order: the first whose conditions hold takes the call; the last takes every call."""
