"""``callrouter supervise``: letting a supervisor hear a conversation of the daemon that runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import click

from callrouter.cli.options import daemon_options, json_option
from callrouter.cli.orders import tell, who
from callrouter.cli.text import plain
from callrouter.cli.where import daemon_url
from callrouter.web.client import ask_supervision
from callrouter.web.supervision import SupervisionRequest, SupervisionVerb

_EPILOG = """\b
Examples:
  callrouter supervise listen --agent 203 --phone kim
  callrouter supervise whisper --agent 203 --phone kim
  callrouter supervise stop --agent 203 --phone kim
"""


@click.group(epilog=_EPILOG)
def supervise() -> None:
    """Let a supervisor hear a conversation, whisper to its counselor, or barge in.

    The supervisor's phone rings; who answers hears both sides. Who may hear what stands under supervisors:. Each
    time is kept in the audit log (`callrouter audit`) and on the call's record.
    """


def _addressed(command: Callable[..., None]) -> Callable[..., None]:
    """What every order takes: the call, or the counselor who talks in it, and whose phone."""
    phone = click.option("--phone", required=True, help="The supervisor: a name of supervisors:, or its endpoint.")
    agent = click.option("--agent", help="The counselor whose conversation it is, instead of CALL.")
    call = click.argument("call", required=False)
    return call(agent(phone(daemon_options(json_option(click.pass_context(command))))))


def _add(verb: SupervisionVerb, text: str) -> None:
    """Add the command that gives one order."""

    def give(
        context: click.Context,
        /,
        call: str | None,
        agent: str | None,
        phone: str,
        config: Path,
        url: str | None,
        as_json: bool,
    ) -> None:
        if (call is None) == (agent is None):
            raise click.UsageError("name one of the two: CALL, or --agent with the counselor who talks in it")
        request = SupervisionRequest(verb, plain(phone), who(), "command")
        order = ask_supervision(daemon_url(context, config, url), plain(call or agent or ""), request)
        tell(context, asyncio.run(order), as_json=as_json)

    statuses = "Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached."
    example = f"Example: callrouter supervise {verb} --agent 203 --phone kim"
    supervise.command(verb, help=f"{text}\n\n{statuses}", epilog=example)(_addressed(give))


_add("listen", "Let the supervisor hear both sides of CALL; neither hears him.")
_add("whisper", "Let the supervisor hear both sides of CALL; the counselor hears him, and the caller does not.")
_add("barge", "Let the supervisor talk with both sides of CALL.")
_add("stop", "Let the supervisor hear CALL no longer: his phone is hung up, and the conversation goes on.")
