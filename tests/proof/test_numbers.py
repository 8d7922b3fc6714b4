"""Numbers that stand for others: for every class there is one, and for no class that is empty."""

import re
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callrouter.core.inbound import CallerKind
from callrouter.core.numbers import _FORMS, parse
from callrouter.proof.numbers import FORMS, Beginnings, calling_numbers, dialled_numbers

FORM = ("012", "01", "12", "012")
EVERY = ["".join(digits) for digits in product(*FORM)]
beginnings = st.frozensets(st.text("012", max_size=4), max_size=8)


@given(beginnings, st.frozensets(st.sampled_from(EVERY), max_size=10), st.text("012", max_size=4))
def test_a_number_is_found_exactly_if_there_is_one(prefixes: frozenset[str], whole: frozenset[str], stem: str) -> None:
    longer = tuple(prefix for prefix in prefixes if prefix != stem and prefix.startswith(stem))
    fitting = {text for text in EVERY if text.startswith(stem) and not text.startswith(longer) and text not in whole}
    found = Beginnings(prefixes, whole).under(stem, FORM)
    assert found in fitting if fitting else found is None


@pytest.mark.parametrize(("kind", "pattern"), _FORMS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_every_number_has_one_of_the_forms(kind: CallerKind, pattern: re.Pattern[str], data: st.DataObject) -> None:
    number = data.draw(st.from_regex(pattern, fullmatch=True))
    assert any(
        form_kind is kind and len(form) == len(number) and all(d in of for d, of in zip(number, form, strict=True))
        for form_kind, form in FORMS
    )


def test_every_form_gives_a_number_of_its_kind() -> None:
    for kind, form in FORMS:
        number = Beginnings(frozenset()).under("", form)
        assert number is not None
        assert kind is CallerKind.UNKNOWN or parse(number).kind is kind


@given(st.lists(st.text("0123456789", min_size=1, max_size=3)), st.lists(st.sampled_from(["120", "110", "0552250120"])))
def test_each_class_of_dialled_numbers_has_one_that_is_what_it_seems(prefixes: list[str], whole: list[str]) -> None:
    found = dialled_numbers(prefixes, whole, "120")
    assert len(found) == len(set(found))
    assert set(whole) <= set(found)
    for number in found[:-1]:
        assert number in whole or number.startswith(tuple(prefixes))
    assert found[-1] not in whole
    assert not found[-1].startswith(tuple(prefixes))


def test_where_every_digit_is_known_nothing_is_left_but_what_has_no_digits() -> None:
    assert dialled_numbers([*"0123456789"], [], "120")[-1] == ""
    assert dialled_numbers(["12"], [], "120")[-1] == "000"
    assert dialled_numbers([], [], "120") == ("120",)


def test_a_prefix_whose_numbers_all_go_on_with_longer_ones_is_no_class() -> None:
    longer = [f"9{digit}" for digit in "0123456789"]
    assert {number[:2] for number in dialled_numbers(["9", *longer], [], "120")[:-1]} == set(longer)


def test_callers_come_from_every_exchange_on_every_kind_of_line() -> None:
    found = [parse(number) for number in calling_numbers(Beginnings(frozenset()), ["055225", "05522"])]
    assert {number.kind for number in found} == set(CallerKind)
    assert any(number.national.startswith("055225") for number in found)
    assert any(number.national.startswith("05522") and not number.national.startswith("055225") for number in found)


def test_a_foreign_number_is_found_that_no_list_knows() -> None:
    usual = {number for number in calling_numbers(Beginnings(frozenset()), []) if number.startswith("+")}
    assert len(usual) == 1
    listed = Beginnings(frozenset(), frozenset(usual))
    foreign = {number for number in calling_numbers(listed, []) if parse(number).kind is CallerKind.FOREIGN}
    assert len(foreign - usual) == 1
