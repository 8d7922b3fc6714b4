"""A plan as it would be written in YAML, for programs."""

from collections.abc import Mapping
from typing import assert_never

import msgspec

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


def plan_data(plan: Plan | None) -> object:
    """Its steps, None for none."""
    return None if plan is None else [step_data(step) for step in plan.steps]


def step_data(step: Step) -> Mapping[str, object]:  # noqa: C901 - an arm for each kind of step
    """A step as it would be written in YAML; durations in seconds."""
    match step:
        case Menu():
            keys = {choice.key: _choice_data(choice) for choice in step.choices}
            return {"menu": step.prompt, "keys": keys, "default": _choice_data(step.default)}
        case If(conditions, then, otherwise):
            asked = [msgspec.to_builtins(condition, order="sorted") for condition in conditions]
            return {"if": asked, "then": plan_data(then), "else": plan_data(otherwise)}
        case RouteAgain():
            return {"route": "again"}
        case Announce(prompt):
            return {"announce": prompt}
        case EnterQueue(queue, max_wait_s, head_start_s):
            ahead = {"head_start_s": head_start_s} if head_start_s is not None else {}
            return {"queue": queue, "max_wait_s": max_wait_s, **ahead}
        case Dial():
            return _dial_data(step)
        case HandOver(context, extension):
            return {"dialplan": f"{context},{extension}"}
        case Voicemail():
            fields: dict[str, object] = msgspec.to_builtins(step)
            return {"voicemail": fields.pop("box"), **{name: fields[name] for name in fields if name != "type"}}
        case Callback(queue, allowed, otherwise, check):
            kinds = [kind.value for kind in allowed]
            confirm = {"confirm": check.prompt} if check is not None else {}
            return {"callback": queue, "allowed": kinds, "else": plan_data(otherwise), **confirm}
        case HangUp(cause):
            return {"hangup": int(cause)}
        case _:
            assert_never(step)


def _choice_data(choice: Choice) -> Mapping[str, object]:
    region = choice.region.name if choice.region is not None else None
    found = {
        "topic": choice.topic,
        "language": choice.language,
        "region": region,
        "remember_s": choice.remember_s,
        "forget": choice.forget or None,
        "do": plan_data(choice.plan),
    }
    return {name: value for name, value in found.items() if value is not None}


def _dial_data(step: Dial) -> Mapping[str, object]:
    destinations = [
        {"name": it.name, "endpoint": it.endpoint, "trunk": it.trunk, "ring_timeout_s": it.ring_timeout_s}
        for it in step.destinations
    ]
    confirm = step.confirm
    asked = {"confirm": confirm.prompt, "key": confirm.key, "confirm_timeout_s": confirm.timeout_s} if confirm else {}
    return {"dial": destinations, "rounds": step.rounds, "music": step.music_class, **asked}
