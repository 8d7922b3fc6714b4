"""Who takes calls, and by what way: queues, counselors, trunk groups, destinations, and what callers hear."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.plans import Branch, Key
from callrouter.config.model.section import Name, Section, parse_endpoint, parse_media, parse_member
from callrouter.config.model.skills import Level, Relaxation, Wish
from callrouter.config.scalars import (
    Flag,
    Names,
    Seconds,
    Text,
    Whole,
    one_or_many,
)
from callrouter.core.outbound import USUAL, NumberClass
from callrouter.core.pins import Pin
from callrouter.core.rulebook import Strategy, WaitingSound
from callrouter.core.service_level import Formula


def parse_code(value: object) -> object:
    digits = value.removeprefix("*") if isinstance(value, str) else ""
    if digits != value and len(digits) in (2, 3) and digits.isascii() and digits.isdigit():
        return value
    raise ValueError(f'"{value}" is not a code that phones dial; write a star and two or three digits, as "*21"')


class Switch(Section):
    """A named override, under ``switches:``, that a person sets at once. It is off until somebody switches it on."""

    title: Text
    """Name for people."""
    max: Seconds = 86400.0
    """How long it stays on, at most, unless it is renewed; then it goes off by itself."""
    code: Annotated[str, BeforeValidator(parse_code)] | None = None
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


Sound = Annotated[WaitingSound, BeforeValidator(lambda value: parse_member(value, WaitingSound))]
Way = Annotated[Strategy, BeforeValidator(lambda value: parse_member(value, Strategy))]


class Listener(StrEnum):
    """Who hears a reminder."""

    AGENT = "agent"
    BOTH = "both"


def parse_percent(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]?|100", value):
        return int(value)
    raise ValueError(f'"{value}" is not a share in percent; write a whole number from 1 to 100')


class ServiceLevel(Section):
    """How soon callers of a queue are to be answered, under its ``service_level:``."""

    threshold: Seconds = 20.0
    """Answered within this is answered in time."""
    target: Annotated[int, BeforeValidator(parse_percent)] = 80
    """How many are to be answered in time, in percent."""
    formula: Annotated[Formula, BeforeValidator(lambda value: parse_member(value, Formula))] = (
        Formula.OFFERED_LESS_SHORT
    )
    """Out of how many: ``answered-of-offered``, ``answered-of-offered-less-short`` or ``answered-of-answered``."""


class TalkLength(Section):
    """How long a queue's conversations should last, under its ``length:``."""

    remind_after: Seconds | None = None
    """When the counselor hears ``reminder``; left out: never."""
    reminder: Name | None = None
    """The prompt that reminds."""
    to: Annotated[Listener, BeforeValidator(lambda value: parse_member(value, Listener))] = Listener.AGENT
    """Who hears it: ``agent`` or ``both``."""
    end_after: Seconds | None = None
    """When the conversation is ended; left out: never."""
    farewell: Name | None = None
    """The prompt that the caller hears then."""
    extension: Seconds = 300.0
    """By how much the counselor puts the end off with a code or an order, each time."""

    @model_validator(mode="after")
    def _reminder_before_the_end(self) -> "TalkLength":
        if self.remind_after is None and self.end_after is None:
            raise ValueError("nothing happens at any length; write remind_after:, end_after: or both")
        if (self.remind_after is None) != (self.reminder is None):
            raise ValueError("remind_after: and reminder: belong together; write both, or neither")
        if self.remind_after is not None and self.end_after is not None and self.end_after <= self.remind_after:
            raise ValueError("the end comes before the reminder; write an end_after: longer than remind_after:")
        return self


LEAST_BETWEEN_S = 10.0
"""Announcements must not come one on top of the other."""


class QueueSurge(Section):
    """What is announced in a queue when many call, under ``surge:`` of its ``announce:``."""

    prompt: Name
    """The prompt; who enters then hears it at once."""
    switch: Name | None = None
    """While this switch is on."""
    longer_than: Whole | None = None
    """While more callers than this wait."""

    @model_validator(mode="after")
    def _has_an_occasion(self) -> "QueueSurge":
        if self.switch is None and self.longer_than is None:
            raise ValueError("it is never said; write switch: or longer_than:")
        return self


class QueueAnnounce(Section):
    """What who waits is told from time to time, under ``announce:`` of a queue."""

    every: Seconds = 60.0
    """From the beginning of one announcement to that of the next, 10 s at least."""
    first: Seconds | None = None
    """When the first one comes; left out: after ``every``."""
    prompt: Name | None = None
    """Said each time."""
    position: Flag = False
    """Whether the place in line is told."""
    wait: Flag = False
    """Whether the expected wait is told, if it can be known."""
    surge: QueueSurge | None = None
    """Said before all else when many call."""
    offer: Name | None = None
    """The prompt that says what the queue's keys mean."""

    @model_validator(mode="after")
    def _says_something(self) -> "QueueAnnounce":
        if self.every < LEAST_BETWEEN_S:
            raise ValueError(f"every: {self.every:g} s leaves no music between announcements; write 10s or more")
        if not (self.prompt or self.position or self.wait or self.surge or self.offer):
            raise ValueError("nothing is announced; write prompt, position, wait, surge or offer")
        return self


class Queue(Section):
    """Where callers wait, under ``queues:``."""

    title: Text
    """Name for people."""
    sound: Sound = WaitingSound.MUSIC
    """``music``: answered, then music on hold; ``ringback``: not answered before a counselor answers."""
    music_class: Text = "default"
    """Class of Asterisk's ``musiconhold.conf``."""
    ring_timeout: Seconds = 20.0
    """How long one counselor's phone rings before the next is tried."""
    wrap_up: Seconds = 10.0
    """How long a counselor is left in peace after a call."""
    strategy: Way = Strategy.LONGEST_IDLE
    """Which of the free counselors is rung."""
    head_start: Seconds = 0.0
    """Its callers are served as if they had come so much earlier."""
    length: TalkLength | None = None
    """How long its conversations should last; left out: as long as they do."""
    skills: list[Wish] = Field(default=[])
    """What is asked of the counselors; all entries that concern a caller hold together."""
    relax: list[Relaxation] = Field(default=[])
    """How that is eased while a caller waits, in the order of time."""
    service_level: ServiceLevel | None = None
    """The goal that reports measure by; left out: 80 percent in 20 s."""
    short_abandon: Seconds = 5.0
    """Who hangs up sooner than this after entering the queue is a short abandon in reports."""
    announce: QueueAnnounce | None = None
    """What who waits is told from time to time; left out: nothing."""
    keys: dict[Key, Branch] = Field(default={})
    """Keys that who waits may press, and how it goes on then."""
    max_waiting: Whole | None = None
    """As many may wait; who comes then goes on with ``when_full``."""
    when_full: Branch | None = None
    """For ``max_waiting``: how it goes on."""
    when_unstaffed: Branch | None = None
    """How it goes on while no agent who serves the queue is logged in; left out: callers wait all the same."""
    redial_within: Seconds = 0.0
    """Who hung up while waiting and dials again within this has the place again; 0s: nobody."""

    @model_validator(mode="after")
    def _limits_and_sound(self) -> "Queue":
        if (self.max_waiting is None) != (self.when_full is None):
            raise ValueError("a full queue needs a number and a way; write both max_waiting: and when_full:")
        if self.sound is WaitingSound.RINGBACK and (self.announce is not None or self.keys):
            raise ValueError("who hears ringback is not answered, and can be told nothing; write sound: music")
        return self


def parse_pin(value: object) -> object:
    try:
        return Pin.parse(value if isinstance(value, str) else "").text
    except ValueError:
        message = 'this is no hashed PIN; have "callrouter agent pin" make one, and write what it prints'
        raise ValueError(message) from None  # whatever it is, it may be the PIN: it is not repeated


class Agent(Section):
    """A counselor, under ``agents:``."""

    name: Text
    """Shown on the wall board and in reports."""
    site: Name
    """The site that their phone is registered at."""
    endpoint: Annotated[str, BeforeValidator(parse_endpoint)] | None = None
    """What Asterisk dials; over a trunk such as PJSIP/401@gimhae-hall. Left out: no phone of his own."""
    queues: Names
    """Whose callers they answer."""
    tenant: Name
    """Who employs them."""
    trunk: Name | None = None
    """The trunk group that a call to them occupies; left out: none."""
    wrap_up: Seconds | None = None
    """Instead of the queue's."""
    weight: Whole = 1
    """How often he is drawn, against the others, in queues with ``strategy: weighted-random``."""
    skills: dict[Name, Level] = Field(default_factory=dict)
    """What he can do, each with a level from 1 to 10."""
    pin: Annotated[str, BeforeValidator(parse_pin)] | None = None
    """With which he logs in at any phone, as ``callrouter agent pin`` prints it; left out: he does not."""

    @model_validator(mode="after")
    def _has_a_phone(self) -> "Agent":
        if self.endpoint is None and self.pin is None:
            raise ValueError("no phone ever rings for this agent; write endpoint:, or pin: to log in at any phone")
        return self


class AgentCodes(Section):
    """What counselors' phones dial, under ``agent_codes:``. Each turns over what it stands for."""

    login: Annotated[str, BeforeValidator(parse_code)] | None = None
    """Logs the counselor whose phone it is in or out: a star and two or three digits."""
    pause: Annotated[str, BeforeValidator(parse_code)] | None = None
    """Pauses the counselor, or ends the pause or the wrap-up."""
    desk: Annotated[str, BeforeValidator(parse_code)] | None = None
    """Logs a counselor with a ``pin`` in at the phone that dials it, which asks for his number and PIN."""


class Supervisor(Section):
    """Somebody who may hear conversations, under ``supervisors:``."""

    name: Text
    """For people."""
    site: Name
    """The site that their phone is registered at; calls of other sites cannot be heard."""
    endpoint: Annotated[str, BeforeValidator(parse_endpoint)]
    """What Asterisk dials to let them hear; a phone that may dial ``supervision.code``, too."""
    queues: Names = Field(default=[])
    """Whose conversations they may hear; left out: those of all queues of the tenants."""
    tenants: Names = Field(default=[])
    """Whose calls they may hear; left out: those of any tenant in the queues."""

    @model_validator(mode="after")
    def _bounds(self) -> "Supervisor":
        if not self.queues and not self.tenants:
            raise ValueError("it is not said what this supervisor may hear; write queues:, tenants: or both")
        return self


class SupervisionKeys(Section):
    """What supervisors dial and press, under ``supervision:``."""

    code: Annotated[str, BeforeValidator(parse_code)] | None = None
    """Dialled before a counselor's name (``*31203``), it lets the supervisor hear: a star and two or three digits."""
    listen: Key = "4"
    """The key by which nobody hears the supervisor any more."""
    whisper: Key = "5"
    """The key by which the counselor alone hears the supervisor."""
    barge: Key = "6"
    """The key by which both hear the supervisor."""


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


NumberKind = Annotated[NumberClass, BeforeValidator(lambda value: parse_member(value, NumberClass))]


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
    endpoint: Annotated[str, BeforeValidator(parse_endpoint)] | None = None
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


class Transfers(Section):
    """Whom counselors may pass calls on to, or call in, under ``transfers:``.

    Counselors, queues and destinations can be, always.
    """

    trunk: Name | None = None
    """The trunk group by which numbers outside are called; left out: none may be."""
    ring_timeout: Seconds = 25.0
    """How long a number outside rings before the counselor has the caller again."""
    short: dict[Text, Name] = Field(default={})
    """What phones dial, to the counselor, queue or destination that it stands for."""
    music_class: Text = "default"
    """What a caller on hold hears whose call came by no queue, as a class of Asterisk's ``musiconhold.conf``."""


def parse_call_code(value: object) -> object:
    """Like the code of a switch, but of one digit or more: nobody dials it."""
    digits = value.removeprefix("*") if isinstance(value, str) else ""
    if digits != value and 1 <= len(digits) <= 3 and digits.isascii() and digits.isdigit():
        return value
    raise ValueError(f'"{value}" is not a code to press; write a star and one to three digits, as "*7"')


CallCode = Annotated[str, BeforeValidator(parse_call_code)]


class DirectKey(Section):
    """What one code does without a number, under ``call_keys: {direct:}``: exactly one of the two."""

    transfer: Text | None = None
    """Passes the call on to this counselor, queue or destination."""
    conference: Text | None = None
    """Has this counselor or destination join."""

    @model_validator(mode="after")
    def _one_thing(self) -> "DirectKey":
        if (self.transfer is None) == (self.conference is None):
            raise ValueError("a code does one thing; write either transfer: or conference:")
        return self


class CallKeys(Section):
    """What counselors press during a conversation, under ``call_keys:``."""

    hold: CallCode | None = None
    """Puts the caller on hold, or takes him back."""
    transfer: CallCode | None = None
    """Passes the call on; then the number and #."""
    consult: CallCode | None = None
    """Puts the caller on hold and calls somebody; then the number and #."""
    conference: CallCode | None = None
    """Has somebody join; then the number and #."""
    cancel: CallCode | None = None
    """Lets go of who was called in."""
    dismiss: CallCode | None = None
    """Ends the call of an abusive caller, and marks its record."""
    extend: CallCode | None = None
    """Puts the end by the recommended length off."""
    direct: dict[CallCode, DirectKey] = Field(default={})
    """One code for one target."""
    between: Seconds = 4.0
    """Who pauses for longer between two keys begins anew."""
    refused: Name | None = None
    """The prompt that a counselor hears when a code could not be carried out."""
    goodbye: Name | None = None
    """The prompt that an abusive caller hears at the end."""


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
    media: Annotated[str, BeforeValidator(parse_media)] | None = None
    """What Asterisk plays instead of ``sound:callrouter/<name>``."""
    languages: dict[Name, Text] = Field(default={})
    """What is spoken to callers who chose another language in a menu, by that language (``en``)."""


def as_prompt(value: object) -> object:
    if value is None:
        raise ValueError("nothing is written here; write what is to be said")
    return {"text": value} if isinstance(value, str) else value
