"""The pages of the documentation, cut into what the tests look at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(?P<level>#{2,4}) (?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: ``info`` is what stands behind the backticks, ``chapter`` the ``##`` heading above it."""

    page: Path
    chapter: str
    info: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        chapters = re.findall(r"^## (.+)$", text[: match.start()], re.MULTILINE)
        yield Block(page, chapters[-1] if chapters else "", match["info"].strip(), match["text"])


def sections(page: Path) -> dict[str, str]:
    """Heading (of the second to fourth level) to the text below it, up to the next heading."""
    _, *pieces = _HEADING.split(page.read_text(encoding="utf-8"))
    return dict(zip(pieces[1::3], pieces[2::3], strict=True))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def rows(text: str) -> Iterator[tuple[str, ...]]:
    """The cells of the tables in ``text``, without their heads."""
    for line in text.splitlines():
        cells = tuple(cell.strip() for cell in line.strip("|").split(" | "))
        if line.startswith("| `"):
            yield cells
