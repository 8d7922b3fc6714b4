"""The table of faults names tests that there are."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith(("|---", "| fault"))]


@cache
def there() -> frozenset[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return frozenset(name for path in files for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMED)
def test_the_test_is_there(name: str) -> None:
    assert name in there()


@pytest.mark.parametrize("row", ROWS)
def test_a_fault_has_all_its_columns_and_a_test(row: str) -> None:
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 5
    assert all(cells)
    assert cells[4].startswith("`test_")
