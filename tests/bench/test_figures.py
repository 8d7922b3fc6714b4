"""Figures are what they are called: nearest-rank percentiles, medians of rounds, ratios within a round."""

import pytest

from bench.figures import Cell, percentile, summarise
from bench.report import aims, table


def cell(
    competitor: str,
    *,
    rate: float = 80.0,
    round_: int = 1,
    median_ms: float = 4.0,
    p99_ms: float = 8.0,
    failed: int = 0,
    retransmissions: int = 0,
    daemon_cpu_ms: float = 1.0,
) -> Cell:
    return Cell(
        competitor=competitor,
        rate=rate,
        round=round_,
        calls=100,
        median_ms=median_ms,
        p99_ms=p99_ms,
        longest_ms=p99_ms + round_,
        failed=failed,
        retransmissions=retransmissions,
        left=0,
        asterisk_cpu_ms=7.0,
        daemon_cpu_ms=daemon_cpu_ms,
        database_cpu_ms=0.1,
    )


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (1, 1.0), (50, 50.0), (50.1, 51.0), (99, 99.0), (99.9, 100.0), (100, 100.0)]
)
def test_a_percentile_is_the_value_at_the_nearest_rank(percent: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == value


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="of nothing"):
        percentile([], 50)


def test_a_row_has_the_medians_of_the_rounds_and_the_sums_of_what_must_not_be() -> None:
    rounds = [
        cell("callrouter", round_=number, median_ms=median_ms, failed=failed, retransmissions=2)
        for number, median_ms, failed in ((1, 4.0, 0), (2, 90.0, 1), (3, 5.0, 2))
    ]

    (row,) = summarise(rounds, "app_queue")

    assert (row.median_ms, row.longest_ms) == (5.0, 11.0)
    assert (row.calls, row.failed, row.retransmissions) == (300, 3, 6)
    assert (row.median_ratio, row.p99_ratio) == (None, None)


def test_a_disturbance_of_a_whole_round_does_not_count_in_the_ratio() -> None:
    pairs = ((1, 4.0, 5.0), (2, 40.0, 50.0), (3, 4.0, 5.0))
    cells = [cell("callrouter", round_=number, median_ms=ours) for number, ours, _ in pairs]
    cells += [cell("app_queue", round_=number, median_ms=theirs) for number, _, theirs in pairs]

    ours, theirs = summarise(cells, "app_queue")

    assert ours.median_ratio == pytest.approx(0.8)
    assert theirs.median_ratio == 1.0


def test_rows_stand_by_rate_and_within_it_as_they_were_measured() -> None:
    cells = [cell("b", rate=150), cell("a", rate=150), cell("b", rate=20), cell("a", rate=20)]

    assert [(row.rate, row.competitor) for row in summarise(cells, "a")] == [
        (20, "b"),
        (20, "a"),
        (150, "b"),
        (150, "a"),
    ]


def test_the_table_is_markdown_with_a_line_for_each_row_and_its_columns_in_line() -> None:
    head, rule, *lines = table(summarise([cell("callrouter"), cell("app_queue", median_ms=3.25)], "app_queue")).split(
        "\n"
    )

    assert [name.strip() for name in head.strip("|").split("|")][:5] == [
        "calls/s",
        "taken by",
        "calls",
        "median ms",
        "p99 ms",
    ]
    assert len({len(line) for line in (head, rule, *lines)}) == 1
    cells = [[text.strip() for text in line.strip("|").split("|")] for line in lines]
    assert [row[:7] for row in cells] == [
        ["80", "callrouter", "100", "4.0", "8.0", "9.0", "1.23"],
        ["80", "app_queue", "100", "3.2", "8.0", "9.0", "1.00"],
    ]
    assert [row[-2] for row in cells] == ["1.00", "-"]


def test_each_aim_is_said_to_be_met_or_missed_and_where() -> None:
    cells = [
        cell("callrouter", rate=20, median_ms=4.0, daemon_cpu_ms=1.5),
        cell("app_queue", rate=20, median_ms=4.0),
        cell("callrouter", rate=150, median_ms=5.0, p99_ms=7.0, failed=1, daemon_cpu_ms=1.51),
        cell("app_queue", rate=150, median_ms=4.0),
    ]

    assert aims(summarise(cells, "app_queue")) == [
        "missed  median at or below app_queue's: 1.25 at 150 calls/s",
        "met     p99 at or below app_queue's",
        "missed  no failed call: 1 at 150 calls/s",
        "met     no retransmission",
        "missed  1.5 ms of daemon CPU a call: 1.51 at 150 calls/s",
    ]


def test_nothing_is_said_of_aims_that_were_not_measured() -> None:
    assert aims(summarise([cell("Dial()")], "app_queue")) == []
    assert aims(summarise([cell("callrouter")], "app_queue")) == [
        "met     no failed call",
        "met     no retransmission",
        "met     1.5 ms of daemon CPU a call",
    ]
