"""Whose command it is, for logs; and what does not belong into one."""

import pytest
from click.testing import CliRunner

from callrouter.cli import main
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


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://kim:hunter2@db/calls",
        "postgresql://kim@db/calls?password=hunter2",
        "postgresql:///calls?host=/run&PASSWORD=hunter2",
    ],
)
def test_a_password_that_everybody_would_see_in_the_list_of_processes_is_refused(url: str) -> None:
    done = CliRunner().invoke(main, ["cdr", "--database-url", url])
    assert (done.exit_code, "set CALLROUTER_DATABASE_URL to the URL instead" in done.output) == (2, True)
    assert "hunter2" not in done.output
