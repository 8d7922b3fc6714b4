"""The benchmark of the proof runs, and measures what it says."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.coverage import main, write_province
from callrouter.config import load


@pytest.mark.slow
def test_it_prints_a_row_for_each_step_of_both_configurations() -> None:
    result = CliRunner().invoke(main, ["--rounds", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    assert head.split()[:4] == ["configuration", "rules", "kinds", "moments"]
    steps = [row.split()[-3] for row in rows if "in all" not in row]
    assert steps == ["proof", "findings", "picture"] * 2
    assert all(float(row.split()[-2]) > 0 for row in rows if "in all" not in row)


def test_the_province_of_many_cities_is_a_configuration_without_faults(tmp_path: Path) -> None:
    write_province(tmp_path / "province")
    loaded = load(tmp_path / "province", {"CALLROUTER_ARI_PASSWORD": "x"})
    assert len(loaded.model.routes) > 70
