"""``make call``: one call through the centre that ``make run`` keeps up, and its record."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Container, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TextIO

import click

from callrouter.config import Loaded, load
from callrouter.core.agent import AgentState
from callrouter.core.decision import Action, Decision
from callrouter.core.ids import AgentId, CallId, QueueName
from callrouter.errors import CallrouterError
from callrouter.web.client import fetch_status
from callrouter.web.status import Agent, StatusDocument
from lab import tools
from lab.errors import LabError
from lab.opening import decide
from lab.options import instance_option
from lab.paths import INSTANCES, try_lock
from lab.progress import say
from lab.record import RunRecord, shown
from lab.trial import Hearing, Post, Trial

FINE, BROKEN = 0, 1
RECORD_S = 15.0
RECORD_POLL_S = 0.2
"""Records are written behind the call's back, once it has ended."""


@click.command(epilog="Example: make call")
@instance_option
@click.pass_context
def command(context: click.Context, /, instance: str) -> None:
    """Let a simulated resident call a simulated counselor, and show the call's record and why it went there.

    Exit status: 0 fine, 1 they did not hear each other, or there is no record, 3 `make run` is not there.
    """
    record = RunRecord.read(instance)
    tools.ensure(["baresip"])
    try:
        with closing(_alone(instance)):
            context.exit(asyncio.run(_call(record)))
    except CallrouterError as exc:
        raise LabError(str(exc)) from exc


def _alone(instance: str) -> TextIO:
    """Two at a time would take each other's counselor."""
    lock = try_lock(INSTANCES / instance / "call.lock")
    if lock is None:
        raise LabError("another `make call` is under way; wait until it is over")
    return lock


async def _call(record: RunRecord) -> int:
    """Place the call and tell of it; the exit status."""
    look = partial(fetch_status, record.web_url)
    loaded = load(Path(record.config), {})
    status = await look()
    decision = decide(loaded, status.at)
    say(f"For the daemon it is {status.at.astimezone(loaded.timezone):%a %Y-%m-%d %H:%M}: {_expected(decision)}.")
    trial = Trial(f"127.0.0.1:{record.sip_port}", look)
    queue = decision.queue if decision.action is Action.QUEUE else None
    post = await _post(record, loaded, status, queue.queue) if queue is not None else None
    try:
        hearings = await trial.talk(post) if post is not None else await trial.listen()
        went_well = _tell(hearings)
    except LabError as exc:
        say(f"\n{exc}", is_error=True)
        went_well = False
    has_record = await _show_record(record, trial.call, look)
    return FINE if went_well and has_record else BROKEN


def _expected(decision: Decision) -> str:
    """What the rules will do with the call."""
    if decision.closed:
        return f"the centre is closed (rule {decision.rule}), and the resident will hear so"
    if decision.action is Action.DAEMON:
        return f"rule {decision.rule} asks the caller, or the moment; the resident presses no key"
    if decision.queue is None:
        return f"rule {decision.rule} sends the call to {decision.action.value} {decision.target}"
    return f"rule {decision.rule} sends the call to queue {decision.queue.queue}"


async def _post(record: RunRecord, loaded: Loaded, status: StatusDocument, queue: QueueName) -> Post:
    """A counselor who will get the call, with the account of the phone.

    Raises:
        LabError: nobody is free, or only such as have phones of their own.
    """
    asterisk = record.asterisk()
    passwords = asterisk.credentials.phone_passwords
    listed = await asyncio.to_thread(asterisk.get, "endpoints")
    off = {f"{phone['technology']}/{phone['resource']}" for phone in listed if phone["state"] == "offline"}
    specs = [spec for spec in loaded.rulebook.agents.values() if queue in spec.queues]
    extensions = {spec.id: spec.endpoint.partition("/")[2] for spec in specs if spec.endpoint in off}
    usable = {agent: extension for agent, extension in extensions.items() if extension in passwords}
    chosen = longest_idle(status.agents, usable)
    if chosen is None:
        found = {agent.agent: agent.state.value for agent in status.agents}
        states = ", ".join(
            f"{spec.id} {'has a phone registered' if spec.id not in usable else found.get(spec.id, 'is unknown')}"
            for spec in specs
        )
        raise LabError(f"no counselor of queue {queue} is free and without a phone ({states}); try again in a while")
    return Post(chosen, usable[chosen], passwords[usable[chosen]])


_FREE = (AgentState.AVAILABLE, AgentState.UNREACHABLE)


def longest_idle(agents: Iterable[Agent], among: Container[str]) -> AgentId | None:
    """Whoever of ``among`` has been free for the longest time: whom the daemon rings first.

    Who lacks nothing but a phone is free as soon as he gets one.
    """
    free = [agent for agent in agents if agent.state in _FREE and agent.agent in among]
    return AgentId(min(free, key=lambda agent: (agent.since, agent.agent)).agent) if free else None


def _tell(hearings: tuple[Hearing, ...]) -> bool:
    """Say what each heard of the other; whether that is as it should be."""
    if not hearings:
        return True
    good = all(hearing.is_good for hearing in hearings)
    say()
    say("Both heard each other:" if good else "They did NOT hear each other as they should:")
    for hearing in hearings:
        say(f"  {hearing}")
    return good


async def _show_record(record: RunRecord, call: CallId | None, look: Callable[[], Awaitable[StatusDocument]]) -> bool:
    """Print the call's record as soon as it is in the database; False if it does not come."""
    if call is None:
        say("\nThe daemon did not take the call: there is no record of it.", is_error=True)
        return False
    deadline = time.monotonic() + RECORD_S
    while True:
        status, text = await _run(record.command, "cdr", call)
        if status == 0:
            say(f"\nIts record ({shown(record.command)} cdr {call}):\n")
            say(text.rstrip())
            return True
        if time.monotonic() > deadline:
            why = "; ".join((await look()).remarks) or text.strip()
            say(f"\nNo record of call {call} within {RECORD_S:g} s: {why}", is_error=True)
            return False
        await asyncio.sleep(RECORD_POLL_S)


async def _run(*command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode(errors="replace")
