"""The benchmark of match decisions compares like with like."""

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bench.match import Floor, main, scan
from callrouter.core.acd import Acd


@given(st.integers(0, 40), st.integers(0, 8), st.integers(0, 99))
def test_the_scan_finds_the_pair_that_the_distributor_finds(waiting: int, agents: int, seed: int) -> None:
    floor, acd = Floor.of(waiting, agents, seed), Acd()
    for line, place, call in floor.waiting:
        acd.join(line, place, call)
    for one in floor.agents:
        acd.offer_to(one)
    assert acd.match(lambda _: True) == scan(floor, lambda _: True)


def test_it_prints_a_line_for_each_strategy_and_the_scan() -> None:
    result = CliRunner().invoke(
        main, ["--waiting", "200", "--agents", "50", "--decisions", "20"], catch_exceptions=False
    )
    assert result.exit_code == 0
    said = result.stdout.splitlines()
    assert [line.split()[0] for line in said[2:8]] == [
        "longest-idle",
        "fewest-calls",
        "round-robin",
        "ordered",
        "weighted-random",
        "scan",
    ]
    assert said[-1].startswith("memory of a place in line: ")
