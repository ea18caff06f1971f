"""Compile-time evaluation of expressions. Every step is charged, and results are limited, so it always ends quickly."""

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import cast

from cifar_dsl.compiler.bind import Binder
from cifar_dsl.compiler.builtin_names import ARITHMETIC, FUNCTIONS, ORDER, Number
from cifar_dsl.compiler.dataflow import Dataflow, Sort
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.names.table import Names
from cifar_dsl.compiler.values import BlockValue, Bound, Flow, Tensor, Unknown, ValueScope, describe, is_tensors
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import Limits, Work
from cifar_dsl.foundation.records import define, field
from cifar_dsl.ir import Size, Symbol, Value
from cifar_dsl.language.diagnostics import EvaluationFailed, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import value_registry

_NUMBERS = frozenset([int, float])


def _is_list(value: Bound) -> bool:
    return isinstance(value, tuple) and not isinstance(value, Size)


@define
class Evaluator:
    """Evaluates expressions, and reports errors in them."""

    reporter: Reporter
    names: Names = field(factory=Names)
    shape_reads: int = field(default=0, init=False)  # how often the shape of a tensor decided what a stage becomes
    _limits: Limits = field(factory=limits.current, init=False)
    _work: Work = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._work = self.reporter.work

    def evaluate(self, node: nodes.Expression, scope: ValueScope, flow: Flow | None = None) -> Bound:
        """The value of `node`; `flow` is the current tensor, for `in_channels` and so on. Raises EvaluationFailed."""
        self._work.charge(1)
        match node:
            case nodes.Number(value=value) | nodes.Truth(value=value) | nodes.String(value=value):
                return value
            case nodes.SizeLiteral(extents=extents):
                return Size(extents)
            case nodes.Name():
                return self._name(node, scope, flow)
            case nodes.Sequence(items=items):
                values = (cast("Value", self.evaluate(item, scope, flow)) for item in items)
                return self._bounded_list(tuple(values), node.span)
            case nodes.Prefixed():
                return self._prefixed(node, scope, flow)
            case nodes.Operation():
                return self._operation(node, scope, flow)
            case nodes.Conditional(arms=arms, otherwise=otherwise):
                for chosen, condition in arms:
                    if self.truth(condition, scope, flow):
                        return self.evaluate(chosen, scope, flow)
                return self.evaluate(otherwise, scope, flow)
            case nodes.Index():
                return self._index(node, scope, flow)
            case nodes.CallExpression():
                return self._call(node, scope, flow)
            case nodes.Missing():
                raise EvaluationFailed  # a syntax error

    def constant(self, node: nodes.Expression) -> Hashable:
        """What tells the value of a literal or word from others, wherever it stands; None for other expressions."""
        match node:
            case nodes.Number(value=value) | nodes.Truth(value=value) | nodes.String(value=value):
                return type(value), value
            case nodes.SizeLiteral(extents=extents):
                return Size, extents
            case nodes.Name(text=text, span=span) if self.names.definitions[span].kind == "word":
                return Symbol, text
            case _:
                return None

    def one(self, flow: Flow, taker: str, span: Span) -> Tensor:
        """The tensor that flows to `taker`. Raises EvaluationFailed if it is a list."""
        if isinstance(flow, Tensor):
            return flow
        help_text = "take its tensor by a name: `let xs = ...`, then `xs[0]`"
        if len(flow) != 1:
            names = ", ".join("abcd"[: len(flow)]) if 2 <= len(flow) <= len("abcd") else "a, b, ..."
            help_text = f"join them, such as `add {{ ... }}`, or name them: `let ({names}) = ...`"
        if not flow:
            help_text = "end the body before it with a tensor: the empty list is only a branch that is left out"
        message = f"`{taker}` takes one tensor, and gets a list of {len(flow)}"
        raise self.reporter.error("E0306", message, span, help=help_text)

    def truth(self, node: nodes.Expression, scope: ValueScope, flow: Flow | None) -> bool:
        """The value of a condition. Raises EvaluationFailed."""
        value = self.evaluate(node, scope, flow)
        if not isinstance(value, bool):
            message = f"a condition must be true or false, but this is {describe(value)}"
            raise self.reporter.error("E0210", message, node.span, help="compare it, as in `in_channels == 64`")
        return value

    def integer(self, node: nodes.Expression, scope: ValueScope, flow: Flow | None) -> int:
        """The value of a count. Raises EvaluationFailed."""
        value = self.evaluate(node, scope, flow)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.reporter.error("E0210", f"a count must be an integer, but this is {describe(value)}", node.span)
        return value

    def _name(self, node: nodes.Name, scope: ValueScope, flow: Flow | None) -> Bound:
        if self.names.definitions[node.span].kind == "flow":
            assert flow is not None
            return self._of_flow(node, flow)
        bound = self.bound(node.text, node.span, scope)
        if bound is None or isinstance(bound, Unknown) or (isinstance(bound, Tensor) and bound.shape is None):
            raise EvaluationFailed  # already reported
        return bound

    def bound(self, name: str, mention: Span, scope: ValueScope) -> Bound | Unknown | None:
        """The value of a name that doesn't depend on the current tensor. None if it has no value."""
        definition = self.names.definitions[mention]
        match definition.kind:
            case "word" | "layer":
                return Symbol(name)
            case "block":
                assert isinstance(definition.node, nodes.Block)
                return BlockValue(definition.node)
            case "dataset":
                return scope.root.values.get(name)
            case "unknown" | "function" | "initialiser" | "weight function" | "join" | "scope":
                return None
            case _:
                self._work.charge(1 + scope.depth // 8)
                return scope.lookup(name, self.names.passed.get(mention, 0))

    def dataflow(self, scope: ValueScope) -> Dataflow:
        """What the expressions in a scope stand for."""
        return Dataflow(lambda node: self._sort_of(node, scope))

    def _sort_of(self, node: nodes.Name | nodes.CallExpression, scope: ValueScope) -> Sort:
        name = node if isinstance(node, nodes.Name) else node.callee
        definition = self.names.definitions[name.span]
        if isinstance(node, nodes.CallExpression):
            is_stage = definition.kind in {"layer", "block", "join", "scope"}
            return "tensor" if is_stage else "number" if definition.kind == "function" else "unknown"
        if definition.kind in {"flow", "dataset"}:
            return "number"
        value = self.bound(node.text, node.span, scope)
        if isinstance(value, Tensor) or (value and is_tensors(value)):
            return "tensor" if isinstance(value, Tensor) else "list"
        return "number" if isinstance(value, int | float) and not isinstance(value, bool) else "unknown"

    def _of_flow(self, node: nodes.Name, flow: Flow) -> int:
        self.shape_reads += 1
        shape = self.one(flow, node.text, node.span).shape
        if shape is None:
            raise EvaluationFailed
        if node.text == "in_channels":
            return shape.channels
        if node.text == "length" and shape.is_tokens:
            return shape.extents[0]
        if node.text == "length" or not shape.is_image:
            raise self.reporter.error("E0210", f"the tensor here is {shape} and has no {node.text}", node.span)
        return shape.extents[1 if node.text == "height" else 2]

    def _number(self, node: nodes.Expression, scope: ValueScope, flow: Flow | None, sign: str) -> Number:
        return self._as_number(self.evaluate(node, scope, flow), node.span, sign)

    def _as_number(self, value: Bound, span: Span, sign: str) -> Number:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.reporter.error("E0210", f"`{sign}` takes numbers, but this is {describe(value)}", span)
        return value

    def _bounded(self, value: Number, span: Span) -> Number:
        if not -self._limits.integer_magnitude <= value <= self._limits.integer_magnitude:
            raise self.reporter.error(
                "E0210", f"the result exceeds {self._limits.integer_magnitude:,} in magnitude", span
            )
        return value

    def _bounded_list(self, value: tuple[Value, ...], span: Span) -> tuple[Value, ...]:
        """`value`, if it is within the limit: the size of nested lists can grow exponentially with depth."""
        count = 0
        waiting: list[Value] = [value]
        while waiting:
            item = waiting.pop()
            count += 1
            if count > self._limits.list_items:
                raise self._too_long(span)
            if isinstance(item, tuple):
                waiting.extend(item)
        self._work.charge(count // 4)
        return value

    def _joined(self, lists: Sequence[tuple[Value, ...]], span: Span) -> tuple[Value, ...]:
        if sum(map(len, lists)) > self._limits.list_items:
            raise self._too_long(span)
        return self._bounded_list(tuple(chain.from_iterable(lists)), span)

    def _repeated(self, values: Sequence[Bound], node: nodes.Operation) -> Value:
        """A list that is repeated: `5 * [x]`."""
        items, times = cast("tuple[Value, ...]", next(value for value in values if _is_list(value))), 1
        rest = list(zip(values, node.operands, strict=True))
        rest.remove(next(pair for pair in rest if pair[0] is items))
        for value, operand in rest:
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                message = f"a list is repeated a number of times, but this is {describe(value)}"
                raise self.reporter.error("E0210", message, operand.span)
            times = min(times * value, self._limits.list_items + 1)
        if len(items) * times > self._limits.list_items:
            raise self._too_long(node.span)
        return self._bounded_list(items * times, node.span)

    def _too_long(self, span: Span) -> EvaluationFailed:
        most = f"a list holds at most {self._limits.list_items:,} values, including those of nested lists"
        return self.reporter.error("E0210", most, span, help=limits.remedy("list_items"))

    def _charge_list(self, value: Bound) -> None:
        """Charge for going through a list, with the lists in it."""
        waiting: list[Bound] = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, tuple):
                self._work.charge(1 + len(item) // 4)
                waiting.extend(one for one in item if isinstance(one, tuple))

    def _prefixed(self, node: nodes.Prefixed, scope: ValueScope, flow: Flow | None) -> Value:
        is_odd = bool(node.count % 2)
        if node.operator == "not":
            return self.truth(node.operand, scope, flow) != is_odd
        number = self._number(node.operand, scope, flow, "-")
        return -number if is_odd else number

    def _operation(self, node: nodes.Operation, scope: ValueScope, flow: Flow | None) -> Value:
        first = node.operators[0]
        if first in {"and", "or"}:
            decisive = first == "or"
            # Short-circuit, so that a guard protects the operands after it.
            return any(self.truth(o, scope, flow) == decisive for o in node.operands) == decisive
        if first in {"==", "!="}:
            left, right = (self.evaluate(operand, scope, flow) for operand in node.operands)
            self._charge_list(left)
            is_equal = left == right and isinstance(left, bool) == isinstance(right, bool)  # to Python, 1 == True
            return is_equal == (first == "==")
        if first in ORDER:
            numbers = [self._number(operand, scope, flow, first) for operand in node.operands]
            return ORDER[first](*numbers)
        values = [self.evaluate(operand, scope, flow) for operand in node.operands]
        if set(node.operators) == {"+"} and all(_is_list(value) for value in values):
            return self._joined(cast("list[tuple[Value, ...]]", values), node.span)
        if set(node.operators) == {"*"} and any(_is_list(value) for value in values):
            return self._repeated(values, node)
        total = self._as_number(values[0], node.operands[0].span, first)
        for sign, operand, value in zip(node.operators, node.operands[1:], values[1:], strict=True):
            number = self._as_number(value, operand.span, sign)
            if sign in {"/", "//", "%"} and number == 0:
                raise self.reporter.error("E0210", "division by zero", operand.span)
            total = self._bounded(ARITHMETIC[sign](total, number), node.span)
        return total

    def _index(self, node: nodes.Index, scope: ValueScope, flow: Flow | None) -> Bound:
        value = self.evaluate(node.value, scope, flow)
        for number in node.indices:
            if not isinstance(value, tuple):
                message = f"only lists have items, but this is {describe(value)}"
                raise self.reporter.error(
                    "E0210",
                    message,
                    node.value.span,
                    help="to slice a tensor's channels, start a chain with it: `x[:16] -> ...`",
                )
            if isinstance(number, nodes.Places):
                raise self.reporter.error("E0210", "a list has a single axis, so it takes one subscript", number.span)
            if isinstance(number, nodes.Slice):
                chosen = self.slice(number, len(value), scope, flow)
                self._work.charge(len(chosen) // 8)
                value = value[chosen.start : chosen.stop : chosen.step]
                continue
            index = self.integer(number, scope, flow)
            if not 0 <= index < len(value):
                raise self.reporter.error(
                    "E0210",
                    f"index {index} is out of range for a list of {len(value)}; indices start at 0",
                    number.span,
                    help=f"count from the start: `len({node.value.span.text}) - {-index}`" if index < 0 else (),
                )
            value = value[index]
        return value

    def slice(self, node: nodes.Slice, length: int, scope: ValueScope, flow: Flow | None) -> range:
        """The indices of a slice of `length` items. Raises EvaluationFailed."""
        start = 0 if node.start is None else self.integer(node.start, scope, flow)
        stop = length if node.stop is None else self.integer(node.stop, scope, flow)
        step = 1 if node.step is None else self.integer(node.step, scope, flow)
        if not 0 <= start <= stop <= length:
            counted = "count from the start, as in `:height - 1` or `:len(widths) - 1`"
            raise self.reporter.error(
                "E0210",
                f"slice {start}:{stop} is out of range 0:{length}; indices start at 0 and the stop is excluded",
                node.span,
                help=counted if min(start, stop) < 0 else (),
            )
        if step < 1:
            assert node.step is not None
            message = f"the step of a slice must be at least 1, not {step}"
            help_text = "a slice keeps the order: no layer flips a tensor" if step < 0 else ()
            raise self.reporter.error("E0210", message, node.step.span, help=help_text)
        return range(start, stop, step)

    def _call(self, node: nodes.CallExpression, scope: ValueScope, flow: Flow | None) -> Value:
        name = node.callee.text
        kind = self.names.definitions[node.callee.span].kind
        self._work.charge(8)
        registry = value_registry(name)
        if registry is not None and kind == registry.noun:
            binder = Binder(self, self.reporter)
            return cast("Value", binder.declared(registry[name], Invocation.of(node), scope, flow))
        if kind != "function":
            raise EvaluationFailed  # reported by the resolver
        if any(argument.keyword for argument in node.arguments):
            raise self.reporter.error("E0210", f"`{name}` takes only positional arguments", node.span)
        if name == "len":
            return self._len(node, scope, flow)
        function = FUNCTIONS[name]
        assert function.call is not None
        arguments = node.arguments
        if not function.least <= len(arguments) <= (function.most or len(arguments)):
            least = f"{function.least}" if function.most else "at least 1"
            plural = "s" if function.least > 1 else ""
            raise self.reporter.error(
                "E0210", f"`{name}` takes {least} argument{plural}, but gets {len(arguments)}", node.span
            )
        values = [self.evaluate(argument.value, scope, flow) for argument in arguments]
        if function.most is None and len(values) == 1 and isinstance(values[0], tuple):
            values = list(values[0])  # the items of one list
            self._work.charge(len(values) // 4)
        numbers = cast("list[Number]", values)
        if not _NUMBERS.issuperset(map(type, values)):  # rare, and much slower for a long list
            numbers = [self._as_number(value, node.span, name) for value in values]
        if not numbers and name == "sum":
            return 0
        if not numbers:
            raise self.reporter.error("E0210", f"`{name}` of an empty list is undefined", node.span)
        try:
            return self._bounded(function.call(*numbers), node.span)
        except ValueError:
            raise self.reporter.error("E0210", f"`{name}` of a negative number is undefined", node.span) from None
        except ZeroDivisionError:
            raise self.reporter.error("E0210", "division by zero", node.span) from None

    def _len(self, node: nodes.CallExpression, scope: ValueScope, flow: Flow | None) -> int:
        values = [self.evaluate(argument.value, scope, flow) for argument in node.arguments]
        if len(values) != 1 or not isinstance(values[0], tuple):
            raise self.reporter.error("E0210", "`len` takes one list", node.span)
        return len(values[0])
