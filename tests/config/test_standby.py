"""``standby:`` for two machines: addresses, and what the environment must hold before a daemon runs."""

import shutil
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.config.settings import PeerSettings
from callrouter.errors import ConfigError
from tests.app.conftest import BASE, SECRETS

SECRET = "0123456789abcdef0123456789abcdef"
TWO = "standby: {enabled: yes, listen: 10.0.0.1:4570, peer: '[fd00::2]:4571'}\n"
WHOLE = {**SECRETS, "CALLROUTER_STANDBY_SECRET": SECRET, "CALLROUTER_DATABASE_URL": "postgresql://db/callrouter"}


def folder(tmp_path: Path, standby: str) -> Path:
    shutil.copytree(BASE, tmp_path / "config")
    (tmp_path / "config" / "standby.yaml").write_text(standby, encoding="utf-8")
    return tmp_path / "config"


def test_two_machines_find_one_another_and_know_a_secret(tmp_path: Path) -> None:
    loaded = load(folder(tmp_path, TWO), WHOLE)
    assert loaded.settings.standby.peer == PeerSettings(("10.0.0.1", 4570), ("fd00::2", 4571), SECRET)
    assert loaded.missing_secrets == ()
    loaded.require_secrets()
    assert SECRET not in repr(loaded.settings)


def test_without_a_peer_all_have_one_state_folder(tmp_path: Path) -> None:
    assert load(folder(tmp_path, "standby: {enabled: yes}\n"), SECRETS).settings.standby.peer is None


@pytest.mark.parametrize("secret", ["", SECRET[:-1]])
def test_a_secret_that_is_none_or_could_be_guessed_keeps_the_daemon_from_running(tmp_path: Path, secret: str) -> None:
    standby = TWO.replace("enabled: yes", "enabled: yes, secret_env: OUR_SECRET")
    loaded = load(folder(tmp_path, standby), {**WHOLE, "OUR_SECRET": secret})
    assert loaded.missing_secrets == (
        "the secret of the two daemons is not set, or shorter than 32 characters; set the same in $OUR_SECRET on both"
        " machines (openssl rand -hex 32)",
    )
    with pytest.raises(ConfigError, match="the secret of the two daemons"):
        loaded.require_secrets()


def test_without_a_database_nobody_could_say_which_of_two_machines_leads(tmp_path: Path) -> None:
    loaded = load(folder(tmp_path, TWO), {**WHOLE, "CALLROUTER_DATABASE_URL": ""})
    assert loaded.missing_secrets == (
        "daemons on two machines need PostgreSQL, which says who may lead; set the same database in"
        " $CALLROUTER_DATABASE_URL on both, or leave out standby: peer",
    )


def test_what_is_not_enabled_needs_nothing(tmp_path: Path) -> None:
    assert load(folder(tmp_path, TWO.replace("yes", "no")), SECRETS).missing_secrets == ()


def test_the_environment_says_it_too(tmp_path: Path) -> None:
    environ = {
        **WHOLE,
        "CALLROUTER_STANDBY_ENABLED": "yes",
        "CALLROUTER_STANDBY_LISTEN": "127.0.0.1:1",
        "CALLROUTER_STANDBY_PEER": "b.example:2",
    }
    found = load(BASE, environ).settings.standby.peer
    assert found is not None
    assert (found.listen, found.other) == (("127.0.0.1", 1), ("b.example", 2))
