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


class Shadows:
    """Finds the earlier route that takes all calls of a later one.

    For every condition it is filed which routes take which value, sets of routes being numbers with bit *n* for the
    route at position *n*: only those that take one value of each of the later route's conditions are compared with it,
    so that checking many routes does not take the square of their number.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._routes: list[When | None] = []
        self._asking: dict[str, int] = {}
        self._filed: dict[str, dict[str, int]] = {}
        self._stems: set[int] = set()
        """How long the beginnings of dialled numbers are."""

    def add(self, when: When | None) -> None:
        """Note the next route."""
        bit = 1 << len(self._routes)
        self._routes.append(when)
        for name, values in _asked(when):
            self._asking[name] = self._asking.get(name, 0) | bit
            filed = self._filed.setdefault(name, {})
            for value in values:
                filed[value] = filed.get(value, 0) | bit
                if name == "dialed" and value.endswith("*"):
                    self._stems.add(len(value) - 1)

    def of(self, when: When | None) -> int | None:
        """The first noted route that takes all calls that ``when`` takes, or None."""
        # One value is enough: who takes all calls takes those with this one.
        wanted = {name: values[0] for name, values in _asked(when)}
        if when is not None and "tenant" not in wanted:
            known = [name for name in when.region or () if name in self._model.regions]
            wanted |= {"tenant": self._model.regions[known[0]].tenant} if known else {}
        unfit = 0
        for name, asking in self._asking.items():
            unfit |= asking ^ self._taking(name, wanted[name]) if name in wanted else asking
        everything = (1 << len(self._routes)) - 1
        fitting = everything ^ (everything & unfit)
        while fitting:
            position = (fitting & -fitting).bit_length() - 1
            if self._takes_all_of(self._routes[position], when):
                return position
            fitting ^= 1 << position
        return None

    def _taking(self, name: str, value: str) -> int:
        """The noted routes that ask for this and take that value."""
        filed = self._filed[name]
        taking = filed.get(value, 0)
        if name == "dialed":
            stem = value.removesuffix("*")
            for length in self._stems:
                if length <= len(stem):
                    taking |= filed.get(f"{stem[:length]}*", 0)
        return taking

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


def _asked(when: When | None) -> Iterator[tuple[str, list[str]]]:
    """The conditions that are there, each with the values it asks for."""
    for name in _CONDITIONS if when is not None else ():
        values: list[str] | None = getattr(when, name)
        if values:
            yield name, values
