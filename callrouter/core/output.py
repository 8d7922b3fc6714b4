"""What comes out of the exchange for one event."""

from dataclasses import dataclass, field
from enum import StrEnum

from callrouter.core.audit import AuditEntry
from callrouter.core.call_orders import CallAnswer
from callrouter.core.callback_orders import CallbackAnswer
from callrouter.core.cdr import Cdr
from callrouter.core.commands import Command
from callrouter.core.duty import DutyAnswer
from callrouter.core.facts import Fact
from callrouter.core.ids import CallId
from callrouter.core.supervisors import HearingAnswer
from callrouter.core.switches import SwitchAnswer

Answer = SwitchAnswer | DutyAnswer | CallAnswer | HearingAnswer | CallbackAnswer
"""What is said to somebody who ordered something."""


class NoticeKind(StrEnum):
    """What an operator should know of."""

    IMPOSSIBLE_EVENT = "impossible-event"
    WRITTEN_OFF = "written-off"
    """A channel that Asterisk never told us the end of."""
    ORPHAN_LEG = "orphan-leg"
    """A leg of ours whose call is not known any more; it is hung up."""
    ADOPTED = "adopted"
    """A call of an earlier daemon that we go on with."""
    NAMESAKE = "namesake"
    """A caller whose channel has the id of one at another site; he goes to the fallback."""
    PUT_ASIDE = "put-aside"
    """A call whose site is away holds nothing any more, until the site is back."""
    MESSAGE = "message"
    """A caller left a message, or said nothing."""
    RECORDING_FAILED = "recording-failed"
    """A caller could leave no message, for Asterisk did not record."""
    CALLBACK = "callback"
    """A caller asked to be called back."""
    CALLBACK_DROPPED = "callback-dropped"
    """A resident is not called back after all, for the rules have changed."""
    NOT_TAKEN = "not-taken"
    """A caller who was turned away because we take no more calls."""
    TURNING_AWAY = "turning-away"
    """Callers are turned away, for there are too many; told once a minute."""
    BEHIND = "behind"
    """We do not keep up with what comes in, or do again."""
    SWITCH_SET = "switch-set"
    SWITCH_REFUSED = "switch-refused"
    """A phone dialled the code of a switch that it may not set, or of none."""
    COUNTING_FAILED = "counting-failed"
    """A defect of ours: the figures of the day lack what this event brought."""
    AGENT_DUTY = "agent-duty"
    """A counselor logged in or out, paused, or takes calls again."""
    CALL_ORDER = "call-order"
    """Somebody held a call, passed it on, or called somebody in."""
    CALL_REFUSED = "call-refused"
    """A phone wanted a transfer that cannot be."""
    AGENT_REFUSED = "agent-refused"
    """A phone that is no counselor's dialled a code of theirs."""
    PHONE_REFUSES = "phone-refuses"
    """A counselor's phone refuses calls without ringing."""
    RELAY_REFUSED = "relay-refused"
    """Who came in as from another site names no leg that is awaited there."""
    SUPERVISION = "supervision"
    """A supervisor hears a conversation, in another way, or no longer."""
    TRUNK_STATE = "trunk-state"
    """A member of a trunk group carries no calls and is left alone, or carries some again."""
    OUTBOUND_LIMIT = "outbound-limit"
    """A limit of calls that go out is nearly used up, or keeps calls from being made."""
    LOOP = "loop"
    """A call that goes in a circle; it is ended."""
    TRUNK_DRIFT = "trunk-drift"
    """A channel was held that Asterisk does not have, or it had one that nobody held; that is put right."""
    SUPERVISION_REFUSED = "supervision-refused"
    """A phone that may not hear a conversation dialled the code for it."""
    TAPE_FAILED = "tape-failed"
    """A conversation that was to be recorded is not, or only in part."""
    PHONE_SILENT = "phone-silent"
    """No sound came from a counselor's phone in a conversation; its caller is served by another."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line in the log."""

    kind: NoticeKind
    call: CallId | None
    text: str


@dataclass(slots=True)
class Output:
    """Commands to carry out, facts to keep, CDRs of calls that ended, and notices.

    ``audit`` is what somebody changed, ``answers`` what to say to those who asked for it, by their tickets.
    """

    commands: list[Command] = field(default_factory=list)
    facts: list[tuple[CallId, Fact]] = field(default_factory=list)
    cdrs: list[Cdr] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    answers: list[tuple[int, Answer]] = field(default_factory=list)
