"""The stages of a graph in a picture: layers, joins and blocks, without branches and named tensors."""

import re
from collections.abc import Hashable, Sequence

from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.ir import Graph, Node, Operation, Scope

MOST_BRANCHES = 8  # of a join that are all drawn
_LONG_NUMBER = re.compile(r"\d+\.\d{4,}(?:e-?\d+)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


@frozen(eq=False)
class Stage:
    """A layer, a join, a block or a scope with its stages, repeated `count` times.

    It makes the values from `start` to `stop`, exclusive; each repeat makes `length` of them. Stages with equal `key`
    compute the same, except for the source of their inputs. `title` is empty for a repeated row that isn't a block.
    The first and the last layer of a scope only cut its parts and put them back. `is_closed`: it is always one box.
    `is_tied`: it is a use of a tied block.
    """

    path: str
    title: str
    key: int
    start: int
    stop: int
    stages: "tuple[Stage, ...]" = ()
    is_block: bool = False
    is_scope: bool = False
    is_closed: bool = False
    is_tied: bool = False
    count: int = 1

    @property
    def length(self) -> int:
        """The number of nodes in one repeat."""
        return (self.stop - self.start) // self.count


@define
class Reader:
    """Makes stages of a graph."""

    graph: Graph
    _numbers: dict[Hashable, int] = field(factory=dict)

    def read(self) -> list[Stage]:
        """The stages of the model."""
        return self._stages(self.graph.body)

    def number(self, meaning: Hashable) -> int:
        """A number that is unique to this meaning."""
        return self._numbers.setdefault(meaning, len(self._numbers))

    def _stages(self, scope: Scope) -> list[Stage]:
        return [stage for inner in scope.computing for stage in self._stages_of(inner)]

    def _stages_of(self, inner: Node | Scope) -> list[Stage]:
        """The stages of a part of a scope."""
        if isinstance(inner, Node):
            key = self.number((_without_drop(inner.operation), inner.shape))
            return [Stage(inner.path, _short(inner.operation.brief()), key, inner.output, inner.output + 1)]
        if inner.kind in {"block", "part", "tied"}:
            return [self._block(inner)]
        if inner.kind == "scope":
            return [self._scope(inner)]
        return self._join(inner) if inner.kind == "join" else self._stages(inner)

    def _block(self, scope: Scope) -> Stage:
        stages = tuple(self._stages(scope))
        is_tied = scope.kind == "tied"
        key = self.number((is_tied, scope.label.partition("(")[0], *(stage.key for stage in stages)))
        values = scope.values
        return Stage(
            scope.path, _short(scope.label), key, values.start, values.stop, stages, is_block=True, is_tied=is_tied
        )

    def _scope(self, scope: Scope) -> Stage:
        stages = tuple(self._stages(scope))
        key = self.number((scope.label, *(stage.key for stage in stages)))
        values = scope.values
        return Stage(scope.path, _short(scope.label), key, values.start, values.stop, stages, is_scope=True)

    def _join(self, join: Scope) -> list[Stage]:
        """The stages of a join; of many branches, those between the first and the last are one closed stage."""
        branches = [inner for inner in join.computing if isinstance(inner, Scope) and inner.kind == "branch"]
        if len(branches) <= MOST_BRANCHES:
            return [stage for inner in join.computing for stage in self._stages_of(inner)]
        first, *middle, last = branches
        rest = [inner for inner in join.computing if inner not in branches]
        inside = tuple(stage for branch in middle for stage in self._stages(branch))
        key = self.number(("branches", *(stage.key for stage in inside)))
        start, stop = middle[0].values.start, middle[-1].values.stop
        title = f"{len(middle)} more branches"
        others = Stage(f"{join.path} others", title, key, start, stop, inside, is_closed=True)
        return [*self._stages(first), others, *self._stages(last), *(one for r in rest for one in self._stages_of(r))]


def merged(stages: Sequence[Stage]) -> Stage:
    """The first of several stages with equal keys, with what its title and those inside have in common.

    Numbers that differ become the first and the last: `drop_path(0.1..0.3)`.
    """
    if len(stages) == 1:
        return stages[0]
    inside = tuple(merged(each) for each in zip(*(stage.stages for stage in stages), strict=True))
    return evolve(stages[0], title=_common_title([stage.title for stage in stages]), stages=inside)


def _common_title(titles: Sequence[str]) -> str:
    first, last = (_NUMBER.split(title) for title in (titles[0], titles[-1]))
    if titles[0] == titles[-1] or first != last:
        return min(titles, key=len)  # later calls often leave out default arguments
    ends = zip(*(_NUMBER.findall(title) for title in (titles[0], titles[-1])), strict=True)
    numbers = [a if a == b else f"{a}..{b}" for a, b in ends]
    return "".join(part for both in zip(first, [*numbers, ""], strict=True) for part in both)


def _short(title: str) -> str:
    """The title with numbers of three digits."""
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.3g}", title)


def _without_drop(operation: Operation) -> Hashable:
    """What tells an operation from others in a picture: all of it, but for the share that stochastic depth drops."""
    if hasattr(operation, "p"):
        arguments = operation.arguments()
        if operation.scheduled_drop == arguments["p"]:
            return operation.name, *((name, value) for name, value in arguments.items() if name != "p")
    return operation
