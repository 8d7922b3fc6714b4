"""The table, what it says of the aims, and the same as Markdown and JSON for keeping."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from bench.competitors import APP_QUEUE, BARE_ARI, CALLROUTER, Competitor
from bench.figures import Cell, Row
from lab import tools
from lab.rootfs import AsteriskHome

DAEMON_CPU_AIM_MS = 1.5
_WITH_PROGRAM = (CALLROUTER.name, BARE_ARI.name)
"""Competitors that are a program beside Asterisk."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures were taken; ``load`` is the load average of the last minute when the benchmark began."""

    cores: int
    processor: str
    system: str
    python: str
    asterisk: str
    sipp: str
    load: float
    began: str

    @classmethod
    def this(cls, home: AsteriskHome, at: datetime) -> "Machine":
        """This one, now."""
        sipp = [line for line in tools.run_quietly(["sipp", "-v"]).stdout.splitlines() if "SIPp v" in line]
        return cls(
            cores=len(os.sched_getaffinity(0)),
            processor=_processor(),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            asterisk=tools.run_quietly(home.command("-V")).stdout.strip(),
            sipp=sipp[0].strip(" .") if sipp else "SIPp",
            load=os.getloadavg()[0],
            began=at.isoformat(timespec="seconds"),
        )

    def __str__(self) -> str:
        return (
            f"{self.cores} cores, {self.processor}, {self.system}; {self.asterisk}, Python {self.python}, {self.sipp}; "
            f"load average {self.load:.2f} at the start, {self.began}"
        )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


_COLUMNS: Sequence[tuple[str, Callable[[Row], str]]] = (
    ("calls/s", lambda row: f"{row.rate:g}"),
    ("taken by", lambda row: row.competitor),
    ("calls", lambda row: str(row.calls)),
    ("median ms", lambda row: f"{row.median_ms:.1f}"),
    ("p99 ms", lambda row: f"{row.p99_ms:.1f}"),
    ("longest ms", lambda row: f"{row.longest_ms:.1f}"),
    (f"median ÷ {APP_QUEUE.name}", lambda row: _ratio(row.median_ratio)),
    (f"p99 ÷ {APP_QUEUE.name}", lambda row: _ratio(row.p99_ratio)),
    ("failed", lambda row: str(row.failed)),
    ("sent again", lambda row: str(row.retransmissions)),
    ("Asterisk CPU ms/call", lambda row: f"{row.asterisk_cpu_ms:.2f}"),
    ("daemon CPU ms/call", lambda row: f"{row.daemon_cpu_ms:.2f}" if row.competitor in _WITH_PROGRAM else "-"),
    ("PostgreSQL CPU ms/call", lambda row: f"{row.database_cpu_ms:.2f}" if row.competitor == CALLROUTER.name else "-"),
)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table with its columns in line."""
    lines = [[name for name, _ in _COLUMNS], *([show(row) for _, show in _COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    drawn = ["| " + " | ".join(map(str.rjust, line, widths)) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|", *drawn[1:]])


def aims(rows: Sequence[Row]) -> list[str]:
    """A line for each aim: met, or missed and where. Aims that these rows say nothing about are left out."""
    ours = [row for row in rows if row.competitor == CALLROUTER.name]
    if not ours:
        return []
    checks = [
        ("median at or below app_queue's", _missed(ours, lambda row: row.median_ratio, 1.0)),
        ("p99 at or below app_queue's", _missed(ours, lambda row: row.p99_ratio, 1.0)),
        ("no failed call", _missed(ours, lambda row: row.failed, 0)),
        ("no retransmission", _missed(ours, lambda row: row.retransmissions, 0)),
        (
            f"{DAEMON_CPU_AIM_MS} ms of daemon CPU a call",
            _missed(ours, lambda row: row.daemon_cpu_ms, DAEMON_CPU_AIM_MS),
        ),
    ]
    return [f"{'met   ' if not missed else 'missed'}  {aim}{missed}" for aim, missed in checks if missed is not None]


def _missed(rows: Sequence[Row], value: Callable[[Row], float | None], limit: float) -> str | None:
    """Where ``value`` is above ``limit``, in words; empty if nowhere, None if there is nothing to judge by."""
    values = [(row.rate, found) for row in rows if (found := value(row)) is not None]
    if not values:
        return None
    above = [f"{found:.4g} at {rate:g} calls/s" for rate, found in values if round(found, 2) > limit]
    return f": {', '.join(above)}" if above else ""


def legend(competitors: Sequence[Competitor]) -> list[str]:
    """What the words in the table mean."""
    return [
        *(f"{competitor.name}: {competitor.ringing}" for competitor in competitors),
        "Milliseconds from INVITE to 180 Ringing at the caller: medians of the rounds; the longest is of all rounds.",
        f"÷ {APP_QUEUE.name}: median of the ratios within each round.",
        "callrouter keeps its journal (each record synced to disk) and writes CDRs to PostgreSQL meanwhile; Asterisk's"
        " own CDRs are off.",
    ]


def write(
    folder: Path, machine: Machine, competitors: Sequence[Competitor], rows: Sequence[Row], cells: Sequence[Cell]
) -> tuple[Path, Path]:
    """Keep all of it in ``folder`` as ``ringing-<time>.md`` and ``.json``; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = "ringing-" + machine.began.replace(":", "").replace("-", "")
    markdown, raw = folder / f"{stem}.md", folder / f"{stem}.json"
    parts = [
        "# INVITE to 180 Ringing",
        str(machine),
        table(rows),
        "\n".join(f"- {line}" for line in aims(rows)),
        "\n".join(f"- {line}" for line in legend(competitors)),
    ]
    markdown.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    document = {
        "machine": asdict(machine),
        "rows": [asdict(row) for row in rows],
        "measurements": [asdict(cell) for cell in cells],
    }
    raw.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return markdown, raw
