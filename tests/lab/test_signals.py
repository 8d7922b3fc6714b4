"""Ctrl-C gives up what is being started, and never cuts the tidying up short."""

import os
import signal
from collections.abc import Iterator

import pytest

from lab.signals import STOPPING, Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in STOPPING}
    installed = Signals()
    installed.install()
    yield installed
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOPPING)
def test_the_first_interrupts_and_the_others_only_count(signals: Signals, number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        send(number)
    send(number)

    assert signals.count == 2


def test_once_all_is_up_they_are_waited_for(signals: Signals) -> None:
    signals.only_count()

    assert not signals.wait(0.01)
    send(signal.SIGTERM)
    assert signals.wait(0)


def test_what_must_be_finished_is_finished_before_the_interruption(signals: Signals) -> None:
    finished = []

    def work() -> None:
        with signals.held():
            send(signal.SIGINT)
            finished.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert finished
    send(signal.SIGINT)
    assert signals.count == 2


def test_nothing_interrupts_when_nothing_was_asked_while_held(signals: Signals) -> None:
    with signals.held():
        pass

    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)
