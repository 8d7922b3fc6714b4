"""``callrouter test``: do calls still go where they are meant to go?"""

import json
import os
from pathlib import Path

import click

from callrouter.cli import EXIT_NO
from callrouter.cli.findings import faults, outcome_data, outcome_lines, problem_data, summary
from callrouter.cli.options import config_option, json_option
from callrouter.config.cases import case_files
from callrouter.config.review import Review, review
from callrouter.errors import CallrouterError

_EPILOG = """\b
Examples:
  callrouter test --config ./config
  callrouter test changwon-test.yaml --json
"""


@click.command(epilog=_EPILOG)
@config_option
@json_option
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def test(config: Path, as_json: bool, files: tuple[Path, ...]) -> None:
    """Try golden cases: calls whose way is known, asked of the very code that routes.

    Without FILE: those of routes-test.yaml in the configuration's directory. A case that fails is shown with what was
    expected, what came out, and every rule that was looked at.

    Exit status: 0 every case holds, 1 one fails, or there is a fault in the cases or in the configuration.
    """
    chosen = {str(path): path for path in files} or case_files(config)
    if not chosen:
        raise CallrouterError(f"{config}: there is no routes-test.yaml; write one, or name a file with cases")
    found = review(config, os.environ, chosen, guarded=False)
    if as_json:
        click.echo(json.dumps(_data(found), ensure_ascii=False, indent=2))
    else:
        _print(config, found)
    if not found.is_fine:
        raise SystemExit(EXIT_NO)


def _data(found: Review) -> dict[str, object]:
    return {
        "ok": found.is_fine,
        "hash": found.loaded.rulebook.hash if found.loaded is not None else None,
        "errors": [problem_data(problem, "error") for problem in found.problems.errors],
        "cases": len(found.outcomes),
        "failed_cases": [outcome_data(outcome) for outcome in found.failed],
    }


def _print(config: Path, found: Review) -> None:
    for problem in found.problems.errors:
        click.echo(f"{problem}")
    for outcome in found.failed:
        for line in outcome_lines(outcome):
            click.echo(line)
    parts = [faults(len(found.problems.errors))] if found.problems.errors else []
    parts += [summary(found.outcomes)] if found.outcomes else []
    click.echo(f"{config}: {', '.join(parts)}", err=not found.is_fine)
