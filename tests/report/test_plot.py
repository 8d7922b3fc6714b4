"""The report's picture of pixels: a PNG whose bars have the colours of what became of the calls."""

import io

import matplotlib.image
import numpy as np

from callrouter.core.cdr import OfferResult
from callrouter.core.service_level import ServiceGoal
from callrouter.core.tally import QueueTally
from callrouter.report.bars import PARTS
from callrouter.report.grouping import AgentReport
from callrouter.report.plot import plot
from tests.report.calls import abandoned, answered, offer


def areas(drawn: bytes) -> dict[str, int]:
    """How many pixels have the colour of each part."""
    assert drawn.startswith(b"\x89PNG")
    pixels = (matplotlib.image.imread(io.BytesIO(drawn))[:, :, :3] * 255).round().astype(int)
    colours = {what: tuple(bytes.fromhex(colour[1:])) for what, colour in PARTS}
    return {what: int(np.all(pixels == colour, axis=-1).sum()) for what, colour in colours.items()}


def test_bars_are_as_long_as_calls_are_many() -> None:
    tally = QueueTally()
    for call in [*(answered(1) for _ in range(30)), *(abandoned(60) for _ in range(10))]:
        tally.add(call, ServiceGoal())
    found = areas(plot("2026-11-24 $x$", [("창원 <night> $", tally)]))
    bare = areas(plot("2026-11-24", [("night", QueueTally())]))
    answered_px, lost_px = (found[what] - bare[what] for what in ("answered", "abandoned or missed"))
    assert 2.8 < answered_px / lost_px < 3.2
    assert found["others"] == bare["others"]  # in the legend alone


def test_offers_are_drawn_too_and_nothing_is_a_picture_without_bars() -> None:
    report = AgentReport()
    report.add(offer(OfferResult.NO_ANSWER))
    assert areas(plot("x", report.groups()))["abandoned or missed"] > areas(plot("x", []))["abandoned or missed"]
