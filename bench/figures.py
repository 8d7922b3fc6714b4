"""From measurements to the figures of a table."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one measurement gave. Times are milliseconds; processor times are milliseconds for each call.

    ``failed`` are calls that did not go through or whose caller was never told that it rings; ``retransmissions``
    are messages sent again by anybody; ``left`` are channels that Asterisk still had when all was over.
    """

    competitor: str
    rate: float
    round: int
    calls: int
    median_ms: float
    p99_ms: float
    longest_ms: float
    failed: int
    retransmissions: int
    left: int
    asterisk_cpu_ms: float
    daemon_cpu_ms: float
    database_cpu_ms: float
    errors: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of ``values`` that ``percent`` of them do not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100.0) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One competitor at one rate, over all rounds: medians of the rounds, and sums of what must not be.

    The ratios compare with the rival of the same round, which ran within the same half minute; None without one.
    """

    rate: float
    competitor: str
    calls: int
    median_ms: float
    p99_ms: float
    longest_ms: float
    failed: int
    retransmissions: int
    left: int
    asterisk_cpu_ms: float
    daemon_cpu_ms: float
    database_cpu_ms: float
    median_ratio: float | None
    p99_ratio: float | None


def summarise(cells: Sequence[Cell], rival: str) -> list[Row]:
    """A row for each rate and competitor, in the order in which they were first measured within a rate."""
    groups: dict[tuple[float, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.rate, cell.competitor), []).append(cell)
    return [
        _row(group, {cell.round: cell for cell in groups.get((rate, rival), ())})
        for (rate, _), group in sorted(groups.items(), key=lambda item: item[0][0])
    ]


def _row(cells: Sequence[Cell], rivals: dict[int, Cell]) -> Row:
    def middle(value: Callable[[Cell], float]) -> float:
        return statistics.median(map(value, cells))

    pairs = [(cell, rivals[cell.round]) for cell in cells if cell.round in rivals]
    return Row(
        rate=cells[0].rate,
        competitor=cells[0].competitor,
        calls=sum(cell.calls for cell in cells),
        median_ms=middle(lambda cell: cell.median_ms),
        p99_ms=middle(lambda cell: cell.p99_ms),
        longest_ms=max(cell.longest_ms for cell in cells),
        failed=sum(cell.failed for cell in cells),
        retransmissions=sum(cell.retransmissions for cell in cells),
        left=sum(cell.left for cell in cells),
        asterisk_cpu_ms=middle(lambda cell: cell.asterisk_cpu_ms),
        daemon_cpu_ms=middle(lambda cell: cell.daemon_cpu_ms),
        database_cpu_ms=middle(lambda cell: cell.database_cpu_ms),
        median_ratio=statistics.median(ours.median_ms / rival.median_ms for ours, rival in pairs) if pairs else None,
        p99_ratio=statistics.median(ours.p99_ms / rival.p99_ms for ours, rival in pairs) if pairs else None,
    )
