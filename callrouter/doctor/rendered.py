"""Whether the dialplan that an Asterisk falls back on was rendered from the rules as they are."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from callrouter.ari.http import HttpChannel
from callrouter.ari.operations import Method, Request
from callrouter.ari.outcome import Outcome
from callrouter.ari.snapshots import Variable
from callrouter.config.settings import SiteSettings
from callrouter.doctor.asking import asking
from callrouter.doctor.finding import WAIT_S, Finding, ok, warning
from callrouter.errors import AriProtocolError
from callrouter.survival import GLOBAL, GLOBAL_UNTIL, NEAR_ITS_END

RELOAD: Final = 'asterisk -rx "dialplan reload"'


async def check_rendered(site: SiteSettings, version: str, *, today: date | None = None) -> list[Finding]:
    """``version`` is the configuration's hash.

    Nothing is said of an Asterisk that goes by its ring group, and of one that does not answer.
    """
    async with asking(site) as (_, http, _):
        rendered, until = await _global(http, GLOBAL), await _global(http, GLOBAL_UNTIL)
    return _findings(site, version, rendered, until, today or datetime.now(UTC).date())


async def _global(http: HttpChannel, name: str) -> str:
    """The global variable's value; empty if it is not set, or Asterisk does not tell."""
    reply = await http.call(Request(Method.GET, "asterisk/variable", (("variable", name),)), WAIT_S)
    try:
        return reply.read(Variable).value if reply.outcome is Outcome.DONE else ""
    except AriProtocolError:
        return ""


def _findings(site: SiteSettings, version: str, rendered: str, until: str, today: date) -> list[Finding]:
    if not rendered:
        return []
    check = f"dialplan {site.name}"
    remedy = f"callrouter dialplan --site {site.name} renders it anew; copy it to Asterisk's folder, then: {RELOAD}"
    found = []
    if rendered != version:
        text = f"its fallback was rendered from other rules ({rendered}) than these ({version})"
        found.append(warning(check, text, remedy))
    if _ends_soon(until, today):
        text = f"the hours of its fallback are exact only until {until or 'nobody knows when'}"
        found.append(warning(check, text, remedy))
    return found or [ok(check, f"its fallback goes by these rules, exact until {until}")]


def _ends_soon(until: str, today: date) -> bool:
    try:
        return date.fromisoformat(until) < today + NEAR_ITS_END
    except ValueError:
        return True


async def outdated(sites: Iterable[SiteSettings], version: str) -> tuple[Finding, ...]:
    """What is to be rendered anew, of all sites whose password is known."""
    found = await asyncio.gather(*(check_rendered(site, version) for site in sites if site.password))
    return tuple(finding for findings in found for finding in findings if finding.remedy)
