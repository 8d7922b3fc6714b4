"""``python -m bench``: INVITE to 180 Ringing, callrouter beside Asterisk's own queue and ``Dial()``, as a table."""

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from bench import competitors, report
from bench.centre import COUNSELORS, Centre
from bench.competitors import APP_QUEUE, Competitor
from bench.figures import Cell, summarise
from bench.load import measure
from callrouter.errors import CallrouterError
from lab.errors import LabError
from lab.rootfs import find_or_build
from lab.tools import ensure

RESULTS = Path(__file__).resolve().parent / "results"
UNREACHABLE = 3
"""Exit status: what the benchmark needs is not there."""
WARM_UP = 0
"""The number of the round that is thrown away."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: each round takes all competitors at one rate, one after another, before the next rate."""

    rates: Sequence[float]
    rounds: int
    seconds: float
    competitors: Sequence[Competitor]
    warm_up: bool = True

    def measurements(self) -> Iterator[tuple[int, float, Competitor]]:
        """Round, calls a second and competitor, in order; the warm-up first."""
        if self.warm_up:
            yield from ((WARM_UP, min(self.rates), competitor) for competitor in self.competitors)
        for round_ in range(1, self.rounds + 1):
            for rate in self.rates:
                yield from ((round_, rate, competitor) for competitor in self.competitors)


@click.command(epilog="Example: python -m bench --rate 80 --rate 110 --rounds 5")
@click.option("--rate", "rates", multiple=True, type=float, help="Calls a second.  [default: 20 40 80 110 150]")
@click.option("--rounds", type=click.IntRange(1, 100), help="How often everything is measured.  [default: 3]")
@click.option("--seconds", type=click.FloatRange(1, 600), help="How long calls come in a measurement.  [default: 6]")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([competitor.name for competitor in competitors.ALL]),
    help="Leave the others out.",
)
@click.option("--quick", is_flag=True, help="One second at 20 calls a second: does the benchmark itself work?")
@click.option("--name", default="bench", show_default=True, help="Laboratory instance; two at a time need two names.")
@click.option(
    "--results", type=click.Path(file_okay=False, path_type=Path), default=RESULTS, help="Folder to write to."
)
def main(
    rates: tuple[float, ...],
    rounds: int | None,
    seconds: float | None,
    only: tuple[str, ...],
    quick: bool,
    name: str,
    results: Path,
) -> None:
    """Measure from INVITE to 180 Ringing at the caller, with 300 counselors and calls of a second.

    Takes eight minutes unless told otherwise. The exit status says whether it ran, not who was faster.
    """
    plan = Plan(
        rates=rates or ((20,) if quick else (20, 40, 80, 110, 150)),
        rounds=rounds or (1 if quick else 3),
        seconds=seconds or (1 if quick else 6),
        competitors=[each for each in competitors.ALL if not only or each.name in only],
        warm_up=not quick,
    )
    try:
        _run(plan, name, results)
    except (LabError, CallrouterError) as exc:
        click.echo(f"bench: {exc}", err=True)
        sys.exit(UNREACHABLE)


def _run(plan: Plan, name: str, results: Path) -> None:
    ensure(["sipp"])
    machine = report.Machine.this(find_or_build(), datetime.now().astimezone())
    click.echo(f"{machine}\n")
    cells: list[Cell] = []
    with Centre(name) as centre:
        for round_, rate, competitor in plan.measurements():
            cell = asyncio.run(measure(centre, competitor, rate=rate, seconds=plan.seconds, round_=round_))
            click.echo(_progress(cell), err=True)
            cells += [cell] if round_ != WARM_UP else []
        rows = summarise(cells, APP_QUEUE.name)
        markdown, raw = report.write(results, machine, plan.competitors, rows, cells)
        if any(row.failed or row.retransmissions or row.left for row in rows):
            centre.keep_logs(raw.with_suffix(""))
    click.echo(f"\nINVITE to 180 Ringing at the caller, {COUNSELORS} counselors\n\n{report.table(rows)}\n")
    for line in (*report.aims(rows), "", *report.legend(plan.competitors)):
        click.echo(line)
    click.echo(f"\nkept in {markdown} and {raw}")


def _progress(cell: Cell) -> str:
    where = f"round {cell.round}" if cell.round != WARM_UP else "warm-up"
    trouble = "".join(
        f", {count} {word}"
        for count, word in ((cell.failed, "failed"), (cell.retransmissions, "sent again"), (cell.left, "left behind"))
        if count
    )
    return (
        f"{where}  {cell.rate:4g}/s  {cell.competitor:12}  median {cell.median_ms:6.1f} ms  p99 {cell.p99_ms:6.1f} ms"
        f"{trouble}{': ' + cell.errors if cell.errors else ''}"
    )


if __name__ == "__main__":
    # So that Asterisk, PostgreSQL and the daemon are ended as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main(prog_name="python -m bench")
