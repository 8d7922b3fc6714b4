"""What is written otherwise: names that are new or gone, values that have changed, as they stand in the files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from callrouter.config import Loaded
from callrouter.config.model import Route, Section
from callrouter.config.nodes import Tree

_ONE: Final = {"holidays": "holidays", "caller_lists": "caller list"}
"""What one entry of a section is called, where that is not the section's name without its s."""
_LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is otherwise: of which section and entry, and a sentence."""

    section: str
    name: str
    sentence: str


def changes(old: Loaded, new: Loaded) -> list[Change]:
    """All of them, in the order of the sections; what means the same, however it is written, is none."""
    found: list[Change] = []
    for section in type(new.model).model_fields:
        before, after = getattr(old.model, section), getattr(new.model, section)
        if before == after:
            continue
        if section == "routes":
            found += _routes(_Side(old), _Side(new), before, after)
        elif isinstance(after, Mapping):
            found += _named(section, _Side(old), _Side(new), before, after)
        else:
            found += _single(section, _Side(old), _Side(new), before, after)
    return found


@dataclass(frozen=True, slots=True)
class _Side:
    """One set of rules, as written."""

    loaded: Loaded

    def tree(self, *path: str | int) -> Tree:
        """What stands there; of an entry in its short form, which is one value, that value."""
        tree: Tree = dict(self.loaded.written)
        for part in path:
            if isinstance(tree, dict):
                tree = tree.get(str(part))
            elif isinstance(tree, list) and isinstance(part, int):
                tree = tree[part]
            else:
                break
        return tree

    def text(self, *path: str | int) -> str:
        """What stands there, in one line."""
        return shown(self.tree(*path))


def shown(tree: Tree) -> str:
    """A value as it would be written on one line; the end of a long one is cut."""
    text = _flow(tree, 0)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _flow(tree: Tree, depth: int) -> str:
    if isinstance(tree, dict):
        entries = (key if value is None else f"{key}: {_flow(value, depth + 1)}" for key, value in tree.items())
        inner = ", ".join(entries)
        return f"{{{inner}}}" if depth else inner
    if isinstance(tree, list):
        inner = ", ".join(_flow(item, depth + 1) for item in tree)
        return f"[{inner}]" if depth else inner
    return " ".join(tree.split()) if tree is not None else "nothing"


def compared(was: Tree, now: Tree) -> str:
    """Only what is otherwise: ``max_wait: 5 min, was 10 min``; ``with 0551112222, without 055333*``."""
    if isinstance(was, dict) and isinstance(now, dict):
        keys = [*now, *(key for key in was if key not in now)]
        parts = [(key, was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)]
        return "; ".join(f"{key}: {compared(before, after)}" for key, before, after in parts)
    if isinstance(was, list) and isinstance(now, list):
        if len(was) == len(now) and any(isinstance(item, dict) for item in (*was, *now)):
            steps = [(n, *both) for n, both in enumerate(zip(was, now, strict=True), 1) if both[0] != both[1]]
            return "; ".join(f"{number}. {compared(before, after)}" for number, before, after in steps)
        added, gone = [item for item in now if item not in was], [item for item in was if item not in now]
        if (added or gone) and not any(isinstance(item, dict | list) for item in (*was, *now)):
            words = [f"with {shown(added)}"] if added else []
            return ", ".join([*words, f"without {shown(gone)}"] if gone else words)
    return f"{shown(now)}, was {shown(was)}"


def _one(section: str) -> str:
    return _ONE.get(section, section.removesuffix("s"))


def _named(
    section: str, old: _Side, new: _Side, before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[Change]:
    what = _one(section)
    for name in after:
        if name not in before:
            yield Change(section, name, f"{what} {name} is new: {new.text(section, name)}")
        elif before[name] != after[name]:
            differences = _differences(old, new, before[name], after[name], (section, name), (section, name))
            yield Change(section, name, f"{what} {name}: {differences}")
    for name in before:
        if name not in after:
            yield Change(section, name, f"{what} {name} is gone: it was {old.text(section, name)}")


def _single(section: str, old: _Side, new: _Side, before: object, after: object) -> Iterator[Change]:
    yield Change(section, "", f"{section}: {_differences(old, new, before, after, (section,), (section,))}")


def _differences(
    old: _Side,
    new: _Side,
    before: object,
    after: object,
    old_path: tuple[str | int, ...],
    new_path: tuple[str | int, ...],
) -> str:
    """``ring_timeout: 20s, was 15s; wrap_up: 5s, was nothing``."""
    if not isinstance(before, Section) or not isinstance(after, Section):
        return compared(old.tree(*old_path), new.tree(*new_path))
    found: dict[str, str] = {}
    for field, info in type(after).model_fields.items():
        if getattr(before, field) == getattr(after, field):
            continue
        key = info.alias or field
        was, now = old.tree(*old_path, key), new.tree(*new_path, key)
        if was is None and now is None:  # the dates of holidays stand beside the keys
            return compared(old.tree(*old_path), new.tree(*new_path))
        found[key] = f"{key}: {compared(was, now)}"
    return "; ".join(found.values())


def _routes(old: _Side, new: _Side, before: Sequence[Route], after: Sequence[Route]) -> Iterator[Change]:
    was = {route.id: index for index, route in enumerate(before)}
    now = {route.id: index for index, route in enumerate(after)}
    moved = _moved([route.id for route in before if route.id in now], [route.id for route in after if route.id in was])
    for name, index in now.items():
        place = f"before {after[index + 1].id}" if index + 1 < len(after) else "as the last"
        if name not in was:
            yield Change("routes", name, f"route {name} is new, {place}: {new.text('routes', index)}")
            continue
        if name in moved:
            yield Change("routes", name, f"route {name} has moved: it stands {place} now")
        if before[was[name]] != after[index]:
            paths = ("routes", was[name]), ("routes", index)
            text = _differences(old, new, before[was[name]], after[index], *paths)
            yield Change("routes", name, f"route {name}: {text}")
    for name, index in was.items():
        if name not in now:
            yield Change("routes", name, f"route {name} is gone: it was {old.text('routes', index)}")


def _moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """The fewest that must be moved to come from one order to the other."""
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    stay = {before[block.a + offset] for block in blocks for offset in range(block.size)}
    return set(after) - stay
