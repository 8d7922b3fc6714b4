"""One Asterisk, asked over ARI. Nothing is changed there, and no call is made.

Whether the user may write is asked with the event filter of an application that does not exist: one who may is told
404, one who may only read 403, because Asterisk looks at the right first.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import aiohttp
import msgspec

from callrouter.ari import operations
from callrouter.ari.http import HttpChannel
from callrouter.ari.operations import Method, Request
from callrouter.ari.outcome import Doubt, Outcome, Reply
from callrouter.ari.peer import Peer
from callrouter.ari.snapshots import AsteriskInfo, AsteriskPing, Variable
from callrouter.ari.websocket import open_websocket
from callrouter.config.settings import SiteSettings
from callrouter.core.rulebook import AgentSpec
from callrouter.doctor.asking import asking
from callrouter.doctor.dialling import WAIT, check_application, check_can_dial, check_dialling_modules, check_wait
from callrouter.doctor.finding import WAIT_S, Finding, error, ok, warning
from callrouter.doctor.modules import check_modules
from callrouter.doctor.phones import check_phones, technologies
from callrouter.doctor.sounds import KnownSound, check_prompts
from callrouter.doctor.versions import check_version
from callrouter.errors import AriError, AriProtocolError, UnreachableError
from callrouter.survival import GLOBAL

SKEW_WARNING_S: Final = 1.0
SKEW_ERROR_S: Final = 30.0
DEFAULT_APPLICATION: Final = "callrouter"
"""What the dialplan hands calls to unless CALLROUTER_APP says otherwise."""


class _Module(msgspec.Struct, frozen=True):
    name: str
    status: str = "Running"


async def check_asterisk(
    site: SiteSettings,
    agents: Sequence[AgentSpec],
    prompts: Sequence[str] = (),
    *,
    clock: Callable[[], float] = time.time,
    is_one_of_several: bool = False,
) -> list[Finding]:
    """All findings on one site; ``agents`` are those whose phones it has, ``prompts`` the announcements in its folder.

    Raises nothing for what Asterisk does.
    """
    async with asking(site) as (peer, http, session):
        findings = await _Examination(site, peer, agents, prompts, http, session, clock).run()
        return findings + (await _check_name(f"asterisk {site.name}", http) if is_one_of_several else [])


async def _check_name(check: str, http: HttpChannel) -> list[Finding]:
    """Of several sites each needs a name, for Asterisk counts its channels within a second alone."""
    reply = await http.call(operations.get_info(), WAIT_S)
    if reply.outcome is not Outcome.DONE:
        return []  # which has been said
    name = reply.read(AsteriskInfo).config.name
    if name:
        return [ok(check, f"its channels are told from those of other sites by the name {name}")]
    remedy = "write systemname = … (another at each site) into [options] of asterisk.conf, and restart Asterisk"
    return [error(check, "its channels may have the ids of another site's, and calls be mixed up", remedy)]


class _Examination:
    def __init__(
        self,
        site: SiteSettings,
        peer: Peer,
        agents: Sequence[AgentSpec],
        prompts: Sequence[str],
        http: HttpChannel,
        session: aiohttp.ClientSession,
        clock: Callable[[], float],
    ) -> None:
        self._site = site
        self._peer = peer
        self._agents = agents
        self._prompts = prompts
        self._http = http
        self._session = session
        self._clock = clock
        self._check = f"asterisk {site.name}"
        self._scratch = f"callrouter-doctor-{secrets.token_hex(4)}"

    async def run(self) -> list[Finding]:
        first = await self._ask(operations.get_info())
        hindrance = self._hindrance(first)
        if hindrance is not None:
            return [hindrance, *check_prompts(self._site, self._prompts)]
        checks = (
            self._version(first),
            self._rights(),
            self._events(),
            self._application(),
            self._modules(),
            self._phones(),
            self._time(),
            self._globals(),
            self._sounds(),
        )
        return [finding for found in await asyncio.gather(*map(self._guarded, checks)) for finding in found]

    async def _guarded(self, check: Awaitable[list[Finding]]) -> list[Finding]:
        try:
            return await check
        except AriProtocolError as exc:
            remedy = "see that ari_url is an Asterisk and not a proxy's error page"
            return [error(self._check, str(exc), remedy)]

    async def _ask(self, request: Request) -> Reply:
        return await self._http.call(request, WAIT_S)

    def _hindrance(self, reply: Reply) -> Finding | None:
        """Why there is no point in asking further."""
        url = self._peer.url
        if reply.doubt is Doubt.TIMED_OUT:
            remedy = "Asterisk hangs: see its log, then restart it"
            return error(self._check, f"{url} takes connections and does not answer within {WAIT_S:g} s", remedy)
        if reply.outcome is Outcome.UNKNOWN:
            remedy = "is Asterisk running, with enabled=yes in http.conf, and is ari_url the right one?"
            return error(self._check, f"{url} cannot be reached", remedy)
        if reply.status in (401, 403):
            remedy = f"compare user and password with [{self._peer.user}] in ari.conf"
            return error(self._check, f"{url} refuses user {self._peer.user!r} ({reply.status})", remedy)
        if reply.outcome is not Outcome.DONE:
            remedy = "set enabled=yes in ari.conf and load res_ari and res_ari_asterisk"
            return error(self._check, f"{url} has no ARI: it answers {reply.status}", remedy)
        return None

    async def _version(self, reply: Reply) -> list[Finding]:
        version = reply.read(AsteriskInfo).system.version
        return check_version(self._check, version) + (
            check_can_dial(self._check, version) if self._peer.dials_in else []
        )

    async def _rights(self) -> list[Finding]:
        reply = await self._ask(operations.set_event_filter(self._scratch, ()))
        user = self._peer.user
        if reply.status == 403:
            remedy = f'write read_only=no into [{user}] of ari.conf, then: asterisk -rx "module reload res_ari.so"'
            return [error(self._check, f"the ARI user {user!r} may only read", remedy)]
        if reply.outcome in (Outcome.GONE, Outcome.DONE):
            return [ok(self._check, f"the ARI user {user!r} may read and write")]
        return [self._unclear("whether the ARI user may write", reply)]

    async def _events(self) -> list[Finding]:
        """A websocket with an application of our own, which is gone with it."""
        try:
            async with asyncio.timeout(WAIT_S), open_websocket(self._session, self._peer, self._scratch):
                return [ok(self._check, "events: the websocket opens")]
        except (AriError, UnreachableError) as exc:
            return [error(self._check, f"events: {exc}", "load res_ari_events and res_http_websocket")]
        except TimeoutError:
            remedy = "Asterisk hangs, or http.conf's sessionlimit is reached: raise it"
            return [error(self._check, f"events: the websocket does not open within {WAIT_S:g} s", remedy)]

    async def _application(self) -> list[Finding]:
        name = self._peer.application
        reply = await self._ask(operations.get_application(name))
        if self._peer.dials_in and reply.outcome in (Outcome.DONE, Outcome.GONE):
            return check_application(self._check, self._peer, is_there=reply.outcome is Outcome.DONE)
        if reply.outcome is Outcome.DONE:
            return [ok(self._check, f"a daemon is connected as application {name!r}")]
        if reply.outcome is Outcome.GONE:
            remedy = "start it (systemctl start callrouter); until then calls go to the dialplan's fallback"
            return [warning(self._check, f"no daemon is connected as application {name!r}", remedy)]
        if reply.doubt is Doubt.TIMED_OUT:
            remedy = "bug #2170 deadlocks applications that subscribe to device states: restart Asterisk"
            return [error(self._check, f"the application {name!r} does not answer, while Asterisk does", remedy)]
        return [self._unclear(f"the application {name!r}", reply)]

    async def _modules(self) -> list[Finding]:
        reply = await self._ask(Request(Method.GET, "asterisk/modules"))
        if reply.outcome is not Outcome.DONE:
            return [self._unclear("which modules are loaded", reply)]
        modules = reply.read(list[_Module])
        running = {module.name.removesuffix(".so") for module in modules if module.status == "Running"}
        found = check_modules(self._check, running, technologies(self._agents))
        return found + (check_dialling_modules(self._check, running) if self._peer.dials_in else [])

    async def _phones(self) -> list[Finding]:
        reply = await self._ask(operations.list_endpoints())
        if reply.outcome is not Outcome.DONE:
            return [self._unclear("the counselors' phones", reply)]
        return check_phones(self._check, self._agents, reply.body)

    async def _time(self) -> list[Finding]:
        before = self._clock()
        reply = await self._ask(operations.ping())
        after = self._clock()
        if reply.outcome is not Outcome.DONE:
            return [self._unclear("its clock", reply)]
        try:
            theirs = datetime.fromisoformat(reply.read(AsteriskPing).timestamp).timestamp()
        except ValueError:
            return [self._unclear("its clock", reply)]
        ahead_s = theirs - (before + after) / 2
        text = f"its clock is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} ours"
        remedy = "let chrony keep the time on both machines"
        # What the answer took is how exactly this can be known.
        skew_s = abs(ahead_s) - (after - before)
        if skew_s > SKEW_ERROR_S:
            return [error(self._check, text, remedy)]
        if skew_s > SKEW_WARNING_S:
            return [warning(self._check, text, remedy)]
        return [ok(self._check, "its clock agrees with ours")]

    async def _globals(self) -> list[Finding]:
        """The dialplan's settings: ARI shows global variables, but not the dialplan itself."""
        application = await self._global("CALLROUTER_APP")
        phones = await self._global("CALLROUTER_FALLBACK_PHONES")
        found = []
        named = application or DEFAULT_APPLICATION
        if application is not None and named != self._peer.application:
            text = f"the dialplan hands calls to {named!r}, this site's application is {self._peer.application!r}"
            remedy = f"write CALLROUTER_APP={self._peer.application} into [globals], then: {_DIALPLAN_RELOAD}"
            found.append(error(self._check, text, remedy))
        if phones == "" and not await self._global(GLOBAL):
            remedy = f"write CALLROUTER_FALLBACK_PHONES=PJSIP/201&PJSIP/202 into [globals], then: {_DIALPLAN_RELOAD}"
            found.append(warning(self._check, "the fallback rings nobody while no daemon is there", remedy))
        elif phones:
            found.append(ok(self._check, f"the fallback rings {phones}"))
        if self._peer.dials_in:
            found.append(check_wait(self._check, await self._global(WAIT)))
        return found

    async def _sounds(self) -> list[Finding]:
        if not self._prompts:
            return []
        data_dir = await self._global("ASTDATADIR")
        # Whether they were there at its start matters only where the files themselves cannot be seen.
        reply = await self._ask(Request(Method.GET, "sounds"))
        known = reply.read(list[KnownSound]) if reply.outcome is Outcome.DONE else []
        names = {sound.announcement for sound in known} - {None}
        return check_prompts(self._site, self._prompts, data_dir or "", {name for name in names if name})

    async def _global(self, name: str) -> str | None:
        """The variable's value, empty if it is not set; None if Asterisk does not tell."""
        reply = await self._ask(Request(Method.GET, "asterisk/variable", (("variable", name),)))
        return reply.read(Variable).value if reply.outcome is Outcome.DONE else None

    def _unclear(self, what: str, reply: Reply) -> Finding:
        why = f"answers {reply.status}" if reply.doubt is None else f"does not answer ({reply.doubt})"
        return warning(self._check, f"{what} cannot be told: Asterisk {why}", "see Asterisk's log, and run this again")


_DIALPLAN_RELOAD: Final = 'asterisk -rx "dialplan reload"'
