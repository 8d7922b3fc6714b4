"""No garbage is collected while a configuration is read."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage meanwhile.

    Hundreds of thousands of objects are made and nearly all of them stay, so that each look finds next to nothing; with
    ten thousand routes, half of the time went there.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
