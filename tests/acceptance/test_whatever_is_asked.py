"""Whatever a running daemon is asked over its API, with people on the phone: it answers as described, and goes on."""

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callrouter.core.access import Role
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.ordering import command
from tests.web.described import OPERATIONS, Asked, Words, answer_to, assert_as_described, requests

pytestmark = pytest.mark.asterisk

AGENT = "201"
MORE = os.environ.get("FUZZ_EXAMPLES")
WORDS: Words = {
    "": (
        AGENT,
        "202",
        "kim",
        "typhoon",
        "changwon",
        "gyeongnam",
        "passport",
        "055-225-1234",
        "01098765432",
        "1",
        "120",
    ),
    "agent": (AGENT,),
    "switch": ("typhoon", "night-service"),
    "queues": ("changwon", "gyeongnam", "changwon-night"),
    "phone": ("kim", "PJSIP/202"),
    "target": ("202", AGENT, "gyeongnam", "01098765432", "120"),
    "number": ("055-225-1234", "1"),
}
SUPERVISORS = """
supervisors:
  kim: {name: 김팀장, site: gyeongnam, endpoint: PJSIP/202, queues: [changwon]}
"""
NO_HAND_OVER = [one for one in OPERATIONS if one.path != "/api/v1/hand-over"]


def token(role: Role) -> str:
    return f"the token of {role}"


def accounts(config: Path) -> None:
    """One of each role, who comes by a token and asks as often as he likes; and a supervisor with a phone."""
    (config / "supervisors.yaml").write_text(SUPERVISORS, encoding="utf-8")
    entries = [
        f"  {role}:\n    role: {role}\n    tokens: [sha256:{hashlib.sha256(token(role).encode()).hexdigest()}]\n"
        + (f'    agent: "{AGENT}"\n' if role is Role.AGENT else "")
        for role in Role
    ]
    (config / "accounts.yaml").write_text("accounts:\n" + "".join(entries), encoding="utf-8")
    path = config / "callrouter.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("\nweb:\n", "\nweb:\n  requests: 1000\n"), encoding="utf-8")


def ask_all(port: int, words: Words) -> None:
    """So many requests, one after the other."""

    @settings(
        max_examples=int(MORE or 500),
        derandomize=MORE is None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(asked=requests(words, NO_HAND_OVER), role=st.sampled_from((None, *Role, Role.ADMIN, Role.ADMIN, Role.ADMIN)))
    def ask(asked: Asked, role: Role | None) -> None:
        answer = answer_to(
            port, asked.by({"Authorization": f"Bearer {token(role)}"} if role is not None else {}).wire()
        )
        assert_as_described(asked, answer)
        if asked.is_plain and not asked.operation.is_open and role not in asked.operation.roles:
            assert answer.status in (401, 403, 404)

    ask()


async def test_a_daemon_with_people_on_the_phone_answers_whatever_it_is_asked_and_takes_the_next_call(
    caller: People, counselor: People, centre: MakeCentre, database: str
) -> None:
    office = await centre(agents=(AGENT,), edit=accounts, database_url=database)
    talks, waits = await caller("0552251234"), await caller("0552259999")
    phone, _ = await counselor(AGENT), await counselor("202")
    await office.talk(talks, phone)
    await waits.dial("120")
    await office.until_call_states("connected", "queued")
    calls = [call["call"] for call in (await office.status())["calls"]]

    port = int(office.daemon.url.rpartition(":")[2])
    await asyncio.to_thread(ask_all, port, {**WORDS, "call": (AGENT, *calls), "call_id": calls})

    assert_nothing_went_wrong(office)
    assert office.daemon.is_ready()
    for resident in (talks, waits):
        await resident.hang_up()
    await office.until("the calls are over", lambda status: not status["calls"], timeout_s=20)
    for order in ("login", "ready"):
        await command(office, "agent", order, AGENT)
    await command(office, "switch", "off", "typhoon")
    await office.until_agent(AGENT, "available")
    await office.talk(await caller("0552251111"), phone)
    assert_nothing_went_wrong(office)


def assert_nothing_went_wrong(office: Centre) -> None:
    """Nothing was logged as an error, and no line of the log was broken by what was sent."""
    # The first line, which says what time it is for the daemon, is none of the log.
    text = office.daemon.log_text().partition("\n")[2]
    entries = [json.loads(line) for line in text.splitlines()]
    assert [entry for entry in entries if entry["level"] in ("error", "critical")] == []
    assert "Traceback" not in text
