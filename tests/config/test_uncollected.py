"""Reading a configuration while no garbage is collected, and what becomes of it afterwards."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.uncollected import uncollected

SAMPLE = Path(__file__).resolve().parents[2] / "config"


class Kept:
    """Something that stays."""


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.unfreeze()
    gc.enable()


def is_young(kept: Kept) -> bool:
    return any(one is kept for one in gc.get_objects(generation=0))


def test_nothing_is_collected_meanwhile_and_all_of_it_counts_as_old_afterwards() -> None:
    with uncollected():
        assert not gc.isenabled()
        kept = Kept()
        assert is_young(kept)
    assert gc.isenabled()
    assert not is_young(kept)
    assert gc.get_freeze_count() == 0


def test_what_was_frozen_before_stays_frozen() -> None:
    old = Kept()
    gc.freeze()
    with uncollected():
        new = Kept()
    assert not any(one in (old, new) for one in gc.get_objects())


def test_an_exception_leaves_the_collector_as_it_was() -> None:
    with pytest.raises(LookupError), uncollected():
        raise LookupError
    assert gc.isenabled()


def test_where_nothing_is_collected_anyway_that_stays_so() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()


def test_rules_that_are_replaced_go_although_nobody_collects_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "none")
    gc.disable()
    loaded = load(SAMPLE)
    router, model = weakref.ref(loaded.rulebook.router), weakref.ref(loaded.model)
    del loaded
    assert router() is None
    assert model() is None
