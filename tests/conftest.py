"""The order of all tests: quick ones first, so that a slip shows early."""

import pytest

pytest_plugins = ["tests.fixtures.postgres"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests, then those with PostgreSQL, then those with Asterisk; otherwise as they were."""
    items.sort(key=lambda item: (_needs(item, "asterisk"), _needs(item, "postgres")))


def _needs(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None
