"""Routes that can never be reached, as far as can be seen from the words of their conditions."""

from collections.abc import Iterator

from callrouter.config.model import Model, When

_CONDITIONS = (
    "dialed",
    "trunk",
    "region",
    "tenant",
    "topic",
    "caller",
    "caller_list",
    "language",
    "region_source",
    "calendar",
    "switch",
)
"""Most telling first."""


class Shadows:
    """Finds the earlier route that takes all calls of a later one.

    Earlier routes are filed under the values of their most telling condition: only those that share one are compared,
    so that checking many routes does not take the square of their number.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._routes: list[When | None] = []
        self._filed: dict[tuple[str, str], list[int]] = {}
        self._unfiled: list[int] = []

    def add(self, when: When | None) -> None:
        """Note the next route."""
        position = len(self._routes)
        self._routes.append(when)
        condition = next((name for name in _CONDITIONS if when is not None and getattr(when, name)), None)
        values = getattr(when, condition) if condition is not None else ()
        if condition is None or any(value.endswith("*") for value in values):
            self._unfiled.append(position)
            return
        for value in values:
            self._filed.setdefault((condition, value), []).append(position)

    def of(self, when: When | None) -> int | None:
        """The first noted route that takes all calls that ``when`` takes, or None."""
        fitting = (position for position in self._candidates(when) if self._takes_all_of(self._routes[position], when))
        return min(fitting, default=None)

    def _candidates(self, when: When | None) -> Iterator[int]:
        yield from self._unfiled
        if when is None:
            return
        for name in _CONDITIONS:
            values = getattr(when, name)
            # One value is enough: who takes all calls takes those with this one.
            for value in (values or ())[:1]:
                yield from self._filed.get((name, value), ())
        for region in (when.region or ())[:1]:
            if region in self._model.regions:
                yield from self._filed.get(("tenant", self._model.regions[region].tenant), ())

    def _takes_all_of(self, wide: When | None, narrow: When | None) -> bool:
        if wide is None:
            return True
        if narrow is None:
            return False
        for name in _CONDITIONS:
            some = getattr(wide, name)
            if some and not self._covers(name, some, narrow):
                return False
        if wide.queue is not None and wide.queue != narrow.queue:
            return False
        return wide.unless is None or wide.unless == narrow.unless

    def _covers(self, name: str, some: list[str], narrow: When) -> bool:
        """Whether ``narrow`` asks for no more than some of these values."""
        few: list[str] | None = getattr(narrow, name)
        if name == "tenant" and few is None and narrow.region:
            regions = self._model.regions
            return all(region in regions and regions[region].tenant in some for region in narrow.region)
        if few is None:
            return False
        if name == "dialed":
            prefixes = tuple(number[:-1] for number in some if number.endswith("*"))
            return all(number in some or number.startswith(prefixes) for number in few)
        return set(few) <= set(some)
