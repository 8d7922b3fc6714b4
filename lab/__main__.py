"""``python -m lab``: build the laboratory, run it whole or its Asterisk alone, place a call."""

import signal
import sys
import threading

import click

from lab import tools
from lab.asterisk import LabAsterisk
from lab.errors import LabError
from lab.rootfs import find_or_build

UNREACHABLE = 3
"""Exit status: what the command needs is not there."""

INTERRUPTED = 130
"""Exit status: Ctrl-C came before the command had begun."""


@click.group(help="The laboratory: a real Asterisk on loopback, callers and phones.")
def main() -> None:
    """The commands of the laboratory."""


@main.command(help="Install what is missing and build the root folder with Asterisk where none is installed.")
def build() -> None:
    """Have everything that the laboratory needs."""
    tools.ensure(["baresip", "espeak-ng", "sipp"])
    home = find_or_build()
    version = tools.run_quietly(home.command("-V"), timeout_s=20).stdout.strip()
    click.echo(f"{version} in {home.root}; SIP clients and speech are installed")


@main.command(help="Start only Asterisk, with the project's dialplan, until Ctrl-C.")
@click.option("--name", default="lab", show_default=True, help="Instance; each has its own folder and passwords.")
@click.option("--sip-port", default=5060, show_default=True)
@click.option("--http-port", default=8088, show_default=True)
@click.option("--rtp-start", default=10000, show_default=True, help="The first of 1000 ports for speech.")
@click.option("--agi", default="127.0.0.1:4573", show_default=True, help="Where the daemon answers FastAGI.")
def asterisk(name: str, sip_port: int, http_port: int, rtp_start: int, agi: str) -> None:
    """Run Asterisk in the foreground and say how to use it."""
    instance = LabAsterisk(
        name,
        sip_port=sip_port,
        http_port=http_port,
        rtp_range=(rtp_start, rtp_start + 999),
        global_variables={"CALLROUTER_AGI": agi},
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with instance:
        click.echo(f"SIP           {instance.sip_address}")
        click.echo(f"ARI           {instance.ari.url}  user {instance.ari.user}  password {instance.ari.password}")
        click.echo(f"folder        {instance.directory}")
        click.echo(f"log           {instance.log_path}")
        for extension, password in instance.credentials.phone_passwords.items():
            click.echo(f"phone         {extension}  password {password}")
        click.echo("ready; Ctrl-C ends it")
        while not ended.wait(1.0):
            if not instance.is_running():
                raise LabError(f"Asterisk ended by itself:\n{instance.log_tail()}")


def entry() -> None:
    """Run the command line; what is missing is one line on standard error and exit status 3."""
    try:
        from lab import call, run  # takes a second, in which Ctrl-C is to be as quiet as later

        main.add_command(run.command, "run")
        main.add_command(call.command, "call")
        main(prog_name="python -m lab")
    except LabError as exc:
        click.echo(f"lab: {exc}", err=True)
        sys.exit(UNREACHABLE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    entry()
