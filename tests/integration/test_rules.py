"""Versions of the rules on their way from the journal to a real PostgreSQL, and out of it again."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.cli import restore as restoring
from callrouter.config import load
from callrouter.config.review import review
from callrouter.config.source import digest_of
from callrouter.core.cdr import Cdr
from callrouter.core.ids import RuleId, SwitchName
from callrouter.errors import DatabaseError, UnreachableError
from callrouter.store.delivery import CdrWriter, DeliveryLimits
from callrouter.store.journal import Journal
from callrouter.store.postgres import connect, insert_cdrs
from callrouter.store.rules import LiveRules, Version, insert_rules, open_rules
from callrouter.store.rules_delivery import RulesErrand
from callrouter.web.desks import Desks
from callrouter.web.reload import ReloadReport, ReloadRequest
from callrouter.web.server import WebServer
from tests.fakes import cdrs, rules
from tests.fakes.reload import FakeReloader
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread
from tests.integration.delivering import running

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[2] / "config"
QUICK = DeliveryLimits(connect_s=2, statement_s=2, first_pause_s=0.02, longest_pause_s=0.1, poll_s=0.1, rest_s=0.0)


def delivery(journal: Journal, url: str) -> CdrWriter:
    return CdrWriter(journal, url, QUICK, errands=(RulesErrand(journal),))


async def stored(url: str) -> list[Version]:
    """Oldest first."""
    async with open_rules(url) as archive:
        return (await archive.newest(100))[::-1]


class TestDelivery:
    async def test_versions_are_numbered_as_they_went_live_and_come_back_whole(
        self, journal: Journal, database: str
    ) -> None:
        told = [rules.live("1", who="start"), rules.live("2\n\u0000 \\u0000 한글", note="why"), rules.live("1")]
        async with running(delivery(journal, database)) as writer:
            for one in told:
                journal.keep_rules(one)
            assert await writer.drain(10)
        versions = await stored(database)
        assert [version.number for version in versions] == [1, 2, 3]
        assert [version.rules for version in versions] == told
        assert [version.changed for version in versions] == [(), ("routes.yaml",), ("routes.yaml",)]

    async def test_a_database_that_is_away_loses_none_of_them(self, journal: Journal, database: str) -> None:
        async with running(delivery(journal, "postgresql://nobody@127.0.0.1:1/none")) as writer:
            journal.keep_rules(rules.live("1"))
            journal.finish(cdrs.handled())
            assert not await writer.drain(0.3)
        async with running(delivery(journal, database)) as writer:
            assert await writer.drain(10)
        assert [version.rules.files["routes.yaml"] for version in await stored(database)] == ["1"]
        assert await journal.undelivered_rules() == []

    async def test_what_was_inserted_and_not_marked_is_not_inserted_twice(
        self, journal: Journal, database: str
    ) -> None:
        first, second = rules.live("1"), rules.live("2")
        journal.keep_rules(first)
        journal.keep_rules(second)
        connection = await connect(database)
        await insert_rules(connection, first)
        await insert_rules(connection, second)
        await connection.close()
        async with running(delivery(journal, database)) as writer:
            assert await writer.drain(10)
        assert [version.rules.files["routes.yaml"] for version in await stored(database)] == ["1", "2"]
        await journal.take_up_again()
        assert await journal.undelivered_rules() == [], "a version that arrived before was refused as a fault"

    async def test_a_start_with_a_lost_journal_tells_nothing_that_is_known(self, tmp_path: Path, database: str) -> None:
        for name in ("one", "other"):
            async with Journal(tmp_path / name) as journal, running(delivery(journal, database)) as writer:
                journal.keep_rules(rules.live("1", who="start"))
                assert await writer.drain(10)
        assert len(await stored(database)) == 1

    async def test_one_that_postgresql_will_not_take_is_counted_and_keeps_back_none_of_the_others(
        self, journal: Journal, database: str
    ) -> None:
        async with running(delivery(journal, database)) as writer:
            journal.keep_rules(rules.live("1", host="a host\0"))
            journal.keep_rules(rules.live("2"))
            journal.finish(cdrs.handled())
            assert await writer.drain(10)
            assert (writer.health.errands_refused, writer.health.delivered) == ({"rules": 1}, 1)
            assert writer.health.connected
        assert [version.rules.files["routes.yaml"] for version in await stored(database)] == ["2"]

    async def test_two_daemons_with_the_same_rules_are_two_versions(self, journal: Journal, database: str) -> None:
        connection = await connect(database)
        await insert_rules(connection, rules.live("1", host="hall"))
        await insert_rules(connection, rules.live("1", host="city"))
        await connection.close()
        assert [version.rules.host for version in await stored(database)] == ["hall", "city"]

    async def test_many_at_once_are_numbered_without_gaps(self, database: str) -> None:
        async def add(number: int) -> None:
            connection = await connect(database)
            await insert_rules(connection, rules.live(str(number)))
            await connection.close()

        await asyncio.gather(*map(add, range(8)))
        assert [version.number for version in await stored(database)] == [*range(1, 9)]

    async def test_a_number_that_is_not_there_is_answered_with_those_that_are(self, database: str) -> None:
        async with open_rules(database) as archive:
            with pytest.raises(DatabaseError, match="there is no version @3; none has been kept yet"):
                await archive.get(3)
            connection = await connect(database)
            await insert_rules(connection, rules.live("1"))
            await connection.close()
            with pytest.raises(DatabaseError, match="there is no version @3; there are @1 to @1"):
                await archive.get(3)


Command = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    monkeypatch.setattr("socket.gethostname", lambda: "hall")
    return Path(shutil.copytree(SAMPLE, tmp_path / "config"))


@pytest.fixture
def command(database: str, folder: Path) -> Command:
    def run(name: str, *arguments: str) -> Result:
        fixed = ["--database-url", database, "--config", str(folder)]
        return CliRunner().invoke(main, [name, *arguments, *fixed])

    return run


def written(folder: Path, who: str) -> LiveRules:
    """The folder as it is now, gone live."""
    found = review(folder, {"CALLROUTER_ARI_PASSWORD": "x"})
    assert found.loaded is not None
    return rules.live(
        files=found.files,
        who=who,
        directory=str(folder.resolve()),
        config_hash=found.loaded.rulebook.hash,
        digest=digest_of(found.files),
    )


def go_live(database: str, folder: Path, who: str) -> LiveRules:
    """Have it in the history."""
    live = written(folder, who)

    async def add() -> None:
        connection = await connect(database)
        await insert_rules(connection, live)
        await connection.close()

    asyncio.run(add())
    return live


def move_the_evening(folder: Path) -> None:
    path = folder / "calendars.yaml"
    text = path.read_text(encoding="utf-8").replace("mon-fri 18:00-22:00", "mon-fri 19:00-22:00")
    path.write_text(text, encoding="utf-8")
    (folder / "routes-test.yaml").unlink(missing_ok=True)


class TestHistory:
    def test_versions_are_listed_with_who_and_what(self, command: Command, database: str, folder: Path) -> None:
        assert command("history").stdout == "no version has been kept yet\n"
        go_live(database, folder, "start")
        move_the_evening(folder)
        go_live(database, folder, "kim")
        head, second, first = command("history").stdout.splitlines()
        assert head.split()[:4] == ["version", "live", "since", "who"]
        assert ("@2" in second, "kim" in second, "calendars.yaml, routes-test.yaml" in second) == (True, True, True)
        assert ("@1" in first, "start" in first) == (True, True)
        newest, _ = json.loads(command("history", "--json").stdout)
        assert (newest["version"], newest["who"], newest["changed"]) == (
            2,
            "kim",
            ["calendars.yaml", "routes-test.yaml"],
        )

    def test_one_is_shown_printed_and_written_out_as_it_was(
        self, command: Command, database: str, folder: Path, tmp_path: Path
    ) -> None:
        go_live(database, folder, "start")
        text = (folder / "routes.yaml").read_text(encoding="utf-8")
        assert "who         start" in command("history", "@1").stdout
        assert command("history", "@1", "routes.yaml").stdout == text
        wrong = command("history", "@1", "rotes.yaml")
        assert (wrong.exit_code, 'did you mean "routes.yaml"?' in wrong.stderr) == (2, True)
        out = tmp_path / "out"
        assert command("history", "@1", "--export", str(out)).exit_code == 0
        assert load(out).rulebook.hash == load(folder).rulebook.hash
        again = command("history", "@1", "--export", str(out))
        assert (again.exit_code, "is there, and not empty" in again.stderr) == (2, True)

    def test_what_is_no_version_or_not_there_is_said(self, command: Command) -> None:
        assert command("history", "12").exit_code == 1
        missing = command("history", "@12")
        assert (missing.exit_code, missing.stderr) == (1, "there is no version @12; none has been kept yet\n")


class TestDiff:
    def test_two_versions_are_compared(self, command: Command, database: str, folder: Path) -> None:
        go_live(database, folder, "start")
        move_the_evening(folder)
        go_live(database, folder, "kim")
        found = command("diff", "@1", "@2", "--from", "2026-11-24", "--days", "7")
        assert found.exit_code == 1
        assert "calendar weekday-night: open: mon-fri 19:00-22:00, was mon-fri 18:00-22:00" in found.stdout
        assert "Tue 2026-11-24 18:00-19:00, and 4 times more (5 h)  caller from changwon" in found.stdout
        assert command("diff", "@1", "@1").exit_code == 0
        assert command("diff", "@2", str(folder)).exit_code == 0

    def test_calls_of_the_past_are_decided_anew(self, command: Command, database: str, folder: Path) -> None:
        live = go_live(database, folder, "start")
        at = cdrs.EVENING - timedelta(minutes=60)  # 18:30 in Korea
        night = {"rule": RuleId("changwon-night"), "dialed": "120", "config_hash": live.config_hash}
        past = [
            cdrs.handled(started_at=at, caller="0552251234", **night),
            cdrs.handled(started_at=cdrs.EVENING, caller="0552251234", **night),
            cdrs.handled(started_at=at, caller="0552251234", **{**night, "rule": RuleId("surge")}),
            cdrs.handled(started_at=at - timedelta(days=3), caller="0552251234", **night),
        ]

        asyncio.run(add(database, past))
        move_the_evening(folder)
        wanted = ("--replay", "2d", "--until", "2026-11-24T20:00")
        shown = command("diff", "@1", str(folder), "--from", "2026-11-24", *wanted).stdout
        assert "Of 3 past calls, 2 would have gone another way" in shown
        assert "055-225-****" in shown
        assert "1234" not in shown
        assert "3 of them the old rules themselves decided: 2 by the rule that takes them here." in shown
        found = json.loads(command("diff", "@1", str(folder), "--json", *wanted).stdout)["replay"]
        (moved,) = found["moved"]
        assert (moved["old_rule"], moved["new_rule"], moved["calls"]) == ("changwon-night", "closed", 2)
        assert [one["call_id"] for one in moved["examples"]] == [past[0].call_id, past[2].call_id]
        assert found["decided_otherwise_then"] == [{"then": "surge", "now": "changwon-night", "calls": 1}]

    def test_calls_of_the_past_are_decided_with_the_switches_that_were_on(
        self, command: Command, database: str, folder: Path
    ) -> None:
        live = go_live(database, folder, "start")
        call = {"started_at": cdrs.EVENING, "caller": "0552251234", "dialed": "120", "config_hash": live.config_hash}
        past = [
            cdrs.handled(rule=RuleId("changwon-night"), **call),
            cdrs.handled(rule=RuleId("emergency"), switches=(SwitchName("typhoon"),), **call),
        ]
        asyncio.run(add(database, past))
        shown = command("diff", "@1", "@1", "--replay", "2d", "--until", "2026-11-24T20:00").stdout
        assert "2 of them the old rules themselves decided: 2 by the rule that takes them here." in shown


async def add(database: str, past: Sequence[Cdr]) -> None:
    """Records of calls that are over."""
    connection = await connect(database)
    await insert_cdrs(connection, past)
    await connection.close()


def status_of(config_hash: str) -> Callable[[str], Awaitable[SimpleNamespace]]:
    """A daemon that runs by the version of that hash."""

    async def fetch(url: str) -> SimpleNamespace:
        return SimpleNamespace(service=SimpleNamespace(config_hash=config_hash))

    return fetch


class TestGoingBack:
    @pytest.fixture
    def reloader(self) -> FakeReloader:
        return FakeReloader()

    @pytest.fixture
    def back(self, command: Command, reloader: FakeReloader) -> Iterator[Callable[..., Result]]:
        with in_thread(WebServer("127.0.0.1", 0, FakeStatus(), Desks(reloader=reloader))) as server:
            yield lambda *more: command("reload", "--url", f"http://127.0.0.1:{server.port}", *more)

    def test_the_files_are_those_of_the_version_and_the_daemon_takes_just_those(
        self, back: Command, reloader: FakeReloader, database: str, folder: Path
    ) -> None:
        first = go_live(database, folder, "start")
        move_the_evening(folder)
        (folder / "more.yaml").write_text("topics: {other: {title: 기타}}\n", encoding="utf-8")
        second = go_live(database, folder, "kim")
        reloader.report = ReloadReport(True, True, first.config_hash, second.config_hash)
        result = back("--to", "@1")
        assert result.exit_code == 0, result.stderr
        assert load(folder).rulebook.hash == first.config_hash
        assert (folder / "routes-test.yaml").read_text(encoding="utf-8") == first.files["routes-test.yaml"]
        (asked,) = reloader.requests
        assert (asked.expect, asked.note) == (first.config_hash, "back to @1")
        (kept,) = (folder / "before").iterdir()
        assert load(kept).rulebook.hash == second.config_hash
        assert f"what they replaced is in {kept}" in result.stderr

    def test_what_the_daemon_refuses_is_put_back(
        self, back: Command, reloader: FakeReloader, database: str, folder: Path
    ) -> None:
        go_live(database, folder, "start")
        move_the_evening(folder)
        second = go_live(database, folder, "kim")
        reloader.report = ReloadReport(False, False, "old", "old", ("another daemon is in charge; ask that one",))
        result = back("--to", "@1")
        assert (result.exit_code, "the files were put back as they were" in result.stderr) == (1, True)
        assert written(folder, "kim").files == second.files

    def test_changes_that_were_never_live_are_not_lost_unawares(
        self, back: Command, reloader: FakeReloader, database: str, folder: Path
    ) -> None:
        first = go_live(database, folder, "start")
        move_the_evening(folder)
        result = back("--to", "@1")
        assert result.exit_code == 1
        assert (
            "changes of calendars.yaml, routes-test.yaml never went live (@1 is the newest that did)" in result.stderr
        )
        assert load(folder).rulebook.hash != first.config_hash
        assert reloader.requests == []
        reloader.report = ReloadReport(True, False, first.config_hash, first.config_hash)
        assert back("--to", "@1", "--force").exit_code == 0
        assert load(folder).rulebook.hash == first.config_hash

    def test_a_version_that_does_not_pass_the_check_any_more_stays_out(
        self, back: Command, reloader: FakeReloader, database: str, folder: Path
    ) -> None:
        path = folder / "routes.yaml"
        whole = path.read_text(encoding="utf-8")
        live = written(folder, "old program")
        path.write_text(whole.replace("tenant: changwon\n", "tennant: changwon\n"), encoding="utf-8")
        faulty = {**live.files, "routes.yaml": path.read_text(encoding="utf-8")}
        path.write_text(whole, encoding="utf-8")

        async def add() -> None:
            connection = await connect(database)
            await insert_rules(connection, rules.live(files=faulty, directory=live.directory))
            await insert_rules(connection, live)
            await connection.close()

        asyncio.run(add())
        result = back("--to", "@1")
        assert result.exit_code == 1
        assert 'unknown key "tennant"' in result.stderr
        assert "@1 does not pass the check any more, and stays out" in result.stderr
        assert (path.read_text(encoding="utf-8"), reloader.requests) == (whole, [])

    def test_what_someone_saved_meanwhile_is_not_put_back_over(
        self, back: Command, reloader: FakeReloader, database: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go_live(database, folder, "start")
        move_the_evening(folder)
        second = go_live(database, folder, "kim")

        async def someone_saves(request: ReloadRequest) -> ReloadReport:
            (folder / "lee.yaml").write_text("topics: {other: {title: 기타}}\n", encoding="utf-8")
            return ReloadReport(False, False, "old", "old", ("someone has saved since",))

        monkeypatch.setattr(reloader, "reload", someone_saves)
        result = back("--to", "@1")
        (kept,) = (folder / "before").iterdir()
        assert (result.exit_code, f"what there was is in {kept}" in result.stderr) == (1, True)
        assert (folder / "lee.yaml").exists()
        assert load(kept).rulebook.hash == second.config_hash

    def test_an_answer_that_is_lost_is_asked_for_by_the_version_in_force(
        self, back: Command, reloader: FakeReloader, database: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = go_live(database, folder, "start")
        move_the_evening(folder)
        go_live(database, folder, "kim")

        async def lose(url: str, request: ReloadRequest) -> ReloadReport:
            raise UnreachableError("no answer within 60 s")

        monkeypatch.setattr(restoring, "ask_reload", lose)
        assert back("--to", "@1").exit_code == 3
        assert load(folder).rulebook.hash != first.config_hash, "it was not taken, so it is put back"
        monkeypatch.setattr(restoring, "fetch_status", status_of(first.config_hash))
        assert back("--to", "@1").exit_code == 0
        assert load(folder).rulebook.hash == first.config_hash

    def test_without_a_daemon_nothing_is_touched(self, command: Command, database: str, folder: Path) -> None:
        first = go_live(database, folder, "start")
        move_the_evening(folder)
        go_live(database, folder, "kim")
        assert command("reload", "--to", "@1", "--url", "http://127.0.0.1:1").exit_code == 3
        assert load(folder).rulebook.hash != first.config_hash
        assert not (folder / "before").exists()
