"""Surges of topics: from the model to the core's, and what can be seen to be wrong with them."""

from callrouter.config.references import Context
from callrouter.core.ids import SwitchName, TopicName
from callrouter.core.rulebook import SurgeRule, TopicSpec

MOST_WEEKS = 52


def compile_surge(context: Context) -> SurgeRule | None:
    """The rule, or None where nobody is to be told. A value out of bounds is a fault where it stands."""
    surge = context.model.surge
    if surge is None:
        return None
    if not 1 <= surge.weeks <= MOST_WEEKS:
        text = f"there is nothing to compare with in {surge.weeks} weeks"
        context.error(("surge", "weeks"), text, f"write 1 to {MOST_WEEKS}")
    if surge.factor < 1:
        text = f"a factor of {surge.factor:g} would call fewer calls than usual a surge"
        context.error(("surge", "factor"), text, "write 1 or more")
    if surge.least < 1:
        context.error(("surge", "least"), "an hour without calls is no surge", "write 1 or more")
    return SurgeRule(surge.weeks, surge.factor, surge.least)


def compile_topics(context: Context) -> dict[TopicName, TopicSpec]:
    """Every topic; a switch that is suggested must be one, and something must suggest it."""
    found = {}
    for text, spec in context.model.topics.items():
        path = ("topics", text, "suggest")
        suggest = SwitchName(spec.suggest) if spec.suggest is not None else None
        if spec.suggest is not None and context.refer("switches", spec.suggest, path) and context.model.surge is None:
            message = f'nothing ever suggests the switch "{spec.suggest}": no surge is looked for'
            context.warn(path, message, "write surge: {}, or take suggest: out")
        found[TopicName(text)] = TopicSpec(TopicName(text), spec.title, suggest)
    return found
