"""The benchmark of routing itself works: a tiny run, whose figures mean nothing."""

import pytest
from click.testing import CliRunner

from bench.routing import main


@pytest.mark.slow
def test_a_tiny_run_decides_as_the_linear_scan_does_and_prints_all_tables() -> None:
    done = CliRunner().invoke(main, ["--rules", "100", "--calls", "1000", "--linear", "20", "--checks", "1"])

    assert done.exit_code == 0, done.output
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.output.splitlines() if line[:1] == "|"]
    taken_by = [row[2] for row in rows if row[0] == "100" and len(row) == 8]
    assert taken_by[0] == "any rule"
    assert {"the first tenth", "the last rule"} <= {*taken_by}
    assert [row[1] for row in rows if row[0] == "100000"] == ["a dictionary for each length", "marisa-trie"]
    assert "rules under 20:" in done.output
    assert "load and check 100 rules under 2:" in done.output
