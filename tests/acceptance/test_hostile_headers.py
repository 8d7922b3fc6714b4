"""Whatever strangers write into the headers of their calls: the calls are routed like any other, and it stays text.

``FUZZ_EXAMPLES`` asks for more calls than usual, and not for the same ones each time.
"""

import asyncio
import json
import os
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from callrouter.core.cdr import Cdr, OfferResult
from callrouter.store.postgres import CdrSearch, open_archive
from lab.asterisk import LabAsterisk
from lab.baresip import INCOMING
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from lab.stranger import Stranger
from tests.acceptance.centre import Centre, MakeCentre, People, edit
from tests.acceptance.ordering import command, read
from tests.acceptance.test_dial_strings import MOBILE, duty

pytestmark = pytest.mark.asterisk

MORE = os.environ.get("FUZZ_EXAMPLES")
CALLS = int(MORE or 48)
AT_ONCE = 8
LONGEST = 128
PIECES = (
    b"0552251234", b"+82552251234", b"\xea\xb2\xbd\xeb\x82\xa8", b"\xb0\xe6\xb3\xb2", b"\xff\xfe\xc0\x80",
    b"&PJSIP/203", b"|PJSIP/203", b"/../..", b"@evil.example", b",1", b"^_:~`", b"%s%n%x", b"`id`", b"{{7*7}}",
    b"${SHELL(touch /tmp/x)}", b"${CHANNEL(name)}", b"$[1+1]", b"${EVAL(${EPOCH})}", b"x" * 300, b"9" * 60,
    b"<script>alert(1)</script>", b"'; DROP TABLE callrouter.cdr; --", b"\x1b[31mred\x1b[0m", b"\xc2\x9b31m",
    b"\x7f\x08\x08", b"\xf0\x9f\x93\x9e", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"a\tb", b"\\", b'"', b"\x00",
    b"\r\nX-Evil: 1", b"anonymous", b"",
)  # fmt: skip
# Without X-Callrouter-Hops: who writes a number into that says that his call has come back, and is refused.
HEADERS = (
    b"P-Asserted-Identity", b"P-Preferred-Identity", b"Remote-Party-ID", b"Diversion", b"History-Info",
    b"Privacy", b"Subject", b"User-Agent", b"X-Anything", b"Call-Info", b"Alert-Info", b"Reason",
)  # fmt: skip


def wide(config: Path) -> None:
    """The duty mobile in front of the sample's routes, over a trunk that is never full."""
    duty(config)
    edit(config / "trunks.yaml", "channels: 9", f"channels: {10 * AT_ONCE}")


class Writer:
    """Writes headers by chance; ``seed`` is where it begins."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def _piece(self) -> bytes:
        return b"".join(self._random.choices(PIECES, k=self._random.randint(1, 3)))

    def name(self) -> bytes:
        """A display name, as RFC 3261 lets it be written."""
        kept = re.sub(rb"[\x00\r\n]", b"", self._piece())
        return b'"' + re.sub(rb'(["\\])', rb"\\\1", kept) + b'"'

    def user(self) -> bytes:
        """The part before the at sign, with everything else escaped."""
        written = (b"%c" % byte if byte < 128 and chr(byte).isalnum() else b"%%%02X" % byte for byte in self._piece())
        return b"".join(written) or b"x"

    def address(self) -> bytes:
        return self.name() + b" <sip:" + self.user() + b"@127.0.0.2>"

    def headers(self) -> list[bytes]:
        """Others: an address where one belongs, and else whatever a line may hold."""
        chosen = self._random.sample(HEADERS, k=self._random.randint(0, 4))
        return [name + b": " + (self.address() if number < 5 else self.text()) for number, name in _placed(chosen)]

    def text(self) -> bytes:
        return re.sub(rb"[\x00\r\n]", b" ", self._piece())

    def broken(self) -> tuple[bytes, list[bytes], bytes]:
        """From, other headers and number of a call that need not be SIP any more."""
        sender = self._piece() + b" <sip:" + self._piece() + b"@127.0.0.2>"
        dialed = self._random.choice((b"120", b"120%26PJSIP%2F203", b"1${EXTEN}", b"+120", b"120;x=y", b"s", b"%00"))
        return sender, [name + b": " + self._piece() for name in (*HEADERS[:3], b"X-Callrouter-Hops")], dialed


def _placed(names: Sequence[bytes]) -> list[tuple[int, bytes]]:
    return [(HEADERS.index(name), name) for name in names]


def seed() -> int:
    """Where chance begins: always there, unless more is asked for."""
    return 1 if MORE is None else int.from_bytes(os.urandom(4))


async def call_all(
    asterisk: LabAsterisk, writer: Writer, *, calls: int = CALLS, talk_s: float = 0.2
) -> list[tuple[bytes, int]]:
    """Every caller's headers, and how he was answered; some at once."""
    answered: list[tuple[bytes, int]] = []
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(stranger: Stranger) -> None:
        sender, more = writer.address(), writer.headers()
        async with at_once:
            status = await stranger.call(sender, more, talk_s=talk_s)
        answered.append((sender + b" " + b" | ".join(more), status))

    async with Stranger(CARRIER_ADDRESS, asterisk.sip_address) as stranger, asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(one(stranger))
    return answered


async def test_whatever_callers_write_they_are_put_through_and_nothing_of_it_is_more_than_text(
    lab_asterisk: LabAsterisk, counselor: People, centre: MakeCentre, database: str
) -> None:
    office = await centre(edit=wide, database_url=database)
    bystander = await counselor("203")  # whom the strings name
    began, start = len(lab_asterisk.log_text()), seed()
    writer = Writer(start)
    port = lab_asterisk.settings.carrier_port
    network = Sipp("uas_answer", address=CARRIER_ADDRESS, port=port, count=10 * CALLS, timeout_s=60)
    async with network:
        looking = asyncio.create_task(look(office))
        answered = await call_all(lab_asterisk, writer)
        looking.cancel()
        shown = await asyncio.gather(looking, return_exceptions=True)
        invites = network.received("INVITE")
    broken = await break_all(lab_asterisk, writer)
    await office.until("the calls are over", lambda status: not status["calls"])

    told = f"seed {start}"
    assert [one for one in answered if one[1] != 200] == [], told
    assert isinstance(shown[0], asyncio.CancelledError), shown
    assert {line.partition("\n")[0].rpartition("@")[0] for line in invites} == {f"INVITE sip:{MOBILE}"}, told
    assert not [line for invite in invites for line in invite.splitlines() if line.startswith("X-Evil")], told
    assert not bystander.seen(INCOMING), f"the strings named it, and it rang; {told}"
    assert office.daemon.is_running(), broken
    cdrs = (await all_cdrs(office))[:CALLS]
    assert len(cdrs) == CALLS
    for cdr in cdrs:
        assert [(leg.destination, leg.result) for leg in cdr.legs] == [("mobile", OfferResult.ANSWERED)], told
        for text in (cdr.caller, cdr.dialed, cdr.explanation, cdr.in_endpoint or ""):
            assert "PJSIP/carrier" not in text, f"a variable was put in; {told}"
        assert len(cdr.caller) <= LONGEST, told
        assert_plain(cdr.caller)
    assert_said_plainly(office, told)
    assert not [line for line in lab_asterisk.log_text()[began:].splitlines() if "not registered" in line], told
    for arguments in (("cdr", "--limit", "1000"), ("status",), ("audit",)):
        assert_plain(await command(office, *arguments))


async def break_all(asterisk: LabAsterisk, writer: Writer) -> list[int]:
    """Calls that need not be SIP: most are answered with a refusal, or not at all."""
    async with Stranger(CARRIER_ADDRESS, asterisk.sip_address) as stranger:
        made = [writer.broken() for _ in range(CALLS // 2)]
        calls = [asyncio.wait_for(stranger.call(one, more, dialed=number), 1.5) for one, more, number in made]
        ended = await asyncio.gather(*calls, return_exceptions=True)
    return [one for one in ended if isinstance(one, int)]


async def all_cdrs(office: Centre) -> list[Cdr]:
    """Oldest first, as soon as PostgreSQL has them."""
    await office.until("all is delivered", lambda s: not s["database"]["backlog"] and not s["journal"]["waiting"])
    assert office.database_url is not None
    async with open_archive(office.database_url) as archive:
        found = await archive.find(CdrSearch(limit=10 * CALLS))
    return sorted(found, key=lambda call: call.started_at)


async def look(office: Centre) -> None:
    """See page, status, API and metrics again and again, while the calls are there."""
    while True:
        for path in ("/", "/api/v1/status", "/metrics"):
            text = await read(office, path)
            assert "<script>alert" not in text
            if path != "/api/v1/status":
                assert_plain(text)
            else:
                json.loads(text)
        await asyncio.sleep(0.05)


def assert_plain(text: str) -> None:
    """Nothing that a terminal would take for an order, or that turns a line round."""
    found = re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    assert not found, (found, text[:300])


def assert_said_plainly(office: Centre, told: str) -> None:
    """Of what the daemon logged: JSON, a line each, and no errors."""
    text = office.daemon.log_text().partition("\n")[2]
    assert_plain(text)
    for line in text.split("\n"):
        entry = json.loads(line or "{}")
        assert entry.get("level") not in ("error", "critical"), (entry, told)
