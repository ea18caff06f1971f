"""Bodies in fewer lines: blocks for the classes of modules, repeats, and loops.

Works on plain data, and knows neither torch nor what a layer computes. Whoever calls it compares the graphs.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.importing.network import Network, Place
from cifar_dsl.importing.structure import Body, Join, Layer, Named, steps_of
from cifar_dsl.importing.trees import Block, Call, Loop, Parameter, Repeated, Tree, Variant
from cifar_dsl.importing.unification import NOWHERE, MismatchError, Slot, Unifier, renumbered, skeleton
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES

_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})
_LEAST = 4  # layers of a block that has no branches
_MOST_COLUMNS = 6  # targets of a loop
_LONGEST = 12  # stages of a round of a loop
_SHORT = {"channels": "c", "features": "c"}
_TAKEN = frozenset({*LAYERS, *JOINS, *SCOPES, *KEYWORDS, "in_channels", "height", "width", "length", "classes"})


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
        return _inlined(Tree(model, blocks))

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
        columns = _Columns(len(group))
        unifier = Unifier(columns.fill, columns.choose if self._merges else None, self._channels, self._parameters())
        try:
            body = unifier.bodies([one.body for one in group])
        except MismatchError:
            return None
        name = _free(_snake(kind), {block.name for block in self._blocks})
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
            best: tuple[int, int, int, Any] | None = None
            for period in periods:
                for start, count in _runs(kinds, period):
                    if start and _is_inside_chain(body[start]):
                        continue
                    best = self._better(best, body, start, period, count, fold)
            if best is None:
                return body
            _, start, stop, item = best
            body = (*body[:start], item, *body[stop:])

    def _better(
        self, best: "tuple[int, int, int, Any] | None", body: Body, start: int, period: int, most: int, fold: Any
    ) -> "tuple[int, int, int, Any] | None":
        """The best way to fold so far, or the longest run of segments from here, if that saves more."""
        segments = [body[start + period * k : start + period * (k + 1)] for k in range(most)]
        weight = sum(map(_weight, segments[0]))
        for count in range(most, 1, -1):
            bound = weight * (count - 1) - (1 if period == 1 else 2)
            if bound <= (best[0] if best else 0):
                return best
            if (item := fold(segments[:count])) is not None:
                saved = bound - _weight_of_values(item)
                return (saved, start, start + period * count, item) if saved > (best[0] if best else 0) else best
        return best

    def _repeat(self, segments: list[Body]) -> Any:
        if any(segment != segments[0] for segment in segments):
            return None
        return _repeated(segments[0], len(segments))

    def _loop(self, segments: list[Body]) -> Any:
        columns = _Columns(len(segments))
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
class _Instance:
    """The stages of a module."""

    path: str
    body: Body


@frozen
class _Mark:
    """Stands for the stages of a module."""

    path: str
    body: Body


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


# ---- numbers that differ


@define
class _Columns:
    """The numbers that differ between bodies: parameters of a block, or targets of a loop."""

    _count: int
    _columns: dict[str, list[Any]] = field(factory=dict)
    _defaults: dict[str, nodes.Expression | None] = field(factory=dict)

    def fill(self, slot: Slot) -> nodes.Expression:
        """The expression for a slot: a column that is there, something computed of one, or a new one."""
        wanted = list(slot.values)
        for name, column in self._columns.items():
            if _fits(column, wanted):
                self._columns[name] = [a if a is not None else b for a, b in zip(column, wanted, strict=True)]
                return nodes.Name(name, NOWHERE)
        numbers = _integers(wanted)
        if numbers:
            if slot.channels and (found := _computed("in_channels", list(slot.channels), numbers)):
                return found
            for name, column in self._columns.items():
                own = _integers(column)
                if own and None not in own and (found := _computed(name, own, numbers)):
                    return found
        name = _free(_SHORT.get(slot.name, slot.name), self._columns)
        self._columns[name] = wanted
        self._defaults[name] = slot.default
        return nodes.Name(name, NOWHERE)

    def choose(self, numbers: Sequence[int]) -> nodes.Expression:
        """A parameter that is true in the bodies of these numbers."""
        column: list[Any] = [nodes.Truth(number in numbers, NOWHERE) for number in range(self._count)]
        for name, one in self._columns.items():
            if one == column:
                return nodes.Name(name, NOWHERE)
        name = _free("project", self._columns)
        self._columns[name] = column
        self._defaults[name] = nodes.Truth(False, NOWHERE)
        return nodes.Name(name, NOWHERE)

    def names(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of a block: those without a default first."""
        found = []
        for name, column in self._columns.items():
            default = self._defaults[name]
            known = [value for value in column if value is not None]
            if default is not None and not (default in known or len(known) < len(column)):
                default = None
            found.append(Parameter(name, _kind(known), default))
        return tuple(sorted(found, key=lambda one: one.default is not None))

    def call(self, name: str, parameters: Sequence[Parameter], number: int) -> nodes.Name | nodes.CallExpression:
        """The call of a block in place of the body of this number."""
        arguments: list[nodes.Argument] = []
        for one in parameters:
            value = self._columns[one.name][number]
            if value is None:
                value = one.default if one.default is not None else self._known(one.name)
            if one.default is None:
                arguments.append(nodes.Argument(None, value, NOWHERE))
            elif value != one.default:
                arguments.append(nodes.Argument(nodes.Identifier(one.name, NOWHERE), value, NOWHERE))
        callee = nodes.Identifier(name, NOWHERE)
        return nodes.CallExpression(callee, tuple(arguments), NOWHERE) if arguments else nodes.Name(name, NOWHERE)

    def rows(self) -> nodes.Sequence:
        """The values of a loop: one row for each body."""
        rows: list[nodes.Expression] = []
        for number in range(self._count):
            values = tuple(column[number] for column in self._columns.values())
            rows.append(values[0] if len(values) == 1 else nodes.Sequence(values, True, NOWHERE))
        return nodes.Sequence(tuple(rows), False, NOWHERE)

    def _known(self, name: str) -> nodes.Expression:
        found: nodes.Expression = next(value for value in self._columns[name] if value is not None)
        return found


def _fits(column: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(column, wanted, strict=True))


def _integers(values: Sequence[Any]) -> list[int | None]:
    """The values, if all are integers or None; else none."""
    found: list[int | None] = []
    for value in values:
        if value is None:
            found.append(None)
        elif isinstance(value, nodes.Number) and isinstance(value.value, int):
            found.append(value.value)
        else:
            return []
    return found


def _computed(name: str, known: Sequence[int | None], wanted: Sequence[int | None]) -> nodes.Expression | None:
    """The wanted numbers as a multiple, or an integer fraction, of known ones."""
    pairs = [(a, b) for a, b in zip(known, wanted, strict=True) if a and b]
    if not pairs or len(pairs) != sum(one is not None for one in wanted):
        return None
    source = nodes.Name(name, NOWHERE)
    factor, divisor = pairs[0][1] // pairs[0][0], pairs[0][0] // pairs[0][1]
    if all(a == b for a, b in pairs):
        return source
    if factor > 1 and all(factor * a == b for a, b in pairs):
        return nodes.Operation((nodes.Number(factor, str(factor), NOWHERE), source), ("*",), NOWHERE)
    if divisor > 1 and all(divisor * b == a for a, b in pairs):
        return nodes.Operation((source, nodes.Number(divisor, str(divisor), NOWHERE)), ("//",), NOWHERE)
    return None


def _kind(values: Sequence[Any]) -> str:
    if all(isinstance(value, nodes.Truth) for value in values):
        return "bool"
    if any(isinstance(value, nodes.SizeLiteral) for value in values):
        return "size"
    return "int" if _integers(values) else "float"


# ---- names


def _snake(kind: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower().strip("_")
    return f"{words}_block" if words in _TAKEN or not words[:1].isalpha() else words


def _free(name: str, taken: Any) -> str:
    if name in _TAKEN:
        name = f"{name}_"
    found, number = name, 2
    while found in taken:
        found = f"{name}{number}"
        number += 1
    return found


# ---- blocks that are called once


def _inlined(tree: Tree) -> Tree:
    """Without the blocks that nothing calls."""
    used = {head for body in (tree.model, *(one.body for one in tree.blocks)) for head in _called(body)}
    blocks = tuple(block for block in tree.blocks if block.name in used)
    return Tree(tree.model, blocks) if len(blocks) == len(tree.blocks) else _inlined(Tree(tree.model, blocks))


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
