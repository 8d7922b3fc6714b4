"""What a call leaves behind: its record, also when the database was away, and what operators see of it."""

import asyncio
import csv
import io
import json
import re
import socket
import urllib.request
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome
from callrouter.store.embedded import EmbeddedPostgres
from callrouter.store.postgres import connect
from lab.baresip import Baresip
from tests.acceptance.centre import Centre, MakeCentre, People

pytestmark = pytest.mark.asterisk


RESIDENT = "0552251234"
MASKED = "055-225-****"
WATCHDOG_S = 1.0


async def one_call(resident: Baresip, phone: Baresip, office: Centre) -> None:
    """A resident and a counselor talk, and the resident hangs up."""
    await office.talk(resident, phone)
    await resident.hang_up()
    await phone.closed()
    await office.until("the call is over", lambda status: not status["calls"])


async def test_a_call_while_the_database_is_away_is_written_once_when_it_is_back(
    caller: People, counselor: People, centre: MakeCentre, open_folder: Path
) -> None:
    server = EmbeddedPostgres(open_folder / "away")
    url = await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.stop)
    office = await centre(agents=("201",), database_url=url)
    resident, phone = await caller(RESIDENT), await counselor("201")
    try:
        await one_call(resident, phone, office)
        away = await office.until("one CDR waits", lambda status: status["database"]["backlog"] == 1)
        await asyncio.to_thread(server.start)
        await office.until("nothing waits", lambda status: status["database"]["backlog"] == 0)
        cdr = await office.cdr()
        await office.kill()
        await office.restart()
        await office.until("the database is back", lambda status: status["database"]["connected"])
        rows = await office.cdrs(1)
    finally:
        await office.kill_in_the_act()
        await asyncio.to_thread(server.stop)

    assert away["ready"], "a call needs no database"
    assert not away["database"]["connected"]
    assert cdr.outcome is Outcome.HANDLED
    assert rows == [cdr]


async def test_a_call_is_found_shown_in_full_and_exported(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    await one_call(await caller(RESIDENT), await counselor("201"), office)
    call = (await office.cdr()).call_id

    listed = await asyncio.to_thread(office.daemon.run, "cdr", "--outcome", "handled", "--region", "changwon")
    full = await asyncio.to_thread(office.daemon.run, "cdr", call)
    as_json = await asyncio.to_thread(office.daemon.run, "cdr", "--json", "--no-mask")
    as_csv = await asyncio.to_thread(office.daemon.run, "cdr", "--csv")
    none = await asyncio.to_thread(office.daemon.run, "cdr", "--outcome", "abandoned")

    assert f"{call[:18]}  2026-11-24 10:00" in listed.stdout
    assert MASKED in listed.stdout
    assert call not in none.stdout
    trace = r"> changwon-day \[routes\.yaml:\d+\] tenant changwon; calendar weekday-day open until 18:00"
    assert re.search(trace, full.stdout)
    assert "1. 201: answered, cause 16" in full.stdout
    assert RESIDENT not in listed.stdout + full.stdout + as_csv.stdout
    (record,) = json.loads(as_json.stdout)
    assert (record["call_id"], record["caller"], record["legs"][0]["agent"]) == (call, RESIDENT, "201")
    (row,) = csv.DictReader(io.StringIO(as_csv.stdout))
    assert float(row["wait_s"]) + float(row["ring_s"]) + float(row["talk_s"]) == pytest.approx(
        record["wait_s"] + record["ring_s"] + record["talk_s"]
    )


async def test_the_usual_tools_find_the_call_in_the_tables_they_know(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    await one_call(await caller(RESIDENT), await counselor("201"), office)
    cdr = await office.cdr()
    assert office.database_url is not None
    connection = await connect(office.database_url)
    try:
        (as_cdr,) = await connection.fetch("SELECT * FROM callrouter.asterisk_cdr")
        events = await connection.fetch("SELECT event FROM callrouter.queue_log ORDER BY time")
    finally:
        await connection.close()

    assert (as_cdr["src"], as_cdr["dst"], as_cdr["disposition"]) == (RESIDENT, "120", "ANSWERED")
    assert as_cdr["billsec"] == pytest.approx(cdr.talk_s, abs=1)
    assert [row["event"] for row in events] == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]


async def test_operators_see_the_call_while_it_lasts_and_no_whole_number(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(RESIDENT), await counselor("201")
    await office.talk(resident, phone)

    def read(path: str) -> str:
        with urllib.request.urlopen(f"{office.daemon.url}{path}", timeout=5) as answer:  # noqa: S310 - our own URL
            text: str = answer.read().decode()
            return text

    paths = ("/", "/healthz", "/readyz", "/metrics", "/api/v1/status")
    page, health, ready, metrics, document = [await asyncio.to_thread(read, path) for path in paths]
    told = await asyncio.to_thread(office.daemon.run, "status")
    await resident.hang_up()
    await office.cdr()

    assert json.loads(health) == {"alive": True}
    assert json.loads(ready)["ready"] is True
    assert 'callrouter_calls{state="connected"} 1.0' in metrics
    assert MASKED in page
    assert MASKED in told.stdout
    assert MASKED in document
    for text in (page, metrics, document, told.stdout, office.daemon.log_text()):
        assert RESIDENT not in text
        assert RESIDENT.removeprefix("0") not in text
    assert '"call.ended"' in office.daemon.log_text()


async def test_systemd_hears_that_the_daemon_is_ready_lives_hangs_and_stops(
    centre: MakeCentre, monkeypatch: pytest.MonkeyPatch, open_folder: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(open_folder / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(open_folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1_000_000)))

        def message() -> str:
            return systemd.recv(4096).decode()

        office = await centre()
        heard = [await asyncio.to_thread(message)]
        assert "READY=1" in heard[0]
        while not {"WATCHDOG=1", "STATUS=0 calls, sites up: gyeongnam; takes calls"} <= set(heard):
            heard.append(await asyncio.to_thread(message))
        office.daemon.freeze()
        systemd.settimeout(WATCHDOG_S)
        with pytest.raises(TimeoutError):  # systemd would kill it now; some signs may still have been on their way
            await asyncio.to_thread(lambda: [message() for _ in range(10)])
        office.daemon.thaw()
        office.daemon.terminate()
        systemd.settimeout(5)
        while "STOPPING=1" not in await asyncio.to_thread(message):
            pass
