"""What the expansions of one block, branch or named tensor have in common, and what differs among them.

The parts of a unit share a class if they call the same things in the same order. What differs is a parameter of the
class: one that the spec has, where the values are equal, an expression of the spec, or a new one. Where stages differ,
too, and a condition of the spec says when, the class has an `if`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, pairwise
from typing import Any

from cifar_dsl.export.source.expressions import (
    Constant,
    Environment,
    Expression,
    Items,
    Operation,
    UnknownValueError,
    Unneeded,
    Variable,
    choices,
    folded,
    is_constant,
    matches,
    needed,
    series,
    simple_expressions,
    value_of,
)
from cifar_dsl.export.source.layout import LOOP_VARIABLE
from cifar_dsl.export.source.parts import Key, Part, Step, order_of_use, reorder_inputs
from cifar_dsl.export.source.repeats import Item, with_loops
from cifar_dsl.export.source.statements import (
    Assign,
    Condition,
    Loop,
    ModuleCall,
    Statement,
    Unit,
    Version,
    names_in,
)
from cifar_dsl.export.source.torch_modules import torch_class
from cifar_dsl.export.source.vocabulary import Vocabulary
from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import Node

_LEAST_ROUNDS = 3
_OF_INPUT = frozenset({"in_channels", "num_features", "in_features", "normalized_shape"})
_MADE = frozenset({"out_channels", "out_features"})
_NEW_NAMES = {  # of parameters that no name of the spec explains, by the argument of a module
    "num_features": "channels",
    "out_channels": "channels",
    "normalized_shape": "features",
    "in_features": "features",
    "out_features": "features",
    "kernel_size": "kernel",
}


class Units:
    """All units of a network, analyzed from the inside to the outside."""

    def __init__(self, model: Part, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.of_part: dict[int, Unit] = {}
        self.in_order: list[Unit] = []
        parts = [*_all_parts(model)]
        _separate_recursion(parts)
        by_key: dict[Key, Unit] = {}
        for part in parts:
            unit = by_key.setdefault(part.key, Unit(part.key, []))
            unit.parts.append(part)
            self.of_part[id(part)] = unit
        parents = {id(inner): part for part in parts for inner in part.inside()}
        for unit in _inside_out([*by_key.values()], self.of_part):
            for one in _Analysis(self, unit, parents).run():
                self.of_part |= {id(part): one for part in one.parts}
                self.in_order.append(one)
        self.model = self.of_part[id(model)].versions[0]

    def is_alias(self, step: Step) -> bool:
        """Whether a step only passes a tensor on."""
        if step.part is None:
            return step.target == "torch.nn.Identity"
        return self.of_part[id(step.part)].is_inline and (is_identity(step.part) or not step.part.steps)

    def items_of(self, version: Version) -> list["Item"]:
        """The steps of a class in which tensors have names; see `Loop`."""
        unit = version.unit
        return _Analysis(self, unit, {})._items_of(version.parts[0])  # noqa: SLF001  # of this file

    # ---- comparison

    def signature(self, step: Step) -> tuple[Any, ...]:
        """What steps have in common that can be written as one, apart from numbers."""
        if step.part is None:
            own = (step.target, step.functions, *(name for name, _ in step.arguments))
            return (*own, "optional", step.name) if step.is_optional else own  # never a round of a loop
        unit = self.of_part[id(step.part)]
        if unit.is_inline:
            return ("inline", step.part.scope.kind, *self.structure(step.part))
        return ("class", id(unit.version_of[id(step.part)]))

    def structure(self, part: Part) -> tuple[Any, ...]:
        """What parts have in common that share a class."""
        steps = tuple(
            (step.name, self.signature(step), step.inputs, step.outputs, step.only_trains) for step in part.steps
        )
        return (steps, part.inputs, part.outputs, part.only_trained)

    def leaves(self, step: Step) -> tuple[Any, ...]:
        """The numbers of a step, in a fixed order for one signature."""
        if step.part is None:
            return tuple(value for _, value in step.arguments)
        unit = self.of_part[id(step.part)]
        if unit.is_inline:
            return tuple(chain.from_iterable(map(self.leaves, step.part.steps)))
        return tuple(step.part.values[name] for name in unit.version_of[id(step.part)].parameters)

    def with_loops(self, steps: list[Step], least: int, *, has_series: bool) -> list[Item]:
        """The steps of a chain, with loops where at least `least` rounds are alike."""
        signatures, leaves = [*map(self.signature, steps)], [*map(self.leaves, steps)]
        return with_loops(steps, signatures, leaves, least, has_series=has_series)


def _all_parts(part: Part) -> Iterator[Part]:
    waiting = [part]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed([*part.inside()]))


def _separate_recursion(parts: list[Part]) -> None:
    """Give the calls of a block inside calls of the same block keys of their own, by how many are inside them."""
    heights: dict[int, int] = {}
    for part in reversed(parts):  # each before the parts around it
        inside = [
            heights[id(each)] + (each.key == part.key)
            for each in _all_parts(part)
            if each is not part and each.key == part.key
        ]
        heights[id(part)] = max(inside, default=0)
    tall = {part.key for part in parts if heights[id(part)]}
    if not tall:
        return
    for part in parts:
        if part.key in tall:
            part.key = (*part.key, heights[id(part)])
    _separate_recursion_by_structure(parts)


def _separate_recursion_by_structure(parts: list[Part]) -> None:
    """Where blocks still contain each other, give equal keys to equal structures only."""
    edges = {(part.key, inner.key) for part in parts for inner in part.inside()}
    cyclic = _in_cycles(edges)
    if not cyclic:
        return
    numbers: dict[Any, int] = {}
    for part in reversed(parts):
        if part.key in cyclic:
            own = (part.key, tuple((step.name, step.target, step.part.key if step.part else ()) for step in part.steps))
            part.key = (*part.key, "structure", numbers.setdefault(own, len(numbers)))


def _in_cycles(edges: set[tuple[Key, Key]]) -> set[Key]:
    """The keys that aren't ordered by the edges: those in cycles, and what is around them."""
    inner: dict[Key, set[Key]] = {}
    for outside, inside in edges:
        inner.setdefault(outside, set()).add(inside)
        inner.setdefault(inside, set())
    while ready := [key for key, below in inner.items() if not below]:
        for key in ready:
            del inner[key]
        for below in inner.values():
            below.difference_update(ready)
    return set(inner)


def _inside_out(units: list[Unit], of_part: dict[int, Unit]) -> list[Unit]:
    """The units, each after those inside it."""
    ordered: list[Unit] = []
    done: set[int] = set()

    def visit(unit: Unit) -> None:
        if id(unit) in done:
            return
        done.add(id(unit))
        for part in unit.parts:
            for inner in part.inside():
                visit(of_part[id(inner)])
        ordered.append(unit)

    for unit in units:
        visit(unit)
    return ordered


def segments(part: Part) -> Iterator[list[Step]]:
    """The steps of a part, those that follow each other without a name in one list."""
    uses: dict[int, int] = {}
    for value in chain(part.outputs, *(step.inputs for step in part.steps)):
        uses[value] = uses.get(value, 0) + 1
    segment: list[Step] = []
    for step in part.steps:
        is_plain = len(step.inputs) == len(step.outputs) == 1 and not (step.labels or step.only_trains)
        follows = bool(segment) and is_plain and step.inputs == segment[-1].outputs and uses[step.inputs[0]] == 1
        if segment and not follows:
            yield segment
            segment = []
        if is_plain:
            segment.append(step)
        else:
            yield [step]
    if segment:
        yield segment


# ---- one unit


class _NoConditionError(Exception):
    """No condition tells the structures of a unit apart."""


class _Analysis:
    def __init__(self, units: Units, unit: Unit, parents: dict[int, Part]) -> None:
        self._units = units
        self._unit = unit
        self._parents = parents
        self._vocabulary = units.vocabulary

    def run(self) -> list[Unit]:
        """Find the versions of the unit. Returns it, or one for each structure where one class can't have all."""
        groups = self._alike()
        if len(groups) == 1 and self._can_be_inline():
            self._unit.is_inline = True
            return [self._unit]
        is_chain = all(part.is_chain and part.scope.kind != "join" for part in self._unit.parts)
        if is_chain:
            with suppress(_NoConditionError):
                self._add(self._unit.parts, self._chain)
                return [self._unit]
        if len(groups) > 1 and self._is_named and self._complete():
            groups = [self._unit.parts]
        elif len(groups) > 1 and not self._is_named:
            split = [Unit((*self._unit.key, number), group) for number, group in enumerate(groups)]
            return [one for unit in split for one in _Analysis(self._units, unit, self._parents).run()]
        for group in self._by_items(self._unit.parts, _LEAST_ROUNDS) if is_chain else groups:
            self._add(group, self._chain if is_chain else self._wired)
        return [self._unit]

    def _alike(self) -> list[list[Part]]:
        """Groups of parts with one structure, with inputs in the order of their use if there are fewer groups then.

        The graph has them in the order in which they were made, in which calls of one block may differ.
        """
        parts = self._unit.parts
        groups = self._by_structure(parts)
        if len(groups) == 1 or all(part.inputs == 1 for part in parts):
            return groups
        orders = [order_of_use(part) for part in parts]
        for part, order in zip(parts, orders, strict=True):
            reorder_inputs(part, order)
        fewer = self._by_structure(parts)
        is_better = len(fewer) < len(groups)
        for part, order in zip(parts, orders, strict=True):
            if not is_better:
                reorder_inputs(part, tuple(map(order.index, range(part.inputs))))
            elif id(part) in self._parents:
                (around,) = (step for step in self._parents[id(part)].steps if step.part is part)
                around.inputs = tuple(around.inputs[place] for place in order)
        return fewer if is_better else groups

    def _complete(self) -> bool:
        """Give all parts the steps of the longest one if others differ from it only in layers that they leave out."""
        longest = max(self._unit.parts, key=lambda part: len(part.steps))
        steps = [_whole(longest, part, self._units.signature) for part in self._unit.parts]
        found = [one for one in steps if one is not None]
        if len(found) < len(steps):
            return False
        optional = {one.name for of_part in found for one in of_part if one.is_absent}
        for part, own in zip(self._unit.parts, found, strict=True):
            part.steps = [evolve(one, is_optional=one.name in optional) for one in own]
            part.outputs = longest.outputs
        return True

    @property
    def _is_named(self) -> bool:
        """Whether the text has a name for it, which its class should have."""
        return self._unit.parts[0].scope.kind in {"model", "block", "tied"}

    def _can_be_inline(self) -> bool:
        """Whether its only structure is written where it is used: once, without names for tensors, or empty."""
        first, *_ = self._unit.parts
        if self._is_named:
            return first.scope.kind == "block" and not first.steps
        if not first.steps:
            return True
        self._unit.is_lone = all(map(is_lone, self._unit.parts))
        if not (is_chain_of_inputs(first) or is_simple_join(first) or self._unit.is_lone):
            return False
        around = [id(self._parents[id(part)]) for part in self._unit.parts]
        if self._unit.is_lone:
            return True
        return len(set(around)) == len(around) and len(self._folded_names(first)) == len(first.steps)

    def _folded_names(self, part: Part) -> list[Item]:
        return self._with_loops(part.steps, _LEAST_ROUNDS) if part.is_chain else [Item([[s]]) for s in part.steps]

    def _with_loops(self, steps: list[Step], least: int) -> list[Item]:
        return self._units.with_loops(steps, least, has_series=len(self._unit.parts) == 1)

    def _by_structure(self, parts: Sequence[Part]) -> list[list[Part]]:
        groups: dict[Any, list[Part]] = {}
        for part in parts:
            groups.setdefault(self._units.structure(part), []).append(part)
        return [*groups.values()]

    def _by_items(self, parts: Sequence[Part], least: int) -> list[list[Part]]:
        groups: dict[Any, list[Part]] = {}
        for part in parts:
            items = self._with_loops(part.steps, least)
            groups.setdefault(tuple(map(self._of_item, items)), []).append(part)
        return [*groups.values()]

    def _of_item(self, item: Item) -> tuple[Any, ...]:
        """What items have in common that can be written as one."""
        steps = item.rounds[0]
        return (item.names or item.step.name, *map(self._units.signature, steps))

    def _add(self, parts: list[Part], write: "Callable[[_Explainer], tuple[Statement, ...]]") -> None:
        version = Version(self._unit, parts)
        explainer = _Explainer(self._units, version)
        version.statements = write(explainer)
        explainer.finish()
        self._unit.versions.append(version)
        self._unit.version_of |= dict.fromkeys(map(id, parts), version)

    def _wired(self, explainer: "_Explainer") -> tuple[Statement, ...]:
        parts = explainer.parts
        rows = range(len(parts))
        items = [self._items_of(part) for part in parts]
        return tuple(explainer.statement([of_part[place] for of_part in items], rows) for place in range(len(items[0])))

    def _items_of(self, part: Part) -> list[Item]:
        """The steps of a part in which tensors have names, with loops, without those that only name a tensor."""
        items: list[Item] = []
        for segment in segments(part):
            computing = [step for step in segment if not self._units.is_alias(step)]
            if len(computing) > 1:
                items += self._with_loops(computing, _LEAST_ROUNDS)
            elif computing:
                items.append(Item([computing]))
        return items

    def _chain(self, explainer: "_Explainer") -> tuple[Statement, ...]:
        lengths = {len(part.steps) for part in explainer.parts}
        least = 2 if len(lengths) > 1 and len(self._by_items(explainer.parts, 2)) == 1 else _LEAST_ROUNDS
        items = {number: self._with_loops(part.steps, least) for number, part in enumerate(explainer.parts)}
        return self._merged(items, explainer)

    def _merged(self, items: dict[int, list[Item]], explainer: "_Explainer") -> tuple[Statement, ...]:
        """The statements of parts, by their numbers; raises _NoConditionError."""
        groups: dict[Any, list[int]] = {}
        for number, of_part in items.items():
            groups.setdefault(tuple(map(self._of_item, of_part)), []).append(number)
        if len(groups) == 1:
            (rows,) = groups.values()
            return tuple(
                explainer.statement([items[row][place] for row in rows], rows) for place in range(len(items[rows[0]]))
            )
        structures = [*groups]
        shortest = min(map(len, structures))
        before = next((n for n in range(shortest) if len({one[n] for one in structures}) > 1), shortest)
        left = shortest - before
        after = next((n for n in range(left) if len({one[-1 - n] for one in structures}) > 1), left)
        rows = [*items]

        def common(places: range, of_end: int) -> tuple[Statement, ...]:
            """Statements that all parts have, counted from the start, or with `of_end` from the end."""
            return tuple(
                explainer.statement([items[row][place + of_end * len(items[row])] for row in rows], rows)
                for place in places
            )

        middle = {row: of_part[before : len(of_part) - after] for row, of_part in items.items()}
        test, holds = explainer.condition([*groups.values()])
        channels = explainer.channels
        chosen = self._merged({row: part for row, part in middle.items() if holds[row]}, explainer)
        explainer.channels = channels
        otherwise = self._merged({row: part for row, part in middle.items() if not holds[row]}, explainer)
        if not chosen:
            test, chosen, otherwise = _negated(test), otherwise, ()
        start, end = common(range(before), 0), common(range(-after, 0), 1)
        return (*start, Condition(test, chosen, otherwise), *end)


def _whole(longest: Part, part: Part, signature: Callable[[Step], Key]) -> list[Step] | None:
    """The steps of a part with those that it leaves out; None if it differs from `longest` in anything else."""
    own = iter(part.steps)
    waiting = next(own, None)
    numbers = {number: number for number in range(part.inputs)}  # of its values, by their old numbers
    steps: list[Step] = []
    for step in longest.steps:
        if waiting and (waiting.name, signature(waiting)) == (step.name, signature(step)):
            inputs = tuple(numbers[value] for value in waiting.inputs)
            numbers |= zip(waiting.outputs, step.outputs, strict=True)
            steps.append(evolve(waiting, inputs=inputs, outputs=step.outputs))
            waiting = next(own, None)
        elif step.part is None and len(step.inputs) == 1:
            unneeded = tuple((name, Unneeded(value)) for name, value in step.arguments)
            steps.append(evolve(step, arguments=unneeded, is_absent=True))
            numbers = {old: step.outputs[0] if new == step.inputs[0] else new for old, new in numbers.items()}
        else:
            return None
    if waiting is not None:
        return None
    wired = [(one.inputs, one.only_trains) for one in steps]
    is_alike = part.inputs == longest.inputs and wired == [(one.inputs, one.only_trains) for one in longest.steps]
    outputs = tuple(numbers[value] for value in part.outputs)
    is_alike &= outputs == longest.outputs and not (part.only_trained or longest.only_trained)
    return steps if is_alike else None


def is_simple_join(part: Part) -> bool:
    """Whether a join has branches with one input and one output each, or only passes on what it gets."""
    if part.scope.kind != "join" or not part.steps or part.outputs != part.steps[-1].outputs:
        return False
    *branches, join = part.steps
    if all(map(passes_on, branches)):
        return True
    return all(len(step.inputs) == len(step.outputs) == 1 for step in branches) and join.inputs == tuple(
        step.outputs[0] for step in branches
    )


def is_chain_of_inputs(part: Part) -> bool:
    """Whether each stage takes what the one before it makes, and the first one all inputs, which may be several."""
    if part.is_chain:
        return True
    is_open = part.scope.kind == "join" or not part.steps or any(step.only_trains for step in part.steps)
    if is_open or set(part.steps[0].inputs) != {*range(part.inputs)} or part.outputs != part.steps[-1].outputs:
        return False
    return all(len(one.outputs) == 1 and one.outputs == two.inputs for one, two in pairwise(part.steps))


def passes_on(branch: Step) -> bool:
    """Whether a branch of a join only passes on what it gets."""
    return branch.part is not None and (not branch.part.steps or is_identity(branch.part))


def is_identity(part: Part) -> bool:
    """Whether a part is a chain of layers that compute nothing."""
    return part.is_chain and all(step.target == "torch.nn.Identity" for step in part.steps)


def is_lone(part: Part) -> bool:
    """Whether a part has a single stage, without weights."""
    return len(part.steps) == 1 and part.outputs == part.steps[0].outputs and not owns_tensors(part)


def owns_tensors(part: Part) -> bool:
    """Whether a layer inside owns weights."""
    return any(has_tensors(step) for inner in _all_parts(part) for step in inner.steps)


def inputs_of_call(step: Step, of_part: dict[int, Unit]) -> tuple[int, ...]:
    """The values that the module of a step is called with."""
    part = step.part
    if part is None or not of_part[id(part)].is_inline:
        return step.inputs
    if part.scope.kind == "join":
        *branches, join = part.steps
        if all(map(passes_on, branches)):
            sources = _sources(part)
            return tuple(step.inputs[sources[value]] for value in join.inputs)
        return tuple(step.inputs[value] for value in _inputs_of_branches(part))
    if of_part[id(part)].is_lone or not part.is_chain:
        return tuple(step.inputs[value] for value in inputs_of_call(part.steps[0], of_part))
    return step.inputs


def _inputs_of_branches(join: Part) -> tuple[int, ...]:
    """The inputs of a join that its branches take, one for each; a single one if all take the same."""
    *branches, _ = join.steps
    sources = _sources(join)
    taken = tuple(sources[one.inputs[0]] for one in branches)
    return taken if len(set(taken)) > 1 else taken[:1]


def _sources(join: Part) -> dict[int, int]:
    """The inputs of a join, by the values that are the same tensor: those of branches that pass it on."""
    sources = dict(enumerate(range(join.inputs)))
    for one in filter(passes_on, join.steps):
        assert one.part is not None
        passed = (0,) if one.part.steps else one.part.outputs
        sources |= zip(one.outputs, (sources[one.inputs[out]] for out in passed), strict=True)
    return sources


def _negated(test: Expression) -> Expression:
    opposite = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
    match test:
        case Operation(operators=(sign,)) if sign in opposite:
            return Operation((opposite[sign],), test.operands)
        case Operation(operators=("not",), operands=(inner,)):
            return inner
        case Operation(operators=(sign, *_)) if sign in {"and", "or"}:
            other = "or" if sign == "and" else "and"
            return Operation((other,) * len(test.operators), tuple(map(_negated, test.operands)))
        case _:
            return Operation(("not",), (test,))


class _Explainer:
    """Finds the expressions of one class. Its rows are the parts that share it."""

    def __init__(self, units: Units, version: Version) -> None:
        self._units = units
        self._version = version
        self.parts = version.parts
        self._vocabulary = units.vocabulary
        self._block = version.parts[0].owner.scope
        self._rows = [part.values for part in version.parts]
        names = [name for name in self._rows[0] if all(name in row for row in self._rows)]
        self._constants = {name: self._rows[0][name] for name in names if is_constant(self._column(name))}
        self._names = [name for name in names if name not in self._constants]
        self._stage = ""  # whose module is being explained
        self.channels: Expression = Variable("in_channels")  # of the tensor that the last stages made

    def _column(self, name: str) -> list[Any]:
        return [row[name] for row in self._rows]

    # ---- statements

    def statement(self, items: list[Item], rows: Sequence[int]) -> Statement:
        """One statement for the items of some rows."""
        if not items[0].names:
            return self.assign([[item.step] for item in items], rows)
        count = self._explained([[len(item.rounds)] for item in items], rows, "count", (), ())
        stages = []
        for place, name in enumerate(items[0].names):
            aligned = [[one[place] for one in item.rounds] for item in items]
            self._stage = name[0]
            stages.append((name, self._call(aligned, rows)))
        return Loop(count, tuple(stages))

    def assign(self, aligned: list[list[Step]], rows: Sequence[int]) -> Assign:
        """A stage: the steps of some rows, each in a list."""
        self._stage = aligned[0][0].name
        shapes = {_shape_after(step) for (step,) in aligned}
        is_known = len(shapes) == 1 and len(rows) == len(self._rows)
        call, test = self._call(aligned, rows), None
        if absent := [row for row, (step,) in zip(rows, aligned, strict=True) if step.is_absent]:
            test = self._found_or_new([row not in absent for row in rows], rows, f"with_{self._stage}")
        return Assign(self._stage, call, shapes.pop() if is_known else "", test)

    def _call(self, aligned: list[list[Step]], rows: Sequence[int]) -> ModuleCall:
        """The module of a stage: of each row, its step in each round of a loop."""
        first = aligned[0][0]
        expressions = self._vocabulary.arguments(first.stage, self._block)
        if first.part is None:
            arguments = tuple(
                (
                    name,
                    self._explained(
                        _brief([[step.arguments[place][1] for step in steps] for steps in aligned], first.target),
                        rows,
                        name,
                        self._vocabulary.of_argument(expressions, name),
                        tuple(expressions.values()),
                    ),
                )
                for place, (name, _) in enumerate(first.arguments)
                if not self._is_left_out(aligned, place)
            )
            return ModuleCall(
                first.target, arguments=arguments, functions=first.functions, has_tensors=has_tensors(first)
            )
        unit = self._units.of_part[id(first.part)]
        if unit.is_inline:
            inner = [
                [[step.part.steps[place] for step in steps if step.part] for steps in aligned]
                for place in range(len(first.part.steps))
            ]
            if unit.is_lone:
                return self._call(inner[0], rows)
            names = [step.name for step in first.part.steps]
            if first.part.scope.kind != "join":
                stages = zip(first.part.steps, inner, strict=True)
                return ModuleCall(
                    steps=tuple(
                        (step.name, self._call(one, rows)) for step, one in stages if step.target != "torch.nn.Identity"
                    ),
                    is_chain_of_inputs=len(inputs_of_call(first, self._units.of_part)) > 1,
                )
            *branches, _ = first.part.steps
            if all(map(passes_on, branches)):
                return self._call(inner[-1], rows)
            return ModuleCall(
                steps=tuple((name, self._call(one, rows)) for name, one in zip(names, inner, strict=True)),
                is_join=True,
                is_join_of_inputs=len(_inputs_of_branches(first.part)) > 1,
            )
        version = unit.version_of[id(first.part)]
        arguments = tuple(
            (
                name,
                self._explained(
                    [[step.part.values[name] for step in steps if step.part] for steps in aligned],
                    rows,
                    name,
                    (expressions[name],) if name in expressions else (),
                    tuple(expressions.values()),
                ),
            )
            for name in version.parameters
        )
        return ModuleCall(version=version, arguments=arguments)

    def _is_left_out(self, aligned: list[list[Step]], place: int) -> bool:
        """Whether an argument of a module isn't written, since it has its default in all rows."""
        vocabulary = self._vocabulary
        present = [step for steps in aligned for step in steps if not step.is_absent]
        if present[0].arguments[place][0] == "inplace":  # which saves memory, where nobody needs the input
            return not all(step.arguments[place][1] for step in present)
        return all(vocabulary.is_default(step.target, step.arguments, place) for step in present)

    # ---- expressions

    def _explained(
        self,
        rounds: list[list[Any]],
        rows: Sequence[int],
        name: str,
        own: tuple[Expression, ...],
        others: tuple[Expression, ...],
    ) -> Expression:
        """An expression for the values of each row in each round of a loop."""
        found = self._of_rounds(rounds, rows, name, own, others)
        if name in _MADE:
            self.channels = found
        return found

    def _of_rounds(
        self,
        rounds: list[list[Any]],
        rows: Sequence[int],
        name: str,
        own: tuple[Expression, ...],
        others: tuple[Expression, ...],
    ) -> Expression:
        firsts = [values[0] for values in rounds]
        if all(is_constant(values) for values in rounds):
            return self._of_column(firsts, rows, name, own, others)
        if len(rounds) == 1 and type(firsts[0]) is float:
            found = series(tuple(rounds[0]))
            assert found is not None  # or it would be no loop
            return found
        steps = [values[1] - values[0] for values in rounds]
        first = self._of_column(firsts, rows, name, own, others)
        step = self._of_column(steps, rows, f"{name}_step", (), others)
        grown: Expression = Variable(LOOP_VARIABLE)
        if step != Constant(1):
            grown = Operation(("*",), (step, grown))
        return grown if first == Constant(0) else Operation(("+",), (first, grown))

    def _of_column(
        self,
        column: list[Any],
        rows: Sequence[int],
        name: str,
        own: tuple[Expression, ...],
        others: tuple[Expression, ...],
    ) -> Expression:
        environments = [self._rows[row] for row in rows]
        is_same_everywhere = is_constant(column)
        candidates = [folded(one, self._constants) for one in own]
        if is_same_everywhere and len(rows) == len(self._rows):
            return Constant(needed(column)[0])
        if not is_same_everywhere:
            candidates += [folded(one, self._constants) for one in others]
            candidates += [Variable(one) for one in self._names]
            candidates += [folded(one, self._constants) for one in self._vocabulary.expressions(self._block)]
        elif name in _OF_INPUT:
            candidates.append(self.channels)
        for one in candidates:
            if not isinstance(one, Constant) and matches(one, column, environments):
                return one
        if is_same_everywhere:
            return Constant(needed(column)[0])
        found = self._found(column, environments) or self._of_items(column, rows, name)
        return found or self._new(column, rows, name)

    def _found(self, column: list[Any], environments: list[dict[str, Any]]) -> Expression | None:
        """An expression of one or two variables with these values; of a tuple, one for each item."""
        values = needed(column)
        if is_constant(column):
            return Constant(values[0])
        known = [Variable(one) for one in self._names]
        tests = self._tests(environments) if all(isinstance(one, bool) for one in values) else ()
        for one in chain(known, simple_expressions(column, environments), tests):
            if matches(one, column, environments):
                return one
        if not all(isinstance(value, tuple) and len(value) == len(values[0]) for value in values):
            return next(choices(column, environments, self._names), None)
        items = [self._found(_items_at(column, place), environments) for place in range(len(values[0]))]
        return Items(tuple(one for one in items if one is not None)) if None not in items else None

    def _found_or_new(self, column: list[bool], rows: Sequence[int], name: str) -> Expression:
        """A condition of the text, or a simple one, that is true for these rows; or else a new parameter."""
        environments = [self._rows[row] for row in rows]
        return self._found(column, environments) or self._new(column, rows, name)

    def _of_items(self, column: list[Any], rows: Sequence[int], name: str) -> Expression | None:
        """A pair of one number, which becomes a new parameter."""
        if all(isinstance(value, tuple) and len(value) == 2 and value[0] == value[1] for value in needed(column)):
            one = self._new(_items_at(column, 0), rows, name)
            return Items((one, one))
        return None

    def _new(self, column: list[Any], rows: Sequence[int], name: str) -> Expression:
        """A new parameter with these values."""
        base = _NEW_NAMES.get(name, name.rpartition(".")[2])
        taken = {*self._rows[0], *self._constants}
        of_stage = f"{self._stage}_{base}"
        names = chain([base, of_stage], (f"{of_stage}{number}" for number in range(2, len(taken) + 3)))
        chosen = next(one for one in names if one not in taken)
        for environment in self._rows:
            environment[chosen] = Unneeded(needed(column)[0])
        for row, value in zip(rows, column, strict=True):
            self._rows[row][chosen] = value
        self._names.append(chosen)
        self._version.new.add(chosen)
        return Variable(chosen)

    def condition(self, groups: list[list[int]]) -> tuple[Expression, dict[int, bool]]:
        """A condition that is true for some groups of rows, and false for the others. Raises _NoConditionError."""
        for test in self._tests([self._rows[row] for group in groups for row in group]):
            try:
                holds = {row: bool(value_of(test, self._rows[row])) for group in groups for row in group}
            except UnknownValueError:
                continue
            of_groups = [{holds[row] for row in group} for group in groups]
            if all(len(one) == 1 for one in of_groups) and len(set(holds.values())) == 2:
                return test, holds
        raise _NoConditionError

    def _tests(self, environments: Sequence[Environment]) -> Iterator[Expression]:
        yield from (folded(one, self._constants) for one in self._vocabulary.conditions(self._block))
        for one in self._names:
            for other in self._names:
                if one < other:
                    yield Operation(("!=",), (Variable(one), Variable(other)))
        for name in self._names:
            values = needed([row[name] for row in environments])
            if all(isinstance(value, bool) for value in values):
                yield Variable(name)
                continue
            for value in dict.fromkeys(value for value in values if not isinstance(value, tuple)):
                if isinstance(value, int | float):
                    yield Operation((">",), (Variable(name), Constant(value)))
                yield Operation(("==",), (Variable(name), Constant(value)))

    # ---- parameters

    def finish(self) -> None:
        """Set the parameters of the class: the names that its expressions use."""
        used = {name for statement in self._version.statements for name in names_in(statement)} - {LOOP_VARIABLE}
        order = ["in_channels", "height", "width", "length", *self._vocabulary.parameters(self._block), *self._rows[0]]
        self._version.parameters = [name for name in dict.fromkeys(order) if name in used]


def _items_at(column: list[Any], place: int) -> list[Any]:
    """One of the items of tuples."""
    return [Unneeded(one.value[place]) if isinstance(one, Unneeded) else one[place] for one in column]


def _brief(rounds: list[list[Any]], target: str) -> list[list[Any]]:
    """The values of an argument: sizes as one number where torch takes it for both axes."""
    values = needed([value for row in rounds for value in row])
    are_squares = all(isinstance(one, tuple) and len(one) == 2 and one[0] == one[1] for one in values)
    return [_items_at(row, 0) for row in rounds] if are_squares and torch_class(target) else rounds


def has_tensors(step: Step) -> bool:
    """Whether a layer has weights, which may be those of another one."""
    return isinstance(step.stage, Node) and bool(step.stage.parameters or step.stage.shares)


def _shape_after(step: Step) -> str:
    if isinstance(step.stage, Node):
        return str(step.stage.shape)
    shapes = step.part.shapes[1] if step.part else ()
    return ", ".join(map(str, shapes))
