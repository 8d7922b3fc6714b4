"""Which ways to counselors and residents can be gone."""

import pytest

from callrouter.core.ids import ChannelId, TenantName
from callrouter.core.pool import Way
from callrouter.core.shut import Outward
from callrouter.core.trunk_group import Asker
from callrouter.core.trunk_spec import Share, TrunkSpec
from callrouter.core.trunks import Trunks
from callrouter.core.ways import Ways
from tests.core.driver import CITY, HALL, START, rulebook

JINJU, GEOJE = TenantName("jinju"), TenantName("geoje")


@pytest.mark.parametrize(("tenant", "there_is_one"), [(JINJU, True), (GEOJE, False)])
def test_who_may_not_have_a_channel_to_the_counselor_has_none_to_the_resident_beside_it(
    tenant: TenantName, there_is_one: bool
) -> None:
    trunks = Trunks({CITY: TrunkSpec(CITY, 4, shares={GEOJE: Share(0, 1)})})
    trunks.seize(CITY, ChannelId("leg"), Asker(HALL, GEOJE), START)
    ways = Ways(rulebook(), trunks)
    ways.sites.add(HALL)
    way = Way(HALL, CITY)
    assert ways.is_open(START, way)
    assert ways.has_room_outward(START, way, Outward(CITY, HALL, tenant, False)) == there_is_one
