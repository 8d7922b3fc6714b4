"""How queues call back by themselves, from the model to the core's."""

from collections.abc import Mapping

from callrouter.config import model
from callrouter.config.destinations import way_out
from callrouter.config.limits import LEAST_RING_S
from callrouter.config.plans import check_digits
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.core.calendars import Calendar
from callrouter.core.calling_spec import CallBackRule
from callrouter.core.ids import CalendarName, PromptName, TrunkName
from callrouter.core.plan import Callback, Step


def call_back_rule(context: Context, name: str, calendars: Mapping[CalendarName, Calendar]) -> CallBackRule | None:
    """How the queue of that name calls back; None if people do. Faults go to the context's problems."""
    spec = context.model.queues[name].call_back
    if spec is None:
        return None
    path: Path = ("queues", name, "call_back")
    if spec.calendar is not None:
        context.refer("calendars", spec.calendar, (*path, "calendar"))
    for key in ("to_agent", "to_resident"):
        prompt = getattr(spec, key)
        if prompt is not None:
            context.refer("prompts", prompt, (*path, key))
    if spec.say_number:
        check_digits(context, (*path, "say_number"))
    if spec.ring_timeout < LEAST_RING_S:
        message = f"ring_timeout of {spec.ring_timeout:g} s is too little: nobody can answer in that time"
        context.error((*path, "ring_timeout"), message, f"write {LEAST_RING_S:g} s or more")
    if not context.refer("trunks", spec.trunk, (*path, "trunk")):
        return None
    return _rule(spec, context.model.trunks[spec.trunk], calendars)


def _rule(spec: model.QueueCallBack, trunk: model.Trunk, calendars: Mapping[CalendarName, Calendar]) -> CallBackRule:
    return CallBackRule(
        TrunkName(spec.trunk),
        way_out(spec.trunk, trunk),
        e164=trunk.format == "e164",
        caller_number=spec.caller_id or trunk.caller_id or "",
        attempts=spec.attempts,
        retry_after_s=spec.retry_after,
        ring_timeout_s=spec.ring_timeout,
        redial=spec.redial,
        hours=calendars.get(CalendarName(spec.calendar)) if spec.calendar is not None else None,
        to_agent=PromptName(spec.to_agent) if spec.to_agent is not None else None,
        say_number=spec.say_number,
        to_resident=PromptName(spec.to_resident) if spec.to_resident is not None else None,
    )


def check_call_backs_asked(context: Context, steps: list[Step], *, is_whole: bool) -> None:
    """A queue that is to call back by itself, and that nobody is told to ask."""
    asked = {step.queue for step in steps if isinstance(step, Callback)}
    for name, spec in context.model.queues.items():
        if spec.call_back is not None and name not in asked and is_whole:
            message = f'no plan has anybody ask to be called back by "{name}"'
            context.warn(("queues", name, "call_back"), message, f"write - callback: {name}, or take it out", key=True)
