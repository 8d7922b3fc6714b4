"""``callrouter replay``: runs a kept stretch again, and shows any incident step by step."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import click
import msgspec

from callrouter.cli.database import MOMENT, moment
from callrouter.cli.options import config_option, json_option
from callrouter.config import load
from callrouter.config.folder import laid_out
from callrouter.core.ids import CallId
from callrouter.core.rulebook import Rulebook
from callrouter.errors import ConfigError
from callrouter.replay.again import Again, Step
from callrouter.replay.recorder import FOLDER, SUFFIX
from callrouter.replay.records import InputsError, Rules, read
from callrouter.runtime.masking import mask_text

_EPILOG = """\b
Examples:
  callrouter replay
  callrouter replay /var/lib/callrouter/inputs/20261127T090000.000000Z.inputs
  callrouter replay --call 019ab3c4-5d6e-7f80-9a0b-1c2d3e4f5a6b
  callrouter replay --since 2026-11-27T09:30 --until 2026-11-27T09:31
"""


@dataclass(slots=True)
class _Count:
    """What a run came to."""

    inputs: int = 0
    calls: int = 0
    cdrs: int = 0
    raised: int = 0
    last: datetime | None = None
    differs: Step | None = None
    """The first that does."""

    def take(self, step: Step) -> None:
        self.inputs, self.last = step.number, step.at
        self.calls += step.kind == "CallArrived"
        self.cdrs += len(step.output.cdrs) if step.output is not None else 0
        self.raised += bool(step.raised)
        if not step.is_same and self.differs is None:
            self.differs = step


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@json_option
@click.option("--call", help="Show what concerns this call, step by step.")
@click.option("--since", metavar=MOMENT, help="Show what came in then or later, local time if no zone is given.")
@click.option("--until", metavar=MOMENT, help="Show what came in before then.")
@click.option("--mask/--no-mask", default=True, show_default=True, help="Hide the end of residents' numbers.")
@click.pass_context
def replay(
    context: click.Context,
    files: tuple[Path, ...],
    *,
    config: Path,
    as_json: bool,
    call: str | None,
    since: str | None,
    until: str | None,
    mask: bool,
) -> None:
    """Run what came in again, through the same core, with the rules of then, and compare what is decided.

    FILES are kept runs of the daemon; none: all that the state folder has. Each is one start of the daemon with all
    that came in since. Nothing is sent anywhere, and nothing is changed.

    Exit status: 0 the same was decided, bit for bit; 1 it was not, or a file cannot be run again; 2 wrong usage.
    """
    loaded = load(config)
    zone = loaded.timezone
    runs = files or kept_runs(loaded.settings.state_dir)
    if not runs:
        raise InputsError(f"{loaded.settings.state_dir / FOLDER} holds no runs; does state: say inputs: 0?")
    shown = _Shown(call, moment("--since", since, zone), moment("--until", until, zone))
    is_same, documents = True, []
    for path in runs:
        again, count = Again(read(path), rules_of), _Count()
        steps = _counted(again.steps(), count)
        if as_json:
            documents.append(_document(path, again, count, list(filter(shown.has, steps)), mask=mask))
        elif _print_steps(steps, shown, zone, mask=mask) or not shown.is_narrow:
            click.echo(_summary(path, again, count, zone))
        is_same = is_same and count.differs is None
    if as_json:
        click.echo(json.dumps(documents, ensure_ascii=False))
    context.exit(0 if is_same else 1)


def kept_runs(state_dir: Path) -> tuple[Path, ...]:
    """The kept runs, oldest first."""
    return tuple(sorted((state_dir / FOLDER).glob(f"*{SUFFIX}")))


def rules_of(rules: Rules) -> Rulebook:
    """These rules, compiled.

    Raises:
        InputsError: this version finds faults in them.
    """
    try:
        with laid_out(rules.files) as folder:
            return load(folder, rules.environment).rulebook
    except ConfigError as error:
        raise InputsError(f"the rules of then have faults by this version: {'; '.join(error.problems)}") from error


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which steps are shown."""

    call: str | None
    since: datetime | None
    until: datetime | None

    @property
    def is_narrow(self) -> bool:
        return self.call is not None or self.since is not None or self.until is not None

    def has(self, step: Step) -> bool:
        if not self.is_narrow:
            return False
        in_time = (self.since is None or step.at >= self.since) and (self.until is None or step.at < self.until)
        return in_time and (self.call is None or _concerns(step, CallId(self.call)))


def _concerns(step: Step, call: CallId) -> bool:
    if step.call == call or step.output is None:
        return step.call == call
    told = any(of == call for of, _ in step.output.facts)
    return told or any(getattr(command, "call", None) == call for command in step.output.commands)


def _counted(steps: Iterator[Step], count: _Count) -> Iterator[Step]:
    for step in steps:
        count.take(step)
        yield step


def _print_steps(steps: Iterable[Step], shown: _Shown, zone: tzinfo, *, mask: bool) -> bool:
    """Whether there was any to be shown."""
    found = False
    for step in steps:
        if shown.has(step):
            found = True
            text = "\n".join(_lines(step, zone))
            click.echo(mask_text(text) if mask else text)
    return found


def _lines(step: Step, zone: tzinfo) -> Iterator[str]:
    same = "" if step.is_same else "   DECIDED OTHERWISE THEN"
    yield f"#{step.number}  {step.at.astimezone(zone):%Y-%m-%d %H:%M:%S.%f}  {step.kind}{same}"
    if step.event is not None:
        yield f"      {_words(step.event)}"
    if step.call is not None:
        yield f"      call {step.call}: {step.before or 'not there yet'} → {step.after or 'over'}"
    if step.raised:
        yield f"      raised {step.raised}"
    if step.output is None:
        return
    yield from (f"      fact     {_words(fact)}" for _, fact in step.output.facts)
    yield from (f"      command  {_words(command)}" for command in step.output.commands)
    yield from (f"      audit    {_words(entry)}" for entry in step.output.audit)
    yield from (f"      answer   {_words(answer)}" for _, answer in step.output.answers)
    yield from (f"      record   {cdr.outcome}, {cdr.disposition}, talk {cdr.talk_s:g} s" for cdr in step.output.cdrs)
    yield from (f"      notice   {notice.text}" for notice in step.output.notices)


def _words(what: object) -> str:
    """Name and fields, as far as they say anything."""
    document: Any = msgspec.to_builtins(what, enc_hook=str)
    if not isinstance(document, dict):
        return f"{type(what).__name__} {document}"
    fields = (
        f"{name}={value}" for name, value in document.items() if value not in (None, "", [], {}) and name != "type"
    )
    return f"{type(what).__name__} {' '.join(fields)}"


def _summary(path: Path, again: Again, count: _Count, zone: tzinfo) -> str:
    began, last = again.began, count.last
    if began is None:
        return f"{path}: nothing was kept yet"
    until = f"{last.astimezone(zone):%Y-%m-%d %H:%M:%S}" if last is not None else "its start"
    lines = [
        str(path),
        f"  callrouter {began.version}, from {began.at.astimezone(zone):%Y-%m-%d %H:%M:%S} to {until}",
        f"  {count.inputs} inputs, {count.calls} calls, {count.cdrs} records",
    ]
    if count.raised:
        lines.append(f"  {count.raised} raised: defects, as then; see them with --since and --until")
    lines.append(f"  {_verdict(count, zone)}")
    return "\n".join(lines)


def _verdict(count: _Count, zone: tzinfo) -> str:
    other = count.differs
    if other is None:
        return "the same was decided, bit for bit"
    at = other.at.astimezone(zone)
    return f"not the same was decided, from input #{other.number} on ({other.kind}, {at:%H:%M:%S.%f})"


def _document(path: Path, again: Again, count: _Count, steps: list[Step], *, mask: bool) -> dict[str, Any]:
    began = again.began
    return {
        "file": str(path),
        "version": began.version if began is not None else None,
        "began_at": began.at.isoformat() if began is not None else None,
        "until": count.last.isoformat() if count.last is not None else None,
        "inputs": count.inputs,
        "calls": count.calls,
        "records": count.cdrs,
        "raised": count.raised,
        "differs_from": count.differs.number if count.differs is not None else None,
        "steps": [_step(step, mask=mask) for step in steps],
    }


def _step(step: Step, *, mask: bool) -> dict[str, Any]:
    words = [*(_words(one) for _, one in step.output.facts), *map(_words, step.output.commands)] if step.output else []
    shown = mask_text if mask else str
    return {
        "number": step.number,
        "at": step.at.isoformat(),
        "kind": step.kind,
        "event": shown(_words(step.event)) if step.event is not None else None,
        "call": step.call,
        "before": step.before,
        "after": step.after,
        "decided": [shown(one) for one in words],
        "raised": step.raised or None,
        "same": step.is_same,
    }
