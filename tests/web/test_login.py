"""Logging in and out by page, and whoever tries to without being allowed to."""

from collections.abc import AsyncIterator
from dataclasses import replace
from http.cookies import SimpleCookie

import aiohttp
import msgspec
import pytest

from callrouter.core.access import Role
from callrouter.core.audit import AuditKind
from callrouter.web.login import SessionDocument
from tests.web.asking import JSON
from tests.web.guarded import OWN, SETTINGS, Office, password

PLACE = "/api/v1/session"
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser: it keeps cookies, of an address too."""
    async with (
        office.server() as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield session


async def log_in(
    client: aiohttp.ClientSession, name: str, word: str | None = None, headers: dict[str, str] | None = None
) -> aiohttp.ClientResponse:
    body = msgspec.json.encode({"account": name, "password": password(name) if word is None else word})
    async with client.post(PLACE, data=body, headers={**JSON, **(headers or {})}) as answer:
        await answer.read()
        return answer


async def test_who_logs_in_is_known_until_he_logs_out(client: aiohttp.ClientSession, office: Office) -> None:
    answer = await log_in(client, "agent")
    assert answer.status == 200
    said = msgspec.convert(await answer.json(), SessionDocument)
    assert (said.account, said.role, said.agent, said.title) == ("agent", Role.AGENT, OWN, "<agent>")
    assert said.permissions["order-agents"] == "own"
    async with client.get(PLACE) as who:
        assert msgspec.json.decode(await who.read(), type=SessionDocument) == said
    async with client.get("/") as page:
        assert '&lt;agent&gt; <button id="log-out">' in await page.text()
    async with client.delete(PLACE, headers=SAME) as out:
        assert out.status == 204
    async with client.get(PLACE) as who:
        assert who.status == 401
    assert [(one.kind, one.name, one.becomes, one.account) for one in office.trail.entries] == [
        (AuditKind.LOGIN, "agent", "in", "agent"),
        (AuditKind.LOGIN, "agent", "out", "agent"),
    ]


@pytest.mark.parametrize(("https", "name"), [(False, "callrouter"), (True, "__Host-callrouter")])
async def test_the_cookie_is_for_our_own_pages_alone_and_out_of_reach_of_scripts(
    office: Office, *, https: bool, name: str
) -> None:
    office.settings = replace(SETTINGS, https=https)
    async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        answer = await log_in(client, "admin")
    cookie = SimpleCookie(answer.headers["Set-Cookie"])[name]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], bool(cookie["secure"])) == (
        True, "Strict", "/", https,
    )  # fmt: skip
    assert (cookie["domain"], cookie["expires"], cookie["max-age"]) == ("", "", ""), "it ends with the browser"
    assert len(cookie.value) >= 43


async def test_a_session_is_another_after_logging_in_anew(client: aiohttp.ClientSession) -> None:
    first = (await log_in(client, "operator")).cookies["callrouter"].value
    second = (await log_in(client, "operator")).cookies["callrouter"].value
    assert first != second
    async with client.get(PLACE, cookies={"callrouter": first}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("pauses", "status"), [((1799, 1799), 200), ((1800,), 401), ((1700,) * 25, 200), ((1700,) * 26, 401)]
)
async def test_a_session_ends_unused_and_at_last_at_all(
    client: aiohttp.ClientSession, office: Office, pauses: tuple[int, ...], status: int
) -> None:
    await log_in(client, "operator")
    found = 200
    for pause_s in pauses:
        office.now_s += pause_s
        async with client.get("/api/v1/status") as answer:
            found = answer.status
    assert found == status


@pytest.mark.parametrize("becomes", [Role.ADMIN, Role.AUDITOR, None])
async def test_who_is_given_another_role_or_is_gone_has_to_log_in_again(
    client: aiohttp.ClientSession, office: Office, becomes: Role | None
) -> None:
    await log_in(client, "operator")
    if becomes is None:
        office.without(Role.OPERATOR)
    else:
        office.with_role(Role.OPERATOR, becomes)
    async with client.get("/api/v1/status") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
        ({"Origin": "OWN"}, 200),
        ({"Origin": "OWN", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_orders_by_cookie_are_taken_from_our_own_page_alone(
    client: aiohttp.ClientSession, office: Office, headers: dict[str, str], status: int
) -> None:
    await log_in(client, "supervisor")
    own = str(client._base_url).rstrip("/")
    headers = {name: own if value == "OWN" else value for name, value in headers.items()}
    body = b'{"agent": "301", "verb": "pause"}'
    async with client.post("/api/v1/agents", data=body, headers={**JSON, **headers}) as answer:
        assert answer.status == status
    assert len(office.attendance.asked) == (status == 200)
    last = office.trail.entries[-1]
    assert (last.via, last.becomes, last.account) == ("page", str(status), "supervisor")


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "http://[::1"}]
)
async def test_nobody_is_logged_in_from_another_page(
    client: aiohttp.ClientSession, office: Office, headers: dict[str, str]
) -> None:
    assert (await log_in(client, "admin", headers=headers)).status == 403
    assert office.trail.entries == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"account=admin&password=x", 415),
        (JSON, b"{}", 400),
        (JSON, b'{"account": "admin", "password": ""}', 400),
        (JSON, b'{"account": "admin", "password": "%s"}' % (b"x" * 300), 400),
    ],
)
async def test_what_is_no_log_in_is_refused(
    client: aiohttp.ClientSession, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with client.post(PLACE, data=body, headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize(("name", "told"), [("admin", "admin"), ("hunter2-in-the-wrong-field", "unknown")])
async def test_a_wrong_password_and_an_unknown_account_are_told_the_same(
    client: aiohttp.ClientSession, office: Office, name: str, told: str
) -> None:
    answer = await log_in(client, name, "a wrong password")
    assert answer.status == 401
    assert await answer.json() == {"error": "wrong account or password"}
    assert "Set-Cookie" not in answer.headers
    (noted,) = office.trail.entries
    assert (noted.kind, noted.name, noted.becomes, noted.account, noted.address) == (
        AuditKind.LOGIN, told, "refused", "", "127.0.0.1",
    )  # fmt: skip


async def test_an_account_without_a_password_is_no_one_s_to_log_in_with(
    client: aiohttp.ClientSession, office: Office
) -> None:
    assert office.accounts is not None
    office.accounts = {name: replace(one, password=None) for name, one in office.accounts.items()}
    assert (await log_in(client, "admin")).status == 401


@pytest.mark.parametrize("name", ["admin", "nobody"])
async def test_after_a_few_wrong_passwords_each_next_try_waits_longer_for_unknown_accounts_too(
    client: aiohttp.ClientSession, office: Office, name: str
) -> None:
    for _ in range(5):
        assert (await log_in(client, name, "wrong")).status == 401
    waits = []
    for _ in range(10):
        answer = await log_in(client, name, "wrong")
        assert answer.status == 429
        waits.append(int(answer.headers["Retry-After"]))
        office.now_s += waits[-1]
        assert (await log_in(client, name, "wrong")).status == 401
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert (await log_in(client, name)).status == 429, "the right one waits, too"
    assert (await log_in(client, "operator")).status == 200, "others do not"


async def test_the_right_password_ends_the_waiting(client: aiohttp.ClientSession, office: Office) -> None:
    for _ in range(3):
        for _ in range(5):
            assert (await log_in(client, "admin", "wrong")).status == 401
        office.now_s += 1
        assert (await log_in(client, "admin")).status == 200


async def test_an_address_that_tries_one_account_after_the_other_waits(
    client: aiohttp.ClientSession, office: Office
) -> None:
    for number in range(21):
        assert (await log_in(client, f"nobody-{number}", "wrong")).status == 401
    assert (await log_in(client, "admin")).status == 429
    assert "tried again too soon" in office.trail.entries[-1].note
    office.now_s += 1
    assert (await log_in(client, "admin")).status == 200
    office.now_s += 1
    assert (await log_in(client, "nobody", "wrong")).status == 401
    assert (await log_in(client, "admin")).status == 429, "one right password does not set the address free"
