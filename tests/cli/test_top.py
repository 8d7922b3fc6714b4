"""``callrouter top`` shows the daemon that runs, on a terminal of its own."""

import asyncio
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from callrouter.cli import EXIT_USAGE, main
from callrouter.cli.screen import HOME, LEAVE, Key, keys_of
from callrouter.cli.text import width
from callrouter.cli.top import Scene
from callrouter.web.client import fetch_status
from callrouter.web.server import WebServer
from callrouter.web.status import StatusDocument
from lab import ports
from lab.paths import PROJECT
from tests.fakes.status import AT, FakeStatus
from tests.fakes.threads import in_thread

SEQUENCE = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
TIMEOUT_S = 20.0


class Person:
    """Somebody at a terminal of so many columns and lines, with the command in it."""

    def __init__(self, url: str, *, columns: int = 100, lines: int = 40, environ: dict[str, str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(columns, lines)
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "callrouter", "top", "--url", url, "--every", "0.5"],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=PROJECT, start_new_session=True,
            env={**os.environ, **(environ or {})},
        )  # fmt: skip
        self.settings = termios.tcgetattr(theirs)
        self._theirs = theirs

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def sees(self, text: str) -> None:
        """Wait until it stands on the screen, painted after this was asked."""
        self.seen = ""
        self.sees_too(text)

    def sees_too(self, text: str) -> None:
        """Wait until it stands there beside what was seen last."""
        self._read_until(lambda: text in SEQUENCE.sub("", self.seen), text)

    def _read_until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not holds():
            left = deadline - time.monotonic()
            assert left > 0, f"no {what!r} in {self.seen!r}"
            if select.select([self._ours], [], [], left)[0]:
                self.seen += os.read(self._ours, 65536).decode(errors="replace")

    def leaves(self) -> int:
        """The command has ended, and the terminal is as it was; with which status."""
        self._read_until(lambda: LEAVE in self.seen, LEAVE)
        status = self.process.wait(TIMEOUT_S)
        assert termios.tcgetattr(self._theirs) == self.settings
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def source() -> FakeStatus:
    return FakeStatus()


@pytest.fixture
def daemon(source: FakeStatus) -> Iterator[str]:
    with in_thread(WebServer("127.0.0.1", 0, source)) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def found(daemon: str) -> StatusDocument:
    return asyncio.run(fetch_status(daemon))


def shown(scene: Scene, columns: int, lines: int) -> list[str]:
    return [SEQUENCE.sub("", line).rstrip() for line in scene.lines(columns, lines, AT)]


def test_a_person_sees_the_moment_and_what_changes_until_he_has_seen_enough(daemon: str, source: FakeStatus) -> None:
    person = Person(daemon)
    try:
        person.sees("takes calls")
        source.condition = replace(source.condition, title="새 이름")
        person.sees("새 이름")
        person.press("q")
        assert person.leaves() == 0
    finally:
        person.close()


def test_a_person_scrolls_makes_the_window_smaller_and_ends_it_with_control_c(daemon: str) -> None:
    person = Person(daemon, lines=16)
    try:
        person.sees("lines 1-")
        person.press("G")
        person.sees("connected  ")
        person.press("\x1b[H")
        person.sees("lines 1-")
        last = int(re.findall(r"lines 1-(\d+) of", person.seen)[-1])
        person.resize(70, 12)
        person.process.send_signal(signal.SIGWINCH)
        person.sees(f"lines 1-{last - 4} of")
        assert max(map(width, SEQUENCE.sub("", person.seen.rpartition(HOME)[2]).split("\r\n"))) <= 70
        person.process.send_signal(signal.SIGINT)
        assert person.leaves() == 0
    finally:
        person.close()


def test_without_a_daemon_it_says_so_and_goes_on_asking() -> None:
    port = ports.kept_tcp()
    person = Person(f"http://127.0.0.1:{port}", environ={"NO_COLOR": "1"})
    try:
        person.sees("! no answer for 0:0")
        assert "\x1b[33m" not in person.seen
        with in_thread(WebServer("127.0.0.1", port, FakeStatus())):
            person.sees("takes calls")
        person.sees("! no answer for 0:0")
        person.sees_too("takes calls")  # what the daemon said last
        person.press("q")
        assert person.leaves() == 0
    finally:
        person.close()


def test_elsewhere_than_on_a_terminal_it_names_the_command_for_that() -> None:
    result = CliRunner().invoke(main, ["top"])
    assert result.exit_code == EXIT_USAGE
    assert "callrouter status" in result.output


@pytest.mark.parametrize(("columns", "lines"), [(100, 60), (80, 24), (40, 10), (20, 3), (5, 1)])
def test_the_screen_is_never_larger_than_the_terminal(found: StatusDocument, columns: int, lines: int) -> None:
    scene = Scene(found)
    for key in (Key.OTHER, Key.BOTTOM):
        scene.scroll(key, lines)
        screen = shown(scene, columns, lines)
        assert len(screen) <= lines
        assert max(map(width, screen)) <= columns


def test_scrolling_ends_at_both_ends_and_misses_no_line(found: StatusDocument) -> None:
    scene, seen = Scene(found), set[str]()
    whole = shown(scene, 100, 200)
    for _ in range(30):
        seen |= set(shown(scene, 100, 20))
        scene.scroll(Key.PAGE_DOWN, 20)
    assert {line for line in whole[:-1] if line} <= seen
    last = scene.first
    scene.scroll(Key.DOWN, 20)
    assert scene.first == last
    for key in (Key.PAGE_UP, Key.UP) * 30:
        scene.scroll(key, 20)
    assert scene.first == 0


def test_fewer_lines_than_before_bring_the_screen_back_to_them(found: StatusDocument) -> None:
    scene = Scene(found)
    scene.scroll(Key.BOTTOM, 12)
    assert scene.first > 0
    assert shown(scene, 100, 200)[-2] == "" or scene.first == 0


def test_a_daemon_that_does_not_answer_is_told_with_since_when(found: StatusDocument) -> None:
    scene = Scene(found)
    scene.miss("refused", AT - timedelta(seconds=65))
    scene.miss("no route", AT)
    assert shown(scene, 100, 40)[0] == "! no answer for 1:05: no route"
    scene.learn(found)
    assert not shown(scene, 100, 40)[0].startswith("!")


def test_keys_are_known_also_when_several_come_at_once() -> None:
    assert keys_of("jk\x1b[A\x1bOB\x1b[5~ Gq\x1b[99~x") == [
        Key.DOWN, Key.UP, Key.UP, Key.DOWN, Key.PAGE_UP, Key.PAGE_DOWN, Key.BOTTOM, Key.QUIT, Key.OTHER, Key.OTHER,
    ]  # fmt: skip
