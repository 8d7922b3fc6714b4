"""Every fault has its place, its words and its remedy: one bad file each, with the whole output asserted."""

import shutil
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.config.load import examine
from callrouter.config.review import review
from callrouter.errors import ConfigError

FOLDER = Path(__file__).parent.parent / "bad_config"
CASES = sorted(path.name for path in FOLDER.glob("*.yaml"))


def output(case: str, folder: Path) -> list[str]:
    """What is said of the base configuration with the case's file in its place."""
    shutil.copytree(FOLDER / "base", folder, dirs_exist_ok=True)
    section = case.split(".")[0]
    shutil.copy(FOLDER / case, folder / f"{section}.yaml")
    found = review(folder, {"TEST_PASSWORD": "x"})
    warnings = [f"warning: {problem}" for problem in found.problems.warnings]
    return [*map(str, found.problems.errors), *warnings, *(f"case: {outcome}" for outcome in found.failed)]


@pytest.mark.parametrize("case", CASES)
def test_each_fault_is_said_as_its_file_expects(case: str, tmp_path: Path) -> None:
    lines = (FOLDER / case).read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix("#=> ") for line in lines if line.startswith("#=> ")]
    assert expected, "a file without #=> proves nothing"
    assert output(case, tmp_path) == expected


def test_the_base_has_no_fault(tmp_path: Path) -> None:
    loaded, problems = examine(FOLDER / "base", {"TEST_PASSWORD": "x"})
    assert (problems.errors, problems.warnings) == ([], [])
    assert loaded is not None


def test_load_raises_all_faults_at_once(tmp_path: Path) -> None:
    expected = output("routes.several-faults-at-once.yaml", tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"TEST_PASSWORD": "x"})
    assert list(caught.value.problems) == expected
    assert len(expected) > 3
