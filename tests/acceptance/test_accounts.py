"""Accounts on a running daemon: a supervisor logs in and hears a conversation, an operator may not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callrouter.web.passwords import hashed
from lab import audio
from tests.acceptance.centre import POLL_S, Centre, MakeCentre, People

pytestmark = pytest.mark.asterisk

RESIDENT, AGENT, PHONE = "0552251234", "201", "202"
RESIDENT_HZ, COUNSELOR_HZ = 1100.0, 1300.0
TALK_S, ENOUGH_S = 2.0, 1.5
PASSWORD = "correct horse battery"
SUPERVISORS = """
supervisors:
  kim: {name: 김팀장, site: gyeongnam, endpoint: PJSIP/202, queues: [changwon]}
"""
ROLES = {"kim": "supervisor", "lee": "operator", "park": "auditor", "cho": "admin", AGENT: "agent"}
SAME = {"Sec-Fetch-Site": "same-origin"}


def accounts(config: Path) -> None:
    """One of each role that is needed, all with one password."""
    (config / "supervisors.yaml").write_text(SUPERVISORS, encoding="utf-8")
    kept = hashed(PASSWORD)
    entries = [
        f'  "{name}":\n    role: {role}\n    password: {kept}\n' + (f'    agent: "{name}"\n' if role == "agent" else "")
        for name, role in ROLES.items()
    ]
    (config / "accounts.yaml").write_text("accounts:\n" + "".join(entries), encoding="utf-8")


class Browser:
    """One person's browser, which keeps its cookie."""

    def __init__(self, office: Centre) -> None:
        self._http = aiohttp.ClientSession(office.daemon.url, cookie_jar=aiohttp.CookieJar(unsafe=True), headers=SAME)

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def log_in(self, name: str, password: str = PASSWORD) -> int:
        return (await self.post("/api/v1/session", account=name, password=password))[0]

    async def get(self, path: str) -> tuple[int, str]:
        async with self._http.get(path, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def until(self, path: str, text: str) -> str:
        """Wait until what is answered has ``text``: nobody tells when."""
        async with asyncio.timeout(10):
            while text not in (found := (await self.get(path))[1]):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
        return found

    async def post(self, path: str, **said: str) -> tuple[int, Any]:
        async with self._http.post(path, json=said) as answer:
            return answer.status, await answer.json()


async def test_a_supervisor_logs_in_and_hears_a_conversation_and_an_operator_may_not(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), edit=accounts)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    phone, supervisor = await counselor(AGENT, tone_hz=COUNSELOR_HZ), await counselor(PHONE)
    await office.talk(resident, phone)
    (call,) = (await office.status())["calls"]
    place = f"/api/v1/calls/{call['call']}"

    async with Browser(office) as operators, Browser(office) as supervisors, Browser(office) as auditors:
        assert (await operators.get("/"))[0] == 303
        assert await operators.log_in("lee", "a wrong password") == 401
        assert await operators.log_in("lee") == 200
        status, page = await operators.get("/")
        assert (status, "055-225-****" in page, RESIDENT in page) == (200, True, False)
        assert (await operators.post(f"{place}/supervision", verb="listen", phone="kim"))[0] == 403
        assert (await operators.post(f"{place}/number"))[0] == 403

        assert await supervisors.log_in("kim") == 200
        status, said = await supervisors.post(f"{place}/supervision", verb="listen", phone="kim", who="somebody else")
        assert (status, said["ok"]) == (200, True), said
        await supervisor.incoming()
        await supervisor.accept()
        await supervisor.established()
        await supervisors.until(f"{place}/supervision", '"mode":"listen"')
        await asyncio.sleep(TALK_S)  # people talking
        assert await supervisors.post(f"{place}/number", note="calls back") == (
            200, {"call": call["call"], "number": RESIDENT},
        )  # fmt: skip
        await supervisor.hang_up()
        await supervisor.closed()
        await resident.hang_up()
        await resident.closed()

        for tone_hz in (RESIDENT_HZ, COUNSELOR_HZ):
            assert audio.heard_seconds(supervisor.heard(), tone_hz) >= ENOUGH_S
        assert await auditors.log_in("park") == 200
        entries = json.loads(await auditors.until("/api/v1/audit", '"account":"park"'))["entries"]
    began, ended = (one for one in reversed(entries) if one["kind"] == "supervision")
    assert (began["who"], began["becomes"], began["via"]) == ("kim", "listen", "api")
    assert (ended["was"], ended["becomes"]) == ("listen", "none")
    entries = [one for one in reversed(entries) if one["kind"] in {"log-in", "access", "number"}]
    told = [(one["kind"], one["name"].removeprefix(place), one["becomes"], one["account"]) for one in entries]
    assert told[:8] == [
        ("log-in", "lee", "refused", ""),
        ("log-in", "lee", "in", "lee"),
        ("access", "/supervision", "403", "lee"),
        ("access", "/number", "403", "lee"),
        ("log-in", "kim", "in", "kim"),
        ("access", "/supervision", "200", "kim"),
        ("number", call["call"], "seen", "kim"),
        ("access", "/number", "200", "kim"),
    ]
    assert {one["address"] for one in entries} == {"127.0.0.1"}


async def test_a_counselor_orders_himself_and_accounts_are_taken_away_by_a_reload_and_outlive_the_daemon(
    counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT, "203"), edit=accounts)
    kept = office.daemon.config / "accounts.yaml"
    text = kept.read_text(encoding="utf-8")
    await counselor(AGENT)
    async with Browser(office) as browser, Browser(office) as admins:
        assert await browser.log_in(AGENT) == 200
        status, said = await browser.post("/api/v1/agents", agent=AGENT, verb="pause", reason="점심")
        assert (status, said["changed"]) == (200, True)
        assert (await browser.post("/api/v1/agents", agent="203", verb="pause"))[0] == 403
        await office.until_agent(AGENT, "paused")
        ready = await asyncio.to_thread(office.daemon.run, "agent", "ready", AGENT)
        assert ready.returncode == 0, ready.stderr

        assert await admins.log_in("cho") == 200
        kept.unlink()
        status, said = await admins.post("/api/v1/reload")
        assert (status, "would be open to everybody on this machine" in said["errors"][0]) == (409, True)
        assert (await browser.get("/api/v1/agents"))[0] == 200
        kept.write_text(text[: text.index(f'  "{AGENT}":')], encoding="utf-8")
        assert (await admins.post("/api/v1/reload"))[0] == 200
        assert (await browser.get("/api/v1/agents"))[0] == 401
        await office.kill()
        await office.restart()
        assert (await admins.get("/api/v1/agents"))[0] == 401, "sessions end with the daemon"
        assert await admins.log_in("cho") == 200
    assert (await office.status())["agents"], "the token is another, and this machine knows it"
