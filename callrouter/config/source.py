"""YAML files read as trees of text, every value with its place.

Any file of the directory may hold any section. Mappings of one section are merged over the files; a name that is
written twice is a fault wherever it stands.
"""

import hashlib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from callrouter.config.nodes import Mapping, Node, Scalar, UnreadableError, parse
from callrouter.config.problems import Path, Place, Problems

MAX_FILE_BYTES = 4 * 1024 * 1024
HASH_DIGITS = 12
"""Of a version's name; enough to tell all that one hotline will ever have apart."""

CASE_FILES = frozenset({"routes-test.yaml", "routes-test.yml"})
"""What stands in the directory beside the configuration and is no part of it; see :mod:`callrouter.config.cases`."""

Tree = str | None | list["Tree"] | dict[str, "Tree"]
"""A value as written: text, nothing, a list, or a mapping."""


@dataclass(slots=True)
class Document:
    """All files merged into one tree of sections, with the place of every value."""

    sections: dict[str, Tree] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    key_places: dict[Path, Place] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Every file as it was read, with unix line ends, by its name."""
    incomplete: bool = False
    """A file could not be read; nothing should be concluded from what is missing."""
    home: str = "callrouter.yaml"
    """The file to name where no better place is known."""
    example: str = "routes"
    """A section for whoever does not know how to begin."""

    @property
    def hash(self) -> str:
        """The version: a digest of the names and texts of all files, in the order in which they were read."""
        return digest_of(self.texts)[:HASH_DIGITS]

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at ``path`` (or its key) stands; for a path that is not there, its nearest ancestor.

        Where steps are written as a list that stands for ``do:``, that word of the path is left out.
        """
        path = self._as_written(path)
        if key and path in self.key_places:
            return self.key_places[path]
        for length in range(len(path), 0, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return Place(self.home)

    def _as_written(self, path: Path) -> Path:
        written: Path = ()
        for part in path:
            if part == "do" and (*written, part) not in self.places and (*written, 0) in self.places:
                continue
            written = (*written, part)
        return written

    def at(self, path: Path) -> Tree:
        """What is written at ``path``; None if nothing is."""
        tree: Tree = dict(self.sections)
        for part in path:
            if isinstance(tree, dict):
                tree = tree.get(str(part))
            elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
                tree = tree[part]
            else:
                return None
        return tree


def read(directory: FilePath, problems: Problems) -> Document:
    """Every ``*.yaml`` and ``*.yml`` of ``directory``; any of them may hold any section. Faults go to ``problems``."""
    files = section_files(directory)
    if not files:
        problems.error(Place(str(directory)), "there is no YAML file here", "name the right directory with --config")
        return Document(incomplete=True)
    return read_files({path.name: path for path in files}, problems)


def section_files(directory: FilePath) -> list[FilePath]:
    """The YAML files of ``directory`` that hold sections, in their order."""
    found = (path for path in directory.glob("*.y*ml") if path.suffix in {".yaml", ".yml"} and path.is_file())
    return sorted(path for path in found if path.name not in CASE_FILES)


def read_files(files: Table[str, FilePath], problems: Problems, document: Document | None = None) -> Document:
    """The files taken into one document; each is called by its key. Faults go to ``problems``."""
    document = document or Document()
    for name, path in files.items():
        text = _text(name, path, problems)
        if text is None:
            document.incomplete = True
            continue
        document.texts[name] = text
        try:
            node = parse(name, text, problems)
        except UnreadableError as error:
            problems.error(error.place, error.message, error.remedy)
            document.incomplete = True
            continue
        if node is not None:
            _Merger(document, problems).take(node)
    return document


def digest_of(texts: Table[str, str]) -> str:
    """SHA-256 of names and texts, in their order, in hex."""
    digest = hashlib.sha256()
    for name, text in texts.items():
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + text.encode() + b"\0")
    return digest.hexdigest()


def _text(name: str, path: FilePath, problems: Problems) -> str | None:
    """The file as text with unix line ends, or None if it cannot be used."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.error(Place(name), f"cannot be read: {error.strerror}", "let the daemon's user read it")
        return None
    if len(data) > MAX_FILE_BYTES:
        problems.error(Place(name), f"has {len(data)} bytes", f"keep a file under {MAX_FILE_BYTES}; split it")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.error(Place(name, line), "is not UTF-8", "save it as UTF-8 (not CP949/EUC-KR)")
        return None
    return text.replace("\r\n", "\n")


@dataclass(frozen=True, slots=True)
class _Merger:
    """Takes the sections of files into the document. A section with nothing in it leaves it to other files."""

    document: Document
    problems: Problems

    def take(self, node: Node) -> None:
        """Merge a file's sections: mappings by key, anything else whole; whatever is there twice is a fault."""
        if not isinstance(node, Mapping):
            if not (isinstance(node, Scalar) and node.is_null):
                self.problems.error(
                    node.place, "is no mapping", f"begin the file with a section such as {self.document.example}:"
                )
            return
        here: set[str] = set()
        for section, place, value in node.entries:
            path: Path = (section,)
            there = self.document.sections.get(section)
            is_empty = isinstance(value, Scalar) and value.is_null
            if section not in self.document.sections or (there is None and section not in here):
                self.document.key_places[path] = place
                self.document.sections[section] = self._tree(value, path)
            elif is_empty and section not in here:
                pass  # it says nothing, and another file says something
            elif section not in here and isinstance(value, Mapping) and isinstance(there, dict):
                self._merge(there, value, path)
            else:
                self._twice(section, place, path)
            here.add(section)

    def _merge(self, into: dict[str, Tree], node: Mapping, path: Path) -> None:
        for key, place, value in node.entries:
            inner = (*path, key)
            if key in into:
                self._twice(key, place, inner)
                continue
            self.document.key_places[inner] = place
            into[key] = self._tree(value, inner)

    def _twice(self, key: str, place: Place, path: Path) -> None:
        first = self.document.key_places[path]
        self.problems.error(place, f'"{key}" is written twice, first at {first}', "keep one of them")

    def _tree(self, node: Node, path: Path) -> Tree:
        """The node as a tree; its places are noted on the way."""
        self.document.places[path] = node.place
        if isinstance(node, Scalar):
            return None if node.is_null else node.text
        if isinstance(node, Mapping):
            mapping: dict[str, Tree] = {}
            self._merge(mapping, node, path)
            return mapping
        return [self._tree(item, (*path, index)) for index, item in enumerate(node.items)]
