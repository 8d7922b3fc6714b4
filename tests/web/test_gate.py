"""Who is let in, to what: each role at each path that the API's description has, and what else is refused."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import aiohttp
import msgspec
import pytest

from callrouter.core.access import PERMISSIONS, Permission, Role, Scope
from callrouter.core.audit import AuditKind
from callrouter.web.agents import AgentsDocument
from callrouter.web.gate import client_address, neighbours
from callrouter.web.needs import NEEDS, OWN_AWARE, Open, key_of
from callrouter.web.openapi import openapi
from callrouter.web.status import StatusDocument
from tests.fakes.conversations import HELD
from tests.fakes.status import CALLER
from tests.web.asking import JSON
from tests.web.guarded import LOCAL, OWN, SETTINGS, Office, bearer

DOCUMENT: dict[str, Any] = msgspec.json.decode(openapi())
OPERATIONS = [
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if method in {"get", "post", "delete"}
]
NOT_DESCRIBED = {("GET", path) for path in ("/", "/login", "/metrics", "/api/v1/openapi.json")}
NOT_DESCRIBED |= {("GET", f"/static/{name}") for name in ("status.css", "status.js", "login.js")}
TALK = "019ab3c4-0000-7000-8000-000000000001"
"""The call of counselor 201; another caller waits in ...2."""
WAITING = "019ab3c4-0000-7000-8000-000000000002"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[aiohttp.ClientSession]:
    async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


async def ask(
    client: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str], body: bytes = b"{}"
) -> tuple[int, bytes]:
    """Status and body of the answer. Names in the path stand for a call that is in progress, and for a recording."""
    place = re.sub(r"\{number\}", "12", re.sub(r"\{call(_id)?\}", TALK, path))
    data = None if method == "GET" else body
    async with client.request(method, place, data=data, headers={**JSON, **headers}, allow_redirects=False) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("method", "path"), [*OPERATIONS, *sorted(NOT_DESCRIBED)])
async def test_each_role_is_let_do_what_the_table_says_and_nothing_else(
    client: aiohttp.ClientSession, role: Role, method: str, path: str
) -> None:
    key = key_of(method, path)
    need = NEEDS[key]
    scope = PERMISSIONS[role].get(need) if isinstance(need, Permission) else Scope.ALL
    is_let_in = scope is Scope.ALL or (scope is Scope.OWN and key in OWN_AWARE)
    status, body = await ask(client, method, path, bearer(role))
    # What is let in is answered as by anybody: an empty order is none (400), and a few places have nothing to show.
    assert (status == 403) is not is_let_in, body
    assert status != 401, body


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_description_says_of_each_path_who_may_ask(method: str, path: str) -> None:
    operation = DOCUMENT["paths"][path][method.lower()]
    need = NEEDS[key_of(method, path)]
    if need is Open.ANYBODY:
        assert operation["security"] == []
        return
    assert operation["security"] == [{"session": []}, {"token": []}]
    assert {"401", "403", "429"} <= set(operation["responses"])
    may = {role for role, granted in PERMISSIONS.items() if need is Open.ANY_ACCOUNT or granted.get(need) is Scope.ALL}
    assert set(operation["x-roles"]) == {role.value for role in may}


def test_every_path_that_is_served_is_in_the_table_and_described(office: Office) -> None:
    served = {
        key_of(route.method, route.resource.canonical)
        for route in office.server()._application().router.routes()
        if route.resource is not None
    }
    assert served == set(NEEDS)
    assert served - {key_of(*one) for one in OPERATIONS} == NOT_DESCRIBED


@pytest.mark.parametrize("key", [key for key, need in NEEDS.items() if need is not Open.ANYBODY and key[1] != "/"])
async def test_who_says_nothing_of_himself_gets_nothing(client: aiohttp.ClientSession, key: tuple[str, str]) -> None:
    async with client.request(key[0], key[1].replace("{}", "12"), headers=JSON, data=b"{}") as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="callrouter"'
        assert (await answer.json())["error"] == "log in first, or send the token of an account"


async def test_a_browser_that_nobody_has_logged_in_at_is_shown_where_to(client: aiohttp.ClientSession) -> None:
    async with client.get("/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login")
    async with client.get("/login") as answer:
        assert answer.status == 200
        assert 'autocomplete="current-password"' in await answer.text()


async def test_a_token_of_nobody_is_refused_and_noted(client: aiohttp.ClientSession, office: Office) -> None:
    status, body = await ask(client, "GET", "/api/v1/status", {"Authorization": "Bearer guessed"})
    assert (status, b"no account has this token" in body) == (401, True)
    (noted,) = office.trail.entries
    assert (noted.kind, noted.name, noted.becomes, noted.address) == (AuditKind.LOGIN, "token", "refused", "127.0.0.1")
    assert "guessed" not in str(noted)


async def test_a_token_is_the_programs_as_long_as_its_account_is_there(
    client: aiohttp.ClientSession, office: Office
) -> None:
    assert (await ask(client, "GET", "/api/v1/status", bearer("operator")))[0] == 200
    office.without(Role.OPERATOR)
    assert (await ask(client, "GET", "/api/v1/status", bearer("operator")))[0] == 401


async def test_an_order_is_the_accounts_whoever_it_says_it_is_from(
    client: aiohttp.ClientSession, office: Office
) -> None:
    order = {"agent": "301", "verb": "pause", "who": "somebody else", "via": "command", "reason": "점심"}
    body = msgspec.json.encode(order)
    assert (await ask(client, "POST", "/api/v1/agents", bearer("supervisor"), body))[0] == 200
    (asked,) = office.attendance.asked
    assert (asked.who, asked.via) == ("supervisor", "api")
    (noted,) = office.trail.entries
    assert (noted.kind, noted.who, noted.account, noted.address) == (
        AuditKind.ACCESS, "supervisor", "supervisor", "127.0.0.1",
    )  # fmt: skip
    assert (noted.was, noted.name, noted.becomes) == ("POST", "/api/v1/agents", "200")
    assert noted.note == "agent=301 verb=pause reason=점심"


async def test_an_order_says_in_words_who_gives_it_although_the_account_counts(
    client: aiohttp.ClientSession, office: Office
) -> None:
    for said in (b'"who": {}', b'"who": ""', b'"via": 7'):
        body = b'{"agent": "301", "verb": "pause", %s}' % said
        assert (await ask(client, "POST", "/api/v1/agents", bearer("supervisor"), body))[0] == 400
    assert office.attendance.asked == []


async def test_a_command_of_this_machine_says_who_gives_it(client: aiohttp.ClientSession, office: Office) -> None:
    body = b'{"agent": "301", "verb": "pause", "who": "root", "via": "command"}'
    headers = {"Authorization": f"Bearer {LOCAL}"}
    assert (await ask(client, "POST", "/api/v1/agents", headers, body))[0] == 200
    assert (office.attendance.asked[0].who, office.attendance.asked[0].via) == ("root", "command")
    assert (office.trail.entries[0].who, office.trail.entries[0].account) == ("root", "local")
    assert (await ask(client, "POST", "/api/v1/agents", headers, b'{"agent": "301", "verb": "pause"}'))[0] == 200
    assert office.attendance.asked[1].who == "local"


async def test_numbers_of_people_outside_are_not_written_down_whole(
    client: aiohttp.ClientSession, office: Office
) -> None:
    body = b'{"call": "201", "verb": "transfer", "target": "01098765432"}'
    assert (await ask(client, "POST", "/api/v1/calls", bearer("supervisor"), body))[0] == 200
    body = b'{"number": "010-9876-5432"}'
    assert (await ask(client, "POST", "/api/v1/remembered/forget", bearer("operator"), body))[0] == 200
    noted = [one.note for one in office.trail.entries]
    assert noted == ["call=201 verb=transfer target=010-9876-****", ""]


async def test_what_is_refused_is_noted_and_a_flood_of_it_is_counted(
    client: aiohttp.ClientSession, office: Office
) -> None:
    for _ in range(65):
        assert (await ask(client, "POST", "/api/v1/reload", bearer("supervisor")))[0] == 403
    assert len(office.trail.entries) == 60
    assert {one.note for one in office.trail.entries} == {"not permitted: reload"}
    office.now_s += 2
    await ask(client, "POST", "/api/v1/reload", bearer("supervisor"))
    assert office.trail.entries[-1].note == "not permitted: reload; 5 more were refused before, too many to note each"


async def test_a_counselor_sees_himself_alone(client: aiohttp.ClientSession) -> None:
    _, body = await ask(client, "GET", "/api/v1/agents", bearer("agent"))
    assert [one.agent for one in msgspec.json.decode(body, type=AgentsDocument).agents] == [OWN]
    _, body = await ask(client, "GET", "/api/v1/status", bearer("agent"))
    status = msgspec.json.decode(body, type=StatusDocument)
    assert ([one.agent for one in status.agents], [one.call for one in status.calls]) == ([OWN], [TALK])
    assert (status.trunks, status.boxes, status.callbacks, status.live) == ((), (), (), None)
    assert (status.switches, status.surges) == ((), ())
    _, body = await ask(client, "GET", "/", bearer("agent"))
    assert ("도청 상담사 1" in body.decode(), "창원 &lt;상담사&gt; 1" in body.decode()) == (True, False)


@pytest.mark.parametrize(("agent", "status"), [(OWN, 200), ("301", 403)])
async def test_a_counselor_orders_himself_alone(
    client: aiohttp.ClientSession, office: Office, agent: str, status: int
) -> None:
    body = msgspec.json.encode({"agent": agent, "verb": "pause"})
    assert (await ask(client, "POST", "/api/v1/agents", bearer("agent"), body))[0] == status
    assert [one.agent for one in office.attendance.asked] == [OWN] * (status == 200)
    assert office.trail.entries[-1].becomes == str(status)


@pytest.mark.parametrize(("call", "status"), [(OWN, 200), (TALK, 200), (WAITING, 403), ("301", 403), ("none", 403)])
async def test_a_counselor_orders_his_own_call_alone(
    client: aiohttp.ClientSession, office: Office, call: str, status: int
) -> None:
    office.talks.report = HELD
    body = msgspec.json.encode({"call": call, "verb": "hold"})
    assert (await ask(client, "POST", "/api/v1/calls", bearer("agent"), body))[0] == status
    assert len(office.talks.asked) == (status == 200)


async def test_without_accounts_everybody_is_let_do_everything_but_see_whole_numbers(
    client: aiohttp.ClientSession, office: Office
) -> None:
    office.accounts = None
    body = b'{"agent": "301", "verb": "pause", "who": "kim"}'
    assert (await ask(client, "POST", "/api/v1/agents", {}, body))[0] == 200
    assert office.attendance.asked[0].who == "kim"
    assert (await ask(client, "GET", "/", {}))[0] == 200
    assert (await ask(client, "GET", "/login", {}))[0] == 404
    assert (await ask(client, "GET", "/api/v1/session", {}))[0] == 404
    assert (await ask(client, "DELETE", "/api/v1/session", {}))[0] == 204
    status, body = await ask(client, "POST", "/api/v1/calls/{call_id}/number", {})
    assert (status, CALLER.encode() in body) == (403, False)
    assert office.trail.entries == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://127.0.0.1:8080", 200),
        ("http://localhost:8080", 200),
        ("http://[::1]:8080", 200),
        ("http://evil.example:8080", 403),
        ("null", 403),
        ("http://[::1", 403),
    ],
)
async def test_without_accounts_a_page_whose_name_is_made_to_lead_here_gives_no_orders(
    client: aiohttp.ClientSession, office: Office, origin: str | None, status: int
) -> None:
    office.accounts = None
    headers = {"Origin": origin, "Host": origin.removeprefix("http://")} if origin is not None else {}
    body = b'{"agent": "301", "verb": "pause"}'
    assert (await ask(client, "POST", "/api/v1/agents", headers, body))[0] == status
    assert len(office.attendance.asked) == (status == 200)


async def test_who_asks_too_often_is_told_when_to_ask_again_and_others_are_not(office: Office) -> None:
    office.settings = replace(SETTINGS, requests_per_s=2)
    async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        for _ in range(8):
            assert (await ask(client, "GET", "/api/v1/status", bearer("operator")))[0] == 200
        async with client.get("/api/v1/status", headers=bearer("operator")) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert (await ask(client, "GET", "/api/v1/status", bearer("auditor")))[0] == 200
        assert (await ask(client, "GET", "/healthz", {}))[0] == 200
        for _ in range(20):
            assert (await ask(client, "GET", "/api/v1/status", {"Authorization": f"Bearer {LOCAL}"}))[0] == 200
        office.now_s += 0.5
        assert (await ask(client, "GET", "/api/v1/status", bearer("operator")))[0] == 200


async def test_an_order_that_fails_by_a_defect_is_noted_too(client: aiohttp.ClientSession, office: Office) -> None:
    async def fall_over(*_: object) -> None:
        raise ZeroDivisionError

    office.attendance.order = fall_over  # type: ignore[method-assign, assignment]
    body = b'{"agent": "301", "verb": "pause"}'
    assert (await ask(client, "POST", "/api/v1/agents", bearer("admin"), body))[0] == 500
    assert office.trail.entries[-1].becomes == "500"


async def test_paths_and_methods_that_there_are_not_are_answered_as_ever(client: aiohttp.ClientSession) -> None:
    assert (await ask(client, "GET", "/nothing", bearer("admin")))[0] == 404
    assert (await ask(client, "DELETE", "/api/v1/status", bearer("admin")))[0] == 405
    async with client.head("/api/v1/status") as answer:
        assert answer.status == 401


async def test_a_path_of_which_the_table_knows_nothing_is_served_to_nobody(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(NEEDS, ("GET", "/api/v1/queues"))
    assert (await ask(client, "GET", "/api/v1/queues", bearer("admin")))[0] == 403


PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.9", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.9", ""),
    ],
)
def test_an_address_is_what_the_nearest_proxy_of_ours_says(remote: str, forwarded: str, address: str) -> None:
    assert client_address(remote, forwarded, PROXIES) == address


def test_neighbours_count_as_one() -> None:
    assert neighbours("2001:db8::1") == neighbours("2001:db8::ffff:1") != neighbours("2001:db8:0:1::1")
    assert neighbours("192.0.2.7") == "192.0.2.7"
    assert neighbours("") == ""
