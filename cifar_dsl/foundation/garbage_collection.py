"""The garbage collector, while something large is built."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Disable the garbage collector, which would scan what is being built again and again.

    For bounded work that makes hardly any reference cycle. With collections, its time would grow faster than linearly.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
