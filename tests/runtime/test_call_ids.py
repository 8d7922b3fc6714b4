"""Fresh call ids."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from callrouter.runtime.call_ids import new_call_id

AT = datetime(2026, 11, 24, 1, 0, 0, 123000, tzinfo=UTC)


def test_a_call_id_is_a_uuid_of_version_7_that_tells_its_millisecond() -> None:
    value = UUID(new_call_id(lambda: AT))

    assert value.version == 7
    assert value.variant == "specified in RFC 4122"
    assert value.int >> 80 == int(AT.timestamp() * 1000)


def test_call_ids_sort_as_calls_came_in_and_never_repeat() -> None:
    ids = [new_call_id(lambda n=n: AT + timedelta(milliseconds=n)) for n in range(1000)]  # type: ignore[misc]

    assert ids == sorted(ids)
    assert len({new_call_id(lambda: AT) for _ in range(1000)}) == 1000
