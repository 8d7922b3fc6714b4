"""What phones dial and press: switches, counselors' codes, supervisors, keys of a conversation."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.plans import Key
from callrouter.config.model.section import Name, Section, parse_endpoint
from callrouter.config.scalars import (
    Names,
    Seconds,
    Text,
)


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
    """The site that their phone is registered at; calls of other sites are heard over a trunk between the two."""
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
    pause_recording: CallCode | None = None
    """Lets the recording hear nothing of what is said, or lets it hear again."""
    direct: dict[CallCode, DirectKey] = Field(default={})
    """One code for one target."""
    between: Seconds = 4.0
    """Who pauses for longer between two keys begins anew."""
    refused: Name | None = None
    """The prompt that a counselor hears when a code could not be carried out."""
    limited: Name | None = None
    """The same, where a limit of ``outbound:`` forbids it; left out: as ``refused``."""
    goodbye: Name | None = None
    """The prompt that an abusive caller hears at the end."""
    recording_paused: Name | None = None
    """The prompt that the counselor hears when nothing is recorded any more."""
    recording_resumed: Name | None = None
    """The prompt that the counselor hears when what is said is recorded again."""
