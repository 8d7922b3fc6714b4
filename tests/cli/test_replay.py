"""``callrouter replay``: what is shown of a run, and the exit status."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli.replay import replay
from callrouter.replay.records import MAGIC
from lab.paths import PROJECT
from tests.replay.conftest import CALL, RESIDENT, kept, loaded, morning

__all__ = ["kept", "loaded", "morning"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    monkeypatch.setenv("CALLROUTER_STATE_DIR", str(tmp_path / "state"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(replay, ["--config", str(PROJECT / "config"), *arguments])


def test_a_run_is_told_in_a_few_lines(kept: Path) -> None:
    result = run(str(kept))
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        str(kept),
        "  callrouter 1.2.3, from 2026-11-24 10:00:00 to 2026-11-24 10:00:01",
        "  4 inputs, 1 calls, 1 records",
        "  the same was decided, bit for bit",
    ]


def test_one_call_is_shown_step_by_step_without_the_residents_whole_number(kept: Path) -> None:
    output = run(str(kept), "--call", CALL).output
    assert "#2  2026-11-24 10:00:00.500000  CallArrived\n" in output
    assert f"      call {CALL}: not there yet → announcing\n" in output
    assert "\n      fact     Opened " in output
    assert "\n      record   abandoned, NO ANSWER, talk 0 s\n" in output
    assert "055225****" in output
    assert RESIDENT not in output
    assert RESIDENT in run(str(kept), "--call", CALL, "--no-mask").output


def test_a_span_of_time_is_shown_with_all_that_came_in(kept: Path) -> None:
    output = run(str(kept), "--since", "2026-11-24T10:00:00.7", "--until", "2026-11-24T10:00:00.9").output
    assert [line for line in output.splitlines() if line.startswith("#")] == [
        "#3  2026-11-24 10:00:00.750000  DigitPressed"
    ]


def test_where_nothing_fits_nothing_is_shown(kept: Path) -> None:
    assert run(str(kept), "--call", "another").output == ""


def test_for_programs_it_is_json(kept: Path) -> None:
    (document,) = json.loads(run(str(kept), "--call", CALL, "--json").output)
    assert (document["inputs"], document["calls"], document["records"], document["differs_from"]) == (4, 1, 1, None)
    assert [step["kind"] for step in document["steps"]] == ["CallArrived", "DigitPressed", "CallerLeft"]
    assert document["steps"][0]["after"] == "announcing"
    assert RESIDENT not in json.dumps(document)


def test_all_kept_runs_are_run_again_where_none_is_named(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "inputs"
    folder.mkdir(parents=True)
    shutil.copy(kept, folder)
    (folder / "20261125T000000.000000Z.inputs").write_bytes(MAGIC)
    (folder / "20261125T000001.000000Z.inputs").touch()  # of a daemon that was killed before it had written anything
    output = run().output
    assert "the same was decided" in output
    assert "nothing was kept yet" in output


def test_that_nothing_is_kept_is_told_with_the_likely_reason() -> None:
    result = run()
    assert result.exit_code == 1
    assert "holds no runs; does state: say inputs: 0?" in str(result.exception)


def test_what_is_decided_otherwise_is_told_and_is_the_exit_status(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callrouter.replay.again.digest", lambda _: b"other")
    result = run(str(kept))
    assert result.exit_code == 1
    assert "not the same was decided, from input #1 on (SiteUp, 10:00:00.250000)" in result.output
