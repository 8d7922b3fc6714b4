"""What commands share that give the running daemon an order: who gives it, why, and what became of it."""

from typing import Protocol

import click

from callrouter.cli.documents import for_programs
from callrouter.cli.options import user_name
from callrouter.cli.text import plain
from callrouter.web.switches import MOST_NOTE, MOST_WHO


class Report(Protocol):
    """What the daemon answers: ``message`` says it to people."""

    @property
    def ok(self) -> bool:
        """Whether it is as was asked for."""
        ...

    @property
    def message(self) -> str:
        """For people."""
        ...


def who() -> str:
    """Who gives the order, as the audit log takes it."""
    return plain(user_name())[:MOST_WHO]


def why(text: str, option: str) -> str:
    """Why it is given, as the audit log takes it; ``option`` is blamed if it says too much."""
    if len(text) > MOST_NOTE:
        raise click.BadParameter(f"write {MOST_NOTE} characters or less", param_hint=option)
    return plain(text)


def tell(context: click.Context, report: Report, *, as_json: bool) -> None:
    """Say what became of it, and exit: 0 if it is as was asked for, else 1."""
    if as_json:
        click.echo(for_programs(report))
    else:
        click.echo(report.message, err=not report.ok)
    context.exit(0 if report.ok else 1)
