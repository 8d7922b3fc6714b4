"""Processor time is read of the very process, its threads and its children."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from bench.processes import cpu_s, tree_cpu_s

WORKS_S = 0.3
PATIENCE_S = 20.0

WORK = f"""
import time
while time.process_time() < {WORKS_S}: pass
print(flush=True)
input()
"""


@pytest.fixture
def worker() -> Iterator["subprocess.Popen[str]"]:
    """A child that has worked for 0.3 s and now waits."""
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.communicate("\n", timeout=PATIENCE_S)


def test_the_time_of_a_process_is_what_it_has_worked(worker: "subprocess.Popen[str]") -> None:
    assert cpu_s(worker.pid) == pytest.approx(WORKS_S, abs=0.15)


def test_threads_that_have_ended_count() -> None:
    def work() -> None:
        end = time.thread_time() + WORKS_S
        while time.thread_time() < end:
            pass

    before = cpu_s(threading.main_thread().native_id or 0)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE_S)

    assert cpu_s(threading.main_thread().native_id or 0) - before >= WORKS_S - 0.05


def test_children_count_with_their_parent(worker: "subprocess.Popen[str]") -> None:
    parent = threading.main_thread().native_id or 0

    assert tree_cpu_s(parent) - cpu_s(parent) >= WORKS_S - 0.05


def test_a_process_that_is_gone_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait(PATIENCE_S)

    with pytest.raises(OSError, match="No such file"):
        cpu_s(child.pid)
