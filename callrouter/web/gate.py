"""Who is let in: every request passes here before anything is answered.

A request says who it is from by a cookie (a session, of who logged in by page) or by a token (of a program, or of
whoever may read the daemon's state directory). What it needs is in :mod:`callrouter.web.needs`, what the account may in
:mod:`callrouter.core.access`. Without accounts everybody is let do everything, as far as anybody gets here: the
configuration is refused unless the server listens on loopback alone.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

import structlog
from aiohttp import web

from callrouter.addresses import is_loopback
from callrouter.config.accounts import LOCAL
from callrouter.config.settings import WebSettings
from callrouter.core.access import Account, Permission, Role, Scope, scope_of
from callrouter.core.audit import AuditKind
from callrouter.core.ids import AccountName, AgentId
from callrouter.web.needs import NEEDS, OWN_AWARE, Open, key_of
from callrouter.web.sessions import Sessions, digest
from callrouter.web.throttle import RateLimit
from callrouter.web.trail import AuditTrail, Notary

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Via = Literal["page", "api", "command"]
KnownAccounts = Callable[[], Mapping[AccountName, Account] | None]
"""The accounts of this moment; None: there are none, and everybody is let in."""

NO_FOREIGN_PAGES: Final = "without accounts orders come from no page of another name; callrouter account add makes one"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SELF_NOTED: Final = frozenset({("POST", "/api/v1/session"), ("DELETE", "/api/v1/session")})
_NOTED_LOOKS: Final = frozenset({("GET", "/api/v1/audit")})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, by what way, and from where."""

    account: Account
    via: Via
    address: str
    only: AgentId | None = None
    """The one counselor whom it may see and order; None: all."""

    @property
    def name(self) -> str:
        """Of the account."""
        return self.account.name

    def gives(self, asked_by: object) -> str:
        """Who gives an order, for records: the account; on this machine, the user that the command tells."""
        return asked_by if self.via == "command" and isinstance(asked_by, str) and asked_by else self.name


@dataclass(slots=True)
class Asking:
    """A request that was let in; what it orders is filled in by who reads it, for the audit log."""

    visitor: Visitor | None
    who: object = None
    said: str = ""


_asking: ContextVar[Asking] = ContextVar("asking")
_NOBODY: Final = Asking(None)


def asking() -> Asking:
    """Who asks what, in the task that answers; nobody where there are no accounts."""
    return _asking.get(_NOBODY)


def visitor_now() -> Visitor | None:
    """Who asks, in the task that answers; None where there are no accounts."""
    return asking().visitor


class Gate:
    """Lets requests through, or not. ``local_token`` opens it to who may read it in the state directory."""

    def __init__(
        self,
        accounts: KnownAccounts,
        settings: WebSettings,
        trail: AuditTrail,
        now: Callable[[], datetime],
        *,
        local_token: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.accounts = accounts
        self.settings = settings
        self.sessions = Sessions(settings.session_idle_s, settings.session_longest_s)
        self.notary = Notary(trail, now)
        self.monotonic = monotonic
        self._local = digest(local_token) if local_token else ""
        self._rate = RateLimit(settings.requests_per_s)

    @property
    def cookie(self) -> str:
        """Its name; ``__Host-`` has browsers see to it that it is ours alone and goes over HTTPS."""
        return "__Host-callrouter" if self.settings.https else "callrouter"

    def address(self, request: web.Request) -> str:
        """Where the client is: behind a proxy that we know, where that says."""
        return client_address(request.remote or "", request.headers.get("X-Forwarded-For", ""), self.settings.proxies)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what may be answered."""
        accounts = self.accounts()
        if accounts is None:
            if request.method not in SAFE and not is_of_this_machine(request):
                raise web.HTTPForbidden(reason=NO_FOREIGN_PAGES)
            return await handler(request)
        address = self.address(request)
        token = _token(request)
        known = self._by_cookie(request, accounts) if token is None else self._by_token(token, accounts)
        visitor = Visitor(*known, address) if known is not None else None
        # Before anything is refused: who guesses tokens is slowed down, too.
        self._slow_down(visitor, address)
        resource = request.match_info.route.resource
        if resource is None:  # no such path, or not by that method
            return await handler(request)
        key = key_of(request.method, resource.canonical)
        need = NEEDS.get(key)
        if need is Open.ANYBODY:
            return await handler(request)
        if visitor is None:
            return self._stranger(request, address, has_token=token is not None)
        visitor = self._permitted(request, visitor, need, key)
        # Requests of one connection come one after the other in one task: what is set here is taken back.
        let_in = _asking.set(Asking(visitor))
        try:
            if key in _SELF_NOTED or (request.method in SAFE and key not in _NOTED_LOOKS):
                return await handler(request)
            return await self._noted(request, handler, visitor)
        finally:
            _asking.reset(let_in)

    def _by_cookie(self, request: web.Request, accounts: Mapping[AccountName, Account]) -> tuple[Account, Via] | None:
        cookie = request.cookies.get(self.cookie)
        session = self.sessions.find(cookie, self.monotonic()) if cookie else None
        if session is None or cookie is None:
            return None
        # Who was given another role or password, or is gone, has to log in again.
        if accounts.get(session.account.name) != session.account:
            self.sessions.end(cookie)
            return None
        return session.account, "page"

    def _by_token(self, token: str, accounts: Mapping[AccountName, Account]) -> tuple[Account, Via] | None:
        known = digest(token)
        if self._local and compare_digest(known, self._local):
            return Account(AccountName(LOCAL), Role.ADMIN), "command"
        for account in accounts.values():
            if any(compare_digest(f"sha256:{known}", kept) for kept in account.tokens):
                return account, "api"
        return None

    def _slow_down(self, visitor: Visitor | None, address: str) -> None:
        """Commands of this machine are let through: who gives them could do worse, and may be in a hurry."""
        if visitor is not None and visitor.via == "command":
            return
        key = f"account {visitor.name}" if visitor is not None else f"address {neighbours(address)}"
        wait_s = self._rate.take(key, self.monotonic())
        if wait_s:
            raise too_many(wait_s, "too many requests; ask less often")

    def _stranger(self, request: web.Request, address: str, *, has_token: bool) -> web.StreamResponse:
        if has_token:
            self.refuse("token", "unknown", address)
            raise web.HTTPUnauthorized(
                reason="no account has this token; callrouter account token makes one", headers=_ASK_FOR_TOKEN
            )
        if request.path == "/":
            return web.Response(status=303, headers={"Location": "/login"})
        log.debug("web.stranger", path=request.path, address=address)
        raise web.HTTPUnauthorized(reason="log in first, or send the token of an account", headers=_ASK_FOR_TOKEN)

    def _permitted(self, request: web.Request, visitor: Visitor, need: object, key: tuple[str, str]) -> Visitor:
        """The visitor, bound to its own counselor where it may do this of him alone."""
        if visitor.via == "page" and request.method not in SAFE and not is_same_origin(request, must_say=True):
            self._refused(request, visitor, "from another page")
            raise web.HTTPForbidden(reason="orders of a page are taken from our own page alone")
        if need is Open.ANY_ACCOUNT:
            return visitor
        scope = scope_of(visitor.account.role, need) if isinstance(need, Permission) else None
        if scope is None or (scope is Scope.OWN and key not in OWN_AWARE):
            self._refused(request, visitor, f"not permitted: {need or 'nothing is known of this path'}")
            raise web.HTTPForbidden(
                reason=f"account {visitor.name} ({visitor.account.role}) may not do this ({need}); ask an admin"
            )
        return replace(visitor, only=visitor.account.agent) if scope is Scope.OWN else visitor

    def _refused(self, request: web.Request, visitor: Visitor, why: str) -> None:
        entry = self.notary.entry(
            AuditKind.ACCESS, request.path, "403", who=visitor.name, via=visitor.via,
            account=visitor.name, address=visitor.address, was=request.method, note=why,
        )  # fmt: skip
        self.notary.refused(entry, self.monotonic())

    def refuse(self, name: str, why: str, address: str) -> None:
        """Note that somebody was not let in."""
        entry = self.notary.entry(
            AuditKind.LOGIN, name, "refused", who="unknown", via="page", account="", address=address, note=why
        )
        log.warning("web.login_refused", account=name, address=address, why=why)
        self.notary.refused(entry, self.monotonic())

    async def _noted(self, request: web.Request, handler: Handler, visitor: Visitor) -> web.StreamResponse:
        """Answer, and note what became of it."""
        status = 500
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as exc:
            status = exc.status
            raise
        else:
            return response
        finally:
            entry = self.notary.entry(
                AuditKind.ACCESS, request.path, str(status), who=visitor.gives(asking().who), via=visitor.via,
                account=visitor.name, address=visitor.address, was=request.method, note=asking().said,
            )  # fmt: skip
            self.notary.trail.note(entry)


def _token(request: web.Request) -> str | None:
    """What is said to be an account's token; None: nothing is."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


_ASK_FOR_TOKEN: Final = {"WWW-Authenticate": 'Bearer realm="callrouter"'}


def too_many(wait_s: float, why: str) -> web.HTTPTooManyRequests:
    """429, with when to ask again."""
    return web.HTTPTooManyRequests(reason=why, headers={"Retry-After": str(math.ceil(wait_s))})


def is_same_origin(request: web.Request, *, must_say: bool) -> bool:
    """Whether a browser sent it from a page of ours. ``must_say``: what says nothing of it is refused."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    if origin is None:
        return not must_say
    return _parts(origin).netloc.lower() == request.host.lower()


def is_of_this_machine(request: web.Request) -> bool:
    """Whether no browser sent it, or from a page of loopback: a name that is made to lead here is somebody else's."""
    origin = request.headers.get("Origin")
    return origin is None or is_loopback(_parts(origin).hostname or "")


def _parts(origin: str) -> SplitResult:
    """Of an origin; what is none has nothing in them."""
    try:
        return urlsplit(origin)
    except ValueError:
        return urlsplit("")


def client_address(remote: str, forwarded: str, proxies: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """The nearest address that is no proxy of ours; what proxies of others have written before it proves nothing."""
    address = remote
    hops = [hop.strip() for hop in forwarded.split(",")] if forwarded else []
    while hops and _is_in(address, proxies):
        nearer = hops.pop()
        try:
            address = str(ip_address(nearer))
        except ValueError:
            break
    return address


def _is_in(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def neighbours(address: str) -> str:
    """By what an address is counted: of IPv6, whose holders have many, by its network."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Network((int(found) >> 64 << 64, 64))) if isinstance(found, IPv6Address) else address
