"""What a real GPU would object to, as found while training on a pretended one.

error       an exception: an operator that mixes devices, an optimizer that can't be recorded ...
wait        the host waits for the device: item(), bool(), tolist(), a copy to the host
copy in     a copy of host memory to the device, or a tensor made there of Python's numbers: a wait, unless it is pinned
shape       the shape of a result depends on data: nonzero, a mask as an index
forbidden   one of these while a graph is recorded, or a recorded stream that isn't forked or joined
baked       a replay would do something other than its step: another operator, shape or number, or a tensor elsewhere
lost        a recorded step changes something of Python's, which a replay doesn't
race        a stream uses what another one wrote, without having waited for it
"""

import sys
from collections import Counter

from attrs import define, field, frozen

_PACKAGE = "/cifar_dsl/"
_ALWAYS = frozenset({"error", "forbidden", "baked", "lost", "race"})
_IN_STEPS = frozenset({"wait", "shape"})
BETWEEN = "between"  # the phase outside of steps


@frozen
class Finding:
    """Something found, how often, in which phase and at which line of the package."""

    kind: str
    phase: str
    what: str
    where: str
    times: int

    @property
    def is_fault(self) -> bool:
        """Whether it is wrong, or slow in every step."""
        return self.kind in _ALWAYS or (self.phase != BETWEEN and self.kind in _IN_STEPS)

    def __str__(self) -> str:
        return f"{self.kind} in {self.phase} ({self.times} times) at {self.where}: {self.what}"


@define
class Ledger:
    """Collects findings, and counts steps, recordings and replays."""

    phase: str = BETWEEN
    steps: Counter[str] = field(factory=Counter)
    recorded: int = 0
    replayed: int = 0
    _found: Counter[tuple[str, str, str, str]] = field(factory=Counter)

    def note(self, kind: str, what: str, where: str | None = None) -> None:
        """Count a finding, at the innermost line of the package that is running, or at `where`."""
        self._found[kind, self.phase, what, where or _place()] += 1

    def findings(self) -> list[Finding]:
        """Everything found, faults and others."""
        return [Finding(*key, times) for key, times in sorted(self._found.items())]


def shown(path: str, line: int) -> str:
    """A place in the package."""
    return f"cifar_dsl/{path.rpartition(_PACKAGE)[2]}:{line}"


def is_ours(path: str) -> bool:
    """Whether a file belongs to the package."""
    return _PACKAGE in path


def _place() -> str:
    frame = sys._getframe(1)
    while frame is not None:
        if is_ours(frame.f_code.co_filename):
            return shown(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return "outside the package"
