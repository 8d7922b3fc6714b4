"""A plan in words, step by step, for people."""

from collections.abc import Iterator
from typing import assert_never

import msgspec

from callrouter.core.conditions import Condition, Not, QueueIs
from callrouter.core.plan import (
    Announce,
    Callback,
    Choice,
    Destination,
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


def plan_lines(plan: Plan, indent: str) -> Iterator[str]:
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
            case Dial(destinations=destinations):
                yield from (f"{indent}   {_destination_text(destination)}" for destination in destinations)
                continue
            case _:
                continue
        for head, branch in branches:
            yield f"{indent}   {head}{':' if branch else ': next step'}"
            if branch is not None:
                yield from plan_lines(branch, f"{indent}     ")


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
        case EnterQueue(queue, max_wait_s, head_start_s):
            limit = f", at most {max_wait_s:g} s" if max_wait_s is not None else ""
            ahead = f", with a head start of {head_start_s:g} s" if head_start_s is not None else ""
            return f"wait in queue {queue}{limit}{ahead}"
        case Dial():
            return _dial_words(step)
        case HandOver(context, extension):
            return f"go on in the dialplan at {context},{extension}"
        case Voicemail():
            return f"greet with {step.greeting}, and record a message for box {step.box}, at most {step.max_s:g} s"
        case Callback(queue, allowed, _, check):
            confirmed = f", number confirmed with {check.prompt}" if check is not None else ""
            return f"take down that {queue} is to call back, {', '.join(allowed)} numbers only{confirmed}"
        case HangUp(cause):
            return f"hang up ({cause.name.lower().replace('_', ' ')})"
        case _:
            assert_never(step)


def _choice_text(choice: Choice) -> str:
    found = {"topic": choice.topic, "region": choice.region and choice.region.name, "language": choice.language}
    words = [f"{what} {value}" for what, value in found.items() if value]
    if choice.remember_s is not None:
        words.append(f"remember the region for {choice.remember_s / 86_400:g} d")
    if choice.forget:
        words.append("forget what is remembered")
    return ", ".join([choice.key or "default", *words])


def _dial_words(step: Dial) -> str:
    whom = ", then ".join(destination.name for destination in step.destinations)
    again = f", {step.rounds} times over" if step.rounds > 1 else ""
    confirm = f"; who answers presses {step.confirm.key} to take the call" if step.confirm else ""
    return f"call {whom}{again}{confirm}"


def _destination_text(destination: Destination) -> str:
    over = f" over {destination.trunk}" if destination.trunk else ""
    return f"{destination.name}: {destination.endpoint}{over}, for {destination.ring_timeout_s:g} s"


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
