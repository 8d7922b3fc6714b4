"""The limits, and how short or small each may be: 0 would not switch one off, but do harm at every call."""

from dataclasses import fields
from typing import Any, Final

from callrouter.config.references import Context
from callrouter.core.rulebook import Limits, WhenFull

LEAST: Final[dict[str, tuple[float, str]]] = {
    "max_calls": (1, "no call would be taken"),
    "calls_per_second": (0, ""),
    "behind": (0.1, "a busy moment would be taken for trouble"),
    "announcement": (1.0, "announcements would be cut off"),
    "dead_man": (2.0, "it is renewed at half of it, and a healthy daemon must have the time"),
    "connect": (1.0, "counselors who answer would be hung up on"),
    "clearing": (1.0, "Asterisk needs the time to hang up"),
    "rest_after_no_answer": (0.0, ""),
    "rest_after_busy": (0.5, "a busy phone would be dialled without a pause"),
    "rest_after_rejected": (0.5, "a phone that rejects would be dialled without a pause"),
    "rest_after_unreachable": (0.5, "a phone that is off would be dialled without a pause"),
    "rest_after_do_not_disturb": (0.5, "a phone that refuses would be dialled without a pause"),
    "misses_before_pause": (0, ""),
    "pin_tries": (1, "nobody could log in"),
    "pin_lock": (10.0, "whoever tries PINs would not be held up"),
    "site_away": (0.0, ""),
    "retry_after_congestion": (0.5, "a full trunk would be tried without a pause"),
}
"""The least that may be written (seconds, or calls where the limit is a number of them), and what less would mean."""

LEAST_RING_S: Final = 1.0


def compile_limits(context: Context) -> Limits:
    """What is written, and the core's defaults for the rest. A value that is too small is a fault where it stands."""
    changed: dict[str, Any] = {}
    for limit in fields(Limits):
        key = limit.name.removesuffix("_s")
        value = getattr(context.model.limits, key)
        if value is None:
            continue
        if isinstance(value, WhenFull):
            changed[limit.name] = value
            continue
        least, why = LEAST[key]
        if value < least:
            unit = " s" if limit.name.endswith("_s") else ""
            context.error(
                ("limits", key), f"{key} of {value:g}{unit} is too little: {why}", f"write {least:g}{unit} or more"
            )
        changed[limit.name] = value
    return Limits(**changed)


def check_ring_timeouts(context: Context) -> None:
    """A queue whose phones do not ring long enough to be answered."""
    for name, queue in context.model.queues.items():
        if queue.ring_timeout < LEAST_RING_S:
            text = f"ring_timeout of {queue.ring_timeout:g} s is too little: nobody can answer in that time"
            context.error(("queues", name, "ring_timeout"), text, f"write {LEAST_RING_S:g} s or more")
        if queue.ring_at_most == 0:
            text = "ring_at_most of 0: no phone would ring"
            context.error(("queues", name, "ring_at_most"), text, "write 1 or more, or leave it out")
