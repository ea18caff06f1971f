"""Aligns the stages of two networks, body by body, so that the partners have as much as possible in common."""

from collections.abc import Iterator, Sequence

from cifar_dsl.foundation.records import define, field
from cifar_dsl.views.difference.stages import Stage

Pair = tuple[Stage | None, Stage | None]  # one is None for a removed or added stage

_SAME_BLOCK = 0.5  # the weight of an equal block name, in layers
_SAME_NAME = 0.001  # breaks ties in favour of an equal name
_ALIKE = 0.8  # the minimum overlap of partners whose blocks have different names
_CELLS = 1_000_000  # the maximum number of weighed pairs; beyond it, bodies are aligned by position
_DEPTH = 40  # the maximum nesting that is compared to weigh a pair


@define
class Aligner:
    """Aligns bodies. Its work is bounded for any two networks."""

    _scores: dict[tuple[int, int], float] = field(factory=dict)
    _cells: int = _CELLS

    def pairs(self, a: Sequence[Stage], b: Sequence[Stage]) -> list[Pair]:
        """The stages of two bodies in the order of both, each with its partner if it has one.

        If stages of both bodies are left without partners between two pairs, the stages inside their blocks may have
        partners: then these replace them, since only the enclosing blocks differ.
        """
        aligned: list[Pair] = []
        for removed, added, pair in runs(self._pairs(a, b, 0)[1]):
            aligned.extend(self._dissolved(removed, added) or _without_partners(removed, added))
            if pair:
                aligned.append(pair)
        return aligned

    def _dissolved(self, removed: Sequence[Stage], added: Sequence[Stage]) -> list[Pair]:
        """Pairs of the stages inside one of two runs, or inside both, if most of them have partners."""
        if not removed or not added:
            return []
        for a, b in (
            (removed, _opened(added)),
            (_opened(removed), added),
            (_layers(removed), _layers(added)),
        ):
            score, pairs = self._pairs(a, b, 0)
            if score >= _ALIKE * max(_size(a), _size(b)):
                return pairs
        return []

    def _pairs(self, a: Sequence[Stage], b: Sequence[Stage], depth: int) -> tuple[float, list[Pair]]:
        start = 0
        while start < min(len(a), len(b)) and a[start].content == b[start].content:
            start += 1
        end = 0
        while end < min(len(a), len(b)) - start and a[-1 - end].content == b[-1 - end].content:
            end += 1
        score, middle = self._middle(a[start : len(a) - end], b[start : len(b) - end], depth)
        first = list(zip(a[:start], b[:start], strict=True))
        last = list(zip(a[len(a) - end :], b[len(b) - end :], strict=True))
        score += sum(self._score(x, y, depth) for x, y in (*first, *last))
        return score, [*first, *middle, *last]

    def _middle(self, a: Sequence[Stage], b: Sequence[Stage], depth: int) -> tuple[float, list[Pair]]:
        """The weighted longest common subsequence."""
        if not a or not b:
            return 0.0, _without_partners(a, b)
        if len(a) * len(b) > self._cells:
            return self._by_position(a, b, depth)
        self._cells -= len(a) * len(b)
        weights = [[self._weight(x, y, depth) for y in b] for x in a]
        best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]  # the best score of the suffixes from (i, j)
        for i in reversed(range(len(a))):
            for j in reversed(range(len(b))):
                best[i][j] = max(best[i + 1][j], best[i][j + 1])
                if weights[i][j]:
                    best[i][j] = max(best[i][j], weights[i][j] + best[i + 1][j + 1])
        pairs: list[Pair] = []
        i = j = 0
        while i < len(a) and j < len(b):
            if weights[i][j] and best[i][j] == weights[i][j] + best[i + 1][j + 1]:
                pairs.append((a[i], b[j]))
                i, j = i + 1, j + 1
            elif best[i][j] == best[i + 1][j]:
                pairs.append((a[i], None))
                i += 1
            else:
                pairs.append((None, b[j]))
                j += 1
        return best[0][0], [*pairs, *_without_partners(a[i:], b[j:])]

    def _by_position(self, a: Sequence[Stage], b: Sequence[Stage], depth: int) -> tuple[float, list[Pair]]:
        score = 0.0
        pairs: list[Pair] = []
        for x, y in zip(a, b, strict=False):
            weight = self._weight(x, y, depth)
            score += weight
            pairs += [(x, y)] if weight else [(x, None), (None, y)]
        shorter = min(len(a), len(b))
        return score, [*pairs, *_without_partners(a[shorter:], b[shorter:])]

    def _weight(self, a: Stage, b: Stage, depth: int) -> float:
        score = self._score(a, b, depth)
        return score + _SAME_NAME if score and a.name == b.name else score

    def _score(self, a: Stage, b: Stage, depth: int) -> float:
        """The overlap of two stages, in layers; 0 if they can't be partners."""
        if a.key == b.key:
            return a.size + _SAME_BLOCK * a.is_scope
        key = (a.key, b.key)
        if key not in self._scores:
            self._scores[key] = self._compared(a, b, depth)
        return self._scores[key]

    def _compared(self, a: Stage, b: Stage, depth: int) -> float:
        if a.is_scope != b.is_scope:
            x, y = a.unwrapped(), b.unwrapped()
            return 0.0 if x.is_scope or y.is_scope else self._score(x, y, depth)
        if "layer" in {a.kind, b.kind}:
            return _likeness(a, b) if a.kind == b.kind and a.what == b.what else 0.0
        if depth > _DEPTH or len(a.stages) * len(b.stages) > self._cells:
            return min(a.size, b.size) / 2 if a.what == b.what else 0.0
        inside = self._pairs(a.stages, b.stages, depth + 1)[0]
        if a.kind == "join":
            return inside + (a.what == b.what)
        if a.what == b.what:
            return inside + _SAME_BLOCK
        return inside if inside >= _ALIKE * max(a.size, b.size) else 0.0


def runs(pairs: Sequence[Pair]) -> Iterator[tuple[list[Stage], list[Stage], tuple[Stage, Stage] | None]]:
    """Every pair of partners, with the removed and added stages before it; the pair is None after the last."""
    removed: list[Stage] = []
    added: list[Stage] = []
    for a, b in pairs:
        if a and b:
            yield removed, added, (a, b)
            removed, added = [], []
        elif a:
            removed.append(a)
        elif b:
            added.append(b)
    yield removed, added, None


def _without_partners(a: Sequence[Stage], b: Sequence[Stage]) -> list[Pair]:
    return [*((stage, None) for stage in a), *((None, stage) for stage in b)]


def _likeness(a: Stage, b: Stage) -> float:
    """The score of two layers of one kind, from 0.4 to 1: it grows with the share of equal arguments."""
    assert a.node is not None
    assert b.node is not None
    arguments = list(zip(a.node.operation.arguments().items(), b.node.operation.arguments().items(), strict=True))
    equal = sum(x == y for x, y in arguments)
    return 1.0 if a.content == b.content else 0.4 + 0.4 * equal / len(arguments)


def _opened(stages: Sequence[Stage]) -> list[Stage]:
    """The stages, with every scope replaced by the stages inside it."""
    return [inner for stage in stages for inner in (stage.stages if stage.is_scope else (stage,))]


def _layers(stages: Sequence[Stage]) -> list[Stage]:
    return [layer for stage in stages for layer in stage.dissolved()]


def _size(stages: Sequence[Stage]) -> int:
    return sum(stage.size for stage in stages)
