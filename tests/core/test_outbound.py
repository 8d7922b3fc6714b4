"""What kind of number a call goes out to."""

import pytest

from callrouter.core.outbound import USUAL, NumberClass, classify


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("0552111120", NumberClass.LANDLINE),
        ("055-211-1120", NumberClass.LANDLINE),
        ("+82552111120", NumberClass.LANDLINE),
        ("010-9876-5432", NumberClass.MOBILE),
        ("07012345678", NumberClass.INTERNET),
        ("050212345678", NumberClass.PERSONAL),
        ("119", NumberClass.EMERGENCY),
        ("112", NumberClass.EMERGENCY),
        ("110", NumberClass.SHORT),
        ("1345", NumberClass.SHORT),
        ("15880000", NumberClass.SHORT),
        ("055-120", NumberClass.SHORT),
        ("0801234567", NumberClass.TOLL_FREE),
        ("060-123-4567", NumberClass.PREMIUM),
        ("+14155552671", NumberClass.INTERNATIONAL),
        ("00114155552671", NumberClass.INTERNATIONAL),
        ("001999999999999", NumberClass.INTERNATIONAL),
        ("+9990", NumberClass.INTERNATIONAL),
        ("", NumberClass.UNKNOWN),
        ("5551", NumberClass.UNKNOWN),
        ("PJSIP/201", NumberClass.UNKNOWN),
    ],
)
def test_every_number_is_of_one_kind(number: str, kind: NumberClass) -> None:
    assert classify(number) is kind


def test_what_costs_the_most_is_not_dialled_unless_it_is_said() -> None:
    assert USUAL.isdisjoint({NumberClass.PREMIUM, NumberClass.INTERNATIONAL, NumberClass.PERSONAL, NumberClass.UNKNOWN})
