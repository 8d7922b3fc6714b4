"""``callrouter prompts``: speak the announcements into the sites' sound folders."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from callrouter.cli.options import config_option, json_option
from callrouter.config.load import load
from callrouter.prompts import VOICE, PromptReport, espeak, provide_music, speak_prompts


@click.command(epilog="Example: callrouter prompts --config /etc/callrouter --music /var/lib/asterisk/moh/callrouter")
@config_option
@click.option(
    "--sounds",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write into this folder instead of each site's sounds_dir. Asterisk must know it as callrouter/.",
)
@click.option(
    "--music",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also put gentle music on hold into this folder, if it is empty.",
)
@click.option("--voice", default=VOICE, show_default=True, help="The voice of espeak-ng, but for texts of languages:.")
@json_option
def prompts(config: Path, sounds: Path | None, music: Path | None, voice: str, as_json: bool) -> None:
    """Speak the texts of prompts.yaml, as far as they are new or changed.

    A recording of the same name that people put into the folder wins: it is left alone.
    """
    loaded = load(config)
    folders = [sounds] if sounds else sorted({site.sounds_dir for site in loaded.settings.sites.values()})
    texts = {str(name): text for name, text in loaded.prompts.items()}
    reports = [report for folder in folders for report in speak_prompts(texts, folder, partial(espeak, voice=voice))]
    for language, others in loaded.translations.items():
        speak = partial(espeak, voice=language)
        spoken = [report for folder in folders for report in speak_prompts(others, folder / language, speak)]
        reports += [replace(report, name=f"{language}/{report.name}") for report in spoken]
    made = provide_music(music) if music else None
    if as_json:
        click.echo(json.dumps({"prompts": [_as_data(report) for report in reports], "music": made and str(made)}))
        return
    for report in reports:
        click.echo(f"{report.name:24} {report.state.value:20} {report.path}")
    if made:
        click.echo(f"{'music on hold':24} {'made':20} {made}")


def _as_data(report: PromptReport) -> dict[str, str]:
    return {"name": report.name, "state": report.state.name.lower(), "path": str(report.path)}
