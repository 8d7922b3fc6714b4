"""The benchmark of match decisions compares like with like."""

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bench.match import Floor, acd_of, main, scan
from callrouter.core.ids import TrunkName


@given(st.integers(0, 40), st.integers(0, 8), st.integers(0, 99), st.booleans(), st.sets(st.integers(0, 18)))
def test_the_scan_finds_the_pair_that_the_distributor_finds(
    waiting: int, agents: int, seed: int, skilled: bool, shut: set[int]
) -> None:
    floor = Floor.of(waiting, agents, seed, skilled=skilled)
    full = {TrunkName(f"trunk-{number}") for number in shut}
    assert acd_of(floor).match(lambda way: way[1] not in full) == scan(floor, lambda way: way[1] not in full)


def test_it_prints_a_line_for_each_strategy_and_the_scan() -> None:
    result = CliRunner().invoke(
        main, ["--waiting", "200", "--agents", "50", "--decisions", "20"], catch_exceptions=False
    )
    assert result.exit_code == 0
    said = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in said[2:12]] == [
        "longest-idle",
        "fewest-calls",
        "round-robin",
        "ordered",
        "weighted-random",
        "ring-all",
        "longest-idle, skills, tenants",
        "weighted-random, skills, tenants",
        "one is free, skills, tenants",
        "nobody can be reached",
    ]
    assert said[12].startswith("scan of all pairs")
    assert said[-2].startswith("memory of a place in line: ")
    assert said[-1].startswith("memory of a call that waits: ")
