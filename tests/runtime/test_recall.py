"""What is remembered of a caller is told once, when the call comes in, and what the exchange wants kept is kept."""

from datetime import UTC, datetime

from callrouter.core import events as ev
from callrouter.core.ids import CallId, ChannelId, RegionName, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.runtime.recall import NoMemory, event_with_memory, with_memory

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
HALL = SiteName("hall")
GIMHAE = RegionName("gimhae")
CALLER = CallFacts("120", HALL, "010-1234-5678")
WITHHELD = CallFacts("120", HALL)


class FakeMemory(NoMemory):
    """Knows one caller."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, datetime]] = []

    def recall(self, number: str, at: datetime) -> RegionName | None:
        self.asked.append((number, at))
        return GIMHAE if number == "+821012345678" else None


def unknown(_: ChannelId) -> bool:
    return False


def arrived(facts: CallFacts) -> ev.CallArrived:
    return ev.CallArrived(CallId("call"), ChannelId("c"), facts)


def test_a_caller_who_comes_in_brings_what_is_remembered_of_him() -> None:
    memory = FakeMemory()
    event = event_with_memory(arrived(CALLER), memory, NOW, unknown)
    assert isinstance(event, ev.CallArrived)
    assert event.facts.remembered == GIMHAE
    assert memory.asked == [("+821012345678", NOW)]


def test_nobody_asks_for_a_withheld_number() -> None:
    memory = FakeMemory()
    assert event_with_memory(arrived(WITHHELD), memory, NOW, unknown) == arrived(WITHHELD)
    assert memory.asked == []


def test_what_an_event_claims_is_not_believed() -> None:
    claims = CallFacts("120", HALL, "01099990000", remembered=GIMHAE)
    assert with_memory(claims, FakeMemory(), NOW).remembered is None


def test_a_call_that_is_known_stays_as_it_began() -> None:
    memory = FakeMemory()
    assert event_with_memory(arrived(CALLER), memory, NOW, lambda _: True) == arrived(CALLER)
    assert memory.asked == []


def test_a_caller_who_is_found_waiting_brings_it_too() -> None:
    seen = {
        ChannelId(name): ev.ChannelSeen(ChannelId(name), "Up", facts, CallId(f"call-{name}"))
        for name, facts in (("new", CALLER), ("known", CALLER), ("leg", None))
    }
    up = ev.SiteUp(HALL, NOW, seen, frozenset())
    event = event_with_memory(up, FakeMemory(), NOW, lambda channel: channel == "known")
    assert isinstance(event, ev.SiteUp)
    found = {name: one.inbound and one.inbound.remembered for name, one in event.channels.items()}
    assert found == {"new": GIMHAE, "known": None, "leg": None}


def test_other_events_pass_as_they_are() -> None:
    event = ev.DrainRequested()
    assert event_with_memory(event, FakeMemory(), NOW, unknown) is event


def test_without_a_memory_nothing_is_known() -> None:
    assert with_memory(CALLER, NoMemory(), NOW).remembered is None
    assert NoMemory().forget("+821012345678") is False
