"""Figures of real calls: live on page and API, over a crash, in reports, and in the log that other tools read."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from callrouter.core.cdr import VisitEnd
from callrouter.store.postgres import connect, insert_cdrs
from lab.baresip import Baresip
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.ordering import audit, command, hears, read
from tests.fakes import cdrs

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
AGENT, PAUSE = "201", "*12"


async def figures(office: Centre) -> dict[str, Any]:
    """Of the queue that was offered anything today."""
    document = json.loads(await read(office, "/api/v1/queues"))
    (queue,) = [queue for queue in document["queues"] if queue["today"]["offered"]]
    found: dict[str, Any] = queue
    return found


async def one_call(resident: Baresip, phone: Baresip, office: Centre) -> None:
    await office.talk(resident, phone)
    await resident.hang_up()
    await phone.closed()
    await office.until("the call is over", lambda status: not status["calls"])


async def test_a_call_is_in_the_figures_of_the_day_also_after_a_crash_and_in_every_report(
    caller: People, counselor: People, centre: MakeCentre, database: str, tmp_path: Path
) -> None:
    office = await centre(agents=(AGENT,), wrap_up="1s", database_url=database)
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    await one_call(resident, phone, office)
    live = await figures(office)
    await office.kill()
    await office.restart()
    again = await figures(office)
    page = await read(office, "/")
    metrics = await read(office, "/metrics")
    (cdr,) = await office.cdrs(1)
    book = tmp_path / "day.xlsx"
    told = json.loads(
        await command(office, "report", "--from", "2020-01-01", "--to", "2035-12-31", "--json", "--xlsx", str(book))
    )

    assert (live["today"]["offered"], live["today"]["answered"]) == (1, 1)
    assert live["occupancy"] > 0
    assert again["today"] == live["today"]
    (visit,) = cdr.visits
    assert (visit.queue, visit.how, visit.left_at) == (live["queue"], VisitEnd.ANSWERED, cdr.answered_at)
    assert live["today"]["asa_s"] == pytest.approx((visit.left_at - visit.queued_at).total_seconds())
    assert "<caption>오늘 " in page
    assert f'callrouter_today_answered{{by="queue",group="{live["queue"]}"}} 1.0' in metrics
    (group,) = told["groups"]
    assert (group["queue"], group["answered"]) == (live["queue"], 1)
    assert group["asa_s"] == pytest.approx(live["today"]["asa_s"])
    assert openpyxl.load_workbook(book)["calls"]["C2"].value == 1


MENU = """\
routes:
  - id: menu
    when: {not: {region: gimhae}}
    do:
      - menu: waiting
        timeout: 5s
        keys:
          1: {topic: passport, do: [{queue: gyeongnam}]}
        default: [{queue: changwon}]
"""


def quick_to_surge(config: Path) -> None:
    """A menu that asks for the topic, of which the first call is a surge."""
    routes, topics = config / "routes.yaml", config / "topics.yaml"
    routes.write_text(MENU + routes.read_text(encoding="utf-8").partition("routes:\n")[2], encoding="utf-8")
    text = topics.read_text(encoding="utf-8")
    topics.write_text(text.replace("least: 10", "least: 1"), encoding="utf-8")


async def test_a_topic_that_surges_is_told_with_the_switch_that_it_suggests(
    caller: People, centre: MakeCentre, database: str
) -> None:
    connection = await connect(database)
    await insert_cdrs(connection, [cdrs.handled(started_at=cdrs.EVENING - timedelta(days=100), topic=None)])
    await connection.close()
    office = await centre(agents=(AGENT,), database_url=database, edit=quick_to_surge)
    resident = await caller(RESIDENT)
    before = await office.until("the past is known", lambda status: "surge" not in " ".join(status["remarks"]))
    await resident.dial("120")
    await resident.established()
    await office.until_call("asking")
    await resident.press("1")
    surging = await office.until("passports surge", lambda status: bool(status["surges"]))
    told, page = await command(office, "status"), await read(office, "/")
    await resident.hang_up()

    assert before["surges"] == []
    (passport,) = surging["surges"]
    assert (passport["topic"], passport["calls"], passport["suggest"]) == ("passport", 1, "passport-surge")
    assert "! topic passport surges: 1 calls in this hour, usually 0; callrouter switch on passport-surge" in told
    assert "문의 급증: 여권" in page
    await office.until("it is in the log", lambda _: "surge.begins" in office.daemon.log_text())


async def test_queue_log_tells_a_real_call_and_a_pause_dialled_at_the_phone(
    caller: People, counselor: People, centre: MakeCentre, database: str
) -> None:
    office = await centre(agents=(AGENT,), database_url=database)
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    await hears(phone, PAUSE, "agent-paused")
    await resident.dial("120")
    await office.until_waiting(1)
    await hears(phone, PAUSE, "agent-ready")
    await phone.incoming()
    await phone.accept()
    await office.until_call("connected")
    await resident.hang_up()
    await office.cdrs(1)
    await audit(office, 2)

    connection = await connect(database)
    rows = await connection.fetch("SELECT * FROM callrouter.queue_log ORDER BY time, id")
    await connection.close()
    (queue,) = {row["queuename"] for row in rows if row["event"] == "ENTERQUEUE"}
    events = [(row["event"], row["agent"]) for row in rows if row["queuename"] == queue]
    assert events == [
        ("PAUSE", AGENT),
        ("ENTERQUEUE", "NONE"),
        ("UNPAUSE", AGENT),
        ("CONNECT", AGENT),
        ("COMPLETECALLER", AGENT),
    ]
    assert [row["event"] for row in rows if row["queuename"] == "NONE"] == ["PAUSEALL", "UNPAUSEALL"]
