"""How many file descriptors there are, and whose they are."""

import os
import resource
from collections.abc import Iterator

import pytest

from callrouter import descriptors as module
from callrouter.descriptors import Descriptors, descriptors, raise_limit, share


@pytest.fixture
def limit() -> Iterator[int]:
    """A soft limit of 200, as it was not before."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    yield 200
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_each_that_is_open_is_counted_and_the_one_to_look_with_is_not(limit: int) -> None:
    before = descriptors()
    held = os.open(os.devnull, os.O_RDONLY)
    assert descriptors() == Descriptors(before.used + 1, limit)
    os.close(held)
    assert descriptors() == before


def test_who_has_none_left_knows_so(limit: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    now = descriptors()
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    assert now == Descriptors(3, 3)
    assert now.are_few_left


def test_where_nobody_can_look_nobody_is_alarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_there(_: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(os, "listdir", nothing_there)
    assert not descriptors().are_few_left


@pytest.mark.parametrize(("used", "few"), [(179, False), (180, True), (200, True)])
def test_people_are_told_from_nine_tenths_on(used: int, few: bool) -> None:
    assert Descriptors(used, 200).are_few_left is few


@pytest.mark.usefixtures("limit")
def test_strangers_get_a_quarter_at_the_most_and_what_they_want_if_that_is_less() -> None:
    assert (share(256), share(10)) == (50, 10)


def test_a_limit_that_may_be_raised_is(limit: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, module.ENOUGH) > limit
    raise_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, module.ENOUGH)


def test_where_there_is_no_limit_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("there is no limit"))
    raise_limit()
    assert share(256) == 256
