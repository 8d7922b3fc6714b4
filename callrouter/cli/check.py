"""``callrouter check``: is the configuration right, and do its golden cases hold?"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from callrouter.cli import EXIT_NO
from callrouter.cli.findings import annotation, faults, outcome_data, outcome_lines, problem_data, summary
from callrouter.cli.options import config_option, json_option
from callrouter.config.review import Review, review

_EPILOG = """\b
Examples:
  callrouter check --config ./config
  callrouter check --json | jq '.errors[] | .file'
  callrouter check --annotations      (in a workflow of a code host)
"""


@click.command(epilog=_EPILOG)
@config_option
@json_option
@click.option("--annotations", is_flag=True, help="Print workflow commands, which code hosts show beside the lines.")
def check(config: Path, as_json: bool, annotations: bool) -> None:
    """Find every fault of the configuration, with its place and what to do about it.

    Its golden cases (routes-test.yaml) are tried, too, if the rest is right.

    Exit status: 0 fine, 1 faults or failed cases. Warnings do not count.
    """
    if as_json and annotations:
        raise click.UsageError("--json and --annotations exclude each other")
    found = review(config, os.environ)
    if as_json:
        click.echo(json.dumps(_data(found), ensure_ascii=False, indent=2))
    else:
        for line in _annotations(config, found) if annotations else _lines(found):
            click.echo(line)
        click.echo(f"{config}: {_verdict(found)}", err=not found.is_fine)
    if not found.is_fine:
        raise SystemExit(EXIT_NO)


def _data(found: Review) -> dict[str, object]:
    return {
        "ok": found.is_fine,
        "hash": found.loaded.rulebook.hash if found.loaded is not None else None,
        "errors": [problem_data(problem, "error") for problem in found.problems.errors],
        "warnings": [problem_data(problem, "warning") for problem in found.problems.warnings],
        "missing_secrets": list(_missing_secrets(found)),
        "cases": len(found.outcomes),
        "failed_cases": [outcome_data(outcome) for outcome in found.failed],
    }


def _lines(found: Review) -> Iterator[str]:
    for problem in found.problems.errors:
        yield f"{problem}"
    for problem in found.problems.warnings:
        yield f"warning: {problem}"
    for outcome in found.failed:
        yield from outcome_lines(outcome)
    for missing in _missing_secrets(found):
        yield f"note: {missing}"


def _annotations(config: Path, found: Review) -> Iterator[str]:
    for level, problems in (("error", found.problems.errors), ("warning", found.problems.warnings)):
        for problem in problems:
            yield annotation(level, config, problem.place, f"{problem.message}; {problem.remedy}")
    for outcome in found.failed:
        differences = "; ".join(map(str, outcome.differences))
        text = "\n".join([f'"{outcome.case.name}": {differences}', *(entry.line for entry in outcome.decision.trace)])
        yield annotation("error", config, outcome.case.place, text)
    for missing in _missing_secrets(found):
        yield annotation("notice", config, None, missing)


def _missing_secrets(found: Review) -> tuple[str, ...]:
    return found.loaded.missing_secrets if found.loaded is not None else ()


def _verdict(found: Review) -> str:
    """What the last line says."""
    errors = len(found.problems.errors)
    if found.loaded is None:
        return faults(errors)
    cases = f", {summary(found.outcomes)}" if found.outcomes else ""
    if errors or found.failed:
        return f"{faults(errors)}{cases}"
    book = found.loaded.rulebook
    return f"fine ({len(book.queues)} queues, {len(book.agents)} agents, version {book.hash}){cases}"
