"""Small configurations that differ in what a test says."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from callrouter.config import Loaded, load

BASE = Path(__file__).parents[1] / "bad_config" / "base"
Make = Callable[..., Loaded]


@pytest.fixture
def rules(tmp_path: Path) -> Make:
    """``rules(("routes.yaml", "old text", "new text"), …, more="text of another file")``: the base, so edited."""
    made = iter(range(100))

    def make(*edits: tuple[str, str, str], more: str = "") -> Loaded:
        folder = Path(shutil.copytree(BASE, tmp_path / f"rules-{next(made)}"))
        for name, old, new in edits:
            text = (folder / name).read_text(encoding="utf-8")
            assert old in text, f"{name} has no {old!r}"
            (folder / name).write_text(text.replace(old, new), encoding="utf-8")
        (folder / "more.yaml").write_text(more, encoding="utf-8")
        return load(folder, {"TEST_PASSWORD": "x"})

    return make
