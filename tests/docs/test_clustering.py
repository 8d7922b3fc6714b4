"""docs/clustering.md: it quotes the files that the laboratory runs, and explains every value of them."""

import re

import pytest

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs/clustering.md"
FOLDER = ROOT / "docs/kamailio"
QUOTED = re.findall(r"^ *```kamailio\n(.*?)^ *```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", QUOTED, ids=lambda block: block.strip()[:40])
def test_every_quotation_stands_in_the_files(block: str) -> None:
    lines = {line.strip() for path in FOLDER.iterdir() for line in path.read_text(encoding="utf-8").splitlines()}
    for line in block.splitlines():
        assert line.strip() in lines


def test_every_value_of_a_place_is_explained_and_no_other() -> None:
    text = (FOLDER / "callrouter-site.cfg").read_text(encoding="utf-8")
    values = {"listen", *re.findall(r"^#!define (\w+)", text, re.MULTILINE)}
    explained = set(re.findall(r"^\| `([A-Z_]+|listen)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert explained == values


def test_every_value_is_used() -> None:
    config = (FOLDER / "kamailio.cfg").read_text(encoding="utf-8")
    for name in re.findall(
        r"^#!define (\w+)", (FOLDER / "callrouter-site.cfg").read_text(encoding="utf-8"), re.MULTILINE
    ):
        assert re.search(rf"\b{name}\b", config), name
