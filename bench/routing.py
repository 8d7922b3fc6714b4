"""``python -m bench.routing``: one decision, one number's region, and loading, by how many rules there are."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import click
import marisa_trie

from bench.figures import percentile
from bench.linear import LinearScan
from bench.province import Province
from callrouter.config import load
from callrouter.core.ids import RegionName
from callrouter.core.inbound import CallFacts
from callrouter.core.numbering_plan import Confidence, NumberingPlan, Place
from callrouter.core.routing import Ruleset

SECRETS = {**os.environ, "CALLROUTER_ARI_PASSWORD": "none"}
PREFIXES = 100_000
EXPLAINED = 2_000
"""Of so many calls at most it is measured what the explanation takes."""
DECISION_AIM_US = 20.0
LOADING_AIM_S = 2.0
Call = tuple[CallFacts, datetime]
Row = tuple[str, ...]
_DECIDED = (
    "rules",
    "calls",
    "taken by",
    "median µs",
    "p99 µs",
    "and explained µs",
    "linear median µs",
    "linear p99 µs",
)
_LOOKED_UP = ("prefixes", "by", "median µs", "p99 µs")
_LOADED = ("rules", "check, best s", "check, median s")


@dataclass(frozen=True, slots=True)
class Times:
    """How long each of many took, in microseconds."""

    median: float
    p99: float

    @classmethod
    def of(cls, act: Callable[[Call], object], calls: Iterable[Call]) -> "Times":
        """What ``act`` takes for each call."""
        taken = []
        for call in calls:
            began = time.perf_counter_ns()
            act(call)
            taken.append((time.perf_counter_ns() - began) / 1000)
        return cls(percentile(taken, 50), percentile(taken, 99))


def places() -> dict[str, Place]:
    """``PREFIXES`` prefixes of five, six and eight digits: numbers of one area find one of each length."""
    found = {
        f"055{number:0{digits}d}": Place(RegionName("gimhae"), Confidence.FAIR)
        for digits in (2, 3)
        for number in range(10**digits)
    }
    rest = range(PREFIXES - len(found))
    return found | {f"055{number:05d}": Place(RegionName("changwon"), Confidence.STRONG) for number in rest}


def with_plan(rules: Ruleset, plan: NumberingPlan) -> Ruleset:
    """The same rules with another numbering plan."""
    return Ruleset(rules.routes, replace(rules.geography, plan=plan), rules.calendars, rules.config_hash)


def decisions(rules: Ruleset, calls: Sequence[Call], sample: int) -> list[Row]:
    """A row for all calls, and one each for those that match early, late, and nothing but the last route.

    ``sample`` calls of a kind are put to the linear scan, and must come to the same route.
    """
    linear = LinearScan(rules)
    count = len(rules.routes)
    position_of = {route.rule: position for position, route in enumerate(rules.routes)}
    where = [position_of[rules.decide(*call).rule] for call in calls]
    kinds: dict[str, list[Call]] = {
        "any rule": list(calls),
        "the first tenth": [call for call, at in zip(calls, where, strict=True) if at < count / 10],
        "the last tenth": [call for call, at in zip(calls, where, strict=True) if count * 0.9 <= at < count - 1],
        "the last rule": [call for call, at in zip(calls, where, strict=True) if at == count - 1],
    }
    rows = []
    for kind, those in kinds.items():
        if not those:
            continue
        found: list[int] = []
        theirs = Times.of(partial(_scan, linear, found), those[:sample])
        if [rules.routes[position].rule for position in found] != [rules.decide(*call).rule for call in those[:sample]]:
            raise AssertionError(f"the index and the linear scan disagree on calls taken by {kind}")
        ours = Times.of(lambda call: rules.decide(*call), those)
        told = Times.of(lambda call: rules.decide(*call).explanation, those[:EXPLAINED])
        figures = (ours.median, ours.p99, told.median, theirs.median, theirs.p99)
        rows.append((f"{count}", f"{len(those)}", kind, *(f"{figure:.1f}" for figure in figures)))
    return rows


def _scan(linear: LinearScan, found: list[int], call: Call) -> None:
    found.append(linear.decide(*call).position)


def lookups(calls: Sequence[Call], known: Mapping[str, Place]) -> list[Row]:
    """The longest prefix of a number: ours, and a trie in C that knows the same prefixes."""
    plan, trie = NumberingPlan(known), marisa_trie.Trie(known)
    landlines = [call for call in calls if call[0].caller.startswith("+8255")]
    national = {facts.caller: f"0{facts.caller[3:]}" for facts, _ in landlines}
    for number in national.values():
        match = plan.find(number)
        if match is None or match.prefix != trie.prefixes(number)[-1]:
            raise AssertionError(f"the plan and the trie disagree on {number}")
    ours = Times.of(lambda call: plan.find(national[call[0].caller]), landlines)
    theirs = Times.of(lambda call: trie.prefixes(national[call[0].caller])[-1], landlines)
    return [
        (f"{len(plan)}", name, f"{times.median:.2f}", f"{times.p99:.2f}")
        for name, times in (("a dictionary for each length", ours), ("marisa-trie", theirs))
    ]


def check_s(folder: Path) -> float:
    """How long ``callrouter check`` takes in a process of its own, in seconds."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "callrouter", "check", "--config", str(folder)]
    subprocess.run(command, env=SECRETS, check=True, capture_output=True, timeout=300)
    return time.perf_counter() - began


def table(head: Sequence[str], rows: Sequence[Row]) -> str:
    """The rows as a Markdown table with its columns in line."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    drawn = ["| " + " | ".join(map(str.rjust, line, widths)) + " |" for line in (head, *rows)]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|", *drawn[1:]])


def aim(what: str, found: float, limit: float) -> str:
    """Whether an aim is met."""
    return f"{'met   ' if found <= limit else 'missed'}  {what} under {limit:g}: {found:.2f}"


@click.command(epilog="Example: python -m bench.routing --rules 10 --rules 10000 --calls 20000")
@click.option("--rules", "counts", multiple=True, type=click.IntRange(2, 11_000), default=(10, 1_000, 10_000))
@click.option("--calls", "count", type=click.IntRange(100, 1_000_000), default=20_000, show_default=True)
@click.option("--linear", "sample", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--checks", type=click.IntRange(1, 20), default=3, show_default=True)
def main(counts: tuple[int, ...], count: int, sample: int, checks: int) -> None:
    """Measure decisions, the numbering plan, and ``callrouter check``, by how many rules there are.

    ``--calls`` are decided of each set of rules, of each kind ``--linear`` of them by the linear scan too, and each set
    is checked ``--checks`` times in a process of its own. The exit status says whether it ran, not how fast.
    """
    known = places()
    decided: list[Row] = []
    loaded: list[Row] = []
    aims: list[str] = []
    with tempfile.TemporaryDirectory(prefix="callrouter-bench-") as name:
        for rules in counts:
            folder = Path(name, f"{rules}")
            folder.mkdir()
            Province(rules).write(folder)
            router = load(folder, SECRETS).rulebook.router
            if not isinstance(router, Ruleset):
                raise TypeError(f"{router} is no ruleset")
            calls = list(Province(rules).calls(count))
            rows = decisions(with_plan(router, NumberingPlan(known)), calls, sample)
            decided += rows
            taken = [check_s(folder) for _ in range(checks)]
            loaded.append((f"{rules}", f"{min(taken):.2f}", f"{percentile(taken, 50):.2f}"))
            aims += [
                aim(f"µs at the median for a decision by {rules} rules", float(rows[0][3]), DECISION_AIM_US),
                aim(f"s to load and check {rules} rules", percentile(taken, 50), LOADING_AIM_S),
            ]
    click.echo(f"One decision, with {len(known)} prefixes, and beside it the linear scan of the same routes\n")
    click.echo(table(_DECIDED, decided))
    click.echo(f"\nThe region of a number\n\n{table(_LOOKED_UP, lookups(list(Province(10).calls(count)), known))}")
    click.echo(f"\ncallrouter check, in a process of its own\n\n{table(_LOADED, loaded)}\n")
    click.echo("\n".join(aims))
    click.echo(f"\nload average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores at the end")


if __name__ == "__main__":
    main(prog_name="python -m bench.routing")
