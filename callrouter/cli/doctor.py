"""``callrouter doctor``: is everything there that callrouter needs?"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from callrouter.cli import EXIT_NO
from callrouter.cli.options import config_option, json_option
from callrouter.cli.text import plain
from callrouter.doctor import Finding, Level, examine
from callrouter.doctor.howto import HOWTO

_EPILOG = """\b
Examples:
  callrouter doctor
  callrouter doctor --json | jq '.findings[] | select(.level != "ok")'
  callrouter doctor --howto
"""


@click.command(epilog=_EPILOG)
@config_option
@click.option("--howto", is_flag=True, help="Print how an Asterisk or FreePBX that you have takes callrouter in.")
@json_option
def doctor(config: Path, howto: bool, as_json: bool) -> None:
    """Look at the configuration and everything it names: Asterisk, database, sounds, disk, ports.

    Nothing is changed and nobody is called; the daemon may run or not. Each fault comes with its remedy.

    Exit status: 0 no error, 1 errors found. Warnings do not count.
    """
    if howto:
        click.echo(HOWTO, nl=False)
        return
    findings = asyncio.run(examine(config))
    is_well = all(finding.level is not Level.ERROR for finding in findings)
    if as_json:
        data = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(data, ensure_ascii=False, indent=2))
    else:
        for line in _lines(findings):
            click.echo(line)
    if not is_well:
        raise SystemExit(EXIT_NO)


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        yield plain(f"{finding.level.value:<7}  {finding.check:<{width}}  {finding.text}")
        if finding.remedy:
            yield plain(f"{'':<7}  {'':<{width}}  -> {finding.remedy}")
    count = Counter(finding.level for finding in findings)
    yield ""
    yield f"{count[Level.ERROR]} errors, {count[Level.WARNING]} warnings, {count[Level.OK]} fine"
    if count[Level.ERROR] or count[Level.WARNING]:
        yield "How an Asterisk that you have takes callrouter in: callrouter doctor --howto"
