"""Whatever is sent to any operation of the API: it is answered as described, and who may not changes nothing.

``FUZZ_EXAMPLES`` asks for more than the usual number of requests, and not for the same ones each time.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from callrouter.core.access import Role
from tests.web.described import Asked, answer_to, assert_as_described, requests
from tests.web.guarded import LOCAL, SETTINGS, Office, bearer

MORE = os.environ.get("FUZZ_EXAMPLES")
USUAL = settings(
    max_examples=int(MORE or 800),
    derandomize=MORE is None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CALLS = ("019ab3c4-0000-7000-8000-000000000001", "019ab3c4-0000-7000-8000-000000000002", "c1")
WORDS = {
    "": ("201", "301", "kim", "typhoon", "night", "changwon", "120", "055-225-1234", "all", *CALLS),
    "call": ("201", "301", *CALLS),
    "call_id": CALLS,
    "number": ("055-225-1234", "anonymous"),
    "account": tuple(role.value for role in Role),
    "password": tuple(f"the password of {role.value}" for role in Role),
}
STRANGERS: tuple[dict[str, str], ...] = (
    {},
    {"Authorization": "Bearer guessed"},
    {"Authorization": "Bearer "},
    {"Authorization": "bearer \xff\xfe"},
    {"Authorization": "Basic a2ltOmtpbQ=="},
    {"Authorization": "nonsense"},
    {"Cookie": "callrouter=guessed"},
    {"Cookie": "callrouter=\xff"},
)
WHO = st.sampled_from((*Role, Role.ADMIN, "local")) | st.sampled_from(range(len(STRANGERS)))


@dataclass(repr=False)
class Served:
    """An office that takes requests in a thread of its own, and what it logs."""

    office: Office
    port: int
    logged: list[str]

    def orders(self) -> list[int]:
        """How much was asked of everybody who could change something."""
        office = self.office
        desks = (
            office.attendance, office.talks, office.supervision, office.recordings,
            office.switcher, office.reloader, office.memory, office.returns,
        )  # fmt: skip
        return [len(desk.asked) for desk in desks]


@contextmanager
def serving(office: Office) -> Iterator[Served]:
    """Serve until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = office.server()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(5)
    log = logging.getLogger("aiohttp")
    kept = _Kept()
    log.addHandler(kept)
    try:
        with capture_logs() as logged:
            served = Served(office, server.port, kept.said)
            yield served
        kept.said += [str(entry) for entry in logged if entry["log_level"] in ("error", "critical")]
        assert kept.said == []
    finally:
        log.removeHandler(kept)
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Kept(logging.Handler):
    """What libraries say of it at the level of errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


def headers_of(who: Role | int | str) -> dict[str, str]:
    """What says who asks."""
    if isinstance(who, int):
        return STRANGERS[who]
    return {"Authorization": f"Bearer {LOCAL}"} if who == "local" else bearer(who)


@USUAL
@given(asked=requests(WORDS), who=WHO)
def test_whatever_is_sent_is_answered_as_described_and_who_may_not_changes_nothing(
    served: Served, asked: Asked, who: Role | int | str
) -> None:
    before = served.orders()
    answer = answer_to(served.port, asked.by(headers_of(who)).wire())
    assert_as_described(asked, answer)
    is_stranger = isinstance(who, int)
    may = asked.operation.is_open or who == "local" or (not is_stranger and str(who) in asked.operation.roles)
    if not may:
        assert served.orders() == before
        assert asked.is_plain is False or answer.status in (401, 403, 404), answer
    if answer.status >= 400:
        assert served.orders() == before or answer.status in (400, 404, 409, 503)
    assert served.logged == []


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(Office(settings=replace(SETTINGS, requests_per_s=1_000_000))) as one:
        yield one
