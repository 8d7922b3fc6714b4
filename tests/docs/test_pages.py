"""Every page: its links lead somewhere, its files are there, its commands exist."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import callrouter
from callrouter.cli import main
from tests.docs.markdown import PAGES, ROOT, blocks, prose

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
FOLDERS = ("callrouter", "config", "dialplan", "docs", "lab", "bench", "packaging", "tests", ".ci")
PACKAGES = tuple(path.name for path in (ROOT / "callrouter").iterdir() if (path / "__init__.py").exists())


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    for name in re.findall(r"`([\w.-]+/[\w./-]*)`", prose(page)):
        places = [ROOT / name] if name.split("/")[0] in FOLDERS else []
        if name.split("/")[0] in PACKAGES:
            places += [ROOT / "callrouter" / f"{name.rstrip('/')}{end}" for end in ("", ".py")]
        assert not places or any(place.exists() for place in places), name


def named(command: str, rest: str) -> list[str]:
    """The command, and the one of its own that stands behind it, if it has any."""
    group = main.get_command(click.Context(main), command)
    word = rest.split()[:1]
    return [command, *word] if isinstance(group, click.Group) and word and word[0] in group.commands else [command]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_named_exists_with_its_options(page: Path) -> None:
    lines = [
        *re.findall(r"`([^`\n]+)`", prose(page)),
        *(line for block in blocks(page) for line in block.text.splitlines()),
    ]
    for line in lines:
        command = re.match(r"(?:\$ |\S+/)?callrouter(?:-\w+)? ([a-z]+(?:-[a-z]+)*)\b(.*)", line)
        if command is not None:
            helped = CliRunner().invoke(main, [*named(command[1], command[2]), "--help"])
            assert helped.exit_code == 0, line
            known = set(re.findall(r"--[a-z-]+", helped.output))
            assert known.issuperset(re.findall(r" (--[a-z-]+)", command[2])), line
        for target in re.findall(r"^make ([a-z]+(?:-[a-z]+)*)\b", line):
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), line


def test_the_changelog_names_the_version_that_this_is() -> None:
    assert callrouter.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
