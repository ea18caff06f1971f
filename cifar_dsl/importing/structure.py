"""The steps of a network as nested bodies: chains, joins with branches, and as few named tensors as possible.

The bodies hold syntax of the language. Nothing here knows torch.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from types import MappingProxyType
from typing import Any

from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.importing.attention import long_form, shifts_of
from cifar_dsl.importing.network import Network, Step, unsupported, users_of
from cifar_dsl.ir import Operation
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_override

_ROOT = -1  # dominates the input and all named tensors


@frozen
class Layer:
    """One layer. `step` is its number in the network; None for the `identity` of a branch."""

    head: nodes.Name | nodes.CallExpression
    step: int | None = field(default=None, eq=False)


@frozen
class Long(Layer):
    """A layer whose long form has several steps: these, in its order."""

    steps: tuple[int, ...] = field(default=(), eq=False)


@frozen
class Use:
    """A named tensor, at the start of a body."""

    number: int


@frozen
class Join:
    """What combines the tensors of branches; or a scope with one body, which step `enters` begins."""

    head: nodes.Name | nodes.CallExpression
    branches: "tuple[Body, ...]"
    step: int | None = field(default=None, eq=False)
    enters: int | None = field(default=None, eq=False)


@frozen
class Named:
    """A body in which tensors have names. Each starts from the current tensor, or from a name; numbers are unique."""

    names: "tuple[tuple[int, Body], ...]"
    body: "Body"


Body = tuple[Any, ...]  # of these items, and of those of `trees`

IDENTITY = Layer(nodes.Name("identity", span=None))  # type: ignore[arg-type]  # printed, and never shown in messages


def structure_of(network: Network, ties: Mapping[int, str] = MappingProxyType({})) -> Body:
    """The network as a body. `ties` has the names of tied blocks by the steps that use them."""
    return _Structure(network, ties).body(0, network.output, frozenset())


def steps_of(body: Body) -> Iterator[int | None]:
    """The steps of a body, in the order in which its text is run; None for an `identity`."""
    for item in body:
        match item:
            case Long(steps=steps):
                yield from steps
            case Layer(step=step):
                yield step
            case Join(branches=branches, step=step, enters=enters):
                if enters is not None:
                    yield enters
                for branch in branches:
                    yield from steps_of(branch)
                yield step
            case Named(names=names, body=inner):
                for _, named in names:
                    yield from steps_of(named)
                yield from steps_of(inner)


@cache
def _parsed(text: str) -> nodes.Name | nodes.CallExpression:
    kind = parse_override(Source("", f"x={text}")).chain.elements[0].kind
    assert isinstance(kind, nodes.Name | nodes.CallExpression)
    return kind


def head_of(operation: Operation) -> nodes.Name | nodes.CallExpression:
    """How an operation is written."""
    return _parsed(operation.brief())


class _Structure:
    def __init__(self, network: Network, ties: Mapping[int, str]) -> None:
        self._network = network
        self._ties = ties
        self._users = users_of(network)
        self._shifts = shifts_of(network)

    def body(self, flow: int, target: int, named: Set[int]) -> Body:
        """What makes `target` of the current tensor `flow` and of the tensors that have names."""
        if target == flow:
            return ()
        path = self._dominators(flow, target, named)
        items: list[Any] = [Use(path[0])] if path[0] != flow and path[0] in named else []
        current = flow if path[0] == _ROOT else path[0]
        for value in path[1:]:
            step = self._step(value)
            if step.operation.name == "from_windows":
                items = self._scope(items, value)
            elif step.operation.is_join:
                items.append(self._joined(current, value, named))
            else:
                tied = self._ties.get(value - 1)
                items.append(Layer(_parsed(tied) if tied else head_of(step.operation), value - 1))
                items = self._shortened(items, value)
            current = value
        return tuple(items)

    def _scope(self, items: list[Any], value: int) -> list[Any]:
        """The items with all since the beginning of a scope in it."""
        starts = [place for place, item in enumerate(items) if self._begins_scope(item)]
        if not starts:
            raise unsupported("windows that don't begin where they end", self._step(value).place)
        enter = items[starts[-1]]
        inside = tuple(items[starts[-1] + 1 :]) or (IDENTITY,)
        return [*items[: starts[-1]], Join(enter.head, (inside,), value - 1, enter.step)]

    def _begins_scope(self, item: Any) -> bool:
        is_step = isinstance(item, Layer) and item.step is not None
        return is_step and self._step(item.step + 1).operation.name == "into_windows"

    def _shortened(self, items: list[Any], value: int) -> list[Any]:
        """The items with attention in place of its long form, if they end with that."""
        found = long_form(self._network, value, self._users, is_shifted=self._shifts.get(value, False))
        if found is None:
            return items
        text, (first, *others) = found
        steps = tuple(one - 1 for one in (first, *others))
        start = next(place for place, item in enumerate(items) if getattr(item, "step", None) == first - 1)
        return [*items[:start], Long(_parsed(text), first - 1, steps)]

    def _step(self, value: int) -> Step:
        return self._network.steps[value - 1]

    def _inputs(self, value: int) -> Sequence[int]:
        step = self._step(value)
        return () if step.operation.takes_only_batch else step.inputs

    def _ancestors(self, target: int, sources: Set[int]) -> set[int]:
        """The target and all that it is made of, up to the sources, which are left out."""
        found: set[int] = set()
        waiting = [target]
        while waiting:
            value = waiting.pop()
            if value not in found and value not in sources:
                found.add(value)
                waiting += self._inputs(value)
        return found

    def _dominators(self, flow: int, target: int, named: Set[int]) -> list[int]:
        """The values through which all ways lead to the target, from a source on: `flow`, a named tensor, or _ROOT."""
        sources = {flow, *named}
        if target in sources:
            return [target]
        above: dict[int, int] = dict.fromkeys(sources, _ROOT)
        depth = dict.fromkeys(sources, 1) | {_ROOT: 0}
        for value in sorted(self._ancestors(target, sources)):
            common: int | None = None
            for one in self._inputs(value):
                common = one if common is None else _meet(common, one, above, depth)
            above[value] = _ROOT if common is None else common
            depth[value] = depth[above[value]] + 1
        path = [target]
        while path[-1] not in sources and path[-1] != _ROOT:
            path.append(above[path[-1]])
        return path[::-1]

    def _joined(self, flow: int, value: int, named: Set[int]) -> Any:
        """A join whose branches start at `flow` or at named tensors; names what several branches share."""
        operands = self._inputs(value)
        new: set[int] = set()
        while shared := self._shared(operands, {flow, *named}, new):
            new.add(max(shared))
        names = [(one, self.body(flow, one, {*named, *(other for other in new if other < one)})) for one in sorted(new)]
        inside = {*named, *new}
        branches = tuple(self.body(flow, operand, inside) or (IDENTITY,) for operand in operands)
        join = Join(head_of(self._step(value).operation), branches, value - 1)
        return Named(tuple(names), (join,)) if names else join

    def _shared(self, operands: Sequence[int], sources: Set[int], new: Set[int]) -> set[int]:
        """The values that are computed for more than one branch or name."""
        seen: set[int] = set()
        shared: set[int] = set()
        for place, end in enumerate([*operands, *new]):
            is_name = place >= len(operands)
            if not is_name and end in new:
                continue
            mine = self._ancestors(end, {*sources, *(new - {end} if is_name else new)})
            shared |= mine & seen
            seen |= mine
        return shared


def _meet(first: int, second: int, above: dict[int, int], depth: dict[int, int]) -> int:
    while first != second:
        if depth[first] >= depth[second]:
            first = above[first]
        else:
            second = above[second]
    return first
