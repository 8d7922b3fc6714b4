"""``callrouter top``: what the daemon is doing, as it goes on."""

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from callrouter.cli.options import daemon_options
from callrouter.cli.screen import Key, Screen
from callrouter.cli.status_text import head, parts
from callrouter.cli.text import elapsed, fitted, plain
from callrouter.cli.where import url_of
from callrouter.errors import CallrouterError
from callrouter.web.client import fetch_status
from callrouter.web.status import StatusDocument

DEFAULT_EVERY_S: Final = 2.0
LEAST_EVERY_S: Final = 0.5
LONGEST_EVERY_S: Final = 60.0
_HELP: Final = "q quit   arrows, space, b: scroll"
_REVERSE, _RED, _YELLOW, _FAINT, _NONE = "\x1b[7m", "\x1b[1;31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_EPILOG = """\b
Examples:
  callrouter top
  callrouter top --every 1 --url http://127.0.0.1:8080
"""


@dataclass(slots=True)
class Scene:
    """What is known of the daemon, and which part of it a person looks at.

    ``failing`` is why there is nothing newer than ``found``, ``since`` since when. ``first`` is the line of the tables
    that the screen begins with.
    """

    found: StatusDocument | None = None
    failing: str | None = None
    since: datetime | None = None
    first: int = 0

    def learn(self, found: StatusDocument) -> None:
        """The daemon has answered."""
        self.found, self.failing, self.since = found, None, None

    def miss(self, why: str, at: datetime) -> None:
        """It has not."""
        self.failing, self.since = why, self.since or at

    def scroll(self, key: Key, height: int) -> None:
        """Look at another part, on a screen of so many lines."""
        room = self._room(height)
        last = max(0, len(self._tables()) - room)
        moved = {
            Key.UP: self.first - 1,
            Key.DOWN: self.first + 1,
            Key.PAGE_UP: self.first - room,
            Key.PAGE_DOWN: self.first + room,
            Key.TOP: 0,
            Key.BOTTOM: last,
        }
        self.first = min(max(0, moved.get(key, self.first)), last)

    def lines(self, width: int, height: int, at: datetime) -> list[str]:
        """The screen: how the daemon is, as much of its tables as there is room for, and what can be done.

        A line is no longer than the screen is wide, control sequences for its colour apart.
        """
        tables, room = self._tables(), self._room(height)
        self.first = min(self.first, max(0, len(tables) - room))
        shown = tables[self.first : self.first + room]
        faint = _FAINT if self.failing is not None else ""
        above = [f"{_colour(line)}{fitted(line, width)}{_NONE}" for line in self._head(at)][: height - 1]
        body = [f"{faint}{fitted(line, width)}{_NONE}" for line in shown]
        body += [""] * (room - len(body))
        return [*above, *body, f"{_REVERSE}{fitted(self._foot(len(tables), len(shown)), width)}{_NONE}"]

    def _room(self, height: int) -> int:
        return max(0, height - len(self._head(datetime.now(UTC))) - 1)

    def _head(self, at: datetime) -> list[str]:
        told = head(self.found).splitlines() if self.found is not None else []
        if self.failing is None:
            return told or ["asking the daemon …"]
        return [f"! no answer for {elapsed(self.since, at)}: {plain(self.failing)}", *told]

    def _tables(self) -> list[str]:
        if self.found is None:
            return []
        return [line for part in parts(self.found) for line in ("", *part.splitlines())]

    def _foot(self, lines: int, shown: int) -> str:
        seen = f"   lines {self.first + 1}-{self.first + shown} of {lines}" if shown < lines else ""
        at = f"{self.found.at.astimezone():%H:%M:%S}   " if self.found is not None else ""
        return f" {at}{_HELP}{seen}"


@click.command(epilog=_EPILOG)
@daemon_options
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(LEAST_EVERY_S, LONGEST_EVERY_S),
    default=DEFAULT_EVERY_S,
    show_default=True,
    help="Ask so often, in seconds.",
)
def top(config: Path, url: str | None, every_s: float) -> None:
    """Show what callrouter status prints, as it goes on, until q is pressed. Callers' numbers are masked.

    A daemon that does not answer is asked again; what it said last stays, faint, with how long ago that was.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("this is for a terminal; elsewhere use: callrouter status")
    asyncio.run(_watch(url or url_of(config), every_s))


async def _watch(url: str, every_s: float) -> None:
    scene = Scene()
    with Screen() as screen:
        asking = asyncio.create_task(_ask(url, every_s, scene, screen))
        try:
            while (key := await screen.key()) is not Key.QUIT:
                scene.scroll(key, screen.size[1])
                _paint(scene, screen)
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking


async def _ask(url: str, every_s: float, scene: Scene, screen: Screen) -> None:
    _paint(scene, screen)
    while True:
        try:
            scene.learn(await fetch_status(url))
        except CallrouterError as error:
            scene.miss(str(error), datetime.now(UTC))
        _paint(scene, screen)
        await asyncio.sleep(every_s)


def _paint(scene: Scene, screen: Screen) -> None:
    lines = scene.lines(*screen.size, datetime.now(UTC))
    screen.paint([_bare(line) for line in lines] if os.environ.get("NO_COLOR") else lines)


def _bare(line: str) -> str:
    for colour in (_RED, _YELLOW, _NONE):
        line = line.replace(colour, "")
    return line


def _colour(line: str) -> str:
    if line.endswith("TAKES NO CALLS"):
        return _RED
    return _YELLOW if line.startswith("!") else ""
