"""Orders go out when the facts that they follow from are on disk; and a disk in trouble holds them up once."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from structlog.testing import capture_logs

from callrouter.runtime import held_orders
from callrouter.runtime.held_orders import HeldOrders
from tests.fakes.keeping import SlowDisk

PATIENCE_S = 10.0


class Scene:
    def __init__(self) -> None:
        self.disk = SlowDisk()
        self.sent: list[str] = []
        self.may_act = True
        self.emptied = asyncio.Event()
        self.orders = HeldOrders(self.disk, lambda: self.may_act, self.emptied.set)
        self.answers: list[Callable[[], None]] = []

    def decides(self, order: str, facts: int = 1, orders: int = 1) -> None:
        self.disk.hand_over(facts)
        self.orders.send(partial(self._send, order), orders)

    def _send(self, order: str, settled: Callable[[], None]) -> None:
        self.sent.append(order)
        self.answers.append(settled)

    async def until_empty(self) -> None:
        self.emptied.clear()
        async with asyncio.timeout(PATIENCE_S):
            await self.emptied.wait()


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_an_order_waits_for_its_facts(scene: Scene) -> None:
    scene.decides("ring")
    assert scene.sent == []
    scene.disk.write()
    assert scene.sent == ["ring"]
    assert not scene.orders


async def test_one_that_follows_from_nothing_new_does_not(scene: Scene) -> None:
    scene.decides("ask", facts=0)
    assert scene.sent == ["ask"]
    assert scene.disk.asked == []


async def test_none_overtakes_another(scene: Scene) -> None:
    scene.decides("ring")
    scene.decides("ask", facts=0)
    assert scene.sent == []
    scene.disk.write()
    assert scene.sent == ["ring", "ask"]


async def test_only_those_go_out_whose_facts_are_there(scene: Scene) -> None:
    scene.decides("first")
    scene.decides("second")
    scene.disk.write(1)
    assert scene.sent == ["first"]
    assert len(scene.orders) == 1


async def test_who_was_told_of_others_facts_is_told_of_his_own_too(scene: Scene) -> None:
    scene.decides("first")
    scene.decides("second", facts=2)
    for _ in range(3):
        scene.disk.write(1)
    assert scene.sent == ["first", "second"]


async def test_what_got_to_the_disk_while_it_was_asked_for_is_not_waited_for(scene: Scene) -> None:
    def writes_at_once(tell: Callable[[], None]) -> None:
        scene.disk.kept = scene.disk.handed

    scene.disk.keep_now = writes_at_once  # type: ignore[method-assign]
    scene.decides("ring")
    assert scene.sent == ["ring"]


async def test_it_is_said_how_far_asterisk_has_answered_all(scene: Scene) -> None:
    scene.decides("first", orders=2)
    scene.decides("second")
    scene.disk.write()
    first, second = scene.answers
    second()
    first()
    assert scene.disk.settled_until == []
    first()
    (until,) = scene.disk.settled_until
    scene.orders.send_nothing()
    assert scene.disk.settled_until[-1] >= until


async def test_what_nobody_has_to_answer_is_settled_when_it_is_sent(scene: Scene) -> None:
    scene.decides("an answer of the API", orders=0)
    scene.orders.send_nothing()
    assert scene.disk.settled_until == []
    scene.disk.write()
    assert len(scene.disk.settled_until) == 1


async def test_a_disk_that_takes_too_long_holds_nothing_up_any_more_until_it_has_caught_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_orders, "HELD_AT_MOST_S", 0.01)
    scene.decides("late")
    scene.decides("late too")
    await scene.until_empty()
    assert scene.sent == ["late", "late too"]
    scene.decides("at once")
    assert scene.sent[-1] == "at once"
    scene.disk.write(1)
    scene.decides("held again")
    assert scene.sent[-1] == "at once"


async def test_what_is_decided_later_waits_for_no_longer_than_the_first(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_orders, "HELD_AT_MOST_S", 0.05)
    scene.decides("first")
    await asyncio.sleep(0)
    scene.disk.write()
    scene.decides("second")
    await scene.until_empty()
    assert scene.sent == ["first", "second"]


async def test_it_is_known_of_how_many_records_something_has_followed(scene: Scene) -> None:
    scene.decides("first")
    scene.decides("second", facts=2)
    assert scene.disk.followed_by_orders == 0
    scene.disk.write(1)
    assert scene.disk.followed_by_orders == 1
    scene.disk.write()
    assert scene.disk.followed_by_orders == 3


async def test_who_may_not_act_does_not_blame_the_disk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_orders, "HELD_AT_MOST_S", 0.01)
    scene.may_act = False
    with capture_logs() as logs:
        scene.decides("ring")
        await asyncio.sleep(0.05)  # he sleeps; nothing may come of it
    assert (logs, scene.orders.hastened) == ([], 0)
    scene.may_act = True
    await scene.until_empty()
    assert (scene.sent, scene.orders.hastened) == (["ring"], 1)


async def test_who_may_not_act_sends_nothing_until_he_may(scene: Scene) -> None:
    scene.may_act = False
    scene.decides("ring", facts=0)
    scene.disk.write()
    assert scene.sent == []
    scene.may_act = True
    scene.orders.go_on()
    assert scene.sent == ["ring"]


async def test_who_is_relieved_sends_nothing_any_more(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_orders, "HELD_AT_MOST_S", 0.01)
    scene.decides("ring")
    scene.orders.drop()
    scene.disk.write()
    await asyncio.sleep(0.03)
    assert scene.sent == []
    assert not scene.orders
