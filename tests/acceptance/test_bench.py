"""The benchmark itself works: a tiny run, whose figures mean nothing."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import restart
from bench.__main__ import main
from bench.competitors import ALL
from lab import testing

pytestmark = pytest.mark.asterisk


def test_a_quick_run_takes_every_call_and_prints_a_table_with_all_competitors(tmp_path: Path) -> None:
    testing.remove_leftovers()

    done = CliRunner().invoke(
        main, ["--quick", "--name", f"{testing.PREFIX}bench-{os.getpid()}", "--results", str(tmp_path)]
    )

    assert done.exit_code == 0, done.output
    (raw,) = tmp_path.glob("*.json")
    measurements = json.loads(raw.read_text(encoding="utf-8"))["measurements"]
    assert [(each["competitor"], each["calls"]) for each in measurements] == [(each.name, 20) for each in ALL]
    assert [(each["failed"], each["left"], each["errors"]) for each in measurements] == [(0, 0, "")] * len(ALL)
    assert [line.split("|")[2].strip() for line in done.output.splitlines() if line.startswith("|      20 |")] == [
        each.name for each in ALL
    ]
    assert raw.with_suffix(".md").read_text(encoding="utf-8").startswith("# INVITE to 180 Ringing\n")


def test_a_round_of_restarts_takes_up_three_calls_and_prints_figures() -> None:
    testing.remove_leftovers()

    done = CliRunner().invoke(
        restart.main, ["--rounds", "1", "--name", f"{testing.PREFIX}restart-{os.getpid()}"], catch_exceptions=False
    )

    assert done.exit_code == 0, done.output
    assert "in charge of three calls    median" in done.output
    assert "bare start of a client      median" in done.output
