"""What the expansions of one block, branch or named tensor have in common, and what differs among them.

The parts of a unit share a class if they call the same things in the same order. What differs is a parameter of the
class: one that the spec has, where the values are equal, an expression of the spec, or a new one. Where stages differ,
too, and a condition of the spec says when, the class has an `if`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from cifar_dsl.export.source.calls import all_parts, is_chain_of_inputs, is_identity, is_lone, is_simple_join
from cifar_dsl.export.source.explanation import Explainer, NoConditionError, negated
from cifar_dsl.export.source.expressions import (
    Unneeded,
)
from cifar_dsl.export.source.parts import Key, Part, Step, order_of_use, reorder_inputs
from cifar_dsl.export.source.repeats import Item, with_loops
from cifar_dsl.export.source.statements import (
    Condition,
    Statement,
    Unit,
    Version,
)
from cifar_dsl.export.source.vocabulary import Vocabulary
from cifar_dsl.foundation.records import evolve

_LEAST_ROUNDS = 3


class Units:
    """All units of a network, analyzed from the inside to the outside."""

    def __init__(self, model: Part, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.of_part: dict[int, Unit] = {}
        self.in_order: list[Unit] = []
        parts = [*all_parts(model)]
        _separate_recursion(parts)
        by_key: dict[Key, Unit] = {}
        for part in parts:
            unit = by_key.setdefault(part.key, Unit(part.key, []))
            unit.parts.append(part)
            self.of_part[id(part)] = unit
        self._parents = parents = {id(inner): part for part in parts for inner in part.inside()}
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

    def origins(self, part: Part) -> list[str]:
        """What the tensors that enter a part are called where they come from, or by the block that takes their list."""
        if id(part) not in self._parents:
            return ["images"]
        around = self._parents[id(part)]
        step = next(step for step in around.steps if step.part is part)
        names = [self._origin(around, value) for value in step.inputs]
        lists = [name for name in self.vocabulary.parameters(part.scope) if name not in part.values]
        is_list = len(lists) == 1 and len(names) > 1 and len({*names}) == 1
        return lists * len(names) if is_list else names

    def _origin(self, part: Part, value: int) -> str:
        """The name of a value in a part: that of a `let`, or of a stage that makes several."""
        if value < part.inputs:
            return self.origins(part)[value]
        maker = next(step for step in part.steps if value in step.outputs)
        if len(maker.labels) == len(maker.outputs):
            return maker.labels[maker.outputs.index(value)]
        return maker.name.rstrip("0123456789") if maker.labels else "x"

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


def _separate_recursion(parts: list[Part]) -> None:
    """Give the calls of a block inside calls of the same block keys of their own, by how many are inside them."""
    heights: dict[int, int] = {}
    for part in reversed(parts):  # each before the parts around it
        inside = [
            heights[id(each)] + (each.key == part.key)
            for each in all_parts(part)
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
            with suppress(NoConditionError):
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
        if self._unit.is_lone or _is_one_call(first):
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

    def _add(self, parts: list[Part], write: Callable[[Explainer], tuple[Statement, ...]]) -> None:
        version = Version(self._unit, parts)
        explainer = Explainer(version, self._units.of_part, self._vocabulary)
        version.statements = write(explainer)
        explainer.finish()
        self._unit.versions.append(version)
        self._unit.version_of |= dict.fromkeys(map(id, parts), version)

    def _wired(self, explainer: Explainer) -> tuple[Statement, ...]:
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

    def _chain(self, explainer: Explainer) -> tuple[Statement, ...]:
        lengths = {len(part.steps) for part in explainer.parts}
        least = 2 if len(lengths) > 1 and len(self._by_items(explainer.parts, 2)) == 1 else _LEAST_ROUNDS
        items = {number: self._with_loops(part.steps, least) for number, part in enumerate(explainer.parts)}
        return self._merged(items, explainer)

    def _merged(self, items: dict[int, list[Item]], explainer: Explainer) -> tuple[Statement, ...]:
        """The statements of parts, by their numbers; raises NoConditionError."""
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
            test, chosen, otherwise = negated(test), otherwise, ()
        start, end = common(range(before), 0), common(range(-after, 0), 1)
        return (*start, Condition(test, chosen, otherwise), *end)


def _is_one_call(part: Part) -> bool:
    """Whether a named tensor is what one block makes, whose class is as short as one of its own would be."""
    first, *others = part.steps
    return part.scope.kind == "let" and not others and first.part is not None and first.part.scope.kind == "block"


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
