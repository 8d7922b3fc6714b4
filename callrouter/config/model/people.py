"""Who takes calls, and what callers hear: counselors, destinations, transfers, messages and prompts."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.section import Name, Section, parse_endpoint, parse_media
from callrouter.config.model.skills import Level
from callrouter.config.scalars import (
    Flag,
    Names,
    Seconds,
    Text,
    Whole,
)
from callrouter.core.pins import Pin


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
    emergency: Flag = False
    """Whether its calls may have the channels that trunk groups keep in ``reserve``."""

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
