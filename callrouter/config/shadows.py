"""Routes that can never be reached, as far as can be seen from the words of their conditions."""

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
        self._asking: dict[str, int] = dict.fromkeys(_CONDITIONS, 0)
        self._filed: dict[tuple[str, str], int] = {}

    def add(self, when: When | None) -> None:
        """Note the next route."""
        bit = 1 << len(self._routes)
        self._routes.append(when)
        for name in _CONDITIONS if when is not None else ():
            values: list[str] = getattr(when, name) or []
            if values:
                self._asking[name] |= bit
            for value in values:
                self._filed[name, value] = self._filed.get((name, value), 0) | bit

    def of(self, when: When | None) -> int | None:
        """The first noted route that takes all calls that ``when`` takes, or None."""
        fitting = (1 << len(self._routes)) - 1
        for name in _CONDITIONS:
            # One value is enough: who takes all calls takes those with this one.
            taking = self._taking(name, when)
            fitting ^= fitting & (self._asking[name] ^ taking)
        while fitting:
            position = (fitting & -fitting).bit_length() - 1
            if self._takes_all_of(self._routes[position], when):
                return position
            fitting ^= 1 << position
        return None

    def _taking(self, name: str, when: When | None) -> int:
        """The noted routes that ask for this and take the first value that ``when`` asks for."""
        values: list[str] = (getattr(when, name) or []) if when is not None else []
        if name == "tenant" and not values and when is not None:
            values = [
                self._model.regions[region].tenant for region in when.region or () if region in self._model.regions
            ]
        if not values:
            return 0
        taking = self._filed.get((name, values[0]), 0)
        if name == "dialed":
            stem = values[0].removesuffix("*")
            for length in range(len(stem) + 1):
                taking |= self._filed.get((name, f"{stem[:length]}*"), 0)
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
