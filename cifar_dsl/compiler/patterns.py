"""Reads the pattern of a call: names its axes, works out their extents, and reports what doesn't fit."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NoReturn, TypeVar, cast

from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.names import Names
from cifar_dsl.compiler.values import Tensor, ValueScope, describe
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.foundation.text import listed, shortened
from cifar_dsl.ir import Declaration, Operation, Pattern, Shape
from cifar_dsl.ir.pattern import Missing
from cifar_dsl.language.diagnostics import EvaluationFailed, Label, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes, print_axes, print_expression
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES
from cifar_dsl.operations.registry import Registry

D = TypeVar("D", bound=Declaration)
MOST_AXES = 8
_MOST_SIDES = 3
_STEPS_OF_A_FACTOR = 4
_EXAMPLES: dict[tuple[Missing, int], str] = {  # by what becomes of a missing axis, and the number of axes
    ("refused", 1): "g * f -> f, g, g=2",
    ("refused", 2): "t, d -> d, t",
    ("refused", 3): "c, h, w -> h, w, c",
    ("left out", 1): "f -> 1",
    ("left out", 2): "t, d -> d",
    ("left out", 3): "c, h, w -> c, w",
}
_EXAMPLE_OF_EACH = {1: "g * f -> f, g=2", 2: "t, d -> d", 3: "c, h, w -> w, c"}
_EXAMPLE_OF_BRANCHES = "t, d | s, d -> t, s"
_KINDS = {1: "features have one: `f`", 2: "tokens have two: `t, d`", 3: "images have three: `c, h, w`"}

_EINOPS_AXIS = re.compile(r"\(\s*\w+(?:\s+\w+)*\s*\)|\w+")
_EINOPS = re.compile(r"[\w\s()>-]{3,200}")

Key = tuple[str, int]  # of an axis: its name and 0, or a number and how often it stood before in the same tensor


@frozen
class _Factor:
    """An axis at one place. `is_alone`: it isn't part of a product."""

    key: Key
    span: Span
    is_alone: bool

    @property
    def text(self) -> str:
        return self.key[0]

    @property
    def number(self) -> int | None:
        """The extent of a number."""
        return int(self.text) if self.text.isdigit() else None


@frozen
class _Side:
    """One axis of a tensor: the product of its factors, none for `1`."""

    factors: tuple[_Factor, ...]
    span: Span
    text: str


@frozen
class _Extent:
    """The extent of an axis, and where it is known from, for messages."""

    value: int
    origin: str


@define
class PatternReader:
    """Reads patterns, with the integers of `scope` for names in products."""

    evaluator: Evaluator
    reporter: Reporter
    names: Names

    def read(self, call: Invocation, shapes: Sequence[Shape], scope: ValueScope, missing: Missing) -> Pattern:
        """The pattern of a call for tensors of these shapes. Raises EvaluationFailed."""
        assert call.pattern is not None
        return _Reading(self, call, call.pattern, scope, missing).pattern(shapes)

    def check(self, declaration: type[Declaration], call: Invocation, shapes: Sequence[Shape] = ()) -> None:
        """Report a call that lacks its pattern, or has one that it doesn't take. Raises EvaluationFailed."""
        missing = cast("type[Operation]", declaration).missing_axes
        if missing is None:
            self.refuse(call)
        elif call.pattern is None:
            raise self._without(call, missing, shapes)

    def made(self, declaration: type[D], call: Invocation, inputs: Sequence[Tensor], scope: ValueScope) -> D:
        """What a call makes of its pattern, for these tensors. Raises EvaluationFailed."""
        missing = cast("type[Operation]", declaration).missing_axes
        assert missing is not None
        self.evaluator.shape_reads += 1
        shapes = [one.shape for one in inputs if one.shape is not None]
        self.check(declaration, call, shapes)
        if len(shapes) < len(inputs):
            raise EvaluationFailed
        return cast("Any", declaration)(pattern=self.read(call, shapes, scope, missing))  # type: ignore[no-any-return]

    def _without(self, call: Invocation, missing: Missing, shapes: Sequence[Shape]) -> EvaluationFailed:
        """Report a call that lacks its pattern."""
        rank = len(shapes[0].extents) if shapes else _MOST_SIDES
        examples = _EXAMPLE_OF_EACH if call.callee in SCOPES else {rank: _EXAMPLE_OF_BRANCHES}
        example = examples[rank] if missing == "multiplied" or call.callee in SCOPES else _EXAMPLES[missing, rank]
        values = [argument.value for argument in call.arguments if not argument.keyword]
        quoted = next((_unquoted(value.value) for value in values if isinstance(value, nodes.String)), "")
        if quoted:
            extents = [argument.span.text for argument in call.arguments if argument.keyword]
            example = ", ".join([quoted, *extents])
        of_branches = "each branch" if missing == "multiplied" else "the input"
        brackets = f"write the pattern in brackets{', without quotes' if quoted else ''}: `{call.callee}({example})`"
        branches = [value.span.text for value in values] if len(values) > 1 else ["..."] * 2
        joined = f"to join branches, write `{call.callee} {{ {shortened(branches, ' | ')} }}`"
        return self.reporter.error(
            "E0314",
            f"`{call.callee}` takes a pattern: the axes of {of_branches}, an arrow, and the axes of the output",
            call.span,
            help=(brackets, joined) if call.callee in JOINS and call.callee in LAYERS else brackets,
        )

    def refuse(self, call: Invocation) -> None:
        """Report a pattern in a call of something that takes none."""
        if not call.pattern:
            return
        registries: tuple[Registry[Any], ...] = (LAYERS, JOINS, SCOPES)
        takers = [f"`{name}`" for one in registries for name in one if one[name].missing_axes]
        help_text = f"{listed(takers, 'and')} take one"
        is_known = any(call.callee in one for one in registries)
        if not is_known or any(nodes.inside([call.pattern], nodes.CallExpression)):
            help_text = "to pass stages, define a block of them, and pass its name"
        raise self.reporter.error("E0314", f"`{call.callee}` takes no pattern", call.pattern.span, help=help_text)


@define
class _Reading:
    """One pattern that is being read."""

    reader: PatternReader
    call: Invocation
    written: nodes.Pattern
    scope: ValueScope
    missing: Missing
    _known: dict[Key, _Extent] = field(factory=dict)

    def pattern(self, shapes: Sequence[Shape]) -> Pattern:
        self._check_count(len(shapes))
        inputs = [self._sides(axes, shape) for axes, shape in zip(self.written.inputs, shapes, strict=True)]
        output = self._sides(self.written.output)
        numbers = self._numbered(inputs)
        for axes, sides, shape in zip(self.written.inputs, inputs, shapes, strict=True):
            self._check_rank(axes, sides, shape)
        self._use_given(numbers)
        pairs = [
            (side, e)
            for sides, shape in zip(inputs, shapes, strict=True)
            for side, e in zip(sides, shape.extents, strict=True)
        ]
        self._work_out(pairs)
        self._check_output(inputs, output, numbers)
        as_numbers = [_numbers(sides, numbers) for sides in (*inputs, output)]
        extents = tuple(self._known[key].value for key in numbers)
        return Pattern(tuple(as_numbers[:-1]), as_numbers[-1], extents, self._text(inputs))

    def _check_count(self, count: int) -> None:
        """Report other numbers of tensors before the arrow than there are."""
        written = len(self.written.inputs)
        if written != count:
            takes, help_text = f"{count} branches", "write the axes of each branch, separated by `|`"
            if count == 1:
                takes, help_text = "one tensor", "write the axes of that tensor"
            message = f"`{self.call.callee}` takes {takes}, and the pattern has {written} before the arrow"
            self._fail(message, self.written.span, help_text)

    # ---- axes

    def _sides(self, axes: nodes.Axes, shape: Shape | None = None) -> list[_Side]:
        """The axes of the output, or of the input with this shape."""
        count = len(axes.items)
        if not 1 <= count <= _MOST_SIDES:
            help_text = "merge axes into one: `a * b`"
            if shape and count == 1 + len(shape.extents):
                help_text = f"leave out the axis of the batch: {_KINDS[len(shape.extents)]}"
            self._fail(f"a tensor has one to three axes, not {count}", axes.span, help_text)
        self.reader.reporter.work.charge(_STEPS_OF_A_FACTOR * sum(len(_operands(item)) for item in axes.items))
        seen: Counter[str] = Counter()
        return [self._side(item, seen) for item in axes.items]

    def _side(self, item: nodes.Expression, seen: Counter[str]) -> _Side:
        operands = _operands(item)
        factors = []
        for operand in operands:
            match operand:
                case nodes.Name(text=text, span=span):
                    if seen[text]:
                        self._fail(f"axis `{text}` is here twice", span, "give each axis a name of its own")
                    key = (text, 0)
                case nodes.Number(value=int() as value, span=span) if value >= 1:
                    text = str(value)
                    key = (text, seen[text])
                case _:
                    self._fail(
                        "an axis is a name, a number of at least 1, or a product of them",
                        operand.span,
                        f"give a computed extent to a name: `{self.call.callee}(c * k, h, w -> ..., k=2 * n)`",
                    )
            seen[text] += 1
            if text != "1":
                factors.append(_Factor(key, span, len(operands) == 1))
        return _Side(tuple(factors), item.span, print_expression(item))

    def _numbered(self, inputs: Sequence[Sequence[_Side]]) -> dict[Key, int]:
        """The axes on the left, numbered in order."""
        numbers: dict[Key, int] = {}
        for factor in _factors(inputs):
            numbers.setdefault(factor.key, len(numbers))
            if len(numbers) > MOST_AXES:
                self._fail(f"a pattern has at most {MOST_AXES} axes", factor.span, "write two stages")
        return numbers

    def _check_rank(self, axes: nodes.Axes, sides: Sequence[_Side], shape: Shape) -> None:
        if len(sides) != len(shape.extents):
            plural = "es" if len(sides) > 1 else "is"
            self._fail(
                f"the pattern has {len(sides)} ax{plural} here, and the tensor {len(shape.extents)}: {shape}",
                axes.span,
                _KINDS[len(shape.extents)],
            )

    # ---- extents

    def _use_given(self, numbers: Mapping[Key, int]) -> None:
        """The extents that the call gives with keywords."""
        for argument in self.call.arguments:
            assert argument.keyword is not None
            name = argument.keyword.text
            if (name, 0) not in numbers:
                self._not_there(name, argument.keyword.span, numbers)
            if (name, 0) in self._known:
                self._fail(f"the extent of `{name}` is given twice", argument.span, "keep one of the two")
            value = self._integer(argument.value, name)
            self._known[(name, 0)] = _Extent(value, f"is {value}")

    def _integer(self, expression: nodes.Expression, name: str) -> int:
        value = self.reader.evaluator.evaluate(expression, self.scope)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self._fail(
                f"the extent of axis `{name}` must be an integer of at least 1, but `{name}` is {describe(value)}",
                expression.span,
                "give another extent, or another name to the axis",
            )
        return value

    def _work_out(self, pairs: Sequence[tuple[_Side, int]]) -> None:
        """Work out the extents of all axes, from those of the tensors."""
        for side, extent in pairs:
            for factor in side.factors:
                self._know(factor)
            if len(side.factors) < 2:
                self._settle(side, extent)
        waiting = [(side, extent) for side, extent in pairs if len(side.factors) > 1]
        while waiting:
            ready = [one for one in waiting if len(self._unknown(one[0])) < 2]
            for side, extent in ready:
                self._settle(side, extent)
            waiting = [one for one in waiting if one not in ready]
            if waiting and not ready:
                side, extent = waiting[0]
                one, *others = self._unknown(side)
                self._fail(
                    f"`{side.text}` is {extent}: {'one' if not others[1:] else 'all but one'} of them needs an extent",
                    side.span,
                    f"add `{one.text}={_a_divisor(extent)}`",
                )

    def _know(self, factor: _Factor) -> None:
        """Note the extent of a number, or of a name of an integer in scope, as the resolver has decided."""
        if factor.number is not None:
            self._known[factor.key] = _Extent(factor.number, f"is {factor.number}")
        definition = self.reader.names.definitions[factor.span] if factor.number is None else None
        if definition and definition.kind != "axis" and factor.key not in self._known:
            value = self._integer(nodes.Name(factor.text, factor.span), factor.text)
            where = f" (line {definition.span.line})" if definition.span else ""
            self._known[factor.key] = _Extent(value, f"is {value}{where}")

    def _unknown(self, side: _Side) -> list[_Factor]:
        return [factor for factor in side.factors if factor.key not in self._known]

    def _settle(self, side: _Side, extent: int) -> None:
        """Work out the unknown factor of an axis, if there is one, and check the product."""
        known = [self._known[factor.key] for factor in side.factors if factor.key in self._known]
        product = prod(one.value for one in known)
        unknown = self._unknown(side)
        if unknown and extent % product == 0:
            value = extent // product
            self._known[unknown[0].key] = _Extent(value, f"is {value} in `{side.text}`" if known else f"is {value}")
        elif unknown:
            origins = [
                f"`{f.text}` {self._known[f.key].origin}, and"
                for f in side.factors
                if f.key in self._known and f.number is None
            ]
            self._fail(
                f"`{side.text}`: {' '.join([*origins, f'{extent}'])} is not divisible by {product}",
                side.span,
                "use another number, or another name for the axis",
            )
        elif product != extent:
            origins = [f"`{f.text}` {self._known[f.key].origin}" for f in side.factors if f.number is None]
            because = f": {listed(origins, 'and')}" if origins else ""
            self._fail(
                f"the axis `{side.text}` has {extent} here, not {product}{because}",
                side.span,
                "an axis has one extent in all places: use another name"
                if origins
                else f"write `{extent}`, or name the axis",
            )

    # ---- the right side

    def _check_output(
        self, inputs: Sequence[Sequence[_Side]], output: Sequence[_Side], numbers: Mapping[Key, int]
    ) -> None:
        wanted = [factor for side in output for factor in side.factors]
        for factor in wanted:
            if factor.key not in numbers:
                self._not_there(factor.text, factor.span, numbers, is_number=factor.number is not None)
        kept = {factor.key for factor in wanted}
        missing = [factor for factor in _factors(inputs) if factor.key not in kept]
        if self.missing == "refused":
            for factor in missing:
                if self._known[factor.key].value > 1:
                    text = factor.text
                    self._fail(
                        f"axis `{text}` vanishes",
                        factor.span,
                        "reduce it with `mean`, `max` or `sum`, or keep it on the right",
                    )
        if self.missing == "multiplied":
            counts = Counter(key for sides in inputs for key in {f.key for side in sides for f in side.factors})
            for factor in missing:
                if counts[factor.key] < 2:
                    self._alone(factor, numbers)

    def _alone(self, factor: _Factor, numbers: Mapping[Key, int]) -> None:
        others = [name for name, _ in numbers if name != factor.text]
        near = nearest(factor.text, others)
        meant = f"did you mean `{near}`? " if near else ""
        self._fail(
            f"axis `{factor.text}` is in one branch only and vanishes",
            factor.span,
            f"{meant}keep it on the right, or sum it first: `sum(...)`",
            code="E0315",
        )

    def _not_there(self, name: str, span: Span, numbers: Mapping[Key, int], *, is_number: bool = False) -> None:
        here = listed([f"`{one}`" for one, _ in numbers], "and") if numbers else "none"
        near = None if is_number or len(name) == 1 else nearest(name, [one for one, _ in numbers])
        help_text = f"did you mean `{near}`? axes here: {here}" if near else f"axes here: {here}"
        self._fail(f"axis `{name}` is not on the left", span, help_text)

    # ---- texts

    def _text(self, inputs: Sequence[Sequence[_Side]]) -> str:
        """The pattern with the extents that follow from no tensor, so that it means the same in every scope."""
        alone = {factor.key for factor in _factors(inputs) if factor.is_alone}
        given = {argument.keyword.text for argument in self.call.arguments if argument.keyword}
        named = [
            factor
            for factor in _factors(inputs)
            if factor.number is None
            and factor.key not in alone
            and (factor.text in given or self.reader.names.definitions[factor.span].kind != "axis")
        ]
        extents = dict.fromkeys(f"{factor.text}={self._known[factor.key].value}" for factor in named)
        return ", ".join([print_axes(self.written), *extents])

    def _fail(self, message: str, span: Span, help_text: str, code: str = "E0314") -> NoReturn:
        raise self.reader.reporter.error(code, message, Label(span), help=help_text)


def _unquoted(text: str) -> str:
    """A pattern that is written as in einops, `c (h p) w -> ...`, as the language writes it; "" if it isn't one."""
    sides = text.split("->")
    if len(sides) != 2 or not _EINOPS.fullmatch(text):
        return ""
    axes = [[" * ".join(one.strip("()").split()) for one in _EINOPS_AXIS.findall(side)] for side in sides]
    if all(len(side) > 1 and side[0] in {"b", "n", "batch"} for side in axes):
        axes = [side[1:] for side in axes]  # the axis of the batch
    return " -> ".join(", ".join(side) for side in axes) if all(axes) else ""


def _operands(item: nodes.Expression) -> tuple[nodes.Expression, ...]:
    if isinstance(item, nodes.Operation) and set(item.operators) == {"*"}:
        return item.operands
    return (item,)


def _factors(inputs: Iterable[Iterable[_Side]]) -> list[_Factor]:
    return [factor for sides in inputs for side in sides for factor in side.factors]


def _numbers(sides: Sequence[_Side], numbers: Mapping[Key, int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(numbers[factor.key] for factor in side.factors) for side in sides)


def _a_divisor(extent: int) -> int:
    return next((one for one in range(2, min(extent, 1000) + 1) if not extent % one), 1)
