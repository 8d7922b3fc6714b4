"""Where callers wait, and what is promised and told to them."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model.codes import parse_code
from callrouter.config.model.plans import Branch, Key
from callrouter.config.model.section import Name, Section, parse_member
from callrouter.config.model.skills import Relaxation, Wish
from callrouter.config.scalars import (
    Flag,
    Seconds,
    Text,
    Whole,
)
from callrouter.core.rulebook import Strategy, WaitingSound
from callrouter.core.service_level import Formula

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


class Recording(Section):
    """That a queue's conversations are recorded, under its ``recording:``."""

    notice: Name
    """The prompt that every caller hears before he waits; who has not heard it to its end is not recorded."""
    retention: Seconds
    """How long a recording is kept; then it is deleted."""
    pausable: Flag = True
    """Whether the counselor may pause it."""


LEAST_BETWEEN_S = 10.0
"""Announcements must not come one on top of the other."""


MOST_ATTEMPTS = 10
"""Whoever is called more often is pestered."""
LEAST_RETRY_S = 10.0
"""A line that was busy needs time to be free."""


class QueueCallBack(Section):
    """How a queue calls back by itself who asked for it, under ``call_back:``."""

    trunk: Name
    """The trunk group that residents are called over."""
    caller_id: Text | None = None
    """The number that residents are shown; left out: that of the trunk group, or else the one that they had dialled."""
    calendar: Name | None = None
    """Residents are called while it is open; left out: whenever a counselor is there."""
    attempts: Whole = 3
    """How often a resident is called who is not reached, 1 to 10."""
    retry_after: Seconds = 600.0
    """How long after a call in vain the next one may be, 10 s at least."""
    ring_timeout: Seconds = 30.0
    """How long the resident's phone rings."""
    redial: Flag = True
    """Whether who calls by himself meanwhile has the place, and is not called back when he has been served."""
    to_agent: Name | None = None
    """The prompt that the counselor hears who answers, before the ringing tone; left out: that tone alone."""
    say_number: Flag = False
    """Whether he hears the last four digits of the resident's number, too."""
    to_resident: Name | None = None
    """The prompt that the resident hears who answers; left out: the counselor at once."""

    @model_validator(mode="after")
    def _does_not_pester(self) -> "QueueCallBack":
        if not 1 <= self.attempts <= MOST_ATTEMPTS:
            raise ValueError(f"{self.attempts} attempts do not do; write 1 to {MOST_ATTEMPTS}")
        if self.retry_after < LEAST_RETRY_S:
            raise ValueError(f"{self.retry_after:g} s between two calls are too few; write {LEAST_RETRY_S:g}s or more")
        return self


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
    agent_prompt: Name | None = None
    """The prompt that a counselor hears who picks up, before the caller is connected; left out: none."""
    wrap_up: Seconds = 10.0
    """How long a counselor is left in peace after a call, also after one that he was called into."""
    wrap_up_codes: dict[Annotated[str, BeforeValidator(parse_code)], Name] = Field(default={})
    """What his phone dials meanwhile, to what the call was about."""
    code_ends_wrap_up: Flag = False
    """Whether such a code ends the wrap-up."""
    strategy: Way = Strategy.LONGEST_IDLE
    """Which of the free counselors is rung."""
    ring_at_most: Whole | None = None
    """For ``strategy: ring-all``: at so many phones at once; left out: at all."""
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
    recording: Recording | None = None
    """That its conversations are recorded; left out: they are not."""
    redial_within: Seconds = 0.0
    """Who hung up while waiting and dials again within this has the place again; 0s: nobody."""
    emergency: Flag = False
    """Whether calls to its counselors may have the channels that trunk groups keep in ``reserve``."""
    call_back: QueueCallBack | None = None
    """How it calls back by itself who asked for it; left out: people do, by the list."""

    @model_validator(mode="after")
    def _limits_and_sound(self) -> "Queue":
        if (self.max_waiting is None) != (self.when_full is None):
            raise ValueError("a full queue needs a number and a way; write both max_waiting: and when_full:")
        if self.ring_at_most is not None and self.strategy is not Strategy.RING_ALL:
            raise ValueError("ring_at_most: only one phone rings; leave it out, or write strategy: ring-all")
        if self.sound is WaitingSound.RINGBACK and (self.announce or self.keys or self.recording):
            raise ValueError("who hears ringback is not answered, and can be told nothing; write sound: music")
        return self
