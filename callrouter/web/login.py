"""Logging in and out by page: ``/login`` and ``/api/v1/session``."""

from html import escape
from typing import Annotated, Final

import msgspec
import structlog
from aiohttp import web

from callrouter.core.access import LONGEST_PASSWORD, PERMISSIONS, Account, Role
from callrouter.core.audit import AuditKind
from callrouter.core.ids import AccountName, AgentId
from callrouter.web.gate import Gate, Visitor, is_same_origin, neighbours, too_many
from callrouter.web.passwords import PasswordCheck, TooManyError
from callrouter.web.throttle import LoginThrottle

log = structlog.get_logger(__name__)

FREE_TRIES: Final = 4
LONGEST_OF_ACCOUNT_S: Final = 300.0
"""Not longer: else whoever knows a name could keep its owner out all day."""
LONGEST_OF_ADDRESS_S: Final = 900.0
FREE_TRIES_OF_ADDRESS: Final = 20
"""An office may have one address."""
WRONG: Final = "wrong account or password"
BUSY_S: Final = 1.0


class LoginRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to come in."""

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_PASSWORD)]


class SessionDocument(msgspec.Struct, frozen=True):
    """Who is in, and what he may do; of himself alone (``own``) or of all."""

    account: AccountName
    title: str
    role: Role
    agent: AgentId | None
    permissions: dict[str, str]


class LoginDesk:
    """Begins and ends sessions of a gate."""

    def __init__(self, gate: Gate, check: PasswordCheck | None = None) -> None:
        self._gate = gate
        self._check = check or PasswordCheck()
        self._accounts = LoginThrottle(free=FREE_TRIES, longest_s=LONGEST_OF_ACCOUNT_S)
        self._addresses = LoginThrottle(free=FREE_TRIES_OF_ADDRESS, longest_s=LONGEST_OF_ADDRESS_S)

    async def begin(self, request: web.Request, asked: LoginRequest) -> Account:
        """The account of who logs in. Raises 401, 403 or 429 as the reason for which nobody does."""
        if not is_same_origin(request, must_say=False):
            raise web.HTTPForbidden(reason="log in from our own page")
        address = self._gate.address(request)
        near, name, now_s = neighbours(address), asked.account, self._gate.monotonic()
        account = (self._gate.accounts() or {}).get(AccountName(name))
        # A name that nobody has is not written down: it may be a password that got into the wrong field.
        told = account.name if account is not None else "unknown"
        wait_s = max(self._accounts.wait_s(name, now_s), self._addresses.wait_s(near, now_s))
        if wait_s:
            self._gate.refuse(told, f"tried again too soon, by {wait_s:.0f} s", address)
            raise too_many(wait_s, f"too many wrong passwords; try again in {wait_s:.0f} s")
        self._accounts.tried(name, now_s)
        self._addresses.tried(near, now_s)
        try:
            is_right = await self._check.matches(account.password if account is not None else None, asked.password)
        except TooManyError as exc:
            self._accounts.take_back(name)
            self._addresses.take_back(near)
            raise too_many(BUSY_S, "too many log in at this moment; try again in a second") from exc
        if account is None or not is_right:
            self._gate.refuse(told, WRONG, address)
            raise web.HTTPUnauthorized(reason=WRONG)
        self._accounts.forget(name)
        self._addresses.take_back(near)
        self._note(account, "in", address)
        log.info("web.logged_in", account=account.name, role=account.role, address=address)
        return account

    def let_in(self, request: web.Request, response: web.Response, account: Account) -> None:
        """Give the browser a session, and end the one that it had."""
        gate = self._gate
        gate.sessions.end(request.cookies.get(gate.cookie, ""))
        token = gate.sessions.begin(account, gate.monotonic())
        response.set_cookie(gate.cookie, token, path="/", httponly=True, samesite="Strict", secure=gate.settings.https)

    def end(self, request: web.Request, response: web.Response, visitor: Visitor) -> None:
        """End the session of the request, if it came by one."""
        gate = self._gate
        if gate.sessions.end(request.cookies.get(gate.cookie, "")) is not None:
            self._note(visitor.account, "out", visitor.address)
        response.del_cookie(gate.cookie, path="/", httponly=True, samesite="Strict", secure=gate.settings.https)

    def _note(self, account: Account, becomes: str, address: str) -> None:
        entry = self._gate.notary.entry(
            AuditKind.LOGIN, account.name, becomes, who=account.name, via="page", account=account.name, address=address
        )
        self._gate.notary.trail.note(entry)


def session_document(account: Account) -> SessionDocument:
    """What is told of who is in."""
    permissions = {permission.value: scope.value for permission, scope in PERMISSIONS[account.role].items()}
    return SessionDocument(account.name, account.title, account.role, account.agent, permissions)


_PAGE: Final = """\
<!doctype html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · 로그인</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/status.css">
<script src="/static/login.js" defer></script>
</head>
<body>
<header><h1>{title}</h1></header>
<main>
<form id="login">
<p><label>계정 <span lang="en">Account</span><br>
<input name="account" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="80"
autofocus></label></p>
<p><label>비밀번호 <span lang="en">Password</span><br>
<input name="password" type="password" autocomplete="current-password" required maxlength="256"></label></p>
<p><button>로그인 <span lang="en">Log in</span></button></p>
<p id="answer" role="alert"></p>
</form>
<noscript><p>로그인하려면 자바스크립트가 필요합니다. <span lang="en">Logging in needs JavaScript.</span></p></noscript>
</main>
</body>
</html>
"""


def login_page(title: str) -> str:
    """The HTML, for the service of that title."""
    return _PAGE.format(title=escape(title))
