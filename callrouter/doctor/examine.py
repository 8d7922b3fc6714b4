"""All checks, in the order in which people repair things."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from callrouter.config import Loaded
from callrouter.config.load import examine as examine_config
from callrouter.config.settings import DaemonSettings, SiteSettings
from callrouter.doctor.asterisk import check_asterisk
from callrouter.doctor.console import INBOUND, check_console
from callrouter.doctor.database import check_database
from callrouter.doctor.finding import Finding, error, ok, warning
from callrouter.doctor.machine import check_account_file, check_files, check_journal_folder, check_port, check_time
from callrouter.doctor.rendered import check_rendered
from callrouter.errors import AccessError, UnreachableError
from callrouter.web.client import LocalUrl, fetch_status, web_url


async def examine(directory: Path, environ: Mapping[str, str] = os.environ) -> tuple[Finding, ...]:
    """Every finding on the configuration in ``directory`` and what it names. No wait is longer than three seconds.

    Needs no daemon. Without a sound configuration there is nothing to look at but that.
    """
    loaded, found = _configuration(directory, environ)
    if loaded is None:
        return tuple(found)
    found.append(check_time(loaded))
    sites = await asyncio.gather(*(_site(site, loaded) for site in loaded.settings.sites.values()))
    for findings in sites:
        found += findings
    found += await check_database(loaded.settings.database_url, loaded.settings.database_url_env)
    found += check_journal_folder(loaded.settings.state_dir)
    found += await _listening(loaded.settings)
    found.append(check_files())
    return tuple(found)


def _configuration(directory: Path, environ: Mapping[str, str]) -> tuple[Loaded | None, list[Finding]]:
    check = "configuration"
    loaded, problems = examine_config(directory, environ, guarded=True)
    found = [error(check, f"{problem.place}: {problem.message}", problem.remedy) for problem in problems.errors]
    found += [warning(check, f"{problem.place}: {problem.message}", problem.remedy) for problem in problems.warnings]
    if loaded is not None:
        book = loaded.rulebook
        found.insert(0, ok(check, f"{directory}: {len(book.queues)} queues, {len(book.agents)} agents, {book.hash}"))
        for missing in loaded.missing_secrets:
            text, _, remedy = missing.partition("; ")
            found.append(error("secrets", text, remedy))
        if not loaded.missing_secrets:
            found.append(ok("secrets", "every password is there"))
        found += check_account_file(directory)
    return loaded, found


async def _site(site: SiteSettings, loaded: Loaded) -> list[Finding]:
    book = loaded.rulebook
    agents = [agent for agent in book.agents.values() if agent.site == site.name]
    music = {queue.music_class for queue in book.queues.values()}
    spoken = [str(name) for name in loaded.prompts if name not in book.prompts]
    spoken += [f"{language}/{name}" for language, texts in loaded.translations.items() for name in texts]
    found = await check_asterisk(site, agents, spoken, is_one_of_several=len(loaded.settings.sites) > 1)
    found += await check_rendered(site, book.hash)
    return found + await check_console(site, (INBOUND, book.fallback_context), music)


async def _listening(settings: DaemonSettings) -> list[Finding]:
    """The ports, and what the daemon that runs says of itself."""
    found, ours = [], False
    try:
        status = await fetch_status(LocalUrl(web_url(settings.web), settings.state_dir))
    except UnreachableError:
        status = None
    except AccessError as exc:
        status, ours = None, True
        found.append(warning("daemon", str(exc), "until then the doctor does not see what the daemon says of itself"))
    if status is not None:
        remedy = "callrouter status shows more"
        found += [error("daemon", text, remedy) for text in status.hindrances]
        found += [warning("daemon", text, remedy) for text in status.remarks]
        if status.ready:
            found.append(ok("daemon", f"callrouter {status.service.version} runs and takes calls"))
    ours = ours or status is not None
    found.append(await check_port("web", settings.web.host, settings.web.port, ours=ours))
    found.append(await check_port("fastagi", settings.agi.host, settings.agi.port, ours=ours))
    if any(site.dials_in for site in settings.sites.values()):
        found.append(await check_port("dial-in", settings.dial_in.host, settings.dial_in.port, ours=ours))
    return found
