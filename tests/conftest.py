"""The order of all tests: quick ones first, so that a slip shows early; and the day on which they all take place."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.counting", "tests.fixtures.postgres", "tests.second_try"]

# How fast examples come says something of the machine and of what else it does, not of what is tested.
settings.register_profile("callrouter", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("callrouter")


@pytest.fixture(scope="session", autouse=True)
def _today() -> Iterator[None]:
    """What a configuration says of the days to come does not make a test fail when they have come."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("callrouter.config.today.now", lambda: datetime(2026, 11, 24, 1, 30, tzinfo=UTC))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests, then those with PostgreSQL, then those with Asterisk; otherwise as they were."""
    items.sort(key=lambda item: (_needs(item, "asterisk"), _needs(item, "postgres")))


def _needs(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None
