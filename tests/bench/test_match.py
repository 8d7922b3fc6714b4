"""The benchmark of match decisions compares like with like."""

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bench.match import main, scan
from bench.shared_trunks import A_FEW, NEARLY_ALL, decide, free_one_by_one, shared_floor
from bench.waiting_floor import WaitingFloor, acd_of
from callrouter.core.ids import TrunkName


@given(st.integers(0, 40), st.integers(0, 8), st.integers(0, 99), st.booleans(), st.sets(st.integers(0, 18)))
def test_the_scan_finds_the_pair_that_the_distributor_finds(
    waiting: int, agents: int, seed: int, skilled: bool, shut: set[int]
) -> None:
    floor = WaitingFloor.of(waiting, agents, seed, skilled=skilled)
    full = {TrunkName(f"trunk-{number}") for number in shut}
    assert acd_of(floor).match(lambda way: way[1] not in full) == scan(floor, lambda way: way[1] not in full)


@pytest.mark.parametrize("in_use", [A_FEW, NEARLY_ALL])
def test_with_shared_trunks_all_is_put_back_after_each_decision(in_use: int) -> None:
    crowd = WaitingFloor.of(60, 20, skilled=True)
    floor = shared_floor(crowd, in_use)
    held = floor.trunks.seizures
    assert len(decide(floor, crowd, 40)) == 40
    assert len(free_one_by_one(floor, crowd, 40)) == 40
    assert floor.trunks.seizures == held
    assert sum(floor.acd.waiting(queue) for queue in floor.acd.queues) == len(crowd.waiting)


def test_it_prints_a_line_for_each_strategy_and_the_scan() -> None:
    result = CliRunner().invoke(
        main, ["--waiting", "200", "--agents", "50", "--decisions", "20"], catch_exceptions=False
    )
    assert result.exit_code == 0
    said = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in said[2:16]] == [
        "longest-idle",
        "fewest-calls",
        "round-robin",
        "ordered",
        "weighted-random",
        "ring-all",
        "longest-idle, skills, tenants",
        "weighted-random, skills, tenants",
        "one is free, skills, tenants",
        "shared trunks, 9 of 30 in use",
        "one is free, 9 of 30 in use",
        "shared trunks, 25 of 30 in use",
        "one is free, 25 of 30 in use",
        "nobody can be reached",
    ]
    assert said[16].startswith("scan of all pairs")
    assert said[-2].startswith("memory of a place in line: ")
    assert said[-1].startswith("memory of a call that waits: ")
