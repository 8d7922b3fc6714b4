"""``callrouter check``: is the configuration right?"""

import json
import os
from pathlib import Path

import click

from callrouter.cli import EXIT_NO
from callrouter.cli.options import config_option, json_option
from callrouter.config.load import examine
from callrouter.config.problems import Problem


@click.command(epilog="Example: callrouter check --config ./config")
@config_option
@json_option
def check(config: Path, as_json: bool) -> None:
    """Find every fault of the configuration, with its place and what to do about it."""
    loaded, problems = examine(config, os.environ)
    if as_json:
        report = {
            "ok": loaded is not None,
            "hash": loaded.rulebook.hash if loaded is not None else None,
            "errors": [_entry(problem) for problem in problems.errors],
            "warnings": [_entry(problem) for problem in problems.warnings],
            "missing_secrets": list(loaded.missing_secrets) if loaded is not None else [],
        }
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        for problem in problems.errors:
            click.echo(f"{problem}")
        for problem in problems.warnings:
            click.echo(f"warning: {problem}")
        if loaded is not None:
            for missing in loaded.missing_secrets:
                click.echo(f"note: {missing}")
            book = loaded.rulebook
            click.echo(f"{config}: fine ({len(book.queues)} queues, {len(book.agents)} agents, version {book.hash})")
        else:
            count = len(problems.errors)
            click.echo(f"{config}: {count} fault{'s' if count != 1 else ''}", err=True)
    if loaded is None:
        raise SystemExit(EXIT_NO)


def _entry(problem: Problem) -> dict[str, object]:
    place = problem.place
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "message": problem.message,
        "remedy": problem.remedy,
    }
