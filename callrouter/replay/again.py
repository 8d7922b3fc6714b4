"""Runs what was kept again, through the same core, and compares what is decided."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.audit import AuditEntry
from callrouter.core.cdr import Cdr
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId
from callrouter.core.output import Output
from callrouter.core.pins import Pin
from callrouter.core.rulebook import Rulebook
from callrouter.core.states import CallState
from callrouter.replay.records import Began, GaveUp, Happened, InputsError, Recalled, Record, Rules, digest

LoadRules = Callable[[Rules], Rulebook]
"""Compiles rules."""

_Entries = list[AuditEntry]
_Histories = list[list[facts.Fact]]
_RECALLS: Final[Mapping[str, tuple[tuple[Any, ...], bool]]] = {
    "restore": ((_Histories, list[CallId]), False),
    "restore_lost_places": ((_Histories,), False),
    "restore_outward": ((list[Cdr], datetime), False),
    "restore_switches": ((_Entries,), True),
    "restore_duties": ((_Entries,), False),
    "restore_today": ((list[Cdr], _Entries, datetime), True),
    "restore_standing": ((list[Cdr], _Entries, _Entries), True),
    "restore_desks": ((_Entries, _Entries, _Entries), True),
}
"""What the exchange can be told before its first event: with what, and whether with the time."""


@dataclass(frozen=True, slots=True)
class Step:
    """One input, and what came of it now."""

    number: int
    """From 1 on, in the run."""
    at: datetime
    kind: str
    event: ev.Event | None
    call: CallId | None
    """The call in progress that it is about."""
    before: CallState | None
    after: CallState | None
    """Of that call; None: it was not there yet, or is no more."""
    output: Output | None
    """None: nothing is returned, or it raised."""
    raised: str
    is_same: bool
    """Whether the same was decided as then, bit for bit."""


class Again:
    """One run. ``began`` and ``rules`` are known when the first step was taken."""

    def __init__(self, records: Iterable[Record], load: LoadRules) -> None:
        self.began: Began | None = None
        self.exchange: Exchange | None = None
        self._records = records
        self._load = load
        self._rules: dict[str, Rulebook] = {}
        self._pins: list[bool] = []
        self._decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}

    def steps(self) -> Iterator[Step]:
        """Run it, one input after another.

        Raises:
            InputsError: the records do not begin with the start of a daemon, or its rules cannot be compiled to what
                they were.
        """
        number = 0
        for record in self._records:
            match record:
                case Rules():
                    self._learn(record)
                case Began():
                    self.began, self.exchange = record, Exchange(self._rulebook(record.config_hash), record.at)
                    self.exchange.conduct.desks.check = self._check
                case _:
                    number += 1
                    if self.exchange is None:
                        raise InputsError("the file does not begin with the start of a daemon")
                    yield self._take(number, record, self.exchange)

    def _take(self, number: int, record: Recalled | Happened | GaveUp, exchange: Exchange) -> Step:
        match record:
            case Recalled(at=at, what=what):
                out = self._recall(record, exchange)
                same = digest(out) == record.decided
                return Step(number, at, what, None, None, None, None, out, "", same)
            case GaveUp(at=at, call=call, why=why):
                before = _state(exchange, call)
                out = exchange.give_up(call, at, why)
                same = digest(out) == record.decided
                return Step(number, at, "GaveUp", None, call, before, _state(exchange, call), out, "", same)
            case Happened():
                return self._handle(number, record, exchange)

    def _handle(self, number: int, record: Happened, exchange: Exchange) -> Step:
        event, out, raised = self._event(record), None, ""
        self._pins = list(record.pins)
        call = exchange.concerns(event)
        before = _state(exchange, call)
        try:
            out = exchange.handle(event, record.at)
        except Exception as defect:
            raised = repr(defect)
        if call is None and isinstance(event, ev.CallArrived):
            call = event.call
        decided = digest(out) if out is not None else b""
        after = _state(exchange, call)
        return Step(number, record.at, record.kind, event, call, before, after, out, raised, decided == record.decided)

    def _event(self, record: Happened) -> ev.Event:
        if record.kind == ev.RulebookReplaced.__name__:
            return ev.RulebookReplaced(self._rulebook(msgspec.msgpack.decode(record.event, type=str)))
        decoder = self._decoders.get(record.kind)
        if decoder is None:
            kind = getattr(ev, record.kind, None)
            if not isinstance(kind, type):
                raise InputsError(f"this version knows no event {record.kind}")
            decoder = self._decoders[record.kind] = msgspec.msgpack.Decoder(kind)
        event: ev.Event = decoder.decode(record.event)
        return event

    def _recall(self, record: Recalled, exchange: Exchange) -> Output | None:
        if record.what not in _RECALLS:
            raise InputsError(f"this version cannot be told {record.what!r}")
        types, with_time = _RECALLS[record.what]
        # An earlier version may have told less.
        told = [msgspec.msgpack.decode(raw, type=kind) for raw, kind in zip(record.arguments, types, strict=False)]
        out = getattr(exchange, record.what)(*told, *([record.at] if with_time else []))
        return out if isinstance(out, Output) else None

    def _learn(self, rules: Rules) -> None:
        rulebook = self._load(rules)
        if rulebook.hash != rules.config_hash:
            raise InputsError(f"the rules {rules.config_hash} are compiled to {rulebook.hash} by this version")
        self._rules[rules.config_hash] = rulebook

    def _rulebook(self, config_hash: str) -> Rulebook:
        if config_hash not in self._rules:
            raise InputsError(f"the file does not hold the rules {config_hash}")
        return self._rules[config_hash]

    def _check(self, _pin: Pin, _digits: str) -> bool:
        return self._pins.pop(0) if self._pins else False


def _state(exchange: Exchange, call: CallId | None) -> CallState | None:
    known = exchange.calls.get(call) if call is not None else None
    return known.state if known is not None else None
