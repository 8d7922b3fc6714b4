"""The examples do what the pages show: the files are loaded, the commands run, their output compared.

A block ``yaml FILE`` is a whole file, beside the sample's or in place of one; ``yaml FILE before TEXT`` goes before the
line with that text, ``yaml FILE instead of TEXT`` in place of that line and what is indented below it. Each chapter
begins with the sample. Line numbers of the sample's files, its version and how many cases it has may change without
the page being wrong.
"""

import re
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from click.testing import CliRunner

from callrouter.cli import main
from callrouter.config import load
from tests.docs.markdown import ROOT, Block, blocks

PAGE = ROOT / "docs" / "admin.md"
CHAPTERS = {
    key: tuple(found)
    for page in (ROOT / "README.md", PAGE)
    for key, found in groupby(blocks(page), key=lambda block: (block.page.name, block.chapter))
}
TRIED = [key for key, found in CHAPTERS.items() if any(block.info == "console" for block in found)]
PLACE = re.compile(r"yaml (?P<file>\S+)(?: (?P<how>before|instead of) (?P<anchor>.+))?")
SECRETS = {"CALLROUTER_ARI_PASSWORD": "x"}


def put(block: Block, folder: Path) -> None:
    """Do to the files what the page says."""
    place = PLACE.fullmatch(block.info)
    assert place is not None, block.info
    path = folder / place["file"]
    if place["how"] is None:
        path.write_text(block.text, encoding="utf-8")
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = [index for index, line in enumerate(lines) if line.strip() == place["anchor"]]
    depth = len(lines[at]) - len(lines[at].lstrip())
    end = at
    if place["how"] == "instead of":
        end += 1
        while end < len(lines) and lines[end].startswith(" " * (depth + 1)):
            end += 1
    path.write_text("".join([*lines[:at], block.text, *lines[end:]]), encoding="utf-8")


def commands(block: Block) -> Iterator[tuple[list[str], str]]:
    """The commands of a console block, each with the output that the page shows."""
    _, *pieces = re.split(r"^\$ callrouter (.+)\n", block.text, flags=re.MULTILINE)
    for command, output in zip(pieces[::2], pieces[1::2], strict=True):
        yield command.split(), output


def lasting(output: str, folder: Path) -> str:
    """Output without what may change: the folder, the sample's line numbers, its version."""
    output = re.sub(r"\b\d+ cases", "… cases", output)
    output = re.sub(r"version [0-9a-f]{12}", "version …", output.replace(str(folder), "/etc/callrouter"))
    return re.sub(r"\b((?:routes|routes-test|regions|calendars)\.yaml):\d+", r"\1:…", output)


@pytest.mark.parametrize("chapter", TRIED, ids=" ".join)
def test_each_command_prints_what_the_page_shows(
    chapter: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    folder = shutil.copytree(ROOT / "config", tmp_path / "callrouter")
    for block in CHAPTERS[chapter]:
        if block.info.startswith("yaml "):
            put(block, folder)
        elif block.info == "console":
            for command, shown in commands(block):
                result = CliRunner().invoke(main, [*command, "--config", str(folder)])
                assert lasting(result.output, folder) == lasting(shown, folder), f"callrouter {' '.join(command)}"


@pytest.mark.parametrize("block", [block for block in blocks(PAGE) if block.info == "yaml complete"])
def test_a_complete_example_has_neither_faults_nor_warnings(block: Block, tmp_path: Path) -> None:
    (tmp_path / "callrouter.yaml").write_text(block.text, encoding="utf-8")
    assert load(tmp_path, SECRETS).warnings == ()


def test_a_fragment_fits_beside_the_sample(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "config", tmp_path / "callrouter")
    fragments = [block.text for block in blocks(PAGE) if block.info == "yaml"]
    for number, text in enumerate(fragments):
        (folder / f"fragment-{number}.yaml").write_text(text, encoding="utf-8")
    assert fragments
    assert load(folder, SECRETS).warnings == ()
