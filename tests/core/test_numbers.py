"""Numbers as trunks deliver them."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.inbound import CallerKind
from callrouter.core.numbers import forms, masked, parse


@pytest.mark.parametrize(
    "raw",
    [
        "0552251234",
        "+82552251234",
        "82552251234",
        "055-225-1234",
        "055 225 1234",
        "(055) 225-1234",
        "+82-55-225-1234",
        "+820552251234",
        " 0552251234 ",
        "sip:0552251234@198.51.100.7:5060;user=phone",
        "tel:+82-55-225-1234;phone-context=+82",
    ],
)
def test_one_landline_has_one_form_however_it_is_written(raw: str) -> None:
    number = parse(raw)
    assert (number.e164, number.national, number.kind) == ("+82552251234", "0552251234", CallerKind.LANDLINE)
    assert number.display == "055-225-1234"
    assert number.raw == raw


@pytest.mark.parametrize(
    ("raw", "kind", "e164", "national", "display"),
    [
        ("021234567", CallerKind.UNKNOWN, None, "021234567", ""),
        ("022345678", CallerKind.LANDLINE, "+8222345678", "022345678", "02-234-5678"),
        ("0223456789", CallerKind.LANDLINE, "+82223456789", "0223456789", "02-2345-6789"),
        ("8222345678", CallerKind.LANDLINE, "+8222345678", "022345678", "02-234-5678"),
        ("01023456789", CallerKind.MOBILE, "+821023456789", "01023456789", "010-2345-6789"),
        ("+821012345678", CallerKind.MOBILE, "+821012345678", "01012345678", "010-1234-5678"),
        ("0112345678", CallerKind.MOBILE, "+82112345678", "0112345678", "011-234-5678"),
        ("07023456789", CallerKind.INTERNET, "+827023456789", "07023456789", "070-2345-6789"),
        ("05041234567", CallerKind.PERSONAL, "+825041234567", "05041234567", "0504-123-4567"),
        ("050712345678", CallerKind.PERSONAL, "+8250712345678", "050712345678", "0507-1234-5678"),
        ("0801234567", CallerKind.SERVICE, "+82801234567", "0801234567", "080-123-4567"),
        ("0601234567", CallerKind.SERVICE, "+82601234567", "0601234567", "060-123-4567"),
        ("15881234", CallerKind.SERVICE, "+8215881234", "15881234", "1588-1234"),
        ("8215881234", CallerKind.SERVICE, "+8215881234", "15881234", "1588-1234"),
        ("1644-1234", CallerKind.SERVICE, "+8216441234", "16441234", "1644-1234"),
        ("120", CallerKind.SERVICE, None, "120", "120"),
        ("119", CallerKind.SERVICE, None, "119", "119"),
        ("1330", CallerKind.SERVICE, None, "1330", "1330"),
        ("055120", CallerKind.SERVICE, "+8255120", "055120", "055-120"),
        ("02120", CallerKind.SERVICE, "+822120", "02120", "02-120"),
        ("+12125550123", CallerKind.FOREIGN, "+12125550123", "+12125550123", "+1 212-555-0123"),
        ("12125550123", CallerKind.FOREIGN, "+12125550123", "+12125550123", "+1 212-555-0123"),
        ("00112125550123", CallerKind.FOREIGN, "+12125550123", "+12125550123", "+1 212-555-0123"),
        ("+81312345678", CallerKind.FOREIGN, "+81312345678", "+81312345678", "+81 3-1234-5678"),
        ("2251234", CallerKind.UNKNOWN, None, "2251234", ""),
        ("201", CallerKind.UNKNOWN, None, "201", ""),
        ("+1", CallerKind.UNKNOWN, None, "1", ""),
        ("1" * 60, CallerKind.UNKNOWN, None, "", ""),
        ("*120#", CallerKind.UNKNOWN, None, "", ""),
        ("055225١٢٣٤", CallerKind.UNKNOWN, None, "", ""),
        ("0552251234\n", CallerKind.LANDLINE, "+82552251234", "0552251234", "055-225-1234"),
    ],
)
def test_each_kind_of_number_is_told_apart(
    raw: str, kind: CallerKind, e164: str | None, national: str, display: str
) -> None:
    number = parse(raw)
    assert (number.kind, number.e164, number.national, number.display) == (kind, e164, national, display)


@pytest.mark.parametrize(
    "raw", ["", "  ", "anonymous", "Anonymous", "Unknown", "restricted", "sip:anonymous@x.invalid"]
)
def test_a_withheld_number_is_anonymous_and_shows_nothing(raw: str) -> None:
    number = parse(raw)
    assert (number.kind, number.e164, number.national, number.display) == (CallerKind.ANONYMOUS, None, "", "")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("0552251234", "055-225-****"),
        ("120", "****"),
        ("2251234", "225****"),
        ("+33612345678", "+33 6 12 34 ** **"),
        ("anonymous", "anonymous"),
        ("<script>", "unreadable"),
    ],
)
def test_a_masked_number_hides_its_last_four_digits(raw: str, shown: str) -> None:
    assert masked(raw) == shown


@given(st.text(max_size=40) | st.from_regex(r"[+0-9-]{0,20}", fullmatch=True))
def test_no_input_raises(raw: str) -> None:
    number = parse(raw)
    assert number.national.lstrip("+").isascii()
    assert number.display.isprintable()
    masked(raw)


@given(st.from_regex(r"0(2|[3-6][1-5]|1[016-9]|70|50[0-9]|80)[2-9][0-9]{5,8}", fullmatch=True))
def test_whatever_libphonenumber_takes_for_a_korean_number_we_take_for_the_same(national: str) -> None:
    ours = parse(national)
    theirs = phonenumbers.parse(national, "KR")
    kinds = {
        phonenumbers.PhoneNumberType.FIXED_LINE: CallerKind.LANDLINE,
        phonenumbers.PhoneNumberType.MOBILE: CallerKind.MOBILE,
        phonenumbers.PhoneNumberType.VOIP: CallerKind.INTERNET,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER: CallerKind.PERSONAL,
        phonenumbers.PhoneNumberType.TOLL_FREE: CallerKind.SERVICE,
    }
    expected = kinds.get(phonenumbers.number_type(theirs))
    if expected is not None:
        assert ours.kind is expected
        assert ours.e164 == phonenumbers.format_number(theirs, phonenumbers.PhoneNumberFormat.E164)


@given(st.from_regex(r"055[2-9][0-9]{2}[0-9]{4}", fullmatch=True))
def test_the_form_of_a_number_is_its_own_form(national: str) -> None:
    number = parse(national)
    assert number.e164 is not None
    for again in (parse(number.e164), parse(number.display), parse(number.e164.removeprefix("+"))):
        assert (again.e164, again.national) == (number.e164, national)


def test_all_ways_to_write_a_number_are_known_the_longest_first() -> None:
    ways = ("+82552251234", "055-225-1234", "82552251234", "0552251234")
    assert forms("+82-55-225-1234") == ("+82-55-225-1234", *ways)
    assert forms("0552251234") == ways
    assert forms("120") == ("120",)
    assert forms("anonymous") == ()
