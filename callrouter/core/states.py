"""The life of a call as a table: what each state makes of each signal.

Every pair of state and signal is a transition, stale or impossible. *Stale* is what may rightly come late or twice (a
timer that ran out while it was being cancelled, an answer to a request whose purpose is gone): ignored and counted.
*Impossible* is what a right exchange never delivers: it is reported, and that call alone is given up to the dialplan.
The engine runs by this table, and the diagram in the documentation is drawn from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum


class CallState(StrEnum):
    """Where a call stands."""

    ROUTING = "routing"
    """Between two steps of its plan."""
    ANNOUNCING = "announcing"
    ASKING = "asking"
    """A menu's prompt plays, or its key is waited for."""
    DICTATING = "dictating"
    """The number at which a caller is to be called back is read out to him, or he enters another."""
    RECORDING = "recording"
    """A greeting plays, or what the caller says is recorded."""
    QUEUED = "queued"
    OFFERED = "offered"
    """A counselor's phone, or a destination, is being called."""
    CONFIRMING = "confirming"
    """A destination answered, and is asked for the key by which it takes the call."""
    BRIEFING = "briefing"
    """A counselor answered, and hears an announcement before the two are connected."""
    CONNECTING = "connecting"
    """The phone was answered; the two are being bridged."""
    CONNECTED = "connected"
    CALLING = "calling"
    """A counselor is at the phone, and the resident who asked for it is being called back."""
    GREETING = "greeting"
    """That resident has answered, and hears who calls; the counselor waits."""
    POSTPONED = "postponed"
    """A resident who is to be called back stands in no line until it is time again."""
    CLEARING = "clearing"
    """We have let the caller go, and wait for the channel to leave."""
    ENDED = "ended"


class Signal(StrEnum):
    """What can happen to a call."""

    ARRIVED = "arrived"
    ANNOUNCEMENT_OVER = "announcement-over"
    DIGIT = "digit"
    DIGIT_OVER = "digit-over"
    RECORDING_OVER = "recording-over"
    RECORDING_FAILED = "recording-failed"
    RECORDING_DUE = "recording-due"
    MATCHED = "matched"
    WAIT_OVER = "wait-over"
    LEG_RANG = "leg-rang"
    LEG_ANSWERED = "leg-answered"
    LEG_DIGIT = "leg-digit"
    LEG_ENDED = "leg-ended"
    LEG_HELD = "leg-held"
    """The counselor's phone put the caller on hold."""
    LEG_RESUMED = "leg-resumed"
    LENGTH_DUE = "length-due"
    """The conversation has come to its recommended length, or to its end by that."""
    KEYS_OVER = "keys-over"
    """No further key of a code was pressed."""
    INVITED_RANG = "invited-rang"
    INVITED_ANSWERED = "invited-answered"
    INVITED_ENDED = "invited-ended"
    INVITED_OVER = "invited-over"
    """Who was called into the conversation has not answered in time."""
    RING_OVER = "ring-over"
    BRIDGED = "bridged"
    BRIDGE_FAILED = "bridge-failed"
    CALLER_LEFT = "caller-left"
    CLEARING_OVER = "clearing-over"
    DEAD_MAN_DUE = "dead-man-due"
    COMFORT_DUE = "comfort-due"
    UNSTAFFED = "unstaffed"
    RELAX_DUE = "relax-due"
    OTHER_RANG = "other-rang"
    """Of the phones that ring beside the offered one, one rings."""
    OTHER_ANSWERED = "other-answered"
    OTHER_ENDED = "other-ended"
    OTHER_UNCERTAIN = "other-uncertain"
    """Nobody knows whether that phone rings."""
    RESIDENT_RANG = "resident-rang"
    RESIDENT_ANSWERED = "resident-answered"
    RESIDENT_ENDED = "resident-ended"
    RESIDENT_OVER = "resident-over"
    """Who is called back has not answered in time."""
    CALLBACK_DUE = "callback-due"
    """It is time to call back, or no longer."""


class Unmoved(Enum):
    """Pairs that change nothing."""

    STALE = "stale"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Transition:
    """``action`` names what the exchange does; afterwards the call is in one of ``to``."""

    action: str
    to: frozenset[CallState]


def _to(action: str, *states: CallState) -> Transition:
    return Transition(action, frozenset(states))


_S = CallState
_G = Signal

_NEXT_STEP = (_S.ANNOUNCING, _S.ASKING, _S.DICTATING, _S.RECORDING, _S.QUEUED, _S.OFFERED, _S.CLEARING)
_LATER = (_S.QUEUED, _S.POSTPONED, _S.ENDED)
"""Where a request to be called back goes that came to nothing: in line again, later, or never."""

_TRANSITIONS: Mapping[tuple[CallState, Signal], Transition] = {
    (_S.ROUTING, _G.ARRIVED): _to("begin", *_NEXT_STEP),
    (_S.ANNOUNCING, _G.ANNOUNCEMENT_OVER): _to("end_announcement", *_NEXT_STEP),
    (_S.ANNOUNCING, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.ANNOUNCING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.ANNOUNCING),
    (_S.ASKING, _G.ANNOUNCEMENT_OVER): _to("await_digit", _S.ASKING),
    (_S.ASKING, _G.DIGIT): _to("take_digit", *_NEXT_STEP),
    (_S.ASKING, _G.DIGIT_OVER): _to("miss_digit", *_NEXT_STEP),
    (_S.ASKING, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.ASKING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.ASKING),
    (_S.DICTATING, _G.ANNOUNCEMENT_OVER): _to("dictation_over", _S.DICTATING),
    (_S.DICTATING, _G.DIGIT): _to("take_digit_of_number", *_NEXT_STEP),
    (_S.DICTATING, _G.DIGIT_OVER): _to("miss_digit_of_number", *_NEXT_STEP),
    (_S.DICTATING, _G.CALLER_LEFT): _to("caller_left_dictation", _S.ENDED),
    (_S.DICTATING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.DICTATING),
    (_S.RECORDING, _G.ANNOUNCEMENT_OVER): _to("begin_recording", _S.RECORDING),
    (_S.RECORDING, _G.DIGIT): _to("note_key", _S.RECORDING),
    (_S.RECORDING, _G.RECORDING_OVER): _to("recording_over", _S.ANNOUNCING),
    (_S.RECORDING, _G.RECORDING_FAILED): _to("recording_failed", _S.ANNOUNCING),
    (_S.RECORDING, _G.RECORDING_DUE): _to("recording_due", _S.ANNOUNCING),
    (_S.RECORDING, _G.CALLER_LEFT): _to("caller_left_message", _S.CLEARING, _S.ENDED),
    (_S.RECORDING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.RECORDING),
    (_S.QUEUED, _G.MATCHED): _to("offer", _S.OFFERED, _S.POSTPONED),
    (_S.QUEUED, _G.WAIT_OVER): _to("leave_queue", *_NEXT_STEP),
    (_S.QUEUED, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.QUEUED, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.QUEUED),
    (_S.QUEUED, _G.COMFORT_DUE): _to("comfort", _S.QUEUED),
    (_S.QUEUED, _G.ANNOUNCEMENT_OVER): _to("end_comfort", _S.QUEUED),
    (_S.QUEUED, _G.DIGIT): _to("take_key_of_queue", _S.QUEUED, *_NEXT_STEP),
    (_S.QUEUED, _G.UNSTAFFED): _to("leave_unstaffed", *_NEXT_STEP),
    (_S.QUEUED, _G.RELAX_DUE): _to("relax", _S.QUEUED),
    (_S.OFFERED, _G.LEG_RANG): _to("leg_rang", _S.OFFERED),
    (_S.OFFERED, _G.LEG_ANSWERED): _to(
        "take_answer", _S.CONNECTING, _S.CONFIRMING, _S.BRIEFING, _S.CALLING, _S.GREETING, *_LATER
    ),
    (_S.OFFERED, _G.LEG_ENDED): _to("offer_failed", *_NEXT_STEP, *_LATER),
    (_S.OFFERED, _G.RING_OVER): _to("ring_over", *_NEXT_STEP, *_LATER),
    (_S.OFFERED, _G.WAIT_OVER): _to("remember_wait_over", _S.OFFERED),
    (_S.OFFERED, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.OFFERED, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.OFFERED),
    (_S.OFFERED, _G.ANNOUNCEMENT_OVER): _to("end_comfort", _S.OFFERED),
    (_S.OFFERED, _G.DIGIT): _to("remember_key", _S.OFFERED),
    (_S.OFFERED, _G.MATCHED): _to("offer_also", _S.OFFERED),
    (_S.OFFERED, _G.OTHER_RANG): _to("other_rang", _S.OFFERED),
    (_S.OFFERED, _G.OTHER_ANSWERED): _to(
        "other_answered", _S.CONNECTING, _S.BRIEFING, _S.CALLING, _S.GREETING, *_LATER
    ),
    (_S.OFFERED, _G.OTHER_ENDED): _to("other_ended", _S.OFFERED),
    (_S.OFFERED, _G.OTHER_UNCERTAIN): _to("other_uncertain", _S.OFFERED),
    (_S.CONFIRMING, _G.LEG_DIGIT): _to("take_key", _S.CONFIRMING, _S.CONNECTING),
    (_S.CONFIRMING, _G.ANNOUNCEMENT_OVER): _to("ask_for_key_again", _S.CONFIRMING),
    (_S.CONFIRMING, _G.LEG_ENDED): _to("offer_failed", *_NEXT_STEP),
    (_S.CONFIRMING, _G.RING_OVER): _to("ring_over", *_NEXT_STEP),
    (_S.CONFIRMING, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.CONFIRMING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.CONFIRMING),
    (_S.BRIEFING, _G.ANNOUNCEMENT_OVER): _to("end_briefing", _S.CONNECTING, _S.GREETING),
    (_S.BRIEFING, _G.LEG_ENDED): _to("offer_failed", *_NEXT_STEP),
    (_S.BRIEFING, _G.WAIT_OVER): _to("remember_wait_over", _S.BRIEFING),
    (_S.BRIEFING, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.BRIEFING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.BRIEFING),
    (_S.CONNECTING, _G.BRIDGED): _to("connected", _S.CONNECTED),
    (_S.CONNECTING, _G.BRIDGE_FAILED): _to("connect_failed", *_NEXT_STEP),
    (_S.CONNECTING, _G.LEG_ENDED): _to("offer_failed", *_NEXT_STEP),
    (_S.CONNECTING, _G.WAIT_OVER): _to("remember_wait_over", _S.CONNECTING),
    (_S.CONNECTING, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.CONNECTING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.CONNECTING),
    (_S.CONNECTED, _G.LEG_ENDED): _to("counselor_left", _S.CONNECTED, *_NEXT_STEP),
    (_S.CONNECTED, _G.LEG_DIGIT): _to("key_of_counselor", _S.CONNECTED, *_NEXT_STEP),
    (_S.CONNECTED, _G.LENGTH_DUE): _to("length_due", _S.CONNECTED, *_NEXT_STEP),
    (_S.CONNECTED, _G.KEYS_OVER): _to("forget_keys", _S.CONNECTED),
    (_S.CONNECTED, _G.LEG_HELD): _to("held_by_phone", _S.CONNECTED),
    (_S.CONNECTED, _G.LEG_RESUMED): _to("resumed_by_phone", _S.CONNECTED),
    (_S.CONNECTED, _G.INVITED_RANG): _to("invited_rang", _S.CONNECTED),
    (_S.CONNECTED, _G.INVITED_ANSWERED): _to("invited_answered", _S.CONNECTED),
    (_S.CONNECTED, _G.INVITED_ENDED): _to("invited_ended", _S.CONNECTED),
    (_S.CONNECTED, _G.INVITED_OVER): _to("invited_over", _S.CONNECTED),
    (_S.CONNECTED, _G.BRIDGE_FAILED): _to("not_joined", _S.CONNECTED, *_NEXT_STEP),
    (_S.CONNECTED, _G.CALLER_LEFT): _to("caller_left", _S.ENDED),
    (_S.QUEUED, _G.CALLBACK_DUE): _to("callback_due", *_LATER),
    (_S.POSTPONED, _G.CALLBACK_DUE): _to("callback_due", *_LATER),
    (_S.CALLING, _G.LEG_ENDED): _to("counselor_gone", *_LATER),
    (_S.CALLING, _G.RESIDENT_RANG): _to("resident_rang", _S.CALLING),
    (_S.CALLING, _G.RESIDENT_ANSWERED): _to("resident_answered", _S.GREETING, _S.CONNECTING),
    (_S.CALLING, _G.RESIDENT_ENDED): _to("resident_ended", *_LATER),
    (_S.CALLING, _G.RESIDENT_OVER): _to("resident_over", *_LATER),
    (_S.GREETING, _G.ANNOUNCEMENT_OVER): _to("end_greeting", _S.GREETING, _S.CONNECTING),
    (_S.GREETING, _G.LEG_ENDED): _to("counselor_gone", *_NEXT_STEP),
    (_S.GREETING, _G.WAIT_OVER): _to("remember_wait_over", _S.GREETING),
    (_S.GREETING, _G.CALLER_LEFT): _to("resident_left", *_LATER),
    (_S.GREETING, _G.DEAD_MAN_DUE): _to("renew_dead_man", _S.GREETING),
    (_S.CLEARING, _G.RECORDING_OVER): _to("close_recording", _S.CLEARING, _S.ENDED),
    (_S.CLEARING, _G.RECORDING_FAILED): _to("close_recording", _S.CLEARING, _S.ENDED),
    (_S.CLEARING, _G.CALLER_LEFT): _to("finish", _S.ENDED),
    (_S.CLEARING, _G.CLEARING_OVER): _to("insist", _S.CLEARING, _S.ENDED),
}

_LATE = frozenset(
    {
        _G.ARRIVED,
        _G.ANNOUNCEMENT_OVER,
        _G.DIGIT,
        _G.DIGIT_OVER,
        _G.RECORDING_OVER,
        _G.RECORDING_FAILED,
        _G.RECORDING_DUE,
        _G.WAIT_OVER,
        _G.RING_OVER,
        _G.BRIDGED,
        _G.BRIDGE_FAILED,
        _G.CALLER_LEFT,
        _G.CLEARING_OVER,
        _G.DEAD_MAN_DUE,
        _G.COMFORT_DUE,
        _G.INVITED_OVER,
        _G.KEYS_OVER,
        _G.LENGTH_DUE,
        _G.RELAX_DUE,
        _G.RESIDENT_RANG,
        _G.RESIDENT_ANSWERED,
        _G.RESIDENT_ENDED,
        _G.RESIDENT_OVER,
        _G.CALLBACK_DUE,
    }
)
"""May come late or twice: timers, announcements, keys, recordings, answers to requests, what Asterisk says again."""

_LATE_FROM_LEG = frozenset({_G.LEG_RANG, _G.LEG_ANSWERED, _G.LEG_DIGIT, _G.LEG_HELD, _G.LEG_RESUMED})
_HAS_LEG = frozenset({_S.OFFERED, _S.CONFIRMING, _S.BRIEFING, _S.CALLING, _S.GREETING, _S.CONNECTING, _S.CONNECTED})
"""Only in these does a call have a leg; a leg that it has let go of speaks to it no more."""


def _complete() -> Mapping[tuple[CallState, Signal], Transition | Unmoved]:
    table: dict[tuple[CallState, Signal], Transition | Unmoved] = {}
    for state in CallState:
        for signal in Signal:
            late = signal in _LATE or (state in _HAS_LEG and signal in _LATE_FROM_LEG)
            unmoved = Unmoved.STALE if late and state is not _S.ROUTING else Unmoved.IMPOSSIBLE
            table[state, signal] = _TRANSITIONS.get((state, signal), unmoved)
    return table


TABLE: Mapping[tuple[CallState, Signal], Transition | Unmoved] = _complete()


def as_page() -> str:
    """The table as a page of documentation: a Mermaid diagram of the transitions, and every pair in full."""
    arrows: dict[tuple[CallState, CallState], list[str]] = {}
    for (state, signal), reaction in TABLE.items():
        if isinstance(reaction, Transition):
            for to in CallState:
                if to in reaction.to:
                    arrows.setdefault((state, to), []).append(signal)
    diagram = [f"    {state} --> {to}: {', '.join(signals)}" for (state, to), signals in arrows.items()]
    rows = [f"| {signal} | {' | '.join(_cell(TABLE[state, signal]) for state in CallState)} |" for signal in Signal]
    return "\n".join(
        [
            "# The states of a call",
            "",
            "Drawn from the table in `callrouter/core/states.py`, by which the daemon runs.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            f"    [*] --> {CallState.ROUTING}",
            *diagram,
            f"    {CallState.ENDED} --> [*]",
            "```",
            "",
            "What each state makes of each signal. *Stale* may come late or twice: it is ignored and counted.",
            "*Impossible* is a defect: it is logged, and that call alone goes to the fallback of the dialplan.",
            "",
            f"| | {' | '.join(CallState)} |",
            f"|---|{'---|' * len(CallState)}",
            *rows,
            "",
        ]
    )


def _cell(reaction: Transition | Unmoved) -> str:
    if isinstance(reaction, Transition):
        return ", ".join(f"**{to}**" for to in CallState if to in reaction.to)
    return reaction.value
