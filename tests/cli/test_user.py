"""Whose command it is, for logs."""

import pytest

from callrouter.cli.options import user_name
from tests.cli.users import is_of


def test_it_is_whose_process_it_is_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    is_of(monkeypatch, "kim")
    for name in ("LOGNAME", "USER", "USERNAME", "LNAME"):
        monkeypatch.setenv(name, "somebody else")
    assert user_name() == "kim"


@pytest.mark.parametrize(
    ("uid", "sudo", "told"),
    [(0, "kim", "kim as root"), (0, "", "root"), (0, "root", "root"), (1000, "kim", "root")],
)
def test_through_sudo_it_is_by_whom(monkeypatch: pytest.MonkeyPatch, uid: int, sudo: str, told: str) -> None:
    is_of(monkeypatch, "root")
    monkeypatch.setattr("os.getuid", lambda: uid)
    monkeypatch.setenv("SUDO_USER", sudo)
    assert user_name() == told


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert user_name().startswith("uid ")
