"""What came in is kept, and is decided the same again; a file that is cut, damaged or foreign is told."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import structlog

from callrouter.cli.replay import rules_of
from callrouter.config import Loaded
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.duty import Duty
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, ChannelId
from callrouter.core.inbound import CallFacts
from callrouter.core.output import Output
from callrouter.core.pins import Pin
from callrouter.core.rulebook import Rulebook
from callrouter.core.states import CallState
from callrouter.replay.again import Again, Step
from callrouter.replay.recorder import make_room
from callrouter.replay.records import MAGIC, Began, Happened, InputsError, Recalled, Rules, digest, encoder, pack, read
from tests.replay.conftest import CALL, CALLER, SITE, START, Morning

NOTHING = msgspec.Raw(encoder.encode(None))


def run_again(path: Path) -> list[Step]:
    return list(Again(read(path), rules_of).steps())


def write(path: Path, *records: object) -> Path:
    path.write_bytes(MAGIC + pack([encoder.encode(record) for record in records]))
    return path


def test_the_same_is_decided_again_bit_for_bit(kept: Path) -> None:
    steps = run_again(kept)
    assert [step.kind for step in steps] == ["SiteUp", "CallArrived", "DigitPressed", "CallerLeft"]
    assert all(step.is_same for step in steps)
    assert [(step.before, step.after) for step in steps[1:]] == [
        (None, CallState.ANNOUNCING),
        (CallState.ANNOUNCING, CallState.ANNOUNCING),
        (CallState.ANNOUNCING, None),
    ]
    assert {step.call for step in steps[1:]} == {CALL}


def test_another_decision_is_told(kept: Path) -> None:
    def altered() -> Iterator[object]:
        for record in read(kept):
            is_call = isinstance(record, Happened) and record.kind == "CallArrived"
            yield msgspec.structs.replace(record, decided=b"12345678") if is_call else record

    changed = write(kept.with_name("changed"), *altered())
    assert [step.is_same for step in run_again(changed)] == [True, False, True, True]


def test_new_rules_are_run_again_by_their_own_text(morning: Morning, loaded: Loaded) -> None:
    morning.begin()
    files = {**loaded.files, "routes.yaml": loaded.files["routes.yaml"] + "\n# a word\n"}
    new = rules_of(Rules("", files, {}))
    assert new.hash != loaded.rulebook.hash
    morning.recorder.rules(new.hash, files, {})
    morning.take(ev.RulebookReplaced(new))
    morning.call_comes_and_goes()
    again = Again(read(morning.close()), rules_of)
    assert all(step.is_same for step in again.steps())
    assert again.exchange is not None
    assert again.exchange.rulebook.hash == new.hash


def test_what_the_environment_put_in_the_place_of_the_rules_counts(loaded: Loaded) -> None:
    rules = rules_of(Rules("", dict(loaded.files), {"CALLROUTER_LIMITS_RETRY_AFTER_CONGESTION": "77s"}))
    assert rules.limits.retry_after_congestion_s == 77


def test_what_an_earlier_daemon_had_known_is_told_again(morning: Morning) -> None:
    morning.recorder.rules(morning.loaded.rulebook.hash, morning.loaded.files, {})
    morning.recorder.began(START, "1.2.3")
    name = next(iter(morning.loaded.rulebook.agents))
    entry = AuditEntry(START, "kim", AuditKind.AGENT, name, Duty.ON, Duty.PAUSED, "command", note="lunch")
    out = morning.exchange.restore_duties([entry])
    morning.recorder.recalled("restore_duties", [[entry]], out, START)
    morning.exchange.restore_today([], [entry], START, START)
    morning.recorder.recalled("restore_today", ([], [entry], START), None, START)
    again = Again(read(morning.close()), rules_of)
    assert [(step.kind, step.is_same) for step in again.steps()] == [("restore_duties", True), ("restore_today", True)]
    assert again.exchange is not None
    assert again.exchange.floor.staff.agents[name].duty is Duty.PAUSED


class TestPins:
    """A counselor logs in at a phone by number and PIN."""

    PIN = "2589"

    @pytest.fixture
    def rules(self, loaded: Loaded) -> Rulebook:
        agents = {name: replace(spec, pin=Pin.of(self.PIN, bytes(16))) for name, spec in loaded.rulebook.agents.items()}
        return replace(loaded.rulebook, desk_code="*13", agents=agents)

    def test_the_digits_are_not_kept_and_the_seat_is_taken_again(
        self, rules: Rulebook, loaded: Loaded, tmp_path: Path
    ) -> None:
        make_room(tmp_path / "office", START, 3600.0, 1)
        office = Morning(tmp_path / "office", replace(loaded, rulebook=rules))
        office.begin()
        channel, number = ChannelId("9.1"), next(iter(rules.agents))
        office.take(ev.CodeDialed(SITE, channel, "PJSIP/206", "*13"))
        office.take(*(ev.DigitPressed(channel, key) for key in f"{number}#{self.PIN}#"))
        assert office.exchange.floor.staff.desks == {number: (SITE, "PJSIP/206")}

        kept = list(read(office.close()))
        digits = [
            msgspec.msgpack.decode(one.event)["digit"]
            for one in kept
            if isinstance(one, Happened) and one.kind == "DigitPressed"
        ]
        assert "".join(digits) == f"{number}#0000#"
        again = Again(iter(kept), lambda _: rules)
        assert all(step.is_same for step in again.steps())
        assert again.exchange is not None
        assert again.exchange.floor.staff.desks == {number: (SITE, "PJSIP/206")}


class TestDefects:
    """Handling an event raised."""

    @pytest.fixture
    def with_defect(self, morning: Morning, monkeypatch: pytest.MonkeyPatch) -> Path:
        def fail(exchange: Exchange, event: ev.Event, at: object) -> Output:
            raise RuntimeError("a defect")

        morning.begin()
        came = ev.CallArrived(CALL, CALLER, CallFacts("120", SITE, "0552251234"))
        morning.take(came)
        with monkeypatch.context() as patched:
            patched.setattr(Exchange, "handle", fail)
            morning.recorder.before(ev.DigitPressed(CALLER, "1"), START + timedelta(seconds=9))
            morning.recorder.after(None)
        at = START + timedelta(seconds=9)
        morning.recorder.gave_up(
            CALL, "its handling failed", morning.exchange.give_up(CALL, at, "its handling failed"), at
        )
        return morning.close()

    def test_one_that_is_mended_since_is_told_and_the_call_is_given_up_again(self, with_defect: Path) -> None:
        steps = run_again(with_defect)
        assert [(step.kind, step.is_same) for step in steps[2:]] == [("DigitPressed", False), ("GaveUp", True)]

    def test_one_that_is_still_there_shows_again(self, with_defect: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(event: ev.DigitPressed, at: object, out: object) -> None:
            raise RuntimeError("a defect")

        again = Again(read(with_defect), rules_of)
        steps = again.steps()
        next(steps)
        assert again.exchange is not None
        again.exchange._handlers[ev.DigitPressed] = fail
        _, pressed, given_up = steps
        assert (pressed.raised, pressed.is_same) == ("RuntimeError('a defect')", True)
        assert given_up.is_same


@pytest.fixture(scope="module")
def three_blocks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    path = tmp_path_factory.mktemp("blocks") / "three"
    block = pack([encoder.encode(Happened(START, "Nothing", NOTHING, b"")) for _ in range(2)])
    path.write_bytes(MAGIC + block * 3)
    return path, 6


class TestFiles:
    """A file that is not as it was written."""

    def test_one_that_is_cut_anywhere_reads_as_far_as_it_is_whole(self, three_blocks: tuple[Path, int]) -> None:
        path, records = three_blocks
        whole, all_records = path.read_bytes(), list(read(path))
        cut = path.with_name("cut")
        for length in range(len(whole)):
            cut.write_bytes(whole[:length])
            read_again = list(read(cut))
            assert read_again == all_records[: len(read_again)]
            assert len(read_again) % (records // 3) == 0

    def test_one_that_was_altered_reads_as_far_as_it_is_sound(self, three_blocks: tuple[Path, int]) -> None:
        path, _ = three_blocks
        whole = bytearray(path.read_bytes())
        whole[-3] ^= 0xFF
        altered = path.with_name("altered")
        altered.write_bytes(whole)
        assert len(list(read(altered))) == 4

    def test_a_foreign_one_is_refused(self, tmp_path: Path) -> None:
        foreign = tmp_path / "journal.sqlite3"
        foreign.write_bytes(b"SQLite format 3\0")
        with pytest.raises(InputsError, match="holds no inputs; name a file of the folder inputs"):
            list(read(foreign))

    def test_one_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(InputsError, match="cannot be read: No such file or directory"):
            list(read(tmp_path / "none"))

    def test_records_of_another_version_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(InputsError, match="holds records that this version does not know"):
            list(read(write(tmp_path / "new", {"type": "unheard-of"})))

    def test_one_without_a_beginning_is_refused(self, tmp_path: Path) -> None:
        headless = write(tmp_path / "headless", Happened(START, "SiteUp", NOTHING, b""))
        with pytest.raises(InputsError, match="does not begin with the start of a daemon"):
            run_again(headless)

    def test_rules_that_the_file_does_not_hold_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(InputsError, match="does not hold the rules abc"):
            run_again(write(tmp_path / "bare", Began(START, "1", "abc")))

    def test_rules_that_are_compiled_to_something_else_now_are_told(self, tmp_path: Path, loaded: Loaded) -> None:
        other = write(tmp_path / "other", Rules("abc", dict(loaded.files), {}))
        with pytest.raises(InputsError, match=f"the rules abc are compiled to {loaded.rulebook.hash} by this version"):
            run_again(other)

    def test_rules_that_are_faulty_now_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(InputsError, match="the rules of then have faults by this version: "):
            run_again(write(tmp_path / "faulty", Rules("abc", {"routes.yaml": "routes: 1\n"}, {})))

    @pytest.mark.parametrize(
        ("record", "message"),
        [
            (Happened(START, "Unheard", NOTHING, b""), "knows no event Unheard"),
            (Recalled(START, "restore_nothing", (), b""), "cannot be told 'restore_nothing'"),
        ],
    )
    def test_what_this_version_does_not_know_is_told(
        self, morning: Morning, tmp_path: Path, record: object, message: str
    ) -> None:
        files = dict(morning.loaded.files)
        config_hash = morning.loaded.rulebook.hash
        path = write(tmp_path / "later", Rules(config_hash, files, {}), Began(START, "1", config_hash), record)
        with pytest.raises(InputsError, match=message):
            run_again(path)


class TestKeeping:
    """Calls never wait for it."""

    def test_a_disk_that_takes_nothing_ends_it_and_is_told_once(self, tmp_path: Path, loaded: Loaded) -> None:
        morning = Morning(tmp_path / "no" / "such" / "folder", loaded)
        with structlog.testing.capture_logs() as told:
            morning.begin()
            morning.call_comes_and_goes()
            morning.close()
        assert [line["event"] for line in told] == ["inputs.ended"]
        assert "No such file or directory" in morning.recorder.why_ended

    def test_a_file_grows_no_further_than_it_may(self, tmp_path: Path, loaded: Loaded) -> None:
        morning = Morning(tmp_path, loaded, at_most_bytes=1000)
        morning.begin()
        assert not morning.close().exists()
        assert morning.recorder.why_ended == "the file has 0 bytes, the most it may have"

    def test_it_is_for_the_daemons_user_alone(self, kept: Path) -> None:
        assert kept.stat().st_mode & 0o777 == 0o600

    async def test_what_came_in_is_soon_on_the_disk(self, morning: Morning) -> None:
        running = asyncio.create_task(morning.recorder.run())
        morning.begin()
        async with asyncio.timeout(10):
            while not morning.recorder.written_bytes:  # noqa: ASYNC110 - its thread tells nobody
                await asyncio.sleep(0.01)
        morning.call_comes_and_goes()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert [step.is_same for step in run_again(morning.recorder.path)] == [True] * 4

    def test_old_runs_go_and_of_the_others_the_oldest_where_there_are_too_many(self, tmp_path: Path) -> None:
        folder = tmp_path / "inputs"
        make_room(folder, START, 3600.0, 100)
        for name in ("1", "2", "3"):
            (folder / f"{name}.inputs").write_bytes(b"x" * 40)
        now = START.now(START.tzinfo)
        make_room(folder, now, 3600.0, 100)
        assert sorted(path.name for path in folder.iterdir()) == ["2.inputs", "3.inputs"]
        make_room(folder, now + timedelta(hours=2), 3600.0, 100)
        assert not list(folder.iterdir())


def test_the_digest_tells_commands_of_the_same_fields_apart() -> None:
    ring, answer = (Output(commands=[kind(SITE, CallId("c"), CALLER)]) for kind in (cmd.Ring, cmd.Answer))
    assert digest(ring) != digest(answer)
    assert digest(None) != digest(Output())
