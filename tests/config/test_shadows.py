"""Routes that can never be reached."""

from hypothesis import given
from hypothesis import strategies as st

from callrouter.config.model import Model, Region, When
from callrouter.config.shadows import Shadows

MODEL = Model.model_construct(
    regions={
        "city": Region(title="시", tenant="town"),
        "village": Region(title="리", tenant="town"),
        "province": Region(title="도", tenant="land"),
    }
)

whens = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "dialed": st.lists(st.sampled_from(["120", "1*", "12*", "110"]), min_size=1, max_size=2),
        "region": st.lists(st.sampled_from(["city", "village", "province"]), min_size=1, max_size=2),
        "tenant": st.lists(st.sampled_from(["town", "land"]), min_size=1, max_size=2),
        "calendar": st.lists(st.sampled_from(["day", "night"]), min_size=1, max_size=2),
    },
).filter(bool).map(When.model_validate)


def takes(when: When | None, dialed: str, region: str, calendar: str) -> bool:
    """What the condition means, said once more and simply."""
    if when is None:
        return True
    numbers = when.dialed or [dialed]
    return (
        any(dialed.startswith(number[:-1]) if number.endswith("*") else dialed == number for number in numbers)
        and region in (when.region or [region])
        and MODEL.regions[region].tenant in (when.tenant or [MODEL.regions[region].tenant])
        and calendar in (when.calendar or [calendar])
    )


@given(st.lists(whens, max_size=6), whens)
def test_a_route_that_is_called_unreachable_gets_no_call_that_the_other_does_not_take(
    earlier: list[When | None], later: When | None
) -> None:
    shadows = Shadows(MODEL)
    for when in earlier:
        shadows.add(when)
    found = shadows.of(later)
    cases = [
        (dialed, region, calendar)
        for dialed in ("120", "110", "1", "12", "130", "2")
        for region in MODEL.regions
        for calendar in ("day", "night", "other")
    ]
    if found is not None:
        assert all(takes(earlier[found], *case) for case in cases if takes(later, *case))
    # A route that says the same as an earlier one is always found.
    assert found is not None or later not in earlier


def test_a_tenant_covers_its_regions_and_no_others() -> None:
    shadows = Shadows(MODEL)
    shadows.add(When(tenant=["town"]))
    assert shadows.of(When(region=["city", "village"])) == 0
    assert shadows.of(When(region=["city", "province"])) is None
    assert shadows.of(When(region=["province", "city"])) is None


def test_ten_thousand_routes_that_share_nothing_are_told_apart_quickly() -> None:
    shadows = Shadows(MODEL)
    for number in range(10_000):
        when = When.model_construct(dialed=[f"055{number:07d}"])
        assert shadows.of(when) is None
        shadows.add(when)
    assert shadows.of(When.model_construct(dialed=["0550000007"], calendar=["day"])) == 7
