"""``make run`` and ``make call``, as a person at two terminals has them: the real commands, the real processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from lab import clean, ports, processes
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.paths import INSTANCES, POSTGRES, PROJECT, try_lock
from lab.phones import CARRIER_ADDRESS, RESIDENT_NUMBER, SERVICE_NUMBER
from lab.record import command_path
from lab.testing import ENGLISH_HZ, PROMPT_HZ, PROMPT_S, write_tones

pytestmark = pytest.mark.asterisk

TUESDAY = "2026-11-24T10:00"
SATURDAY = "2026-11-28T11:00"
READY_S = 40.0
ENDED_S = 30.0
CALL_S = 60.0
LISTED_S = 10.0
POLL_S = 0.05
SPOKEN = "all-busy"
"""The announcement that is left to be spoken; tones stand for the others, as people's recordings."""


class Run:
    """One ``python -m lab run`` and what it printed."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._output = folder / f"run-{time.monotonic_ns()}"
        with self._output.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab", "run", *arguments],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def until(self, text: str, *, timeout_s: float = READY_S) -> str:
        """Wait until it has printed ``text``."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            assert self._process.poll() is None, f"it ended with {self._process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {text}\n{self.output}"
            time.sleep(POLL_S)
        return self.output

    def ready(self) -> str:
        return self.until("Ctrl-C stops all of it.")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        return self._process.wait(ENDED_S)


class Terminal:
    """A person at a terminal: starts and asks one call centre of its own name, ports and folders."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.asterisk = LabAsterisk(name)
        self._ports = {purpose: ports.kept_sip() for purpose in ("sip", "http", "web", "agi")}
        self.sip_address = f"127.0.0.1:{self._ports['sip']}"
        self._runs: list[Run] = []

    def run(self, *, clock: str = TUESDAY) -> Run:
        chosen = [word for name, port in self._ports.items() for word in (f"--{name}-port", str(port))]
        run = Run(["--instance", self.name, *chosen, "--clock", clock], self.folder)
        self._runs.append(run)
        return run

    def call(self) -> "subprocess.CompletedProcess[str]":
        return self.finish([sys.executable, "-m", "lab", "call", "--instance", self.name])

    def callrouter(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.finish([str(command_path(self.name)), *arguments])

    def until_listed(self, outcome: str) -> None:
        """Wait until the database holds a call with this outcome: it is written behind the call's back."""
        deadline = time.monotonic() + LISTED_S
        while outcome not in (listed := self.callrouter("cdr")).stdout:
            assert time.monotonic() < deadline, f"no {outcome} call is listed:\n{listed.stdout}{listed.stderr}"

    def finish(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, timeout=CALL_S, stdin=subprocess.DEVNULL, check=False
        )

    def left_running(self) -> dict[str, str]:
        """What runs in this centre's folders: process id to its command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or processes.start_ticks(int(entry.name)) is None:
                continue
            pid = int(entry.name)
            words = {*processes.words(pid), *processes.environment(pid)}
            if any(f"/{self.name}/" in word or word.endswith(f"/{self.name}") for word in words):
                found[entry.name] = " ".join(processes.words(pid))
        return found

    def daemon_log(self) -> str:
        return (INSTANCES / self.name / "daemon/daemon.log").read_text(encoding="utf-8")

    def daemon_pid(self) -> int:
        pid = processes.recall(INSTANCES / self.name / "daemon/daemon.pid")
        assert pid is not None
        return pid

    def tidy(self) -> None:
        """End what a test that failed left running."""
        for run in self._runs:
            run.send(signal.SIGKILL)
            run.ended()
        self._runs.clear()
        clean.end_leftovers(self.name)

    def remove(self) -> None:
        """Delete everything."""
        self.asterisk.remove()
        shutil.rmtree(POSTGRES / self.name, ignore_errors=True)
        command_path(self.name).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    """A name that no other test session uses now; what a killed one left under it, the first ``run`` ends."""
    with_lock: tuple[str, IO[str]] | None = None
    for number in range(1, 100):
        lock = try_lock(INSTANCES / f"run-test-{number}" / "session.lock")
        if lock is not None:
            with_lock = f"run-test-{number}", lock
            break
    assert with_lock is not None
    yield with_lock[0]
    with_lock[1].close()


@pytest.fixture(scope="module")
def terminal(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    person = Terminal(name, tmp_path_factory.mktemp("terminal"))
    write_tones(person.asterisk.sounds_dir / "callrouter", but=SPOKEN)
    yield person
    person.remove()


@pytest.fixture(autouse=True)
def _nothing_is_left(terminal: Terminal) -> Iterator[None]:
    yield
    terminal.tidy()


def password(printed: str, user: str) -> str:
    found = re.search(rf"user {user} +password (\S+)", printed)
    assert found is not None, printed
    return found[1]


def seconds(printed: str, pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, printed)]


def test_a_person_starts_it_has_a_call_placed_and_stops_it(terminal: Terminal) -> None:
    run = terminal.run()
    printed = run.ready()

    assert [line.split()[0] for line in printed.splitlines()[:5]] == [
        "programs", "PostgreSQL", "Asterisk", "prompts", "daemon",
    ]  # fmt: skip
    assert f"{len(PROMPT_HZ) + len(ENGLISH_HZ) - 1} recorded, 1 spoken" in printed
    assert f"Register a phone at {terminal.sip_address} " in printed
    assert password(printed, "201") != password(printed, "resident")
    assert "and dial 120 as the resident" in printed
    assert "no callrouter tables" not in printed
    assert "not_looked_after" not in terminal.daemon_log(), "a new database is no trouble to tell of"

    second = terminal.run()
    assert second.ended() == 3
    assert "this call centre is up: http://127.0.0.1:" in second.output

    call = terminal.call()
    assert call.returncode == 0, call.stdout + call.stderr
    assert 'rings at 201, which shows "창원" 0552251234' in call.stdout
    assert "Both heard each other" in call.stdout
    heard = seconds(call.stdout, r"tone of 1[13]00 Hz for ([\d.]+) of")
    talked = seconds(call.stdout, r"of the ([\d.]+) s in which they talked")
    assert len(heard) == 2
    assert all(tone_s >= 0.75 * talk_s > 2.5 for tone_s, talk_s in zip(heard, talked, strict=True))
    record = dict(line.split(maxsplit=1) for line in call.stdout.splitlines() if re.match(r"\w+ {2,}\S", line))
    assert (record["outcome"], record["agent"], record["rule"]) == ("handled", "201", "changwon-day")
    assert "> changwon-day [routes.yaml:" in call.stdout
    assert f"call {record['call_id'][:18]} from" in run.until("handled by rule changwon-day", timeout_s=2)

    listed = terminal.callrouter("cdr")
    assert record["call_id"][:18] in listed.stdout, listed.stderr
    assert "takes calls" in terminal.callrouter("status").stdout
    assert "its fallback goes by these rules" in terminal.callrouter("doctor").stdout

    run.send(signal.SIGINT)
    assert run.ended() == 0, run.output
    stopped = [line.split()[0] for line in run.output[run.output.index("Stopping.") :].splitlines()[1:]]
    assert stopped == ["daemon", "Asterisk", "PostgreSQL"]
    assert terminal.left_running() == {}
    assert not command_path(terminal.name).exists()
    assert terminal.call().returncode == 3


async def test_after_a_kill_the_next_one_ends_what_was_left_and_goes_on_with_the_same(terminal: Terminal) -> None:
    killed = terminal.run()
    before = killed.ready()
    async with Baresip(RESIDENT_NUMBER, CARRIER_ADDRESS, server=terminal.sip_address) as resident:
        await resident.dial(SERVICE_NUMBER)
        await resident.established()
        await resident.hang_up()
        killed.until("abandoned by rule changwon-day", timeout_s=5)
    killed.send(signal.SIGKILL)
    killed.ended()
    orphan = terminal.daemon_pid()
    assert len(terminal.left_running()) >= 3
    lost = terminal.call()
    assert (lost.returncode, lost.stdout) == (3, "")
    assert "nothing runs here; start it first, in another terminal: make run" in lost.stderr

    run = terminal.run()
    printed = run.ready()

    assert "ended what a killed `make run` had left running: daemon, Asterisk" in printed
    assert processes.start_ticks(orphan) is None
    assert terminal.daemon_pid() != orphan
    assert password(printed, "201") == password(before, "201")
    terminal.until_listed("abandoned")

    os.kill(terminal.daemon_pid(), signal.SIGKILL)
    assert run.ended() == 1
    assert "the daemon ended by itself with exit status -9; the end of" in run.output
    assert "daemon.ready" in run.output, "the end of its log is not shown"
    assert terminal.left_running() == {}


def test_in_closed_hours_the_resident_hears_so_and_there_is_a_record(terminal: Terminal) -> None:
    run = terminal.run(clock=SATURDAY)
    assert "callers hear that the centre is closed" in run.ready()

    call = terminal.call()

    assert call.returncode == 0, call.stdout + call.stderr
    assert "the centre is closed (rule closed)" in call.stdout
    assert seconds(call.stdout, r"heard ([\d.]+) s of announcement") == [pytest.approx(PROMPT_S, abs=0.25)]
    assert re.search(r"^outcome +closed$", call.stdout, re.MULTILINE)

    run.send(signal.SIGTERM)
    assert run.ended() == 0, run.output
    assert terminal.left_running() == {}


async def test_it_waits_for_a_call_in_progress_unless_asked_again(terminal: Terminal) -> None:
    run = terminal.run()
    run.ready()
    async with Baresip(RESIDENT_NUMBER, CARRIER_ADDRESS, server=terminal.sip_address) as resident:
        await resident.dial(SERVICE_NUMBER)
        await resident.established()

        run.send(signal.SIGINT)
        run.until("waiting for 1 call to end; Ctrl-C again does not wait", timeout_s=5)
        run.send(signal.SIGINT)

        assert run.ended() == 0, run.output
    assert terminal.left_running() == {}
