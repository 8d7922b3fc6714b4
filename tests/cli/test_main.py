"""The command line's frame: lazy commands, exit statuses."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

import callrouter.cli as cli
from callrouter.cli.options import default_config
from callrouter.errors import CallrouterError, ConfigError, UnreachableError


@pytest.fixture
def run_failing(monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a command that raises the given error, and return click's result."""

    def run(error: Exception) -> object:
        @click.command()
        def command() -> None:
            raise error

        module = ModuleType("callrouter.cli.failing")
        module.__spec__ = cli.__spec__
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.COMMANDS, "failing", "callrouter.cli.failing:command")
        return CliRunner().invoke(cli.main, ["failing"])

    return run


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CallrouterError("no"), 1),
        (ConfigError(("routes.yaml:1:1: wrong",)), 1),
        (UnreachableError("PostgreSQL is away"), 3),
    ],
)
def test_an_error_of_ours_becomes_its_message_and_an_exit_status(run_failing, error: Exception, status: int) -> None:  # type: ignore[no-untyped-def]
    result = run_failing(error)
    assert result.exit_code == status
    assert result.stderr == f"{error}\n"
    assert result.stdout == ""


def test_a_defect_is_not_swallowed(run_failing) -> None:  # type: ignore[no-untyped-def]
    assert isinstance(run_failing(ZeroDivisionError("defect")).exception, ZeroDivisionError)


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(cli.main, ["no-such-command"]).exit_code == 2


def test_a_command_without_a_module_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "ghost", "callrouter.cli.ghost:ghost")
    assert "ghost" not in CliRunner().invoke(cli.main, ["--help"]).stdout


def test_every_listed_command_has_help_with_an_example() -> None:
    context = click.Context(cli.main)
    for name in cli.main.list_commands(context):
        text = CliRunner().invoke(cli.main, [name, "--help"]).stdout
        assert f"callrouter {name}" in text, name


def test_the_config_directory_is_looked_for_in_the_stated_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CALLROUTER_CONFIG", raising=False)
    assert default_config() == Path("/etc/callrouter")
    (tmp_path / "config").mkdir()
    assert default_config() == Path("config")
    monkeypatch.setenv("CALLROUTER_CONFIG", "/srv/rules")
    assert default_config() == Path("/srv/rules")


def test_a_command_that_ends_looks_for_no_garbage() -> None:
    script = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print('frozen:', gc.get_freeze_count() > 0))\n"  # the last to be called
        "from callrouter.cli import main\n"
        "main(['check', '--help'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.endswith("frozen: True\n")
