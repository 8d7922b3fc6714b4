"""What is known of Asterisk's versions."""

import pytest

from callrouter.ari.operations import OPERATIONS
from callrouter.doctor.finding import Level
from callrouter.doctor.versions import OLDEST_MAJOR, check_version, parse_version
from tests.doctor.conftest import texts


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", (22, 10)),
        ("certified/20.7-cert3", (20, 7)),
        ("certified-18.9-cert8", (18, 9)),
        ("GIT-22-abcdef", (22, 0)),
        ("GIT-master-abcdef", None),
        ("", None),
    ],
)
def test_versions_are_read_in_every_spelling(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("text", "level", "told"),
    [
        ("16.30.0", Level.ERROR, "is too old"),
        ("18.26.4", Level.WARNING, "no security fixes"),
        ("18.26.4", Level.WARNING, "only slower HTTP"),
        ("20.13.0", Level.WARNING, "only slower HTTP"),
        ("22.2.0", Level.WARNING, "take the call out of our hands"),
        ("18.26.4", Level.WARNING, "take the call out of our hands"),
        ("22.10.1", Level.WARNING, "has bug #1985"),
        ("20.20.0", Level.WARNING, "probably has bug #1985"),
        ("18.26.4", Level.WARNING, "probably has bug #1985"),
        ("23.4.0", Level.WARNING, "probably has bug #1985"),
        ("GIT-master-1", Level.WARNING, "is not a number"),
    ],
)
def test_faults_of_a_version_are_told(text: str, level: Level, told: str) -> None:
    assert any(told in found for found in texts(check_version("asterisk", text), level))


@pytest.mark.parametrize("text", ["22.11.0", "20.21.0", "23.5.0", "24.0.0"])
def test_a_version_without_known_faults_is_fine(text: str) -> None:
    assert [(f.level, f.text) for f in check_version("asterisk", text)] == [(Level.OK, f"Asterisk {text}")]


def test_the_oldest_version_that_is_taken_has_every_operation_that_we_use() -> None:
    since = {
        operation.name: min(parse_version(text) or (99, 0) for text in operation.since) for operation in OPERATIONS
    }
    # Progress of a transfer is told only where one was asked for, which an older version never hands to us.
    assert [name for name, version in since.items() if version[0] > OLDEST_MAJOR] == ["transfer_progress"]
