"""Explains the values in a class: as its parameters, expressions of the spec, or series in a loop."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from cifar_dsl.export.source.calls import has_tensors, inputs_of_branches, inputs_of_call, passes_on
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
from cifar_dsl.export.source.parts import Step
from cifar_dsl.export.source.repeats import Item
from cifar_dsl.export.source.statements import Assign, Loop, ModuleCall, Statement, Unit, Version, names_in
from cifar_dsl.export.source.torch_modules import torch_class
from cifar_dsl.export.source.vocabulary import Vocabulary
from cifar_dsl.ir import Node

_OF_INPUT = frozenset({"in_channels", "num_features", "in_features", "normalized_shape"})
_EXTENTS = frozenset({"height", "width", "length"})
_MADE = frozenset({"out_channels", "out_features"})
_NEW_NAMES = {  # of parameters that no name of the spec explains, by the argument of a module
    "num_features": "channels",
    "out_channels": "channels",
    "normalized_shape": "features",
    "in_features": "features",
    "out_features": "features",
    "kernel_size": "kernel",
}


class NoConditionError(Exception):
    """No condition tells the structures of a unit apart."""


def negated(test: Expression) -> Expression:
    """The opposite of a condition."""
    opposite = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
    match test:
        case Operation(operators=(sign,)) if sign in opposite:
            return Operation((opposite[sign],), test.operands)
        case Operation(operators=("not",), operands=(inner,)):
            return inner
        case Operation(operators=(sign, *_)) if sign in {"and", "or"}:
            other = "or" if sign == "and" else "and"
            return Operation((other,) * len(test.operators), tuple(map(negated, test.operands)))
        case _:
            return Operation(("not",), (test,))


class Explainer:
    """Finds the expressions of one class. Its rows are the parts that share it."""

    def __init__(self, version: Version, of_part: dict[int, Unit], vocabulary: Vocabulary) -> None:
        self._of_part = of_part
        self._version = version
        self.parts = version.parts
        self._vocabulary = vocabulary
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
        unit = self._of_part[id(first.part)]
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
                    is_chain_of_inputs=len(inputs_of_call(first, self._of_part)) > 1,
                )
            *branches, _ = first.part.steps
            if all(map(passes_on, branches)):
                return self._call(inner[-1], rows)
            return ModuleCall(
                steps=tuple((name, self._call(one, rows)) for name, one in zip(names, inner, strict=True)),
                is_join=True,
                is_join_of_inputs=len(inputs_of_branches(first.part)) > 1,
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
        """A condition that is true for some groups of rows, and false for the others. Raises NoConditionError."""
        for test in self._tests([self._rows[row] for group in groups for row in group]):
            try:
                holds = {row: bool(value_of(test, self._rows[row])) for group in groups for row in group}
            except UnknownValueError:
                continue
            of_groups = [{holds[row] for row in group} for group in groups]
            if all(len(one) == 1 for one in of_groups) and len(set(holds.values())) == 2:
                return test, holds
        raise NoConditionError

    def _tests(self, environments: Sequence[Environment]) -> Iterator[Expression]:
        yield from (folded(one, self._constants) for one in self._vocabulary.conditions(self._block))
        comparable = [name for name in self._names if name not in _EXTENTS]  # a number of channels is no height
        for one in comparable:
            for other in comparable:
                if one < other:
                    yield Operation(("!=",), (Variable(one), Variable(other)))
        # A name with few values more likely decides than one whose values fall on two sides by chance.
        order = {name: (name in _EXTENTS, len({str(row[name]) for row in environments})) for name in self._names}
        for name in sorted(order, key=lambda name: order[name]):
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


def _shape_after(step: Step) -> str:
    if isinstance(step.stage, Node):
        return str(step.stage.shape)
    shapes = step.part.shapes[1] if step.part else ()
    return ", ".join(map(str, shapes))
