"""What ``callrouter diff`` found, for people and for programs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from callrouter.cli.text import Column, table
from callrouter.config import Loaded
from callrouter.core.conditions import LanguageIs, QueueIs, TrunkIs
from callrouter.core.local_time import WEEKDAYS, span_text
from callrouter.core.numbers import masked
from callrouter.core.routing import Ruleset
from callrouter.diff.cells import MOST_CALLERS, Caller, Span, conditions_of
from callrouter.diff.elsewhere import Elsewhere
from callrouter.diff.hours import OtherHours
from callrouter.diff.replay import Moved, Replay
from callrouter.diff.way import Way
from callrouter.diff.written import Change
from callrouter.store.past_calls import PastCall

_SHOWN_SPANS = 2
_SHOWN_DAYS = 4
_SHOWN_CALLERS = 4
_ELSEWHERE = (Column("when", 70), Column("who", 110), Column("old", 60), Column("new", 60))
_MOVED = (Column("calls", 7, right=True), Column("old", 60), Column("new", 60), Column("such as", 70))


@dataclass(slots=True)
class Found:
    """Everything, of the ``days`` from ``first`` on."""

    old: Loaded
    new: Loaded
    first: date
    days: int
    changes: list[Change]
    hours: list[OtherHours]
    elsewhere: list[Elsewhere]
    kinds: int
    """How many kinds of calls were asked about."""
    complete: bool
    """Whether those are all that can be told apart."""
    replay: Replay | None = None

    @property
    def is_something(self) -> bool:
        """Whether anything is otherwise."""
        return bool(self.changes or self.hours or self.elsewhere or (self.replay is not None and self.replay.moved))


def lines(found: Found, limit: int) -> Iterator[str]:
    """For people: sentences, then tables of so many rows at most."""
    yield from _written(found)
    yield from _where(found, limit)
    if found.replay is not None:
        yield ""
        yield from _replayed(found.replay, found, limit)


def _written(found: Found) -> Iterator[str]:
    if not found.changes and not found.hours:
        same = found.old.rulebook.hash == found.new.rulebook.hash
        yield "The files are the same." if same else "What is written means the same."
        return
    yield "What is written otherwise"
    yield from (f"  {change.sentence}" for change in found.changes)
    if found.hours:
        yield f"Other opening hours, {_period(found)}"
        yield from (f"  {_hours(one)}" for one in found.hours)


def _hours(other: OtherHours) -> str:
    days = [_day(day) for day in other.days]
    if len(days) <= _SHOWN_DAYS:
        when = ", ".join(days)
    else:
        weekdays = " ".join(WEEKDAYS[number] for number in sorted({day.weekday() for day in other.days}))
        when = f"{len(days)} days ({weekdays}), from {days[0]} to {days[-1]}"
    return f"calendar {other.calendar}: {other.new}, was {other.old}: {when}"


def _day(day: date) -> str:
    return f"{WEEKDAYS[day.weekday()]} {day}"


def _period(found: Found) -> str:
    return f"{_day(found.first)} to {_day(found.first + timedelta(days=found.days - 1))}"


def _where(found: Found, limit: int) -> Iterator[str]:
    if not found.elsewhere:
        yield f"No caller goes another way, {_period(found)}."
    else:
        yield f"Who goes another way, {_period(found)}"
        rows = [_row(one, found) for one in found.elsewhere[:limit]]
        yield from (f"  {line}" for line in table(_ELSEWHERE, rows).splitlines())
        if len(found.elsewhere) > limit:
            yield f"  and {len(found.elsewhere) - limit} more; --limit shows them, --json all"
    if not found.complete:
        yield (
            f"Not all kinds of calls were combined with one another: there are more than {MOST_CALLERS}."
            " Each was asked about by itself."
        )


def _row(one: Elsewhere, found: Found) -> tuple[str, ...]:
    who = "every caller" if len(one.callers) == found.kinds else _who(one.callers)
    return (_when(one.spans, found.new.timezone), who, *_ways(one.old, one.new))


def _ways(old: Way, new: Way) -> tuple[str, str]:
    return old.words, new.words if new.words != old.words else f"{new.words}, otherwise on the way"


def _when(spans: Sequence[Span], zone: tzinfo) -> str:
    if len(spans) <= _SHOWN_SPANS:
        return ", ".join(_span(span, zone) for span in spans)
    whole = sum((span.end - span.start for span in spans), timedelta())
    return f"{_span(spans[0], zone)}, and {len(spans) - 1} times more ({span_text(whole)})"


def _span(span: Span, zone: tzinfo) -> str:
    """``Tue 2026-12-01 18:00-22:00``; with the day of its end, if that is another."""
    start, end = span.start.astimezone(zone), span.end.astimezone(zone)
    if end.date() == start.date():
        ending = f"{end:%H:%M}"
    elif end - start <= timedelta(days=1) and end.time() == datetime.min.time():
        ending = "24:00"
    else:
        ending = f"{_day(end.date())} {end:%H:%M}"
    return f"{_day(start.date())} {start:%H:%M}-{ending}"


def _who(callers: Sequence[Caller]) -> str:
    names = [caller.who for caller in callers]
    if len(names) <= _SHOWN_CALLERS:
        return "; ".join(names)
    return f"{'; '.join(names[: _SHOWN_CALLERS - 1])}; and {len(names) - _SHOWN_CALLERS + 1} kinds more"


def _replayed(replay: Replay, found: Found, limit: int) -> Iterator[str]:
    yield f"Of {replay.calls} past calls, {replay.elsewhere} would have gone another way"
    moved = replay.most_first()
    if moved:
        zone = found.new.timezone
        rows = [(str(one.calls), *_ways(one.old, one.new), _example(one.examples[0], zone)) for one in moved[:limit]]
        yield from (f"  {line}" for line in table(_MOVED, rows).splitlines())
        if len(moved) > limit:
            yield f"  and {len(moved) - limit} more; --limit shows them, --json all"
    if replay.recorded:
        agreed = replay.recorded - replay.otherwise.total()
        yield f"{replay.recorded} of them the old rules themselves decided: {agreed} by the rule that takes them here."
    yield f"Not in the records: {'; '.join(unknown(found))}."


def _example(call: PastCall, zone: tzinfo) -> str:
    at = call.started_at.astimezone(zone)
    return f"{call.call_id[:18]} {_day(at.date())} {at:%H:%M} {masked(call.caller)} to {call.dialed}"


def unknown(found: Found) -> list[str]:
    """What decided past calls and is not in their records, with a word where these rules ask for it."""
    routers = (found.old.rulebook.router, found.new.rulebook.router)
    asked = [one for router in routers if isinstance(router, Ruleset) for one in conditions_of(router)]
    words = {
        QueueIs: "how queues stood (taken as usual)",
        TrunkIs: "the trunk that a call came in by",
        LanguageIs: "its language",
    }
    return [
        f"{text}{', which these rules ask for' if any(isinstance(one, kind) for one in asked) else ''}"
        for kind, text in words.items()
    ]


def as_data(found: Found) -> dict[str, object]:
    """For programs; all rows, times in UTC."""
    return {
        "old": found.old.rulebook.hash,
        "new": found.new.rulebook.hash,
        "first": str(found.first),
        "days": found.days,
        "changes": [{"section": one.section, "name": one.name, "sentence": one.sentence} for one in found.changes],
        "hours": [
            {"calendar": one.calendar, "old": one.old, "new": one.new, "days": [str(day) for day in one.days]}
            for one in found.hours
        ],
        "elsewhere": [_elsewhere_data(one) for one in found.elsewhere],
        "complete": found.complete,
        "replay": _replay_data(found.replay, found) if found.replay is not None else None,
    }


def _elsewhere_data(one: Elsewhere) -> dict[str, object]:
    return {
        **_way_data(one.old, one.new),
        "callers": [caller.who for caller in one.callers],
        "spans": [{"from": _stamp(span.start), "to": _stamp(span.end)} for span in one.spans],
    }


def _way_data(old: Way, new: Way) -> dict[str, object]:
    return {"old_rule": old.rule, "old": old.words, "new_rule": new.rule, "new": new.words}


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _replay_data(replay: Replay, found: Found) -> dict[str, object]:
    return {
        "calls": replay.calls,
        "elsewhere": replay.elsewhere,
        "moved": [_moved_data(one) for one in replay.most_first()],
        "decided_by_old": replay.recorded,
        "decided_otherwise_then": [
            {"then": then, "now": now, "calls": count} for (then, now), count in replay.otherwise.most_common()
        ],
        "unknown": unknown(found),
    }


def _moved_data(one: Moved) -> dict[str, object]:
    return {**_way_data(one.old, one.new), "calls": one.calls, "examples": [*_examples(one.examples)]}


def _examples(calls: Iterable[PastCall]) -> Iterator[dict[str, str]]:
    for call in calls:
        yield {
            "call_id": call.call_id,
            "started_at": _stamp(call.started_at),
            "caller": masked(call.caller),
            "dialed": call.dialed,
            "region": call.region,
            "rule": call.rule,
        }
