"""Bodies in fewer lines: blocks for the classes of modules, repeats, and loops.

Works on plain data, and knows neither torch nor what a layer computes. Whoever calls it compares the graphs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.importing.columns import Columns, block_name, free_name
from cifar_dsl.importing.network import Network, Place
from cifar_dsl.importing.structure import Body, Join, Layer, Named, steps_of
from cifar_dsl.importing.trees import Block, Call, Loop, Parameter, Repeated, Tree, Variant
from cifar_dsl.importing.unification import NOWHERE, MismatchError, Unifier, renumbered, skeleton
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import LAYERS

_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})
_LEAST = 4  # layers of a block that has no branches
_MOST_COLUMNS = 6  # targets of a loop
_LONGEST = 12  # stages of a round of a loop


def folded(body: Body, network: Network) -> Iterator[Tree]:
    """Ways to write a body in fewer lines: with blocks whose branches differ, with others, and with loops only."""
    for merges in (True, False):
        yield _Folder(network, merges).tree(body)
    yield _Folder(network, merges=False).loops(body)


def looped(body: Body, network: Network) -> Tree:
    """A body in fewer lines with loops only."""
    return _Folder(network, merges=False).loops(body)


@define
class _Folder:
    _network: Network
    _merges: bool  # whether blocks of one class whose branches differ become one
    _blocks: list[Block] = field(factory=list)

    def tree(self, body: Body) -> Tree:
        instances: dict[str, list[_Instance]] = defaultdict(list)
        marked = self._marked(body, 0, instances)
        calls: dict[str, Any] = {}
        for name, found in instances.items():
            calls.update(self._blocks_of(name, found, calls))
        model = self._looped(_resolved(marked, calls))
        blocks = tuple(Block(one.name, one.parameters, self._looped(one.body)) for one in self._blocks)
        return _without_unused_blocks(Tree(model, blocks))

    def loops(self, body: Body) -> Tree:
        """The body without blocks."""
        return Tree(self._looped(body))

    # ---- modules as blocks

    def _marked(self, body: Body, depth: int, instances: "dict[str, list[_Instance]]") -> Body:
        """The body with each run of stages that a module makes as one item; inner modules come first."""
        items: list[Any] = []
        place = 0
        while place < len(body):
            run = self._run(body, place, depth)
            if run is None:
                items.append(self._inside(body[place], depth, instances))
                place += 1
                continue
            stop, level, (path, kind) = run
            inner = self._marked(body[place:stop], level + 1, instances)
            try:
                instance = _Instance(path, renumbered(inner))
            except MismatchError:
                items += inner
            else:
                instances[kind].append(instance)
                items.append(_Mark(path, instance.body))
            place = stop
        return tuple(items)

    def _inside(self, item: Any, depth: int, instances: "dict[str, list[_Instance]]") -> Any:
        match item:
            case Join(branches=branches):
                return evolve(item, branches=tuple(self._marked(one, depth, instances) for one in branches))
            case Named(names=names, body=inner):
                named = tuple((number, self._marked(one, depth, instances)) for number, one in names)
                return Named(named, self._marked(inner, depth, instances))
        return item

    def _run(self, body: Body, start: int, depth: int) -> tuple[int, int, tuple[str, str]] | None:
        """The end of a run of stages that is one module, how deep the module is nested, and its path and class."""
        first = next(self._places(body[start : start + 1]), None)
        if first is None:
            return None
        for level in range(max(depth, 1), len(first.modules)):
            path, kind = first.modules[level]
            if kind in _CONTAINERS:
                continue
            stop = start
            while stop < len(body) and self._belongs(body[stop : stop + 1], path):
                stop += 1
            run = body[start:stop]
            if stop > start and _is_worth(run) and self._count(run) == self._total(path):
                return stop, level, (path, kind)
        return None

    def _places(self, body: Body) -> Iterator[Place]:
        return (self._network.steps[step].place for step in steps_of(body) if step is not None)

    def _belongs(self, body: Body, path: str) -> bool:
        places = [*self._places(body)]
        return bool(places) and all(any(one == path for one, _ in place.modules) for place in places)

    def _count(self, body: Body) -> int:
        return sum(step is not None for step in steps_of(body))

    def _total(self, path: str) -> int:
        return sum(any(one == path for one, _ in step.place.modules) for step in self._network.steps)

    def _blocks_of(self, kind: str, instances: "list[_Instance]", calls: dict[str, Any]) -> dict[str, Any]:
        """The blocks of a class: a call, or the stages themselves, for each instance by its path."""
        found: dict[str, Any] = {}
        groups: dict[tuple[Any, ...], list[_Instance]] = defaultdict(list)
        for one in instances:
            body = _resolved(one.body, calls)
            groups[skeleton(body)].append(_Instance(one.path, body))
        merged: list[list[_Instance]] = []
        for group in sorted(groups.values(), key=len, reverse=True):
            into = next((one for one in merged if self._block(kind, [*one, *group])), None)
            merged.append(group) if into is None else into.extend(group)
        for group in merged:
            made = self._block(kind, group) if len(group) > 1 else None
            if made is None:
                found.update({one.path: one.body for one in group})
                continue
            block, heads = made
            self._blocks.append(block)
            found.update({one.path: (Call(head),) for one, head in zip(group, heads, strict=True)})
        return found

    def _block(self, kind: str, group: "list[_Instance]") -> "tuple[Block, list[Any]] | None":
        columns = Columns(len(group))
        unifier = Unifier(columns.fill, columns.choose if self._merges else None, self._channels, self._parameters())
        try:
            body = unifier.bodies([one.body for one in group])
        except MismatchError:
            return None
        name = free_name(block_name(kind), {block.name for block in self._blocks})
        parameters = columns.parameters()
        heads = [columns.call(name, parameters, number) for number in range(len(group))]
        return Block(name, parameters, body), heads

    def _parameters(self) -> dict[str, tuple[Parameter, ...]]:
        return {block.name: block.parameters for block in self._blocks}

    def _channels(self, step: int) -> tuple[int, int]:
        one = self._network.steps[step]
        return self._network.shape_of(one.inputs[0]).channels, one.shape.channels

    # ---- loops

    def _looped(self, body: Body) -> Body:
        """The body with repeats, then with loops."""
        items: Body = tuple(self._looped_inside(item) for item in body)
        counted = [one for period in range(1, _LONGEST + 1) if (one := _counted(items, period)) is not None]
        loops_first = (_without_single(self._in_loops(one)) for one in (items, *counted))
        ways = (self._in_loops(self._in_repeats(one)) for one in (items, *loops_first))
        return min(ways, key=lambda body: sum(_weight(item) + _weight_of_values(item) for item in body))

    def _in_repeats(self, body: Body) -> Body:
        for period in range(1, _LONGEST + 1):  # short ones first: the repeats inside of a loop, before the loop
            body = self._folded_runs(body, self._repeat, range(period, period + 1))
        return body

    def _in_loops(self, body: Body) -> Body:
        return self._folded_runs(body, self._loop, range(1, _LONGEST + 1))

    def _looped_inside(self, item: Any) -> Any:
        match item:
            case Join(branches=branches):
                return evolve(item, branches=tuple(map(self._looped, branches)))
            case Named(names=names, body=inner):
                return Named(tuple((number, self._looped(one)) for number, one in names), self._looped(inner))
            case Variant(condition=condition, yes=yes, no=no):
                return Variant(condition, self._looped(yes), self._looped(no))
        return item

    def _folded_runs(self, body: Body, fold: "Callable[[list[Body]], Any]", periods: range) -> Body:
        """The body with the run of segments folded that saves most, and then the next one."""
        while True:
            kinds = list(skeleton(body))
            best: _Folded | None = None
            for period in periods:
                for start, count in _runs(kinds, period):
                    if start and _is_inside_chain(body[start]):
                        continue
                    segments = [body[start + period * k : start + period * (k + 1)] for k in range(count)]
                    if found := _longest_fold(segments, fold, best.saved if best else 0):
                        saved, folded, item = found
                        best = _Folded(saved, start, start + period * folded, item)
            if best is None:
                return body
            body = (*body[: best.start], best.item, *body[best.stop :])

    def _repeat(self, segments: list[Body]) -> Any:
        if any(segment != segments[0] for segment in segments):
            return None
        return _repeated(segments[0], len(segments))

    def _loop(self, segments: list[Body]) -> Any:
        columns = Columns(len(segments))
        unifier = Unifier(columns.fill, None, self._channels, self._parameters())
        try:
            body = unifier.bodies([renumbered(segment) for segment in segments])
        except MismatchError:
            return None
        targets = columns.names()
        if not 1 <= len(targets) <= _MOST_COLUMNS:
            return None
        return Loop(targets, columns.rows(), body)


@frozen
class _Folded:
    """The item that replaces the stages from `start` to `stop`, and the weight that it saves."""

    saved: int
    start: int
    stop: int
    item: Any


@frozen
class _Instance:
    """The stages of a module."""

    path: str
    body: Body


@frozen
class _Mark:
    """Stands for the stages of a module."""

    path: str
    body: Body


def _longest_fold(segments: list[Body], fold: Callable[[list[Body]], Any], least: int) -> tuple[int, int, Any] | None:
    """Fold as many of the first segments as possible, if that saves more than `least`.

    Returns the weight that it saves, the number of segments, and the item in place of them.
    """
    weight = sum(map(_weight, segments[0]))
    for count in range(len(segments), 1, -1):
        bound = weight * (count - 1) - (1 if len(segments[0]) == 1 else 2)
        if bound <= least:
            return None
        if (item := fold(segments[:count])) is not None:
            saved = bound - _weight_of_values(item)
            return (saved, count, item) if saved > least else None
    return None


def _is_worth(body: Body) -> bool:
    return any(isinstance(item, Join | Named) for item in body) or len(body) >= _LEAST


def _resolved(body: Body, calls: dict[str, Any]) -> Body:
    """The body with a call, or stages, for each mark."""
    items: list[Any] = []
    for item in body:
        match item:
            case _Mark(path=path, body=inner):
                items += calls.get(path) or _resolved(inner, calls)
            case Join(branches=branches):
                items.append(evolve(item, branches=tuple(_resolved(one, calls) for one in branches)))
            case Named(names=names, body=inner):
                named = tuple((number, _resolved(one, calls)) for number, one in names)
                items.append(Named(named, _resolved(inner, calls)))
            case _:
                items.append(item)
    return tuple(items)


def _runs(kinds: Sequence[Any], period: int) -> Iterator[tuple[int, int]]:
    """Where segments of this length begin that others of the same kinds follow, and how many they are together."""
    alike = [kinds[place] == kinds[place + period] for place in range(len(kinds) - period)]
    length = 0
    lengths: list[int] = []  # of the run of equal pairs from each place on, backwards
    for one in reversed(alike):
        length = length + 1 if one else 0
        lengths.append(length)
    for start, length in enumerate(reversed(lengths)):
        if length >= period:
            yield start, length // period + 1


def _counted(body: Body, period: int) -> Body | None:
    """The body with runs of equal segments of this length as `repeat`, and those that aren't repeated as `repeat 1`.

    So a loop can run over both. None if no segment of the kind of a repeated one stands alone.
    """
    kinds = skeleton(body)
    lengths: list[tuple[int, int]] = []  # where segments begin, and how many equal ones follow each other
    place = 0
    while place + period <= len(body):
        count = 1
        while body[place : place + period] == body[place + period * count : place + period * (count + 1)]:
            count += 1
        lengths.append((place, 0 if _is_inside_chain(body[place]) else count))
        place += period * count if count > 1 and lengths[-1][1] else 1
    repeated = {kinds[start : start + period] for start, count in lengths if count > 1}
    items: list[Any] = []
    place = singles = 0
    for start, count in lengths:
        if start >= place and count and kinds[start : start + period] in repeated:
            items += body[place:start]
            items.append(_repeated(body[start : start + period], count))
            place = start + period * count
            singles += count == 1
    return (*items, *body[place:]) if singles else None


def _repeated(body: Body, count: int) -> Repeated:
    return Repeated(nodes.Number(count, str(count), NOWHERE), body)


def _without_single(body: Body) -> Body:
    """The body with what runs once in place of `repeat 1`, also in the loops."""
    items: list[Any] = []
    for item in body:
        match item:
            case Repeated(count=nodes.Number(value=1), body=inner):
                items += _without_single(inner)
            case Repeated(count=count, body=inner):
                items.append(Repeated(count, _without_single(inner)))
            case Loop(targets=targets, values=values, body=inner):
                items.append(Loop(targets, values, _without_single(inner)))
            case _:
                items.append(item)
    return tuple(items)


def _is_inside_chain(item: Any) -> bool:
    """Whether a stage belongs to the layer before it, as a norm or an activation does."""
    if not isinstance(item, Layer):
        return False
    name = item.head.text if isinstance(item.head, nodes.Name) else item.head.callee.text
    return name in LAYERS and LAYERS[name].family in {"norm", "activation"}


def _weight(item: Any) -> int:
    """About how many lines an item takes, times two."""
    match item:
        case Join(branches=branches):
            return 3 + sum(_weight(one) for body in branches for one in body)
        case Named(names=names, body=body):
            return sum(_weight(one) for _, named in names for one in named) + sum(map(_weight, body))
        case Repeated(body=body) | Loop(body=body):
            return 2 + sum(map(_weight, body))
    return 2 if isinstance(item, Call) else 1


def _weight_of_values(item: Any) -> int:
    """What the values of a loop take; rows with `true` and `false` are hard to read."""
    if not isinstance(item, Loop):
        return 0
    rows = len(item.values.items)
    return rows * len(item.targets) // 2 + 2 * sum(1 for _ in nodes.inside(item.values.items, nodes.Truth))


# ---- blocks


def _without_unused_blocks(tree: Tree) -> Tree:
    """The tree without the blocks that nothing calls, or only such blocks."""
    used = {head for body in (tree.model, *(one.body for one in tree.blocks)) for head in _called(body)}
    blocks = tuple(block for block in tree.blocks if block.name in used)
    return tree if len(blocks) == len(tree.blocks) else _without_unused_blocks(Tree(tree.model, blocks))


def _called(body: Body) -> Iterator[str]:
    for item in body:
        match item:
            case Call(head=head):
                yield head.text if isinstance(head, nodes.Name) else head.callee.text
            case Join(branches=branches):
                for branch in branches:
                    yield from _called(branch)
            case Named(names=names, body=inner):
                for _, named in names:
                    yield from _called(named)
                yield from _called(inner)
            case Repeated(body=inner) | Loop(body=inner):
                yield from _called(inner)
            case Variant(yes=yes, no=no):
                yield from _called(yes)
                yield from _called(no)
