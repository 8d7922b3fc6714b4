"""What is wrong with the rules, as the proof of a year shows it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from callrouter.core.calendars import Calendar
from callrouter.core.conditions import CalendarOpen, no_queues
from callrouter.core.ids import QueueName, RuleId, SiteName
from callrouter.core.local_time import WEEKDAYS
from callrouter.core.routing import Route, Ruleset
from callrouter.core.rulebook import Rulebook
from callrouter.proof.asked import calendars_asked, conditions_of, of_the_moment, supposing
from callrouter.proof.days import NOON, Unusual, days, unusual
from callrouter.proof.ends import EndKind
from callrouter.proof.kinds import words_of
from callrouter.proof.proving import Course, Example, Proof, states


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to be mended; ``where`` is ``file:line``, or empty."""

    where: str
    message: str
    remedy: str

    def __str__(self) -> str:
        head = f"{self.where}: " if self.where else ""
        return f"{head}{self.message}; {self.remedy}"


def findings(proof: Proof, book: Rulebook) -> tuple[Finding, ...]:
    """All that is wrong, in the order of the rules, then of the queues and the calendars."""
    found = [*_circles(proof), *_unstaffed(proof, book), *_unknown_holidays(proof)]
    return (*_idle(proof), *found) if proof.whole else tuple(found)


def _idle(proof: Proof) -> Iterator[Finding]:
    """Rules that take no call. The last one may: it is there for what nobody thought of."""
    for route in proof.rules.routes[:-1]:
        if route.rule not in proof.taking | proof.supposed:
            yield Finding(
                route.where, f"{route.rule} never takes a call in {proof.number}: {_why(proof, route)}", _MEND
            )


_MEND = "move it up, mend its conditions, or take it out"


def _why(proof: Proof, route: Route) -> str:
    """Who takes its calls, or that it has none."""
    last = proof.rules.routes[-1]
    asked = of_the_moment(route.conditions)
    takers: dict[str, None] = {}
    for held in [frozenset(asked), *states(asked)]:
        pair = supposing((route, last), held, [one for one in asked if one not in held])
        alone = Ruleset(pair, proof.rules.geography, proof.rules.calendars, proof.rules.config_hash)
        for m, moment in enumerate(proof.moments):
            for k, kind in enumerate(proof.kinds):
                if alone.decide(kind.facts, moment.at, no_queues).rule == route.rule:
                    takers[proof.answers[k][m].rule] = None
    if takers:
        return f"{' and '.join(takers)} {'takes' if len(takers) == 1 else 'take'} all of its calls"
    return "its conditions never hold together"


def _circles(proof: Proof) -> Iterator[Finding]:
    where = {route.rule: route.where for route in proof.rules.routes}
    seen = set()
    for k, kind in enumerate(proof.kinds):
        for m, moment in enumerate(proof.moments):
            for end in proof.answers[k][m].ends:
                if end.kind is EndKind.FALLBACK and end not in seen:
                    seen.add(end)
                    example = example_text(proof, Example(moment.at, kind, proof.answers[k][m]))
                    after = f" after {end.rule}" if end.rule != end.target else ""
                    message = f"{end.target} takes a call again{after}, which then goes to the fallback ({example})"
                    remedy = "let every answer before route: again lead to another route"
                    yield Finding(where[end.rule], message, remedy)


def staff(book: Rulebook) -> Mapping[QueueName, Mapping[SiteName, int]]:
    """How many agents of each site serve each queue."""
    counted: dict[QueueName, Counter[SiteName]] = {name: Counter() for name in book.queues}
    for agent in book.agents.values():
        for queue in agent.queues:
            counted[queue][agent.site] += 1
    return counted


def _unstaffed(proof: Proof, book: Rulebook) -> Iterator[Finding]:
    """Queues to which calls come, and which no agent serves."""
    serving = staff(book)
    for queue, (minutes, rules) in proof.queues.items():
        if not serving.get(queue):
            lead = f"{' and '.join(sorted(rules))} {'leads' if len(rules) == 1 else 'lead'}"
            message = f"no agent serves the queue {queue}, to which {lead} callers in {hours(minutes)} of the year"
            yield Finding("", message, "name it in an agent's queues")


def _unknown_holidays(proof: Proof) -> Iterator[Finding]:
    last = (proof.year.end - timedelta(seconds=1)).astimezone(proof.zone).date()
    for name, calendar in calendars_asked(proof.rules).items():
        if calendar.holidays_end is not None and calendar.holidays_end < last:
            message = f"the holidays of the calendar {name} are known up to {calendar.holidays_end} only"
            remedy = "what is said of later days is a guess; compare them with the official ones, and move until:"
            yield Finding("", message, remedy)


def last_resort(proof: Proof) -> tuple[Finding, ...]:
    """That calls fall to the last route, for who takes that for a fault; once for each course of the year."""
    last, found = proof.rules.routes[-1], []
    for course in proof.courses:
        times = [(span, answer) for span, answer in proof.timeline(course) if answer.rule == last.rule]
        if times:
            first = Example(times[0][0].start, course.kinds[0], times[0][1])
            minutes = sum(span.minutes for span, _ in times)
            message = f"calls fall to {last.rule} in {hours(minutes)} of the year, first {example_text(proof, first)}"
            found.append(Finding(last.where, message, "write a route that takes them"))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Surprise:
    """A day on which the last rule takes calls that another takes on most days of that name."""

    course: Course
    times: tuple[Unusual, ...]
    """Of one day; none is empty."""
    reasons: tuple[str, ...]
    """What the calendars say of the day."""

    @property
    def noted(self) -> Unusual:
        """The time of the day that tells most: the one with noon in it, else the first."""
        return next((time for time in self.times if time.minute == NOON), self.times[0])


def surprises(proof: Proof) -> tuple[Surprise, ...]:
    """By day, then in the order of the courses."""
    last, asked = proof.rules.routes[-1].rule, _asked_by_rule(proof)
    found = []
    for course in proof.courses:
        by_day: dict[date, list[Unusual]] = {}
        for time in unusual(days(proof.timeline(course), proof.zone)):
            if time.answer.rule == last:
                by_day.setdefault(time.day, []).append(time)
        for day, times in by_day.items():
            calendars = (calendar for time in times for calendar in asked[time.usual.rule])
            notes = (
                note.reason
                for calendar in {one.name: one for one in calendars}.values()
                for note in calendar.schedule.notes(day)
            )
            found.append(Surprise(course, tuple(times), tuple(dict.fromkeys(notes))))
    return tuple(sorted(found, key=lambda surprise: surprise.times[0].day))


def _asked_by_rule(proof: Proof) -> Mapping[RuleId, Sequence[Calendar]]:
    """The calendars that the routes and their plans ask: they know why a day is not as usual."""
    calendars = proof.rules.calendars
    found: dict[RuleId, list[Calendar]] = {}
    for route in proof.rules.routes:
        asked = (one.calendars for one in conditions_of([route]) if isinstance(one, CalendarOpen))
        found[route.rule] = [calendars[name] for names in asked for name in names if name in calendars]
    return found


def surprise_texts(proof: Proof) -> list[str]:
    """``Tue 2027-02-09 12:00, changwon → closed (else changwon-day): 설날``, a line for each day and time."""
    lines: dict[tuple[str, str], list[str]] = {}
    for surprise in sorted(surprises(proof), key=_by_day_and_size):
        time = surprise.noted
        clock = f"{WEEKDAYS[time.day.weekday()]} {time.day} {minute_text(time.minute)}"
        who = words_of(surprise.course.kinds, proof.kinds)
        what = f"{who} → {time.answer.rule} (else {time.usual.rule})"
        lines.setdefault((clock, ", ".join(surprise.reasons)), []).append(what)
    return [f"{clock}, {_some(whats)}{': ' if why else ''}{why}" for (clock, why), whats in lines.items()]


def _by_day_and_size(surprise: Surprise) -> tuple[date, int]:
    """The most telling first: whose kind of call is rare."""
    return surprise.times[0].day, len(surprise.course.kinds)


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _FEW
    return "; ".join(texts[:_FEW]) + (f"; and {more} more" if more > 0 else "")


_FEW = 3


def example_text(proof: Proof, example: Example) -> str:
    """``Tue 2027-02-09 12:00, changwon, landline 055-223-0000, dialled 120``."""
    return f"{instant_text(proof, example)}, {example.kind.words}"


def instant_text(proof: Proof, example: Example) -> str:
    """``Tue 2027-02-09 12:00``."""
    local = example.at.astimezone(proof.zone)
    return f"{WEEKDAYS[local.weekday()]} {local:%Y-%m-%d %H:%M}"


def minute_text(minute: int) -> str:
    """``09:00``; the end of a day is ``24:00``."""
    return f"{minute // 60:02}:{minute % 60:02}"


def hours(minutes: int) -> str:
    """``2214 h``, ``0 h 30 min``."""
    whole, rest = divmod(minutes, 60)
    return f"{whole} h {rest} min" if rest else f"{whole} h"
