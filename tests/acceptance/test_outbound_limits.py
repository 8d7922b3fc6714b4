"""Limits of calls that go out, on a real Asterisk: kept back, told, and known again after the daemon was killed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import OfferResult
from lab import audio
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.ordering import command, read

pytestmark = pytest.mark.asterisk

RESIDENT, NEIGHBOUR, MOBILE = "0552251234", "0552873000", "01098765432"
TRUNKS = f"""\
trunks:
  carrier: {{title: 국선, channels: 9, caller_id: "0552111120"}}
destinations:
  mobile: {{title: 당직 휴대전화, number: "{MOBILE}", trunk: carrier, ring_timeout: 8s}}
  situation: {{title: 재난상황실, endpoint: PJSIP/203, ring_timeout: 5s}}
transfers: {{trunk: carrier, short: {{"70": mobile}}}}
outbound:
  limits:
    mobiles: {{kinds: mobile, calls_per_hour: CALLS}}
"""
DUTY = """\
routes:
  - id: duty
    when: {not: {region: gimhae}}
    do:
      - dial: [mobile, situation]
      - announce: all-busy
      - hangup
"""


def limited(calls: int, routes: str = "") -> Callable[[Path], None]:
    """So many calls to mobiles an hour; with ``routes`` before the sample's."""

    def put(config: Path) -> None:
        (config / "trunks.yaml").write_text(TRUNKS.replace("CALLS", str(calls)), encoding="utf-8")
        if routes:
            (config / "routes-test.yaml").unlink()  # the sample's cases are not those of these routes
            path = config / "routes.yaml"
            rest = path.read_text(encoding="utf-8").partition("routes:\n")[2]
            path.write_text(routes + rest, encoding="utf-8")

    return put


def used(status: dict[str, Any]) -> list[tuple[str, float, int, int]]:
    return [(one["tenant"], one["used"], one["most"], one["blocked"]) for one in status["limits"]]


async def test_a_limit_holds_over_a_kill_and_a_reload_and_the_next_destination_is_called(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(edit=limited(1, DUTY))
    first, second, third = await caller(RESIDENT), await caller(NEIGHBOUR), await caller("0552871111")
    mobile, situation = await outside(MOBILE), await counselor("203")

    await first.dial("120")
    await mobile.incoming()
    await mobile.accept()
    await first.established()
    await office.until_call("connected")
    await first.hang_up()
    await office.cdrs(1)
    await office.kill()
    await office.restart()
    assert used(await office.status()) == [("changwon", 1, 1, 0)]
    await second.dial("120")
    await situation.incoming()
    await situation.accept()
    await second.established()
    await office.until_call("connected")
    await second.hang_up()
    shown = json.loads(await command(office, "trunk", "--json", "--limits"))
    assert [(one["limit"], one["used"], one["blocked"]) for one in shown] == [("mobiles", 1, 1)]
    assert "mobiles" in await command(office, "trunk")
    metrics = await read(office, "/metrics")
    of = 'bound="calls_per_hour",limit="mobiles",tenant="changwon"'
    assert f"callrouter_outbound_blocked_total{{{of}}} 1.0" in metrics
    config = office.daemon.config
    (config / "trunks.yaml").write_text(TRUNKS.replace("CALLS", "2"), encoding="utf-8")
    await command(office, "reload")
    await third.dial("120")
    await mobile.incoming()
    await third.hang_up()

    cdrs = await office.cdrs(3)
    gone, limited_, answered = OfferResult.CALLER_GONE, OfferResult.LIMITED, OfferResult.ANSWERED
    assert [[(leg.destination, leg.result) for leg in cdr.legs] for cdr in cdrs] == [
        [("mobile", answered)],
        [("mobile", limited_), ("situation", answered)],
        [("mobile", gone)],
    ]
    assert used(await office.status()) == [("changwon", 2, 2, 1)]


async def test_a_counselor_who_dials_beyond_the_limit_hears_so_and_goes_on_talking(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(edit=limited(1))
    resident, first = await caller(RESIDENT), await counselor("201")
    mobile = await outside(MOBILE)

    await office.talk(resident, first)
    for key in "*570#":
        await first.press(key)
    await mobile.incoming()
    for key in "*0":
        await first.press(key)
    await mobile.closed()
    for key in "*570#":
        await first.press(key)
    await office.until("the call is kept back", lambda now: used(now) == [("changwon", 1, 1, 1)])
    await asyncio.sleep(PROMPT_S + 0.5)  # the counselor listens
    await office.until_call("connected")
    await resident.hang_up()
    await first.closed()

    assert audio.tone_seconds(first.heard(), PROMPT_HZ["call-limited"]) == pytest.approx(PROMPT_S, abs=0.4)
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["call-limited"]) == 0
    cdr = await office.cdr()
    assert [(leg.destination, leg.trunk) for leg in cdr.legs] == [(None, None), ("mobile", "carrier")]
