"""What may be written in the YAML files: every key, its meaning, unit and default.

Strict, and unknown keys are refused. Values are texts as written (see :mod:`callrouter.config.source`);
:mod:`callrouter.config.scalars` says what they mean.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field

from callrouter.config.model.codes import (
    AgentCodes,
    CallKeys,
    DirectKey,
    SupervisionKeys,
    Supervisor,
    Switch,
    parse_call_code,
    parse_code,
)
from callrouter.config.model.outbound import NumberKind, Outbound, OutboundLimit
from callrouter.config.model.people import (
    Agent,
    Box,
    Callbacks,
    Destination,
    Prompt,
    Transfers,
    as_prompt,
    parse_pin,
)
from callrouter.config.model.places import (
    DATES,
    Calendar,
    ClosedOn,
    Holidays,
    Numbering,
    OtherHours,
    Region,
    Tenant,
    Topic,
    Windows,
    dates_apart,
    parse_exception,
    parse_holiday,
)
from callrouter.config.model.plans import (
    LEAST_SILENCE_S,
    LONGEST_MESSAGE_S,
    Answer,
    Branch,
    Choice,
    Key,
    Kind,
    Plan,
    QueueWhen,
    Route,
    Source,
    Step,
    Steps,
    Use,
    When,
    as_choice,
    as_plan,
    as_step,
    as_use,
    parse_key,
)
from callrouter.config.model.queues import (
    Listener,
    Queue,
    QueueAnnounce,
    QueueCallBack,
    QueueSurge,
    Recording,
    ServiceLevel,
    TalkLength,
    parse_percent,
)
from callrouter.config.model.section import (
    MEDIA_SCHEMES,
    Name,
    Port,
    Reference,
    Section,
    parse_endpoint,
    parse_host_and_port,
    parse_lifetime,
    parse_media,
    parse_member,
    parse_name,
    parse_network,
    parse_port,
    parse_rate,
    parse_reference,
    parse_url,
    parse_yes_no,
)
from callrouter.config.model.service import (
    Agi,
    Database,
    DialIn,
    LimitsSection,
    Logging,
    Reload,
    Retention,
    Service,
    Site,
    Standby,
    State,
    Web,
)
from callrouter.config.model.skills import (
    Level,
    LowerLevel,
    Relaxation,
    Weight,
    Wish,
    parse_level,
    parse_lower_level,
    parse_weight,
)
from callrouter.config.model.surge import Surge, parse_factor
from callrouter.config.model.trunks import Trunk, TrunkMember, TrunkShare
from callrouter.config.scalars import Names, Text

__all__ = [
    "DATES",
    "LEAST_SILENCE_S",
    "LONGEST_MESSAGE_S",
    "MEDIA_SCHEMES",
    "Agent",
    "AgentCodes",
    "Agi",
    "Answer",
    "Box",
    "Branch",
    "Calendar",
    "CallKeys",
    "Callbacks",
    "Choice",
    "ClosedOn",
    "Database",
    "Destination",
    "DialIn",
    "DirectKey",
    "Holidays",
    "Key",
    "Kind",
    "Level",
    "LimitsSection",
    "Listener",
    "Logging",
    "LowerLevel",
    "Model",
    "Name",
    "NumberKind",
    "Numbering",
    "OtherHours",
    "Outbound",
    "OutboundLimit",
    "Plan",
    "Port",
    "Prompt",
    "Queue",
    "QueueAnnounce",
    "QueueCallBack",
    "QueueSurge",
    "QueueWhen",
    "Recording",
    "Reference",
    "Region",
    "Relaxation",
    "Reload",
    "Retention",
    "Route",
    "Section",
    "Service",
    "ServiceLevel",
    "Site",
    "Source",
    "Standby",
    "State",
    "Step",
    "Steps",
    "SupervisionKeys",
    "Supervisor",
    "Surge",
    "Switch",
    "TalkLength",
    "Tenant",
    "Topic",
    "Transfers",
    "Trunk",
    "TrunkMember",
    "TrunkShare",
    "Use",
    "Web",
    "Weight",
    "When",
    "Windows",
    "Wish",
    "as_choice",
    "as_plan",
    "as_prompt",
    "as_step",
    "as_use",
    "dates_apart",
    "parse_call_code",
    "parse_code",
    "parse_endpoint",
    "parse_exception",
    "parse_factor",
    "parse_holiday",
    "parse_host_and_port",
    "parse_key",
    "parse_level",
    "parse_lifetime",
    "parse_lower_level",
    "parse_media",
    "parse_member",
    "parse_name",
    "parse_network",
    "parse_percent",
    "parse_pin",
    "parse_port",
    "parse_rate",
    "parse_reference",
    "parse_url",
    "parse_weight",
    "parse_yes_no",
]


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
    dial_in: DialIn = DialIn()
    """Where Asterisks dial in that open the connection themselves."""
    state: State = State()
    """What must survive a restart."""
    database: Database = Database()
    """PostgreSQL for the CDRs."""
    retention: Retention = Retention()
    """How long what is kept in PostgreSQL stays there."""
    logging: Logging = Logging()
    """What is logged, and how."""
    reload: Reload = Reload()
    """What makes the daemon take new rules."""
    standby: Standby = Standby()
    """Several daemons, of which one leads."""
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
    holidays: dict[Name, Annotated[Holidays, BeforeValidator(dates_apart)]] = Field(default={})
    """Sets of dates on which calendars may stay closed, by name."""
    calendars: dict[Name, Calendar]
    """Opening hours, by name."""
    queues: dict[Name, Queue]
    """Where callers wait, by name."""
    agents: dict[Name, Agent]
    """The counselors, by name; usually the extension."""
    agent_codes: AgentCodes = AgentCodes()
    """What their phones dial to log in and out, and to pause."""
    supervisors: dict[Name, Supervisor] = Field(default={})
    """Who may hear conversations, by name."""
    supervision: SupervisionKeys = SupervisionKeys()
    """What supervisors dial and press."""
    trunks: dict[Name, Trunk] = Field(default={})
    """Trunk groups, by name."""
    outbound: Outbound = Outbound()
    """What calls may go out to."""
    destinations: dict[Name, Destination] = Field(default={})
    """Whom plans may call outside the queues, by name."""
    call_keys: CallKeys = CallKeys()
    """What counselors press during a conversation."""
    transfers: Transfers = Transfers()
    """Whom counselors may pass calls on to."""
    prompts: dict[Name, Annotated[Prompt, BeforeValidator(as_prompt)]]
    """Announcements, by the name of their sound file."""
    voicemail: dict[Name, Box] = Field(default={})
    """Boxes for messages of callers, by name."""
    switches: dict[Name, Switch] = Field(default={})
    """What people switch on and off at once, by name."""
    callbacks: Callbacks = Callbacks()
    """Requests to be called back."""
    surge: Surge | None = None
    """When people are told that a topic has more calls than usual; left out: never."""
    caller_lists: dict[Name, Names] = Field(default={})
    """Callers by number; with a * at the end, what numbers begin with."""
    plans: dict[Name, Annotated[Plan, BeforeValidator(as_plan)]] = Field(default={})
    """Steps by name, for routes, menus and questions to use."""
    routes: list[Route]
    """Rules in order: the first whose conditions hold takes the call; the last takes every call."""
