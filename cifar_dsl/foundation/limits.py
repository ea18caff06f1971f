"""Limits on the size of specs and their expansion, each checked before anything of that size is allocated.

Read a limit where it is checked, as in `limits.current().layers`, since `--limit` can raise it. To add a limit, add a
field to `Limits`, a row to docs/limits.md and a case to tests/promises/slow/test_limits.py; `--limit` follows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from cifar_dsl.foundation import cancellation
from cifar_dsl.foundation.cancellation import Cancellation, CancelledError
from cifar_dsl.foundation.records import define, evolve, field, fields_of, frozen


def _limit(default: int, doc: str, *, raisable: bool = False) -> int:
    figure: int = field(default=default, metadata={"doc": doc, "raisable": raisable})
    return figure


@frozen
class Limits:
    """The limits in force. `--limit NAME=VALUE` raises those that are `raisable`.

    The others prevent deep recursion, or limit sizes that no network needs.
    """

    file_bytes: int = _limit(
        64 * 1024, "bytes in a spec, checked before it is read; only regular files are read", raisable=True
    )
    included_bytes: int = _limit(256 * 1024, "bytes in a spec and all its bases", raisable=True)
    extends_depth: int = _limit(8, "bases in a chain of `extends`")
    token_characters: int = _limit(1024, "characters in a word, a number or a string")
    identifier_characters: int = _limit(64, "characters in a name")
    nesting: int = _limit(64, "nested brackets, counted before the text is parsed, and nested expressions")
    integer_magnitude: int = _limit(10**12, "the magnitude of a number, written (E0104) or computed (E0210)")
    layers: int = _limit(10_000, "layers and joins in a network", raisable=True)
    steps: int = _limit(1_500_000, "[steps](#steps) of work in a check", raisable=True)
    list_items: int = _limit(10_000, "values in a list, including nested lists", raisable=True)
    block_depth: int = _limit(64, "nested block calls")
    body_depth: int = _limit(100, "nested bodies, including called blocks")
    param_depth: int = _limit(64, "params in a chain where each uses the next")
    parameters: int = _limit(2_000_000_000, "parameters in a network, counted with integer arithmetic", raisable=True)
    unasked_parameters: int = _limit(
        100_000_000,
        "parameters in a network that trains without a prompt; `--yes` accepts the prompt",
        raisable=True,
    )
    exits: int = _limit(64, "exits in a network; each has a loss")
    tensor: int = _limit(100_000_000, "values in one tensor, for one image", raisable=True)
    groups: int = _limit(64, "parameter groups in a recipe")
    selected: int = _limit(64, "kinds and patterns that a group selects")
    changes: int = _limit(32, "augmentations in a recipe")
    mixtures: int = _limit(2, "augmentations that mix images; each doubles the work")
    sizes: int = _limit(8, "sizes of training images in `resize`; engines prepare a step for each")
    whitened: int = _limit(12_288, "numbers in an image that `zca` whitens: a matrix of their square", raisable=True)
    views: int = _limit(4, "stages of `test_augment`; each doubles or triples the work")
    averages: int = _limit(4, "averages of weights")
    diagnostics: int = _limit(20, "diagnostics shown for a spec; no more are computed")


class OutOfStepsError(Exception):
    """A check has used up its steps. Never leaves the compiler, which reports it."""


@define
class Work:
    """The work of one check, in steps. All parts of the check charge what they do to the same object.

    docs/limits.md lists what is charged. A step takes about a microsecond and keeps at most about 100 bytes.
    """

    most: int = field(factory=lambda: current().steps)
    done: int = 0
    _cancellation: Cancellation = field(factory=cancellation.current, init=False)

    def charge(self, steps: int) -> None:
        """Count steps, before they are done. Raises OutOfStepsError if there are too many, and CancelledError."""
        self.done += steps
        if self.done > self.most:
            raise OutOfStepsError
        if self._cancellation.is_requested:
            raise CancelledError

    def allows(self, steps: int) -> bool:
        """Whether as many steps are left."""
        return self.done + steps <= self.most

    @property
    def is_used_up(self) -> bool:
        """Whether no step is left."""
        return self.done > self.most


DEFAULTS = Limits()
DOCS: Mapping[str, str] = {one.name: one.metadata["doc"] for one in fields_of(Limits)}
RAISABLE: tuple[str, ...] = tuple(one.name for one in fields_of(Limits) if one.metadata["raisable"])

_current: ContextVar[Limits] = ContextVar("limits", default=DEFAULTS)


def current() -> Limits:
    """The limits in force. Call it where a limit is checked; never at import (a test enforces this)."""
    return _current.get()


@contextmanager
def using(limits: Limits) -> Iterator[None]:
    """Put `limits` in force in this thread. Jobs pass `current()` to other threads, processes and machines."""
    token = _current.set(limits)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def raising(**figures: int) -> Iterator[None]:
    """Put the current limits, with these figures replaced, in force in this thread."""
    with using(evolve(current(), **figures)):
        yield


def remedy(name: str) -> str:
    """The help text for a spec that exceeds the limit `name` on purpose; `name` must be raisable."""
    if name not in RAISABLE:
        raise AssertionError(f"{name} can't be raised")
    return f"if this is intended, raise the limit: `cifar-dsl --limit {name.upper()}=... COMMAND`"
