"""PINs that can be recognised and not be read."""

import pytest

from callrouter.core.pins import Pin

SALT = bytes(range(16))


def test_a_pin_matches_itself_alone_also_after_it_was_written_and_read() -> None:
    pin = Pin.parse(Pin.of("2580", SALT).text)
    assert pin == Pin.of("2580", SALT)
    assert pin.matches("2580")
    assert not any(pin.matches(other) for other in ("2581", "", "25800"))


def test_the_same_pin_of_two_people_does_not_look_alike() -> None:
    assert Pin.of("2580", SALT).text != Pin.of("2580", SALT[::-1]).text
    assert "2580" not in repr(Pin.of("2580", SALT))


@pytest.mark.parametrize("digits", ["", "123", "1234567890123", "12a4", "１２３４"])
def test_what_is_no_pin_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="4 to 12 digits"):
        Pin.of(digits, SALT)


@pytest.mark.parametrize(
    "text", ["2580", "", "scrypt:00:00", "md5:" + "0" * 32 + ":" + "0" * 64, "scrypt::" + "0" * 64]
)
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hashed"):
        Pin.parse(text)


def test_a_hash_of_something_else_than_hex_is_refused() -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        Pin.parse("scrypt:" + "g" * 32 + ":" + "0" * 64)
