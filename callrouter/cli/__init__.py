"""The command line: one module for each command, imported only when that command runs.

Exit status: 0 fine, 1 the answer is no (problems found, a case failed), 2 wrong usage, 3 could not reach what it needs.
"""

import atexit
import gc
import importlib
import importlib.util

import click

import callrouter
from callrouter.errors import CallrouterError, UnreachableError
from callrouter.uncollected import uncollected

EXIT_FINE = 0
EXIT_NO = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

COMMANDS = {
    "account": "callrouter.cli.account:account",
    "agent": "callrouter.cli.agent:agent",
    "asterisk": "callrouter.cli.asterisk:asterisk",
    "audit": "callrouter.cli.audit:audit",
    "backup": "callrouter.cli.backup:backup",
    "calendar": "callrouter.cli.calendar:calendar",
    "call": "callrouter.cli.call:call",
    "callback": "callrouter.cli.callback:callback",
    "cdr": "callrouter.cli.cdr:cdr",
    "check": "callrouter.cli.check:check",
    "coverage": "callrouter.cli.coverage:coverage",
    "dialplan": "callrouter.cli.dialplan:dialplan",
    "diff": "callrouter.cli.diff:diff",
    "doctor": "callrouter.cli.doctor:doctor",
    "explain": "callrouter.cli.explain:explain",
    "hand-over": "callrouter.cli.hand_over:hand_over",
    "history": "callrouter.cli.history:history",
    "migrate": "callrouter.cli.migrate:migrate_command",
    "person": "callrouter.cli.person:person",
    "prompts": "callrouter.cli.prompts:prompts",
    "purge": "callrouter.cli.purge:purge",
    "recording": "callrouter.cli.recording:recording",
    "reload": "callrouter.cli.reload:reload",
    "remembered": "callrouter.cli.remembered:remembered",
    "replay": "callrouter.cli.replay:replay",
    "report": "callrouter.cli.report:report",
    "restore": "callrouter.cli.backup:restore",
    "run": "callrouter.cli.run:run",
    "schema": "callrouter.cli.schema:schema",
    "status": "callrouter.cli.status:status",
    "supervise": "callrouter.cli.supervise:supervise",
    "switch": "callrouter.cli.switch:switch",
    "take-over": "callrouter.cli.take_over:take_over",
    "test": "callrouter.cli.test:test",
    "top": "callrouter.cli.top:top",
    "trunk": "callrouter.cli.trunk:trunk",
    "voicemail": "callrouter.cli.voicemail:voicemail",
}
"""Where each command lives. A module that is not there yet is not listed."""


class LazyGroup(click.Group):
    """Imports a command's module only when the command is asked for, and maps our errors to exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands that exist."""
        return [name for name, place in COMMANDS.items() if importlib.util.find_spec(place.partition(":")[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        with uncollected():  # what is imported stays: to look for garbage in it takes a tenth of the time
            command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), f"{COMMANDS[cmd_name]} is not a click command"  # noqa: S101
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error of ours becomes its message on stderr and an exit status."""
        try:
            return super().invoke(ctx)
        except UnreachableError as error:
            click.echo(str(error), err=True)
            ctx.exit(EXIT_UNREACHABLE)
        except CallrouterError as error:
            click.echo(str(error), err=True)
            ctx.exit(EXIT_NO)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(callrouter.__version__, prog_name="callrouter")
def main() -> None:
    """An integrated civic call centre on Asterisk."""
    # All of it goes with the process: to look for garbage in ten thousand rules first takes half a second.
    atexit.register(gc.freeze)
