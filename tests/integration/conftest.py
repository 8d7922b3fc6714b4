"""A journal whose records are brought to a real PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callrouter.store.journal import Journal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened
