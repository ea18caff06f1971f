"""Keeps what was made of recent texts: as many as take together as much memory as one check may."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from threading import Lock
from typing import Concatenate, Generic, ParamSpec, TypeVar

from cifar_dsl.language.source import Source

P = ParamSpec("P")
R = TypeVar("R")

# Of all texts, whose trees take about 40 MB: a spec and its bases, or many small specs.
MOST_CHARACTERS = 256 * 1024
_LEAST_TEXTS = 2


def recent(make: Callable[Concatenate[Source, P], R]) -> "Recent[P, R]":
    """Decorator: keep the results for the texts that were asked for last."""
    return Recent(make)


class Recent(Generic[P, R]):
    """A function of a text that keeps its last results. Several threads may call it.

    `functools.lru_cache` counts results; those of an editor's versions of one large spec took hundreds of megabytes.
    """

    def __init__(self, make: Callable[Concatenate[Source, P], R]) -> None:
        self._make = make
        self._results: OrderedDict[Hashable, R] = OrderedDict()  # the last one is the latest
        self._sizes: dict[Hashable, int] = {}
        self._lock = Lock()
        update_wrapper(self, make)

    def __call__(self, source: Source, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result for a text, which was made now or earlier."""
        key = (source, args, tuple(kwargs.items()))
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        result = self._make(source, *args, **kwargs)
        with self._lock:
            self._results[key] = result
            self._sizes[key] = len(source.text)
            while len(self._results) > _LEAST_TEXTS and sum(self._sizes.values()) > MOST_CHARACTERS:
                oldest, _ = self._results.popitem(last=False)
                del self._sizes[oldest]
        return result

    def cache_clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._results.clear()
            self._sizes.clear()
