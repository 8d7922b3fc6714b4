"""``callrouter schema``: what editors need to complete and check the YAML files while one types."""

from pathlib import Path

import click

from callrouter.config.problems import nearest
from callrouter.config.schema import accounts_schema, cases_schema, config_schema, section_schema, sections
from callrouter.config.schema_files import add_modeline, modeline, rendered, write_schemas, yaml_files
from callrouter.config.schema_kinds import Schema
from callrouter.config.source import ACCOUNT_FILES, CASE_FILES

_EPILOG = """\b
Examples:
  callrouter schema --write ./config --modeline
  callrouter schema routes
  callrouter schema routes-test.yaml > routes-test.schema.json
"""


@click.command(epilog=_EPILOG)
@click.argument("what", metavar="[FILE|SECTION]", required=False)
@click.option(
    "--write",
    "directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Write the schemas into the directory of the YAML files.",
)
@click.option("--modeline", "add", is_flag=True, help="With --write: put the line for editors into each YAML file.")
def schema(what: str | None, directory: Path | None, add: bool) -> None:
    """Print the JSON Schema of the YAML files, of routes-test.yaml, or of one section.

    Any file may hold any section, so one schema serves them all; routes-test.yaml has one of its own. Editors with the
    YAML language server (VS Code with the YAML extension, Neovim, Helix, Emacs) find it by a comment at the top of each
    file. What they cannot see, such as names that nothing defines, callrouter check finds.
    """
    if directory is None:
        if add:
            raise click.UsageError("--modeline goes with --write")
        click.echo(rendered(_schema(what)), nl=False)
        click.echo(_howto(what), err=True)
        return
    if what is not None:
        raise click.UsageError("--write writes every schema; leave FILE or SECTION out")
    for path in write_schemas(directory):
        click.echo(f"{path}: written")
    files = yaml_files(directory)
    if not add and files:
        click.echo("Put this line on top of each file, or say --modeline:")
    for path in files:
        if add:
            click.echo(f"{path}: {'line added' if add_modeline(path) else 'has its line'}")
        else:
            click.echo(f"{path}: {modeline(path.name)}")


def _schema(what: str | None) -> Schema:
    if what is None:
        return config_schema()
    file = Path(what)
    if file.suffix in {".yaml", ".yml"}:
        if file.name in ACCOUNT_FILES:
            return accounts_schema()
        return cases_schema() if file.name in CASE_FILES else config_schema()
    if what not in sections():
        message = f'"{what}" is no section and no YAML file; {nearest(what, sections())}'
        raise click.BadParameter(message, param_hint="FILE|SECTION")
    return section_schema(what)


def _howto(what: str | None) -> str:
    file = Path(what or "").name
    if what in sections():
        return "This is the schema of a section alone. Editors want the whole: callrouter schema --write DIR --modeline"
    return f"Save it beside the YAML files, and put this line on top of each:\n{modeline(file)}"
