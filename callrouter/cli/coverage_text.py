"""The proof of a year as text and as data."""

from collections.abc import Container, Iterator, Sequence

from callrouter.cli.text import Column, plain, table
from callrouter.core.ids import RuleId
from callrouter.core.rulebook import Rulebook
from callrouter.proof.ends import Answer
from callrouter.proof.findings import (
    Finding,
    Surprise,
    example_text,
    hours,
    instant_text,
    minute_text,
    staff,
    surprise_texts,
    surprises,
)
from callrouter.proof.kinds import words_of
from callrouter.proof.proving import Course, Example, Proof, Share

MOST_SURPRISES = 40
_RULES = (
    Column("rule", 30),
    Column("where", 30),
    Column("time", 16, right=True),
    Column("of the year", 11, right=True),
    Column("kinds of call", 13, right=True),
    Column("comes to", 50),
    Column("first", 20),
    Column("last", 20),
)
_QUEUES = (Column("queue", 30), Column("time", 16, right=True), Column("agents", 6, right=True), Column("rules", 80))


def lines(proof: Proof, book: Rulebook, found: Sequence[Finding]) -> Iterator[str]:
    """For people: rules, queues, how the year goes for whom, and what is wrong."""
    yield (
        f"{proof.number} in {proof.zone.key}: {proof.year.minutes} minutes, told apart by calendars as"
        f" {_count(len(proof.moments), 'moment')}; {_count(len(proof.kinds), 'kind')} of call; version {book.hash}"
    )
    yield ""
    # Of chosen calls, most rules of a large centre take none.
    shown = [share for share in proof.shares if proof.whole or share.minutes]
    yield table(_RULES, [_rule_row(proof, share) for share in shown])
    if len(shown) < len(proof.shares):
        yield f"of {_count(len(proof.shares), 'rule')}, the others take none of these calls first"
    if proof.queues:
        yield ""
        yield table(_QUEUES, _queue_rows(proof, book))
    yield from _section("The year, by who calls", [_course_text(proof, course) for course in proof.courses])
    last = proof.rules.routes[-1].rule
    yield from _section(
        f"Days on which calls fall to {last}, the last route, unlike on most days of that name", _unlike(proof)
    )
    yield from _section("Taken to be so all year", proof.normal)
    yield from _section("Take calls only when that is otherwise", _otherwise(proof))
    yield from _section("Regions from which no call comes, unless a menu says so", [", ".join(proof.unheard)])
    yield from _section("To be mended", [str(finding) for finding in found])
    yield ""
    whose = "" if proof.whole else " for these calls"
    yield _count(len(found), "fault") if found else f"fine: every minute of the year has its answer{whose}"


def _section(head: str, texts: Sequence[str]) -> Iterator[str]:
    """A list under its head; nothing if there is nothing to list."""
    if any(texts):
        yield ""
        yield f"{head}:"
        yield from (f"  {plain(text)}" for text in texts)


def _rule_row(proof: Proof, share: Share) -> Sequence[str]:
    return (
        share.route.rule,
        share.route.where,
        hours(share.minutes),
        _percent(share.minutes, proof.year.minutes),
        f"{share.kinds} of {len(proof.kinds)}",
        share.comes_to or "-",
        instant_text(proof, share.first) if share.first else "never",
        instant_text(proof, share.last) if share.last else "never",
    )


def _queue_rows(proof: Proof, book: Rulebook) -> Iterator[Sequence[str]]:
    serving = staff(book)
    for queue, (minutes, rules) in proof.queues.items():
        agents = sum(serving.get(queue, {}).values())
        yield queue, hours(minutes), str(agents), ", ".join(_in_order(proof, rules))


def _course_text(proof: Proof, course: Course) -> str:
    minutes: dict[RuleId, int] = {}
    for span, answer in proof.timeline(course):
        minutes[answer.rule] = minutes.get(answer.rule, 0) + span.minutes
    parts = [f"{rule} {hours(minutes[rule])}" for rule in _in_order(proof, minutes)]
    return f"{words_of(course.kinds, proof.kinds)}: {', '.join(parts)}"


def _in_order(proof: Proof, rules: Container[RuleId]) -> list[RuleId]:
    return [route.rule for route in proof.rules.routes if route.rule in rules]


def _unlike(proof: Proof) -> list[str]:
    found = surprise_texts(proof)
    more = len(found) - MOST_SURPRISES
    return found if more <= 0 else [*found[:MOST_SURPRISES], f"and {more} more; --json prints all"]


def _otherwise(proof: Proof) -> list[str]:
    routes = proof.rules.routes
    return [f"{r.where}: {r.rule}" for r in routes if r.rule in proof.supposed]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def as_data(proof: Proof, book: Rulebook, found: Sequence[Finding]) -> dict[str, object]:
    """For programs; times are minutes."""
    serving = staff(book)
    return {
        "year": proof.number,
        "zone": proof.zone.key,
        "minutes": proof.year.minutes,
        "moments": [{"open": sorted(moment.open), "minutes": moment.minutes} for moment in proof.moments],
        "kinds": len(proof.kinds),
        "rules": [_rule_data(proof, share) for share in proof.shares],
        "queues": [
            {"queue": queue, "minutes": minutes, "agents": sum(serving.get(queue, {}).values()), "rules": sorted(rules)}
            for queue, (minutes, rules) in proof.queues.items()
        ],
        "courses": [_course_data(proof, course) for course in proof.courses],
        "catch_all": proof.rules.routes[-1].rule,
        "unlike_most_days": [_surprise_data(proof, surprise) for surprise in surprises(proof)],
        "taken_as_normal": list(proof.normal),
        "only_otherwise": [route.rule for route in proof.rules.routes if route.rule in proof.supposed],
        "unheard_regions": list(proof.unheard),
        "faults": [{"where": one.where, "message": one.message, "remedy": one.remedy} for one in found],
        "config_hash": book.hash,
    }


def _rule_data(proof: Proof, share: Share) -> dict[str, object]:
    return {
        "rule": share.route.rule,
        "where": share.route.where,
        "minutes": share.minutes,
        "kinds": share.kinds,
        "share": share.cells / proof.cells,
        "comes_to": share.comes_to,
        "first": _example_data(proof, share.first),
        "last": _example_data(proof, share.last),
    }


def _example_data(proof: Proof, example: Example | None) -> object:
    """A call that can be given to ``explain``."""
    if example is None:
        return None
    facts = example.kind.facts
    return {
        "at": example.at.astimezone(proof.zone).isoformat(),
        "region": example.kind.origin.region.name,
        "caller": facts.caller,
        "dialed": facts.dialed,
        "trunk": facts.trunk,
        "diversion": facts.diversion,
        "topic": facts.topic,
        "language": facts.language,
        "words": example_text(proof, example),
    }


def _course_data(proof: Proof, course: Course) -> dict[str, object]:
    return {
        "calls": words_of(course.kinds, proof.kinds),
        "kinds": [kind.words for kind in course.kinds],
        "moments": [_answer_data(answer) for answer in course.answers],
    }


def _answer_data(answer: Answer) -> dict[str, object]:
    return {"rule": answer.rule, "ends": [{"kind": end.kind, "target": end.target} for end in answer.ends]}


def _surprise_data(proof: Proof, surprise: Surprise) -> dict[str, object]:
    return {
        "calls": words_of(surprise.course.kinds, proof.kinds),
        "date": str(surprise.times[0].day),
        "times": [
            {"from": minute_text(t.start), "to": minute_text(t.end), "rule": t.answer.rule, "usual": t.usual.rule}
            for t in surprise.times
        ],
        "reasons": list(surprise.reasons),
    }
