"""What only Asterisk's console tells: the dialplan and the music on hold, where the console is on this machine."""

import asyncio
import shutil
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from callrouter.addresses import is_loopback
from callrouter.config.settings import SiteSettings
from callrouter.doctor.finding import WAIT_S, Finding, error, ok, warning

INBOUND: Final = "callrouter-inbound"
_INCLUDE: Final = "include callrouter.conf in extensions.conf (callrouter doctor --howto)"


def is_here(site: SiteSettings) -> bool:
    """Whether this site's Asterisk runs on this machine."""
    return is_loopback(urlsplit(site.ari_url).hostname or "")


async def check_console(site: SiteSettings, contexts: Collection[str], music_classes: Collection[str]) -> list[Finding]:
    """Whether these contexts of the dialplan and classes of music are there."""
    check = f"dialplan {site.name}"
    shown = {context: await _console(site, f"dialplan show {context}") for context in contexts}
    found = [_context(check, context, text) for context, text in shown.items() if text is not None]
    unseen = [context for context, text in shown.items() if text is None]
    if unseen:
        remedy = f'see for yourself, where Asterisk runs: asterisk -rx "dialplan show {unseen[0]}"'
        found.append(warning(check, "ARI does not tell the dialplan, and the console cannot be asked here", remedy))
    music = await _console(site, "moh show classes")
    if music is not None:
        there = {line.partition(":")[2].strip() for line in music.splitlines() if line.startswith("Class:")}
        found += [_music(f"music {site.name}", name, name in there) for name in sorted(music_classes)]
    return found


def _context(check: str, context: str, text: str) -> Finding:
    if f"'{context}'" in text and "Context" in text:
        return ok(check, f"the context {context} is there")
    return error(check, f"there is no context {context}: calls do not reach callrouter or its fallback", _INCLUDE)


def _music(check: str, name: str, is_there: bool) -> Finding:
    if is_there:
        return ok(check, f"music class {name} is there")
    remedy = f"define [{name}] in musiconhold.conf; callrouter prompts --music FOLDER makes music to begin with"
    return error(check, f"there is no music class {name}: waiting callers hear nothing", remedy)


async def _console(site: SiteSettings, command: str) -> str | None:
    """What the console of an Asterisk on this machine answers; None if it cannot be asked."""
    program = shutil.which("asterisk")
    if program is None or not is_here(site):
        return None
    process = await asyncio.create_subprocess_exec(
        program,
        "-rx",
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(WAIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    text = output.decode(errors="replace")
    # "dialplan show" of a context that is not there ends with an error too: the words tell the two apart.
    answered = process.returncode == 0 or "There is no existence of" in text
    return text if answered else None
