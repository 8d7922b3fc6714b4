"""What is forked does what it would if it were started anew, and it is known how it ended."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import callrouter
from lab.errors import LabError
from lab.forks import Forks
from lab.paths import PROJECT

END_S = 20.0


@pytest.fixture
def forks() -> Iterator[Forks]:
    one = Forks()
    yield one
    one.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("what was there before\n")
    return path


def test_several_say_what_they_do_and_end_as_they_do(forks: Forks, log: Path) -> None:
    says = forks.run(["--version"], os.environ, log)
    assert (says.wait(END_S), says.poll()) == (0, 0)
    assert forks.run(["no-such-command"], os.environ, log).wait(END_S) == 2
    said = log.read_text().splitlines()
    assert said[:2] == ["what was there before", f"callrouter, version {callrouter.__version__}"]
    assert "no-such-command" in said[-1]


def test_each_has_its_own_environment_and_its_own_session(forks: Forks, log: Path, tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("CALLROUTER_")}
    own = {**bare, "CALLROUTER_CONFIG": str(PROJECT / "config"), "CALLROUTER_STATE_DIR": str(tmp_path / "state")}
    ports = {"CALLROUTER_WEB_PORT": "0", "CALLROUTER_AGI_PORT": "0"}
    waits = forks.run(["run"], {**own, **ports, "CALLROUTER_ARI_PASSWORD": "x"}, log)
    try:
        lacks = forks.run(["run"], own, log)
        assert lacks.wait(END_S) == 1
        assert "CALLROUTER_ARI_PASSWORD" in log.read_text()
        assert waits.poll() is None
        assert os.getsid(waits.pid) == waits.pid
    finally:
        waits.kill()
    assert waits.wait(END_S) == -signal.SIGKILL


def test_that_there_is_nothing_to_fork_off_is_told(forks: Forks, log: Path) -> None:
    forks.run(["--version"], os.environ, log).wait(END_S)
    assert forks._process is not None
    forks._process.kill()
    with pytest.raises(LabError, match="has ended"):
        forks.run(["--version"], os.environ, log)
