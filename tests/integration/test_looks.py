"""Commands that show whole numbers from PostgreSQL: who looks is in the audit log before, or he sees nothing."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import Cdr
from callrouter.store.audit import AuditLog, AuditSearch
from callrouter.store.postgres import insert_cdrs
from tests.cli.users import is_of
from tests.integration.test_personal import NUMBER, SAMPLE, called_back, wanting_a_call, with_message
from tests.integration.test_recording import recorded

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

SEEN = ("0552251234", "+82552251234", "055-225-1234")
LOOKS = [
    ("cdr --no-mask --region changwon --limit 9", "cdr", "region=changwon limit=9"),
    ("cdr --no-mask --json", "cdr", "limit=50"),
    ("cdr --no-mask --csv --caller 0552251234", "cdr", "caller=055-225-**** limit=50"),
    ("voicemail list --no-mask --box night", "voicemail list", "box=night limit=50"),
    ("recording list --no-mask --queue night", "recording list", "queue=night limit=50"),
    ("callback list --numbers --open", "callback list", "open=True limit=50"),
]

Command = Callable[[str], Awaitable[Result]]


@pytest.fixture
async def calls(connection: "Connection") -> list[Cdr]:
    asked = wanting_a_call()
    made = [recorded(), with_message(caller=NUMBER), asked, called_back(asked)]
    await insert_cdrs(connection, made)
    return made


@pytest.fixture
def command(database: str, calls: list[Cdr], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command of user kim's on the sample's configuration."""
    is_of(monkeypatch, "kim")
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "config"))

    async def run(line: str) -> Result:
        arguments = [*line.split(), "--database-url", database, "--config", str(folder)]
        return await asyncio.to_thread(CliRunner().invoke, main, arguments)

    return run


async def looks(connection: "Connection") -> list[AuditEntry]:
    return await AuditLog(connection).find(AuditSearch())


@pytest.mark.parametrize(("line", "what", "said"), LOOKS)
async def test_a_look_at_whole_numbers_is_in_the_audit_log(
    command: Command, connection: "Connection", line: str, what: str, said: str
) -> None:
    shown = await command(line)
    (noted,) = await looks(connection)
    assert shown.exit_code == 0, shown.output
    assert (noted.kind, noted.name, noted.becomes) == (AuditKind.NUMBER, what, "seen")
    assert (noted.who, noted.via, noted.note) == ("kim", "command", said)
    assert not any(number in str(noted) for number in SEEN)


@pytest.mark.parametrize(("line", "what", "said"), LOOKS)
async def test_who_cannot_be_noted_sees_nothing(
    command: Command, connection: "Connection", line: str, what: str, said: str
) -> None:
    await connection.execute("ALTER TABLE callrouter.audit ADD CONSTRAINT full_up CHECK (false) NOT VALID")
    shown = await command(line)
    assert shown.exit_code == 1, shown.output
    assert "nothing is shown; grant INSERT on callrouter.audit" in shown.stderr
    assert shown.stdout == ""
    assert not any(number in shown.output for number in SEEN)


@pytest.mark.parametrize("line", ["cdr", "cdr --json", "voicemail list", "recording list", "callback list"])
async def test_who_sees_numbers_without_their_ends_is_not_noted(
    command: Command, connection: "Connection", line: str
) -> None:
    shown = await command(line)
    assert shown.exit_code == 0, shown.output
    assert not any(number in shown.output for number in SEEN)
    assert await looks(connection) == []


async def test_who_was_called_by_a_number_is_shown_without_its_end(command: Command, calls: list[Cdr]) -> None:
    returned = calls[-1]
    assert returned.legs[0].destination == NUMBER
    for line in (f"cdr {returned.call_id}", f"cdr {returned.call_id} --json", "cdr --json --limit 9"):
        shown = (await command(line)).output
        assert not any(number in shown for number in SEEN)
        assert "055-225-****" in shown


async def test_of_one_call_its_id_is_noted(command: Command, connection: "Connection", calls: list[Cdr]) -> None:
    call = calls[0].call_id
    (found,) = [json.loads((await command(f"cdr {call} --no-mask --json")).output)]
    (noted,) = await looks(connection)
    assert (found["caller"], noted.name, noted.note) == (NUMBER, call, "")
