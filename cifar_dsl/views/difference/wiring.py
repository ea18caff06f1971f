"""Whether two layers have the same inputs, apart from stages that were added or removed in between."""

from collections.abc import Mapping, Sequence

from cifar_dsl.foundation.records import define, field
from cifar_dsl.ir import Graph


@define
class Wiring:
    """Two graphs with a partial mapping between their values."""

    a: Graph
    b: Graph
    partners: Mapping[int, int]
    _partners: dict[int, int] = field(init=False)
    _inverse: dict[int, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._partners = {0: 0, **self.partners}
        self._inverse = {b: a for a, b in self._partners.items()}

    def is_changed(self, a: Sequence[int], b: Sequence[int]) -> bool:
        """Whether the values `a` of the first graph became others in the second without an edit that explains it."""
        direct_a = [value for value in a if value in self._partners]
        direct_b = [value for value in b if value in self._inverse]
        if len(direct_a) == len(a) and len(direct_b) == len(b):
            return [self._partners[value] for value in a] != list(b)
        if len(a) != len(b):
            return [self._partners[value] for value in direct_a] != direct_b
        return any(not self._have_common_source(x, y) for x, y in zip(a, b, strict=True))

    def _have_common_source(self, a: int, b: int) -> bool:
        before = _sources(self.a, a, self._partners)
        return not before.isdisjoint({self._inverse[value] for value in _sources(self.b, b, self._inverse)})


def _sources(graph: Graph, value: int, known: Mapping[int, int]) -> set[int]:
    """The nearest ancestors of a value that have partners."""
    sources: set[int] = set()
    seen = {value}
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if current in known:
            sources.add(current)
            continue
        maker = graph.maker(current)
        assert maker is not None  # the input has a partner
        new = set(maker.inputs) - seen
        seen |= new
        waiting.extend(new)
    return sources
