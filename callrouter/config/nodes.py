"""One YAML file as nodes with places, built from the parser's events.

PyYAML's own conversions are left out on purpose: they would turn ``17:00`` into 1020, ``0552`` into a number and
``no`` into false, and keep the last of two equal keys without a word (YAML 1.1, PyYAML ``SafeConstructor``). Here a
scalar is the text that was written. PyYAML's composer is left out, too: it follows aliases, which let a small
file grow without bounds, and how deep it nests before it gives up is a matter of the libyaml that is installed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import yaml

from callrouter.config.problems import Place, Problems
from callrouter.errors import CallrouterError

MAX_DEPTH = 24

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null"})


class Scalar(NamedTuple):
    """Text as written; ``plain`` if it stood without quotes."""

    place: Place
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether nothing is written here, or a null."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their places, and values, in order; equal keys are still there."""

    place: Place
    entries: list[tuple[str, Place, "Node"]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


def parse(file: str, text: str, problems: Problems) -> Node | None:
    """The file's one document; None if it is empty. Faults go to ``problems``.

    Raises UnreadableError for what is no YAML, or nested too deep.
    """
    try:
        # Straight from the parser: yaml.parse() asks it twice for each event.
        return _Builder(file, problems, iter(_LOADER(text).get_event, None)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        if "nesting depth" in message:  # libyaml 0.2.6 has a limit of its own, and looks ahead
            raise _too_deep(_place(file, mark)) from error
        raise UnreadableError(_place(file, mark), f"is not YAML: {message}", _remedy(message)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableError(Place(file, line), f"is not YAML: {error.reason}", "take it out") from error


class UnreadableError(CallrouterError):
    """The file cannot be read any further than ``place``."""

    def __init__(self, place: Place, message: str, remedy: str) -> None:
        super().__init__(f"{place}: {message}; {remedy}")
        self.place = place
        self.message = message
        self.remedy = remedy


@dataclass(slots=True)
class _Builder:
    file: str
    problems: Problems
    events: Iterator[yaml.Event]

    def document(self) -> Node | None:
        """Read the stream to its end; a second document is a fault."""
        root: Node | None = None
        count = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                count += 1
                if count == 2:
                    place = _place(self.file, event.start_mark)
                    self.problems.error(place, "a second document begins here", "take the line --- out")
                node = self.node(next(self.events), 0)
                root = node if count == 1 else root
        return root

    def node(self, event: yaml.Event, depth: int) -> Node:
        """The node that begins with ``event``."""
        place = _place(self.file, event.start_mark)
        if depth > MAX_DEPTH:
            raise _too_deep(place)
        if isinstance(event, yaml.ScalarEvent):
            self.refuse_tag(event.tag, place)
            return Scalar(place, event.value, not event.style)  # None or "", depending on the loader
        if isinstance(event, yaml.AliasEvent):
            self.problems.error(place, f"the alias *{event.anchor} is not taken here", "write the value out")
            return Scalar(place, "", True)
        if not isinstance(event, yaml.CollectionStartEvent):
            raise TypeError(f"{event} begins no node")
        self.refuse_tag(event.tag, place)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(place, depth)
        sequence = Sequence(place)
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            sequence.items.append(self.node(event, depth + 1))
        return sequence

    def refuse_tag(self, tag: str | None, place: Place) -> None:
        """A tag would say how to convert a value, and that is not left to YAML."""
        if tag:
            self.problems.error(place, f"the tag {tag} means nothing here", "take it out")

    def mapping(self, place: Place, depth: int) -> Mapping:
        """Keys and values up to the mapping's end; a key that is no text is a fault."""
        mapping = Mapping(place)
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            if isinstance(key, Scalar):
                mapping.entries.append((key.text, key.place, value))
            else:
                self.problems.error(key.place, "a key must be text", "put quotes around it")
        return mapping


class _Mark(Protocol):
    """What the parsers' marks (one class in Python, one in C) have in common; counted from 0."""

    line: int
    column: int


def _place(file: str, mark: _Mark | None) -> Place:
    return Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)


def _too_deep(place: Place) -> UnreadableError:
    return UnreadableError(place, f"is nested deeper than {MAX_DEPTH}", "flatten it")


def _remedy(message: str) -> str:
    """What usually stands behind a syntax error."""
    if "character that cannot start any token" in message:
        return "indent with spaces, not tabs, and put quotes around text that begins with @, ` or %"
    if "mapping values are not allowed" in message:
        return "put quotes around text that holds a colon and a space, and check the indentation"
    if "alias" in message:
        return "put quotes around a text that begins with *"
    return "check indentation, quotes and brackets here and above"
