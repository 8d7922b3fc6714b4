"""``callrouter explain``: what would become of this call, and why?"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import assert_never

import click
import msgspec

from callrouter.cli.options import config_option, instant, json_option, switch_option, switches_on
from callrouter.config import Loaded, load
from callrouter.config.problems import nearest
from callrouter.core.conditions import Condition, Not, QueueIs, QueueState, QueueStates
from callrouter.core.decision import Decision
from callrouter.core.ids import QueueName, RegionName, SiteName, TopicName
from callrouter.core.inbound import CallFacts
from callrouter.core.plan import (
    Announce,
    Callback,
    Choice,
    Dial,
    EnterQueue,
    HandOver,
    HangUp,
    If,
    Menu,
    Plan,
    RouteAgain,
    Step,
    Voicemail,
)
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
        click.echo(json.dumps(as_data(decision, loaded.rulebook), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_lines(decision, loaded, at)))


def _check_names(topic: str | None, trunk: str, loaded: Loaded) -> None:
    """A name that the configuration does not know would match nothing, and be no answer to what was meant.

    An endpoint that it does not know may well be one of Asterisk's.
    """
    topics, groups = loaded.model.topics, loaded.model.trunks
    if topic is not None and topic not in topics:
        raise click.BadParameter(f"unknown topic {topic!r}; {nearest(topic, topics)}", param_hint="--topic")
    if trunk in groups and trunk not in (endpoints := groups[trunk].endpoints or [trunk]):
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
    states = {}
    for name in rulebook.queues:
        serving = sum(name in agent.queues for agent in rulebook.agents.values())
        states[name] = QueueState(serving, serving)
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
    return lambda name: states.get(name, QueueState())


def as_data(decision: Decision, rulebook: Rulebook) -> dict[str, object]:
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
        "steps": [_step_data(step) for step in decision.plan.steps],
        "agents": _agents(decision, rulebook),
        "trace": [
            {"rule": entry.rule, "where": entry.where, "matched": entry.matched, "why": entry.why}
            for entry in decision.trace
        ],
        "config_hash": decision.config_hash,
    }


def _plan_data(plan: Plan | None) -> object:
    return None if plan is None else [_step_data(step) for step in plan.steps]


def _choice_data(choice: Choice) -> Mapping[str, object]:
    region = choice.region.name if choice.region is not None else None
    found = {
        "topic": choice.topic,
        "language": choice.language,
        "region": region,
        "remember_s": choice.remember_s,
        "forget": choice.forget or None,
        "do": _plan_data(choice.plan),
    }
    return {name: value for name, value in found.items() if value is not None}


def _step_data(step: Step) -> Mapping[str, object]:  # noqa: C901 - an arm for each kind of step
    """A step as it would be written in YAML; durations in seconds."""
    match step:
        case Menu():
            keys = {choice.key: _choice_data(choice) for choice in step.choices}
            return {"menu": step.prompt, "keys": keys, "default": _choice_data(step.default)}
        case If(conditions, then, otherwise):
            asked = [msgspec.to_builtins(condition, order="sorted") for condition in conditions]
            return {"if": asked, "then": _plan_data(then), "else": _plan_data(otherwise)}
        case RouteAgain():
            return {"route": "again"}
        case Announce(prompt):
            return {"announce": prompt}
        case EnterQueue(queue, max_wait_s):
            return {"queue": queue, "max_wait_s": max_wait_s}
        case Dial():
            return _dial_data(step)
        case HandOver(context, extension):
            return {"dialplan": f"{context},{extension}"}
        case Voicemail():
            fields: dict[str, object] = msgspec.to_builtins(step)
            return {"voicemail": fields.pop("box"), **{name: fields[name] for name in fields if name != "type"}}
        case Callback(queue, allowed, otherwise):
            return {"callback": queue, "allowed": [kind.value for kind in allowed], "else": _plan_data(otherwise)}
        case HangUp(cause):
            return {"hangup": int(cause)}
        case _:
            assert_never(step)


def _dial_data(step: Dial) -> Mapping[str, object]:
    destinations = [
        {"name": it.name, "endpoint": it.endpoint, "trunk": it.trunk, "ring_timeout_s": it.ring_timeout_s}
        for it in step.destinations
    ]
    confirm = step.confirm
    asked = {"confirm": confirm.prompt, "key": confirm.key, "confirm_timeout_s": confirm.timeout_s} if confirm else {}
    return {"dial": destinations, "rounds": step.rounds, "music": step.music_class, **asked}


def _dial_words(step: Dial) -> str:
    whom = ", then ".join(
        f"{it.name} at {it.endpoint}{f' over {it.trunk}' if it.trunk else ''} ({it.ring_timeout_s:g} s)"
        for it in step.destinations
    )
    again = f", {step.rounds} times over" if step.rounds > 1 else ""
    confirm = f"; who answers presses {step.confirm.key} to take the call" if step.confirm else ""
    return f"call {whom}{again}{confirm}"


def _agents(decision: Decision, rulebook: Rulebook) -> list[str]:
    """Who serves the decision's queue."""
    step = decision.queue
    return [] if step is None else [agent.id for agent in rulebook.agents.values() if step.queue in agent.queues]


def _lines(decision: Decision, loaded: Loaded, at: datetime) -> list[str]:
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
    lines += _plan_lines(decision.plan, "  ")
    agents = _agents(decision, loaded.rulebook)
    if agents:
        lines.append(f"agents    {', '.join(agents)}")
    return lines


def _condition_text(condition: Condition) -> str:
    """A condition as it would be written in YAML."""
    match condition:
        case QueueIs():
            return f"queue {condition.queue}: {condition.measure} {condition.comparison} {condition.limit:g}"
        case Not(conditions):
            return f"not ({' and '.join(map(_condition_text, conditions))})"
        case _:
            fields = msgspec.to_builtins(condition, order="sorted")
            kind = fields.pop("type")
            return f"{kind} {' or '.join(value for values in fields.values() for value in values)}"


def _plan_lines(plan: Plan, indent: str) -> Iterator[str]:
    """The steps, each in a line; what a menu or a question leads to is indented below it."""
    for number, step in enumerate(plan.steps, 1):
        yield f"{indent}{number}. {_step_text(step)}"
        match step:
            case Menu(choices=choices, default=default):
                branches = [(_choice_text(choice), choice.plan) for choice in (*choices, default)]
            case If(then=then, otherwise=otherwise):
                branches = [("then", then), ("else", otherwise)]
            case Callback(otherwise=otherwise):
                branches = [("else", otherwise)]
            case _:
                continue
        for head, branch in branches:
            yield f"{indent}   {head}{':' if branch else ': next step'}"
            if branch is not None:
                yield from _plan_lines(branch, f"{indent}     ")


def _choice_text(choice: Choice) -> str:
    found = {"topic": choice.topic, "region": choice.region and choice.region.name, "language": choice.language}
    words = [f"{what} {value}" for what, value in found.items() if value]
    if choice.remember_s is not None:
        words.append(f"remember the region for {choice.remember_s / 86_400:g} d")
    if choice.forget:
        words.append("forget what is remembered")
    return ", ".join([choice.key or "default", *words])


def _step_text(step: Step) -> str:  # noqa: C901 - an arm for each kind of step
    match step:
        case Menu():
            return f"menu {step.prompt}, {step.tries} times, {step.timeout_s:g} s for a key"
        case If():
            # Data for programs and for the curious: the finding itself depends on the moment.
            return f"if {' and '.join(_condition_text(condition) for condition in step.conditions)}"
        case RouteAgain():
            return "decide again by the routes"
        case Announce(prompt):
            return f"announce {prompt}"
        case EnterQueue(queue, None):
            return f"wait in queue {queue}"
        case EnterQueue(queue, max_wait_s):
            return f"wait in queue {queue}, at most {max_wait_s:g} s"
        case Dial():
            return _dial_words(step)
        case HandOver(context, extension):
            return f"go on in the dialplan at {context},{extension}"
        case Voicemail():
            return f"greet with {step.greeting}, and record a message for box {step.box}, at most {step.max_s:g} s"
        case Callback(queue, allowed, _):
            return f"take down that {queue} is to call back, {', '.join(allowed)} numbers only"
        case HangUp(cause):
            return f"hang up ({cause.name.lower().replace('_', ' ')})"
        case _:
            assert_never(step)
