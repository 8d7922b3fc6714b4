"""``callrouter explain``: what would become of this call, and why?"""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from callrouter.cli.options import config_option, instant, json_option, switch_option, switches_on
from callrouter.cli.plan_data import step_data
from callrouter.cli.plan_words import plan_lines
from callrouter.cli.skill_words import asked_of, skill_data, skill_lines
from callrouter.config import Loaded, load
from callrouter.config.problems import nearest
from callrouter.config.trunks import endpoints_of
from callrouter.core.conditions import QueueStates, queues_as
from callrouter.core.decision import Decision
from callrouter.core.ids import QueueName, RegionName, SiteName, TopicName
from callrouter.core.inbound import CallFacts
from callrouter.core.remembering import remembered_as
from callrouter.core.rulebook import Rulebook


@click.command(epilog="Example: callrouter explain --from 0552251234 --to 120 --at 2026-11-24T19:30")
@config_option
@json_option
@click.option("--from", "caller", default="", help="The caller's number; left out: withheld.")
@click.option("--to", "dialed", default="120", show_default=True, help="The dialled number.")
@click.option("--at", "at_text", default=None, help="When (2026-11-24T19:30), in the configuration's time zone; now.")
@click.option("--topic", default=None, help="What the caller wants, a name of topics:.")
@click.option("--language", default="", help="The channel's language, such as ko or en.")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME:WORD=N,…",
    help="How a queue stands, such as desk:waiting=10,longest_wait=90 (also agents, available; waits in seconds). Not"
    " given: nobody waits, and every counselor of the queue is free.",
)
@switch_option
@click.option("--trunk", default="", help="The PJSIP endpoint that the call comes in by.")
@click.option("--remembered", default=None, help="The region that is remembered of the caller, a name of regions:.")
def explain(
    config: Path,
    as_json: bool,
    caller: str,
    dialed: str,
    at_text: str | None,
    topic: str | None,
    language: str,
    queues: tuple[str, ...],
    switches: tuple[str, ...],
    trunk: str,
    remembered: str | None,
) -> None:
    """Say where a call would go: every rule that is looked at, matched or not, and why.

    It asks the very code that routes calls.
    """
    loaded = load(config, os.environ)
    at = instant(at_text, loaded.timezone, "--at") if at_text else datetime.now(loaded.timezone)
    _check_names(topic, trunk, loaded)
    if remembered is not None:
        _check_remembered(remembered, caller, loaded)
    site = next(iter(loaded.settings.sites), SiteName(""))
    facts = CallFacts(
        dialed,
        site,
        caller,
        trunk=trunk,
        topic=TopicName(topic) if topic else None,
        language=language,
        remembered=RegionName(remembered) if remembered is not None else None,
    )
    states, on = _queue_states(queues, loaded.rulebook), switches_on(switches, loaded.rulebook)
    decision = loaded.rulebook.router.decide(facts, at, states, on)
    if as_json:
        click.echo(json.dumps(as_data(decision, loaded.rulebook, facts), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_lines(decision, loaded, at, facts)))


def _check_names(topic: str | None, trunk: str, loaded: Loaded) -> None:
    """A name that the configuration does not know would match nothing, and be no answer to what was meant.

    An endpoint that it does not know may well be one of Asterisk's.
    """
    topics, groups = loaded.model.topics, loaded.model.trunks
    if topic is not None and topic not in topics:
        raise click.BadParameter(f"unknown topic {topic!r}; {nearest(topic, topics)}", param_hint="--topic")
    if trunk in groups and trunk not in (endpoints := endpoints_of(trunk, groups[trunk])):
        message = f"{trunk!r} is a trunk group, not an endpoint; write one of: {', '.join(endpoints)}"
        raise click.BadParameter(message, param_hint="--trunk")


def _check_remembered(region: str, caller: str, loaded: Loaded) -> None:
    regions = loaded.model.regions
    if region not in regions:
        raise click.BadParameter(f"unknown region {region!r}; {nearest(region, regions)}", param_hint="--remembered")
    if remembered_as(caller) is None:
        message = "nothing is ever remembered of a caller without a number of his own; write --from with one"
        raise click.BadParameter(message, param_hint="--remembered")


_WORDS = {"agents": "agents", "available": "available", "waiting": "waiting", "longest_wait": "longest_wait_s"}


def _queue_states(written: Sequence[str], rulebook: Rulebook) -> QueueStates:
    """What ``--queue`` says, and for the other queues: all who serve it are free, and nobody waits."""
    states = rulebook.usual_queues()
    for text in written:
        name_text, _, words = text.partition(":")
        name = QueueName(name_text)
        if name not in states:
            raise click.BadParameter(f"unknown queue {name_text!r}; {nearest(name_text, states)}", param_hint="--queue")
        try:
            told = {_WORDS[word]: float(value) for word, _, value in (part.partition("=") for part in words.split(","))}
        except (KeyError, ValueError) as error:
            example = f"{name_text}:waiting=10,longest_wait=90"
            raise click.BadParameter(f"{text!r} is not understood; write {example}", param_hint="--queue") from error
        states[name] = replace(states[name], **told)
    return queues_as(states)


def as_data(decision: Decision, rulebook: Rulebook, facts: CallFacts) -> dict[str, object]:
    """The decision for programs; the agents are those who serve its queue."""
    return {
        "region": decision.region,
        "region_source": decision.region_source.value,
        "region_confidence": decision.extra.get("region_confidence", ""),
        "region_why": decision.extra.get("region_why", ""),
        "tenant": decision.tenant,
        "caller_kind": decision.caller_kind.value,
        "topic": decision.topic,
        "calendars": list(decision.calendars),
        "switches": list(decision.switches),
        "rule": decision.rule,
        "action": decision.action.value,
        "target": decision.target,
        "steps": [step_data(step) for step in decision.plan.steps],
        "agents": _agents(decision, rulebook),
        "skills": skill_data(asked_of(decision, rulebook, facts), decision, rulebook),
        "trace": [
            {"rule": entry.rule, "where": entry.where, "matched": entry.matched, "why": entry.why}
            for entry in decision.trace
        ],
        "config_hash": decision.config_hash,
    }


def _agents(decision: Decision, rulebook: Rulebook) -> list[str]:
    """Who serves the decision's queue."""
    step = decision.queue
    return [] if step is None else [agent.id for agent in rulebook.agents.values() if step.queue in agent.queues]


def _lines(decision: Decision, loaded: Loaded, at: datetime, facts: CallFacts) -> list[str]:
    extra = decision.extra
    local = at.astimezone(loaded.timezone)
    calendars = ", ".join(decision.calendars) or "nothing"
    lines = [
        f"at        {local:%a %Y-%m-%d %H:%M} {loaded.timezone.key}; open: {calendars}",
        f"region    {decision.region} ({decision.region_title}), from {decision.region_source.value}, "
        f"{extra.get('region_confidence', '')}: {extra.get('region_why', '')}",
        f"tenant    {decision.tenant}",
        *([f"switches  {', '.join(decision.switches)} on"] if decision.switches else []),
        "rules",
    ]
    for entry in decision.trace:
        lines.append(f"  {entry.line}")
    lines.append(f"plan      {decision.plan.name}")
    lines += plan_lines(decision.plan, "  ")
    agents = _agents(decision, loaded.rulebook)
    if agents:
        lines.append(f"agents    {', '.join(agents)}")
    lines += skill_lines(asked_of(decision, loaded.rulebook, facts), decision, loaded.rulebook)
    return lines
