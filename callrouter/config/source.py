"""YAML files read as trees of text, every value with its place.

Any file of the directory may hold any section. Mappings of one section are merged over the files; a name that is
written twice is a fault wherever it stands.
"""

import hashlib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from callrouter.config.bounded import TooLongError, read_bounded
from callrouter.config.nodes import (
    ListMarks,
    MappingMarks,
    Mark,
    Marks,
    Tree,
    UnreadableError,
    parse,
    place_of,
    written_twice,
)
from callrouter.config.problems import Path, Place, Problems, TooManyFaultsError

MAX_ALL_BYTES = 4 * 1024 * 1024
"""Of all files together."""
HASH_DIGITS = 12
"""Of a version's name; enough to tell all that one hotline will ever have apart."""

CASE_FILES = frozenset({"routes-test.yaml", "routes-test.yml"})
"""What stands in the directory beside the configuration and is no part of it; see :mod:`callrouter.config.cases`."""

ACCOUNT_FILES = frozenset({"accounts.yaml", "accounts.yml"})
"""Likewise: who may come in is no rule, and its history and its comparison are nobody's business; see
:mod:`callrouter.config.accounts`."""


@dataclass(slots=True)
class Document:
    """All files merged into one tree of sections, with the place of every value."""

    sections: dict[str, Tree] = field(default_factory=dict)
    marks: dict[str, tuple[Mark, Marks]] = field(default_factory=dict)
    """Where sections, and all that is in them, stand in their files."""
    files: dict[Path, str] = field(default_factory=dict)
    """The file of a section, and of each of its entries that another file brought."""
    places: dict[Path, Place] = field(default_factory=dict)
    """Where values stand that are in no file."""
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
        place: Place | None = None
        file, found = self.home, None
        way: Path = ()
        mark: Mark = None
        marks: Marks = MappingMarks(None, self.marks)
        for part in path:
            if part == "do" and isinstance(marks, ListMarks) and marks.items:
                continue
            way = (*way, part)
            mark, marks = _inside(marks, part)
            if marks is not None:
                file, found, place = self.files.get(way, file), marks, None
            place = self.places.get(way, place)
        if key and mark is not None:
            return place_of(file, mark)
        return place or place_of(file, found)

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
    """The YAML files of ``directory`` that hold sections, in their order.

    Also what only has the name of one: a folder, or a link to nothing, may not pass for a file that nobody wrote. What
    begins with a dot belongs to editors.
    """
    found = (path for path in directory.glob("[!.]*.y*ml") if path.suffix in {".yaml", ".yml"})
    return sorted(path for path in found if path.name not in CASE_FILES | ACCOUNT_FILES)


def read_files(files: Table[str, FilePath], problems: Problems, document: Document | None = None) -> Document:
    """The files taken into one document; each is called by its key. Faults go to ``problems``."""
    document = document or Document()
    left = MAX_ALL_BYTES
    try:
        for name, path in files.items():
            left -= _read_one(name, path, problems, document, left)
    except TooManyFaultsError:
        document.incomplete = True
    return document


def _read_one(name: str, path: FilePath, problems: Problems, document: Document, left: int) -> int:
    """Take one file into the document; how many characters it had. ``left`` is how many there may be."""
    text = _text(name, path, problems)
    if text is not None and len(text) > left:
        remedy = "take out what is not needed"
        problems.error(Place(name), f"makes more than {MAX_ALL_BYTES} bytes with the files before it", remedy)
        text = None
    if text is None:
        document.incomplete = True
        return 0
    document.texts[name] = text
    try:
        written = parse(name, text, problems)
    except UnreadableError as error:
        problems.error(error.place, error.message, error.remedy)
        document.incomplete = True
    else:
        if written is not None:
            _Merger(document, problems).take(name, *written)
    return len(text)


def digest_of(texts: Table[str, str]) -> str:
    """SHA-256 of names and texts, in their order, in hex."""
    digest = hashlib.sha256()
    for name, text in texts.items():
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + text.encode() + b"\0")
    return digest.hexdigest()


def _text(name: str, path: FilePath, problems: Problems) -> str | None:
    """The file as text with unix line ends, or None if it cannot be used."""
    try:
        data = read_bounded(path)
    except OSError as error:
        is_there = path.is_file()
        remedy = (
            "let the daemon's user read it" if is_there else "put the file there, or take away what is in its place"
        )
        problems.error(Place(name), f"cannot be read: {error.strerror}", remedy)
        return None
    except TooLongError as error:
        problems.error(Place(name), str(error), "see that it is the right file; split it")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.error(Place(name, line), "is not UTF-8", "save it as UTF-8 (not CP949/EUC-KR)")
        return None
    return text.replace("\r\n", "\n")


def _inside(marks: Marks, part: str | int) -> tuple[Mark, Marks]:
    """The place of a key and of what it leads to, or of an entry of a list; None for what is not there."""
    if isinstance(marks, MappingMarks) and isinstance(part, str):
        return marks.entries.get(part, (None, None))
    if isinstance(marks, ListMarks) and isinstance(part, int) and part < len(marks.items):
        return None, marks.items[part]
    return None, None


@dataclass(frozen=True, slots=True)
class _Merger:
    """Takes the sections of files into the document. A section with nothing in it leaves it to other files."""

    document: Document
    problems: Problems

    def take(self, file: str, tree: Tree, marks: Marks) -> None:
        """Merge a file's sections: mappings by key, anything else whole; whatever is there twice is a fault."""
        if not isinstance(tree, dict) or not isinstance(marks, MappingMarks):
            if tree is not None:
                remedy = f"begin the file with a section such as {self.document.example}:"
                self.problems.error(place_of(file, marks), "is no mapping", remedy)
            return
        for section, value in tree.items():
            there = self.document.sections.get(section)
            mark, its_marks = marks.entries[section]
            if there is None:
                self.document.sections[section] = value
                self.document.marks[section] = mark, its_marks
                self.document.files[section,] = file
            elif value is None:
                pass  # it says nothing, and another file says something
            elif isinstance(there, dict) and isinstance(value, dict) and isinstance(its_marks, MappingMarks):
                self._merge(section, file, value, its_marks)
            else:
                self._twice((section,), place_of(file, mark))

    def _merge(self, section: str, file: str, tree: dict[str, Tree], marks: MappingMarks) -> None:
        """Take the entries of a section that another file has begun."""
        into, (_, known) = self.document.sections[section], self.document.marks[section]
        for key, value in tree.items():
            if isinstance(into, dict) and isinstance(known, MappingMarks) and key not in into:
                into[key] = value
                known.entries[key] = marks.entries[key]
                self.document.files[section, key] = file
            else:
                self._twice((section, key), place_of(file, marks.entries[key][0]))

    def _twice(self, path: Path, place: Place) -> None:
        first = self.document.place(path, key=True)
        self.problems.error(place, *written_twice(str(path[-1]), first))
