"""What the keeper of messages tells of boxes."""

from datetime import UTC, datetime

from callrouter.app.status import boxes_now
from callrouter.core.ids import BoxName
from callrouter.core.rulebook import BoxSpec
from callrouter.store.voicemail import BoxCount
from callrouter.web.sources import BoxNow

NIGHT, OLD = BoxName("night"), BoxName("old")
AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


def test_every_box_is_told_of_and_so_is_one_that_is_gone_but_not_empty() -> None:
    configured = {NIGHT: BoxSpec(NIGHT, "야간"), BoxName("day"): BoxSpec(BoxName("day"), "주간")}

    assert boxes_now(configured, [BoxCount(NIGHT, 3, 1, AT), BoxCount(OLD, 2, 0, None)]) == (
        BoxNow(NIGHT, "야간", 3, 1, AT),
        BoxNow(BoxName("day"), "주간", 0, 0, None),
        BoxNow(OLD, "old", 2, 0, None),
    )
