"""YAML files read as trees of text, every value with its place.

PyYAML's own conversions are left out on purpose: they would turn ``17:00`` into 1020, ``0552`` into a number and
``no`` into false, and keep the last of two equal keys without a word (YAML 1.1, PyYAML ``SafeConstructor``). Here a
scalar is the text that was written, and what it means is for the model to say.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import yaml

from callrouter.config.problems import Path, Place, Problems

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 24

Tree = str | None | list["Tree"] | dict[str, "Tree"]
"""A value as written: text, nothing, a list, or a mapping."""

_NULLS = frozenset({"", "~", "null"})


@dataclass(slots=True)
class Document:
    """All files merged into one tree of sections, with the place of every value."""

    sections: dict[str, Tree] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    key_places: dict[Path, Place] = field(default_factory=dict)
    hash: str = ""

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at ``path`` (or its key) stands; for a path that is not there, its nearest ancestor."""
        if key and path in self.key_places:
            return self.key_places[path]
        for length in range(len(path), 0, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return Place("callrouter.yaml")


def read(directory: FilePath, problems: Problems) -> Document:
    """Every ``*.yaml`` and ``*.yml`` of ``directory``; any of them may hold any section. Faults go to ``problems``."""
    document = Document()
    digest = hashlib.sha256()
    files = sorted(path for path in directory.glob("*.y*ml") if path.suffix in {".yaml", ".yml"} and path.is_file())
    if not files:
        problems.error(Place(str(directory)), "there is no YAML file here", "name the right directory with --config")
    for path in files:
        text = _text(path, problems)
        if text is None:
            continue
        digest.update(path.name.encode() + b"\0" + text.encode() + b"\0")
        node = _compose(path.name, text, problems)
        if node is not None:
            _Reader(path.name, document, problems).take(node)
    document.hash = digest.hexdigest()[:12]
    return document


def _text(path: FilePath, problems: Problems) -> str | None:
    """The file as text with unix line ends, or None if it cannot be used."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.error(Place(path.name), f"cannot be read: {error.strerror}", "let the daemon's user read it")
        return None
    if len(data) > MAX_FILE_BYTES:
        problems.error(Place(path.name), f"has {len(data)} bytes", f"keep a file under {MAX_FILE_BYTES}; split it")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.error(Place(path.name, line), "is not UTF-8", "save it as UTF-8 (not CP949/EUC-KR)")
        return None
    return text.replace("\r\n", "\n")


def _compose(file: str, text: str, problems: Problems) -> yaml.Node | None:
    """The node tree of the file's one document."""
    try:
        documents = []
        for node in yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            documents.append(node)
            if len(documents) > 1:
                place = _place(file, node.start_mark)
                problems.error(place, "is a second document in one file", "take out the line ---, or use another file")
                break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        problems.error(_place(file, mark), f"is not YAML: {message}", _yaml_remedy(message))
        return None
    except yaml.YAMLError as error:
        problems.error(Place(file), f"is not YAML: {error}".splitlines()[0], "take out control characters")
        return None
    except RecursionError:
        problems.error(Place(file), f"is nested deeper than {MAX_DEPTH}", "flatten it")
        return None
    return documents[0] if documents else None


def _yaml_remedy(message: str) -> str:
    """What usually stands behind a syntax error."""
    if "'\\t'" in message or "tab" in message:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in message:
        return "put quotes around text that holds a colon and a space, and check the indentation"
    if "undefined alias" in message or "alias" in message:
        return "write the value out, or put quotes around a text that begins with *"
    return "check indentation, quotes and brackets above this place"


def _place(file: str, mark: yaml.Mark | None) -> Place:
    return Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)


@dataclass(slots=True)
class _Reader:
    """Takes one file's nodes into the document."""

    file: str
    document: Document
    problems: Problems
    _seen: set[int] = field(default_factory=set)

    def file_place(self, node: yaml.Node) -> Place:
        return _place(self.file, node.start_mark)

    def _entries(self, node: yaml.MappingNode) -> Sequence[tuple[str, Place, yaml.Node]]:
        """Keys (as text, with their places) and values; keys that are no text are faults."""
        entries = []
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                entries.append((str(key.value), self.file_place(key), value))
            else:
                self.problems.error(self.file_place(key), "a key must be text", "put quotes around it")
        return entries

    def file_sections(self, node: yaml.Node) -> Sequence[tuple[str, Place, yaml.Node]]:
        if isinstance(node, yaml.MappingNode):
            return self._entries(node)
        if not (isinstance(node, yaml.ScalarNode) and node.value in _NULLS):
            self.problems.error(self.file_place(node), "is no mapping", "begin the file with a section such as routes:")
        return ()

    def take(self, node: yaml.Node) -> None:
        """Merge the file's sections: mappings by key, anything else whole; whatever is there twice is a fault."""
        here: set[str] = set()
        for section, place, value in self.file_sections(node):
            known = self.document.key_places.get((section,))
            if section in here:
                self._twice(section, place, known)
                continue
            here.add(section)
            if known is None:
                self.document.key_places[(section,)] = place
                self.document.sections[section] = self.value(value, (section,), 1)
                continue
            there = self.document.sections[section]
            if isinstance(value, yaml.MappingNode) and isinstance(there, dict):
                self._merge(there, value, (section,), 1)
            else:
                self._twice(section, place, known)

    def _twice(self, key: str, place: Place, first: Place | None) -> None:
        self.problems.error(place, f'"{key}" is written twice, first at {first}', "keep one of them")

    def _merge(self, into: dict[str, Tree], node: yaml.MappingNode, path: Path, depth: int) -> None:
        for key, place, value in self._entries(node):
            inner = (*path, key)
            if key in into:
                self._twice(key, place, self.document.key_places[inner])
                continue
            self.document.key_places[inner] = place
            into[key] = self.value(value, inner, depth + 1)

    def value(self, node: yaml.Node, path: Path, depth: int) -> Tree:
        """The node as a tree; its places are noted on the way."""
        self.document.places[path] = self.file_place(node)
        if id(node) in self._seen:
            self.problems.error(self.file_place(node), "an alias (*) refers to this value", "write the value out")
            return None
        if not isinstance(node, yaml.ScalarNode):
            self._seen.add(id(node))
        if node.tag.startswith("!"):
            self.problems.error(self.file_place(node), f"the tag {node.tag} means nothing here", "take it out")
        if depth > MAX_DEPTH:
            self.problems.error(self.file_place(node), f"is nested deeper than {MAX_DEPTH}", "flatten it")
            return None
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Tree] = {}
            self._merge(mapping, node, path, depth)
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and not node.style  # None or "", depending on the loader
        return None if plain and node.value in _NULLS else str(node.value)
