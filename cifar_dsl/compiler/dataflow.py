"""Tensors as other languages compute them, `relu(bn(x)) + y`, and the chains and joins that compute the same."""

from collections.abc import Callable
from typing import Literal

from cifar_dsl.compiler import argument_translation
from cifar_dsl.compiler.argument_translation import Call
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Advice, Fix
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes

Sort = Literal["tensor", "list", "number", "unknown"]  # a list: of tensors
TENSORS: frozenset[Sort] = frozenset(["tensor", "list"])
_ORDER: tuple[Sort, ...] = ("list", "tensor")  # of the sorts that an operand gives its operation
_LONGEST = 40  # characters of an argument that is quoted
_SUM, _PRODUCT = frozenset("+-"), frozenset("*/")


@frozen
class Dataflow:
    """Writes expressions as chains; `leaf` says what a name or a call stands for."""

    leaf: Callable[[nodes.Name | nodes.CallExpression], Sort]

    def sort(self, node: object) -> Sort:
        """What an expression stands for, as far as that is known."""
        match node:
            case nodes.Number():
                return "number"
            case nodes.Name() | nodes.CallExpression():
                return self.leaf(node)
            case nodes.Index(value=nodes.Name() as value):
                sort = self.leaf(value)
                return "tensor" if sort in TENSORS else "unknown"
            case nodes.Sequence(items=items):
                return "list" if any(self.sort(one) in TENSORS for one in items) else "unknown"
            case nodes.Prefixed(operator="-", operand=operand):
                return self.sort(operand)
            case nodes.Operation(operands=operands):
                sorts = set(map(self.sort, operands))
                return next((one for one in _ORDER if one in sorts), "unknown" if "unknown" in sorts else "number")
            case _:
                return "unknown"

    def chain(self, node: nodes.Expression) -> str | None:
        """The chain for a tensor, `x -> bn -> relu` for `relu(bn(x))`; None if there is none."""
        match node:
            case nodes.CallExpression(callee=callee, arguments=arguments):
                inputs = [one for one in arguments if self.sort(one.value) in TENSORS]
                start = self.chain(inputs[0].value) if len(inputs) == 1 and inputs[0].keyword is None else None
                if start is None:
                    return None if inputs else node.span.text
                rest = ", ".join(one.span.text for one in arguments if one is not inputs[0])
                return f"{start} -> {callee}{rest and f'({rest})'}"
            case nodes.Prefixed(operator="-", operand=operand) if self.sort(operand) == "tensor":
                start = self.chain(operand)
                return f"{start} -> scale(-1)" if start and node.count % 2 else start
            case nodes.Operation():
                return self.joined(node)
            case _:
                return None if self.sort(node) == "list" else node.span.text

    def joined(self, node: nodes.Operation) -> str | None:
        """The join or the scaling that a sum, difference or product of tensors means; None if there is none."""
        terms = [
            _Term(sign, one, sort, self.chain(one) if sort in TENSORS else one.span.text)
            for sign, one in zip(("", *node.operators), node.operands, strict=True)
            for sort in (self.sort(one),)
        ]
        if any(one.text is None or one.sort == "list" for one in terms):
            return None
        numbers = [one for one in terms if one.sort == "number"]
        branches = [one.branch for one in terms if one.sort != "number"]
        if set(node.operators) <= _SUM:
            return None if numbers else f"add {{ {' | '.join(branches)} }}"
        if not set(node.operators) <= _PRODUCT or any(one.sign == "/" and one not in numbers for one in terms):
            return None
        product = branches[0] if len(branches) == 1 else f"mul {{ {' | '.join(branches)} }}"
        factor = " ".join(f"{one.sign or '*'} {one.factor}" for one in numbers)
        factor = f"1 {factor}" if factor.startswith("/") else factor.removeprefix("* ")
        return f"{product} -> scale({factor})" if numbers else product


@frozen
class _Term:
    """An operand with the sign before it, what it stands for, and its text."""

    sign: str
    node: nodes.Expression
    sort: Sort
    text: str | None

    @property
    def branch(self) -> str:
        return f"{self.text} -> scale(-1)" if self.sign == "-" else f"{self.text}"

    @property
    def factor(self) -> str:
        is_operation = isinstance(self.node, nodes.Operation | nodes.Conditional)
        return f"({self.text})" if is_operation else f"{self.text}"


@frozen
class Refusal:
    """The error of a call that gets tensors as arguments, where it takes the current tensor."""

    message: str
    at: Span
    advice: Advice


def refusal(
    call: Call, inputs: list[nodes.Argument], dataflow: Dataflow, *, starts_chain: bool, is_layer: bool
) -> Refusal:
    """The error of a call with the tensors `inputs` as arguments: `sigmoid(x)` means `x -> sigmoid`."""
    first, *others = inputs
    text = " ".join(first.value.span.text.split())
    what = f"not `{text}`" if len(text) <= _LONGEST else "no tensor"
    message = f"`{call.callee}` takes the current tensor, and {what} as an argument"
    start = dataflow.chain(first.value)
    if start is None or others:
        stage = argument_translation.without({one.span for one in inputs}, call)
        help_text = f"join the tensors first, as in `add {{ x | y }} -> {stage}`"
        return Refusal(message, first.span, Advice(help_text))
    edits = argument_translation.fed(first, start, call)
    text = argument_translation.rewritten(call.span, edits)
    if not starts_chain:
        return Refusal(
            message,
            first.span,
            Advice(f"to start from it, begin a line with `{text}`; to join it, write `add {{ identity | {text} }}`"),
        )
    return Refusal(message, first.span, Advice(f"write `{text}`", (Fix(f"write `{text}`", edits, is_layer),)))
