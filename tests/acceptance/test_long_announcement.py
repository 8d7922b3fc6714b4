"""An announcement that is longer than the dead man's switch is heard to its end, whatever becomes of the daemon."""

from pathlib import Path

import pytest

from callrouter.config.compile import SILENCE_S, SLOW_S
from callrouter.core.cdr import Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from lab.testing import PROMPT_S
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.talks import answers, dials_and_hears

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
LASTS_HZ, LASTS_S, SWITCH_S = 3100.0, 6.0, 3.0
TEXT = "이 안내는 죽은 사람의 스위치보다 오래 갑니다."
AT_MOST_S = len(TEXT) * SLOW_S + SILENCE_S
"""How long the daemon takes it to last, that does not know how quickly it is spoken."""
ROUTE = """\
routes:
  - id: long
    when: {not: {region: gimhae}}
    do:
      - announce: lasts
      - queue: changwon
"""


def with_a_long_announcement(config: Path) -> None:
    main = config / "callrouter.yaml"
    written = main.read_text(encoding="utf-8")
    main.write_text(written.replace("dead_man: 30s", f"dead_man: {SWITCH_S:g}s"), encoding="utf-8")
    prompts = config / "prompts.yaml"
    prompts.write_text(f"{prompts.read_text(encoding='utf-8').rstrip()}\n  lasts: {TEXT}\n", encoding="utf-8")
    routes = config / "routes.yaml"
    rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
    routes.write_text(ROUTE + rest, encoding="utf-8")


async def test_a_long_announcement_does_not_send_the_caller_to_the_fallback(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    audio.write_tone(lab_asterisk.sounds_dir / "callrouter/lasts.wav", LASTS_HZ, duration_s=LASTS_S)
    office = await centre(agents=("201",), edit=with_a_long_announcement)
    resident, phone = await caller(RESIDENT), await counselor("201")

    await resident.dial("120")
    await phone.incoming(timeout_s=LASTS_S + 5)
    await phone.accept()
    await phone.established()
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed()

    assert audio.tone_seconds(resident.heard(), LASTS_HZ) == pytest.approx(LASTS_S, abs=0.4)
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "201")


async def test_a_long_announcement_is_heard_to_its_end_though_the_daemon_hangs_and_then_the_fallback_serves_him(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    audio.write_tone(lab_asterisk.sounds_dir / "callrouter/lasts.wav", LASTS_HZ, duration_s=LASTS_S)
    office = await centre(agents=("201",), edit=with_a_long_announcement)
    resident, phone = await caller(RESIDENT), await counselor("202")

    await dials_and_hears(resident, lab_asterisk, "Playing 'callrouter/lasts")
    await office.freeze()
    await answers(phone, timeout_s=AT_MOST_S + SWITCH_S + PROMPT_S + 3.0)
    await phone.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), LASTS_HZ) == pytest.approx(LASTS_S, abs=0.4)
