"""The Debian package, in a Debian of its own with systemd: it takes calls, and upgraded in mid-call it loses none.

The tests are one story of one machine, in their order.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome, ReleasedBy
from callrouter.pbx.files import LOGROTATE
from lab import audio
from lab.asterisk import LabAsterisk
from lab.debian import Debian
from tests.acceptance.centre import People
from tests.acceptance.installed import (
    CONFIG,
    NEW_VERSION,
    STATE,
    InstalledCentre,
    Packages,
    database_socket,
    install,
)

pytestmark = pytest.mark.asterisk

RESIDENT, OTHER = "0552251234", "0557421234"
RESIDENT_HZ, COUNSELOR_HZ = 1100.0, 1300.0
EXPOSED_AT_MOST = 2.0
"""Of systemd's ten: lower is better."""


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory: thousands of small files are written and forgotten."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="callrouter-package-", dir=place if place.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def packages(memory: Path) -> Packages:
    return Packages(memory / "packages")


@pytest.fixture(scope="module")
def machine(packages: Packages, postgres: str, memory: Path) -> Iterator[Debian]:
    with Debian(memory / "root", binds=database_socket(postgres)) as one:
        yield one


def rules_of(machine: Debian) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (machine.root / CONFIG[1:]).iterdir()}


def test_installing_brings_a_program_that_runs_and_sound_sample_rules_and_starts_nothing(
    machine: Debian, packages: Packages
) -> None:
    said = install(machine, packages.first)
    version = machine.do("callrouter", "--version")
    checked = machine.do("runuser", "-u", "callrouter", "--", "callrouter", "check")

    assert "callrouter doctor" in said
    assert "callrouter asterisk" in said
    assert version.startswith("callrouter, version 0.")
    assert f"{CONFIG}: fine" in checked
    assert machine.do("stat", "-c", "%a %U %G", f"{CONFIG}/environment", STATE).split("\n")[:2] == [
        "600 root root",
        "750 callrouter callrouter",
    ]
    assert machine.property("callrouter", "ActiveState") == "inactive"
    assert machine.do("dpkg", "--verify", "callrouter") == ""


def test_systemd_finds_no_fault_with_the_units_and_little_that_they_expose(machine: Debian) -> None:
    units = ("callrouter.service", "callrouter@1.service", "callrouter-purge.service", "callrouter-purge.timer")
    assert machine.do("systemd-analyze", "verify", "--man=no", *units) == ""
    for unit in units[:3]:
        told = machine.do("systemd-analyze", "security", "--no-pager", unit).splitlines()[-1]
        assert float(told.split(":")[1].split()[0]) <= EXPOSED_AT_MOST, told


async def test_an_upgrade_in_mid_call_is_not_heard_and_edited_rules_stay(
    machine: Debian,
    packages: Packages,
    lab_asterisk: LabAsterisk,
    agi_port: int,
    database: str,
    tmp_path: Path,
    caller: People,
    counselor: People,
) -> None:
    office = InstalledCentre(lab_asterisk, tmp_path, machine, agi_port=agi_port, database_url=database)
    await office.start()
    before = rules_of(machine)
    resident, waiter = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await caller(OTHER)
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)
    await office.until_agent("201", "available")
    await office.talk(resident, phone)
    await waiter.dial("120")
    await office.until_waiting(1)
    old = office.pid("callrouter")

    began_s = time.monotonic()
    said = await office.upgrade(packages.second)
    lasted_s = time.monotonic() - began_s
    status = await office.until("it takes calls", lambda status: bool(status["ready"]))
    await office.until_call_states("connected", "queued")
    await asyncio.sleep(0.5)  # people talking
    await resident.hang_up()
    await office.taken(phone)  # who waited kept the place
    await waiter.hang_up()
    records = await office.cdrs(2)
    machine.do("systemctl", "stop", "callrouter")

    print(f"upgraded in {lasted_s:.1f} s")
    assert "callrouter: restarted callrouter.service" in said
    assert office.pid("callrouter") != old
    assert status["service"]["version"] == NEW_VERSION
    assert [(one.caller, one.outcome, one.released_by) for one in records] == [
        (RESIDENT, Outcome.HANDLED, ReleasedBy.CALLER),
        (OTHER, Outcome.HANDLED, ReleasedBy.CALLER),
    ]
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) > lasted_s
    assert rules_of(machine) == before
    office.assert_same_again()


async def test_of_two_daemons_the_one_that_leads_hands_over_and_a_version_that_cannot_read_the_rules_is_not_started(
    machine: Debian,
    packages: Packages,
    lab_asterisk: LabAsterisk,
    agi_port: int,
    database: str,
    tmp_path: Path,
    caller: People,
    counselor: People,
) -> None:
    machine.do("sh", "-c", f"rm -rf {STATE}/*")
    office = InstalledCentre(lab_asterisk, tmp_path, machine, pair=True, agi_port=agi_port, database_url=database)
    await office.start()
    await office.until_role("callrouter@2", "standby")
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)
    await office.until_agent("201", "available")
    await office.talk(resident, phone)
    pids = {unit: office.pid(unit) for unit in office.units}

    rules = machine.root / "etc/callrouter/routes.yaml"
    sound = rules.read_text(encoding="utf-8")
    rules.write_text(sound + "\nnonsense: yes\n", encoding="utf-8")
    refused = await office.upgrade(packages.second)
    still = {unit: office.pid(unit) for unit in office.units}
    rules.write_text(sound, encoding="utf-8")
    said = await office.upgrade(packages.second)
    await office.until_role("callrouter@1", "standby")
    await office.until_role("callrouter@2", "1 calls")
    await resident.hang_up()
    record = await office.cdr()
    now = {unit: office.pid(unit) for unit in office.units}
    machine.do("systemctl", "stop", *office.units)

    assert "the daemon of before runs on" in refused
    assert still == pids
    assert "callrouter: restarted callrouter@2.service callrouter@1.service" in said
    assert all(now[unit] != pids[unit] for unit in office.units)
    assert (record.outcome, record.agent, record.released_by) == (Outcome.HANDLED, "201", ReleasedBy.CALLER)
    assert [leg.result for leg in record.legs] == ["answered"]
    assert "exchange.adopted" in machine.log("callrouter@2")


def test_logs_are_rotated_and_asterisk_is_told_to_begin_new_ones(machine: Debian) -> None:
    ours, theirs = machine.root / "var/log/callrouter", machine.root / "var/log/asterisk"
    for folder, name in ((ours, "callrouter.log"), (theirs, "security.log"), (theirs, "messages.log")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("said\n", encoding="utf-8")
    program = machine.root / "usr/sbin/asterisk"
    program.write_text('#!/bin/sh\necho "$@" >> /var/log/asterisk/told\n', encoding="utf-8")
    program.chmod(0o755)
    (machine.root / "etc/logrotate.d/asterisk").write_text(LOGROTATE, encoding="utf-8")

    for snippet in ("callrouter", "asterisk"):
        machine.do("logrotate", "--force", "--verbose", f"/etc/logrotate.d/{snippet}")

    assert (ours / "callrouter.log").read_text(encoding="utf-8") == ""
    assert (ours / "callrouter.log.1").read_text(encoding="utf-8") == "said\n"
    assert (theirs / "security.log.1").read_text(encoding="utf-8") == "said\n"
    assert (theirs / "told").read_text(encoding="utf-8") == "-rx logger reload\n"


def test_removing_leaves_rules_and_records_and_purging_leaves_recorded_conversations_alone(machine: Debian) -> None:
    etc, state = machine.root / CONFIG[1:], machine.root / STATE[1:]
    (state / "recordings/2026-11").mkdir(parents=True)
    (state / "recordings/2026-11/talk.wav").write_bytes(b"RIFF")
    kept = {path.name for path in (*etc.iterdir(), *state.iterdir())}

    machine.do("dpkg", "--remove", "callrouter")
    left = {path.name for path in (*etc.iterdir(), *state.iterdir())}
    said = machine.do("dpkg", "--purge", "callrouter")

    assert {"routes.yaml", "environment", "journal.sqlite3"} <= kept
    assert left == kept
    assert not (machine.root / "usr/lib/callrouter").exists()
    assert not etc.exists()
    assert [path.name for path in state.iterdir()] == ["recordings"]
    assert "recorded conversations" in said
    assert not list(machine.root.glob("etc/systemd/system/**/callrouter*"))
