"""The numbers that lead to us, as far as the rules name them."""

from collections.abc import Iterator

from callrouter.config import model
from callrouter.core.numbers import parse


def own_numbers(rules: model.Model) -> frozenset[str]:
    """Dialled numbers of regions and routes, and those that calls of ours show (E.164)."""
    return frozenset(number for written in _written(rules) if (number := parse(written).e164) is not None)


def _written(rules: model.Model) -> Iterator[str]:
    for region in rules.regions.values():
        yield from region.dialed
    for trunk in rules.trunks.values():
        if trunk.caller_id is not None:
            yield trunk.caller_id
    for route in rules.routes:
        if route.when is not None:
            yield from (number for number in route.when.dialed or () if not number.endswith("*"))
