"""Binds the arguments and branches of a call to the parameters of the block that it calls, and checks their types."""

from collections.abc import Mapping, Sequence

from cifar_dsl.compiler import argument_translation
from cifar_dsl.compiler.bind import Binder, describe_unfit
from cifar_dsl.compiler.branches import check_count
from cifar_dsl.compiler.error_location import own_origin
from cifar_dsl.compiler.invocation import Branch, Invocation
from cifar_dsl.compiler.types import describe_types, fits
from cifar_dsl.compiler.values import Bound, Tensor, Unknown, ValueScope, is_tensors, write
from cifar_dsl.compiler.wrong_arguments import WrongArguments
from cifar_dsl.foundation.text import listed
from cifar_dsl.ir import Symbol
from cifar_dsl.language.diagnostics import Advice, EvaluationFailed, Fix, Label, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes, print_expression
from cifar_dsl.operations.layers import Branches

# In steps, apart from the evaluation of arguments; measured by bench/check_cost.py.
_STEPS_OF_A_CALL = 65
_STEPS_OF_A_PARAMETER = 5


class BlockBinder:
    """Binds calls of blocks, with a binder that matches their arguments."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._evaluator, self._reporter = binder.evaluator, binder.reporter

    def scope_of(
        self,
        block: nodes.Block,
        call: Invocation,
        scope: ValueScope,
        flow: Tensor,
        outer: ValueScope,
        branches: Sequence[Branch] = (),
    ) -> tuple[ValueScope, str]:
        """The scope inside a block, which is inside `outer`, and the call as text with its values.

        The parameters with wrong arguments are unknown, so that the block is checked all the same.
        Raises EvaluationFailed if the number of branches is wrong, or an argument is meant to be the current tensor.
        """
        self._reporter.work.charge(_STEPS_OF_A_CALL + _STEPS_OF_A_PARAMETER * len(block.parameters))
        if not any(one.may_be_tensor for one in block.parameters):
            for_blocks = frozenset(i for i, one in enumerate(block.parameters) if one.is_for_block)
            self._binder.refuse_tensors(call, frozenset(block.order), scope, for_blocks, is_layer=False)
        count, wrong = len(call.arguments), WrongArguments(call, self._reporter)
        call, given = self._binder.matched(block.order, call, wrong, scope, flow)
        wrong.report()
        filled = self._filled(block, call, given, branches) if branches else {}
        required = [one.name.text for one in block.parameters if one.default is None and one.name.text not in filled]
        self._binder.require(required, given, count - len(given), call, ())
        is_rejected = len(given) != count  # an argument, which was meant for any other parameter
        inner = ValueScope(outer)
        shown: list[str] = []
        for parameter in block.parameters:
            name = parameter.name.text
            value: Bound | Unknown = Unknown()
            if name in given:
                written = given[name].value
                inner.origins[name] = own_origin(written, scope)
                value = self._value_of(parameter, block, written, inner.origins[name], scope, flow)
                text = self._written(written, value)
                shown.append(f"{name}={text}" if given[name].keyword else text)
            elif name in filled:
                value = filled[name].as_block(parameter.name)
            elif parameter.default is not None and not is_rejected:
                inner.origins[name] = inner.origin(parameter.default)
                value = self._value_of(parameter, block, parameter.default, parameter.default.span, inner, flow)
            inner.values[name] = value
        self._reporter.work.charge(sum(map(len, shown)) // 4)
        return inner, f"{block.name}({', '.join(shown)})"

    def _filled(
        self, block: nodes.Block, call: Invocation, given: Mapping[str, nodes.Argument], branches: Sequence[Branch]
    ) -> dict[str, Branch]:
        """The branches of a call by the parameters that they fill. Raises EvaluationFailed."""
        free = [one for one in block.parameters if one.is_for_block and one.name.text not in given]
        names = tuple(one.name.text for one in free)
        least = max((i for i, one in enumerate(free, start=1) if one.default is None), default=1)
        given_blocks = [f"`{one.name}`" for one in block.parameters if one.is_for_block]
        if given_blocks and not free:
            message = f"`{call.callee}` takes no branches here: its arguments give {listed(given_blocks, 'and')}"
            help_text = "leave out an argument to write its block as a branch"
            if named := self._named(block, call):
                help_text = f"pass the other arguments by name: `{call.callee}({named}) {{ ... }}`"
            raise self._reporter.error("E0215", message, call.span, help=help_text)
        takes = Branches(least, len(free), names) if free else None
        check_count(call, takes, len(branches), self._reporter)
        return dict(zip(names, branches, strict=False))

    def _named(self, block: nodes.Block, call: Invocation) -> str:
        """The arguments of a call by name, without the parameters that branches fill; "" if blocks are among them."""
        names = [one.name.text for one in block.parameters if not one.is_for_block]
        unnamed = [one for one in call.arguments if one.keyword is None]
        named = [one for one in call.arguments if one.keyword]
        taken = {one.keyword.text for one in named if one.keyword}
        free = [name for name in names if name not in taken]
        if len(unnamed) > len(free) or not taken.issubset(names) or not all(map(_is_value, unnamed)):
            return ""
        texts = [f"{name}={one.span.text}" for name, one in zip(free, unnamed, strict=False)]
        return ", ".join([*texts, *(one.span.text for one in named)])

    def _written(self, expression: nodes.Expression, value: Bound | Unknown) -> str:
        """The text of an argument with this value; a tensor is written as in the text."""
        if not (isinstance(value, Tensor | Unknown) or (value and is_tensors(value))):
            return write(value)
        self._reporter.work.charge(len(expression.span.text))
        return print_expression(expression)

    def _value_of(
        self,
        parameter: nodes.BlockParameter,
        block: nodes.Block,
        written: nodes.Expression,
        origin: Span,
        scope: ValueScope,
        flow: Tensor,
    ) -> Bound | Unknown:
        """The value of a block's parameter, unknown after an error."""
        try:
            value = self._evaluator.evaluate(written, scope, flow)
            self._check_type(parameter, block, value, written, origin)
        except EvaluationFailed:
            return Unknown()
        return value

    def _check_type(
        self, parameter: nodes.BlockParameter, block: nodes.Block, value: Bound, written: nodes.Expression, span: Span
    ) -> None:
        self._reporter.work.charge(len(parameter.types))
        if fits(value, parameter.types):
            return
        raise self._reporter.error(
            "E0304",
            f"`{parameter.name}` of `{block.name}` must be {describe_types(parameter.types)}",
            Label(span, describe_unfit(value, is_block=[one.text for one in parameter.types] == ["block"])),
            secondary=(Label(parameter.span, "declared here"),),
            meant=lambda: self._meant_value(parameter, written, value, span),
        )

    def _meant_value(
        self, parameter: nodes.BlockParameter, written: nodes.Expression, value: Bound, span: Span
    ) -> str | Advice | None:
        """What was meant by a value of the wrong type for a block's parameter, if known."""
        types = [one.text for one in parameter.types]
        is_computed = isinstance(written, nodes.Operation | nodes.CallExpression) and span == written.span
        if isinstance(value, float) and "int" in types and is_computed:
            change = argument_translation.whole_number(nodes.Argument(None, written, written.span))
            return Advice(change.help, (Fix(change.title, change.edits),) if change.edits else ())
        if isinstance(value, float) and "int" in types and 0 < value < 1 and (1 / value).is_integer():
            return Advice(f"if `{parameter.name}` is a divisor, write `{1 / value:g}`")
        return nearest(value, types) if isinstance(value, Symbol) else None


def _is_value(argument: nodes.Argument) -> bool:
    """Whether the text shows that an argument is no block."""
    return not isinstance(argument.value, nodes.Name | nodes.Index | nodes.Conditional)
