"""Whatever somebody does to the sample's files: they are taken, or every fault has its place."""

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.errors import ConfigError

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).parents[2] / "config"
FILES = sorted(path.name for path in SAMPLE.glob("*.yaml") if path.name != "routes-test.yaml")
PLACE = re.compile(r"^[\w./$-]+(:\d+(:\d+)?)?: |^[\w./$ -]+")
JUNK = (
    *("null", "~", "[]", "{}", "-1", "1e400", "99999999999999999999", "'", '"', "&a *a"),
    *("!!python/object:os.system", "｛", "\t", "\x07"),
)


def without_a_line(lines: list[str], chance: random.Random) -> None:
    del lines[chance.randrange(len(lines))]


def with_a_line_twice(lines: list[str], chance: random.Random) -> None:
    place = chance.randrange(len(lines))
    lines.insert(chance.randrange(len(lines)), lines[place])


def with_another_indent(lines: list[str], chance: random.Random) -> None:
    place = chance.randrange(len(lines))
    lines[place] = " " * chance.randrange(8) + lines[place].lstrip()


def with_another_value(lines: list[str], chance: random.Random) -> None:
    place = chance.randrange(len(lines))
    lines[place] = re.sub(r": .*", lambda _: f": {chance.choice(JUNK)}", lines[place])


def with_a_character(lines: list[str], chance: random.Random) -> None:
    place = chance.randrange(len(lines))
    column = chance.randrange(len(lines[place]) + 1)
    lines[place] = lines[place][:column] + chance.choice(":-[]{}#&*!|>'\"%@`,?\u3000") + lines[place][column:]


def cut_short(lines: list[str], chance: random.Random) -> None:
    del lines[chance.randrange(len(lines)) :]


WAYS: tuple[Callable[[list[str], random.Random], None], ...] = (
    without_a_line,
    with_a_line_twice,
    with_another_indent,
    with_another_value,
    with_a_character,
    cut_short,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_spoilt_is_taken_or_its_faults_are_told(
    name: str, way: Callable[[list[str], random.Random], None], tmp_path: Path
) -> None:
    chance = random.Random(f"{name} {way.__name__}")
    folder = shutil.copytree(SAMPLE, tmp_path / "config")
    text = (SAMPLE / name).read_text(encoding="utf-8")
    for _ in range(12):
        lines = text.split("\n")
        for _ in range(chance.randint(1, 3)):
            if lines:
                way(lines, chance)
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
        problems = faults_of(folder)
        assert all(PLACE.match(problem) for problem in problems or ()), problems
        assert problems is None or problems


def faults_of(folder: Path) -> tuple[str, ...] | None:
    """None: it is taken."""
    try:
        load(folder, {"CALLROUTER_ARI_PASSWORD": "x"})
    except ConfigError as error:
        return error.problems
    return None
