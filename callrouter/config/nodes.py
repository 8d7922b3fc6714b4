"""One YAML file as a tree of text, built from the parser's events, and beside it where every value stands.

PyYAML's own conversions are left out on purpose: they would turn ``17:00`` into 1020, ``0552`` into a number and
``no`` into false, and keep the last of two equal keys without a word (YAML 1.1, PyYAML ``SafeConstructor``). Here a
scalar is the text that was written. PyYAML's composer is left out, too: it follows aliases, which let a small
file grow without bounds, and how deep it nests before it gives up is a matter of the libyaml that is installed.

Places are kept as the parser gives them (marks): only a few are ever told, and to say of each value in which file it is
would take as long as the rest of reading.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from callrouter.config.problems import Place, Problems
from callrouter.errors import CallrouterError

MAX_DEPTH = 24

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null"})

Tree = str | None | list["Tree"] | dict[str, "Tree"]
"""A value as written: text, nothing, a list, or a mapping."""


class _Mark(Protocol):
    """What the parsers' marks (one class in Python, one in C) have in common; counted from 0."""

    line: int
    column: int


Mark = _Mark | None
"""A place in a file; None where the parser tells none."""


@dataclass(frozen=True, slots=True)
class ListMarks:
    """Where a list begins, and where its entries stand."""

    mark: Mark
    items: list["Marks"]


@dataclass(frozen=True, slots=True)
class MappingMarks:
    """Where a mapping begins, and where its keys and their values stand."""

    mark: Mark
    entries: dict[str, tuple[Mark, "Marks"]]


Marks = Mark | ListMarks | MappingMarks
"""Where a value stands, with all that is in it."""
Written = tuple[Tree, Marks]
"""A value, and where it stands."""


def parse(file: str, text: str, problems: Problems) -> Written | None:
    """The file's one document; None if it is empty. Faults go to ``problems``.

    Raises UnreadableError for what is no YAML, or nested too deep.
    """
    try:
        # Straight from the parser: yaml.parse() asks it twice for each event.
        return _Builder(file, problems, _LOADER(text).get_event).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = place_of(file, mark)
        message = " ".join(part for part in (error.context, error.problem) if part)
        if "nesting depth" in message:  # libyaml 0.2.6 has a limit of its own, and looks ahead
            raise _too_deep(place) from error
        raise UnreadableError(place, f"is not YAML: {message}", _remedy(message)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableError(Place(file, line), f"is not YAML: {error.reason}", "take it out") from error


def place_of(file: str, marks: Marks) -> Place:
    """Where a value stands, for people."""
    mark = marks.mark if isinstance(marks, ListMarks | MappingMarks) else marks
    return Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)


def written_twice(key: str, first: Place) -> tuple[str, str]:
    """What to say of a key that is there again: message and remedy."""
    return f'"{key}" is written twice, first at {first}', "keep one of them"


class UnreadableError(CallrouterError):
    """The file cannot be read any further than ``place``."""

    def __init__(self, place: Place, message: str, remedy: str) -> None:
        super().__init__(f"{place}: {message}; {remedy}")
        self.place = place
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Builder:
    file: str
    problems: Problems
    next_event: Callable[[], Any]
    """The parser's next event; None behind the last."""

    def document(self) -> Written | None:
        """Read the stream to its end; a second document is a fault."""
        root: Written | None = None
        count = 0
        while (event := self.next_event()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                count += 1
                if count == 2:
                    self.fault(event.start_mark, "a second document begins here", "take the line --- out")
                written = self.value(self.next_event(), 0)
                root = written if count == 1 else root
        return root

    def value(self, event: yaml.Event, depth: int) -> Written:
        """The value that begins with ``event``."""
        mark = event.start_mark
        if depth > MAX_DEPTH:
            raise _too_deep(place_of(self.file, mark))
        if isinstance(event, yaml.ScalarEvent):
            if event.tag:
                self.refuse_tag(event.tag, mark)
            is_null = not event.style and event.value in _NULLS  # the style: None or "", depending on the loader
            return None if is_null else event.value, mark
        if isinstance(event, yaml.AliasEvent):
            self.fault(mark, f"the alias *{event.anchor} is not taken here", "write the value out")
            return None, mark
        if not isinstance(event, yaml.CollectionStartEvent):
            raise TypeError(f"{event} begins no value")
        if event.tag:
            self.refuse_tag(event.tag, mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(mark, depth + 1)
        return self.sequence(mark, depth + 1)

    def sequence(self, mark: Mark, depth: int) -> Written:
        """The entries, so deep, up to the list's end."""
        entries: list[Tree] = []
        marks: list[Marks] = []
        while not isinstance(event := self.next_event(), yaml.SequenceEndEvent):
            entry, its_marks = self.value(event, depth)
            entries.append(entry)
            marks.append(its_marks)
        return entries, ListMarks(mark, marks)

    def mapping(self, mark: Mark, depth: int) -> Written:
        """Keys and values, so deep, up to the mapping's end. A key that is there again is a fault."""
        mapping: dict[str, Tree] = {}
        marks: dict[str, tuple[Mark, Marks]] = {}
        while not isinstance(event := self.next_event(), yaml.MappingEndEvent):
            key = self.key(event, depth)
            value, its_marks = self.value(self.next_event(), depth)
            if key in mapping:
                self.fault(event.start_mark, *written_twice(key, place_of(self.file, marks[key][0])))
            elif key is not None:
                mapping[key] = value
                marks[key] = event.start_mark, its_marks
        return mapping, MappingMarks(mark, marks)

    def key(self, event: yaml.Event, depth: int) -> str | None:
        """The key's text; None if it is none, which is a fault."""
        if isinstance(event, yaml.ScalarEvent) and not event.tag and depth <= MAX_DEPTH:
            return event.value  # as nearly all are
        self.value(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return event.value
        if isinstance(event, yaml.AliasEvent):
            return ""
        self.fault(event.start_mark, "a key must be text", "put quotes around it")
        return None

    def refuse_tag(self, tag: str, mark: Mark) -> None:
        """A tag would say how to convert a value, and that is not left to YAML."""
        self.fault(mark, f"the tag {tag} means nothing here", "take it out")

    def fault(self, mark: Mark, message: str, remedy: str) -> None:
        """Note what is wrong."""
        self.problems.error(place_of(self.file, mark), message, remedy)


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
