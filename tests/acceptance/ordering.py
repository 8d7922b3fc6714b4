"""What people order while the daemon runs, by command and by dialling a code, and what is kept of it."""

import asyncio
import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab import audio
from lab.baresip import Baresip
from lab.testing import DEADLINE_S, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import POLL_S, Centre

TOLERANCE_S = 0.25


async def command(office: Centre, *arguments: str) -> str:
    """What a command of callrouter's says; it must succeed."""
    done = await asyncio.to_thread(office.daemon.run, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def read(office: Centre, path: str) -> str:
    """What the daemon's web server answers."""

    def get() -> str:
        with urllib.request.urlopen(f"{office.daemon.url}{path}", timeout=5) as answer:  # noqa: S310 - our own URL
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(get)


async def audit(office: Centre, entries: int) -> list[dict[str, Any]]:
    """The audit log, oldest first, once it has so many entries."""
    async with asyncio.timeout(10):
        # Entries come when the daemon has delivered them, and nobody tells when.
        while len(found := json.loads(await command(office, "audit", "--json"))) < entries:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
    assert len(found) == entries
    return list(reversed(found))


async def hears(phone: Baresip, number: str, prompt: str) -> None:
    """Dial a number, hear one announcement to its end, and be hung up on."""
    await phone.dial(number)
    await phone.established()
    await phone.closed(timeout_s=PROMPT_S + DEADLINE_S + 4)
    assert audio.tone_seconds(phone.heard(), PROMPT_HZ[prompt]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)


def resident_mb(pid: int) -> int:
    """How much memory a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
