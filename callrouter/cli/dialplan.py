"""``callrouter dialplan``: the rules as a dialplan, for a site that is cut off from the daemon."""

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path

import click

from callrouter.cli import EXIT_NO
from callrouter.cli.options import config_option, site_of
from callrouter.config import Loaded, load
from callrouter.errors import SurvivalError
from callrouter.survival import GLOBAL, GLOBAL_UNTIL, NEAR_ITS_END, Survival, rendered

_EPILOG = """\b
Examples:
  callrouter dialplan --out /etc/asterisk/callrouter-survival.conf && asterisk -rx "dialplan reload"
  callrouter dialplan --site changwon | ssh pbx.changwon 'cat > /etc/asterisk/callrouter-survival.conf'
  callrouter dialplan --check --out /etc/asterisk/callrouter-survival.conf
"""


@click.command(epilog=_EPILOG)
@config_option
@click.option(
    "--site", "site_name", metavar="NAME", help="Whose dialplan, a name of sites:; needed if there are several."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it; left out: print it.",
)
@click.option("--check", is_flag=True, help="Write nothing: say whether FILE is what the rules say now.")
def dialplan(config: Path, site_name: str | None, out: Path | None, check: bool) -> None:
    """Render the rules as extensions by which an Asterisk serves its callers while no daemon is there.

    callrouter.conf takes the file in, as callrouter-survival.conf, and without it rings its group of phones. What
    Asterisk cannot do by itself is done in the nearest honest way, and told here (on stderr) and in the file.

    Exit status: 0 rendered, or FILE is up to date; 1 it is not, or something cannot stand in a dialplan.
    """
    loaded = load(config, os.environ)
    survival = rendered(loaded.rulebook, site_of(site_name, loaded), datetime.now(UTC))
    for note in survival.notes:
        click.echo(f"warning: {note}", err=True)
    if check:
        _check(survival, loaded, out)
    elif out is None:
        click.echo(survival.text, nl=False)
    else:
        _write(out, survival.text)
        click.echo(f"{out}: written, exact until {survival.until}; in Asterisk: dialplan reload")


def _check(survival: Survival, loaded: Loaded, out: Path | None) -> None:
    """Only the version and the end are compared: a file that was rendered another day may name other dates."""
    if out is None:
        click.echo(f"the rules can be rendered, exact until {survival.until}")
        return
    try:
        text = out.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SurvivalError(f"{out}: cannot be read ({exc}); render it with --out") from exc
    version, until = (re.search(rf"^{name}=(\S+)$", text, re.MULTILINE) for name in (GLOBAL, GLOBAL_UNTIL))
    if version is None or until is None:
        problem = "was not rendered by callrouter dialplan"
    elif version[1] != loaded.rulebook.hash:
        problem = f"is of other rules ({version[1]}, not {loaded.rulebook.hash})"
    elif until[1] < str(survival.until) and date.fromisoformat(until[1]) < datetime.now(UTC).date() + NEAR_ITS_END:
        problem = f"is exact only until {until[1]}"
    else:
        click.echo(f"{out}: up to date, exact until {until[1]}")
        return
    click.echo(f"{out}: {problem}; render it again and say dialplan reload in Asterisk", err=True)
    raise SystemExit(EXIT_NO)


def _write(out: Path, text: str) -> None:
    """At once: an Asterisk that reloads meanwhile finds the old file or the new one."""
    beside = out.with_name(f".{out.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(out)
    except OSError as exc:
        raise SurvivalError(f"{out}: cannot be written ({exc.strerror}); write --out with a file that can be") from exc
