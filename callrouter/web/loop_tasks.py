"""What the event loop is doing at the moment: its tasks, by what each runs."""

import asyncio
from collections import Counter


def loop_tasks() -> Counter[str]:
    """How many tasks there are by the function that each began with, as the code names it.

    None where no event loop runs.
    """
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return Counter()
    return Counter(_name(task.get_coro()) for task in tasks)


def _name(coroutine: object) -> str:
    name = getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__
    # A function within a function: only the two names tell something.
    return str(name).replace("<locals>.", "")
