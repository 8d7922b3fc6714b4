"""No garbage is collected while much is made that stays: a configuration, modules."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage meanwhile.

    Hundreds of thousands of objects are made and nearly all of them stay, so that each look finds next to nothing; with
    ten thousand routes, half of the time went there. Nor are they looked through afterwards as if they were new: they
    count as old at once, and where old ones are never looked at (``gc.freeze``), neither are these.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            has_frozen = gc.get_freeze_count() > 0
            gc.freeze()
            if not has_frozen:
                gc.unfreeze()  # into the oldest generation
            gc.enable()
