"""Binds the arguments of a call to the declaration that it calls, and checks them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

from attrs import field

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.error_location import ErrorLocator, Location, own_origin
from cifar_dsl.compiler.types import describe_types, fits
from cifar_dsl.compiler.values import BlockValue, Bound, Tensor, Unknown, ValueScope, describe, write
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import MOST_LISTED, shortened
from cifar_dsl.ir import ArgumentInfo, Declaration, Shape, Symbol, arguments_of
from cifar_dsl.language.diagnostics import Advice, EvaluationFailed, Fix, Label, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes, print_expression
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.layers import LAYERS, Layer
from cifar_dsl.operations.registry import MisfitError

D = TypeVar("D", bound=Declaration)

# In steps, apart from the evaluation of arguments; measured by bench/check_cost.py.
_STEPS_OF_A_CALL = 25  # of a block
_STEPS_OF_A_PARAMETER = 3


@frozen
class Invocation:
    """A call as written: `callee(arguments)`, or a bare name."""

    callee: str
    callee_span: Span
    arguments: tuple[nodes.Argument, ...]
    span: Span

    @classmethod
    def of(cls, kind: nodes.Name | nodes.CallExpression) -> "Invocation":
        """The invocation that a name or a call expression makes."""
        if isinstance(kind, nodes.Name):
            return cls(kind.text, kind.span, (), kind.span)
        return cls(kind.callee.text, kind.callee.span, kind.arguments, kind.span)

    def span_of(self, argument: str | None, order: Sequence[str]) -> Span:
        """The span of `argument`, or of the whole call if the argument is omitted."""
        given = self.given(argument, order)
        return given.value.span if given else self.span

    def given(self, argument: str | None, order: Sequence[str]) -> nodes.Argument | None:
        """The argument passed for the parameter `argument`, or None. `order`: names of positional arguments."""
        for position, given in enumerate(self.arguments):
            name = given.keyword.text if given.keyword else order[position] if position < len(order) else None
            if name == argument:
                return given
        return None

    def crossed(self, order: Sequence[str]) -> Span | None:
        """The span of two positional arguments that are most likely swapped, or None.

        They look swapped if the value of one is a bare name that is the parameter of the other.
        """
        unnamed = [argument for argument in self.arguments if argument.keyword is None][: len(order)]
        places = {name: i for i, name in enumerate(order[: len(unnamed)])}
        for i, argument in enumerate(unnamed):
            if isinstance(argument.value, nodes.Name):
                other = places.get(argument.value.text, i)
                if other != i:
                    first, last = unnamed[min(i, other)], unnamed[max(i, other)]
                    return Span(first.span.source, first.span.start, last.span.end)
        return None


class Evaluates(Protocol):
    """Evaluates the values of arguments."""

    def evaluate(self, node: nodes.Expression, scope: ValueScope, flow: Tensor | None = None) -> Bound:
        """The value of `node`. Raises EvaluationFailed."""
        ...


@frozen
class Binder:
    """Matches arguments to parameters, evaluates them, and reports every error in them."""

    evaluator: Evaluates
    reporter: Reporter
    locator: ErrorLocator = field(factory=ErrorLocator)

    def declared(self, declaration: type[D], call: Invocation, scope: ValueScope, flow: Tensor | None = None) -> D:
        """An instance of `declaration` with the arguments of `call`. Raises EvaluationFailed."""
        infos = arguments_of(declaration)
        given = self.matched([info.name for info in infos], call, lambda: self.channels_advice(call, scope, flow))
        values: dict[str, Any] = {}
        is_complete = self._require([info.name for info in infos if info.is_required], given, call, infos)
        for info in infos:
            if info.name in given:
                try:
                    values[info.name] = self._accepted(info, given[info.name], scope, flow, call)
                except EvaluationFailed:
                    is_complete = False
        if not is_complete or len(given) != len(call.arguments):
            raise EvaluationFailed
        made = declaration(**values)
        try:
            made.check()
        except MisfitError as error:
            label, secondary = self.locate(call, error, [info.name for info in infos], scope)
            raise self.reporter.error(error.code, error.message, label, secondary=secondary, help=error.help) from None
        return made

    def block_scope(
        self, block: nodes.Block, call: Invocation, scope: ValueScope, flow: Tensor, outer: ValueScope
    ) -> tuple[ValueScope, str]:
        """The scope inside a block, below `outer`, and the call as text with its values.

        The parameters with wrong arguments are unknown, so that the block is checked all the same.
        """
        self.reporter.work.charge(_STEPS_OF_A_CALL + _STEPS_OF_A_PARAMETER * len(block.parameters))
        order = [parameter.name.text for parameter in block.parameters]
        given = self.matched(order, call)
        required = [parameter.name.text for parameter in block.parameters if parameter.default is None]
        self.require(required, given, call)
        is_rejected = len(given) != len(call.arguments)  # an argument, which was meant for any other parameter
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
            elif parameter.default is not None and not is_rejected:
                inner.origins[name] = inner.origin(parameter.default)
                value = self._value_of(parameter, block, parameter.default, parameter.default.span, inner, flow)
            inner.values[name] = value
        self.reporter.work.charge(sum(map(len, shown)) // 8)
        return inner, f"{block.name}({', '.join(shown)})"

    def _written(self, expression: nodes.Expression, value: Bound | Unknown) -> str:
        """The text of an argument with this value; a tensor is written as in the text."""
        if not isinstance(value, Tensor | Unknown):
            return write(value)
        self.reporter.work.charge(len(expression.span.text))
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
            value = self.evaluator.evaluate(written, scope, flow)
            self._check_type(parameter, block, value, origin)
        except EvaluationFailed:
            return Unknown()
        return value

    def _check_type(self, parameter: nodes.BlockParameter, block: nodes.Block, value: Bound, span: Span) -> None:
        self.reporter.work.charge(len(parameter.types))
        if fits(value, parameter.types):
            return
        raise self.reporter.error(
            "E0304",
            f"`{parameter.name}` of `{block.name}` must be {describe_types(parameter.types)}",
            Label(span, f"this is {describe(value)}"),
            secondary=(Label(parameter.span, "declared here"),),
            meant=lambda: nearest(value, [one.text for one in parameter.types]) if isinstance(value, Symbol) else None,
        )

    def locate(self, call: Invocation, error: MisfitError, order: Sequence[str], scope: ValueScope) -> Location:
        """Where to show an error of a call; `order`: names of its positional arguments."""
        given = call.given(error.argument, order)
        if error.code == "E0307":  # if a window doesn't fit, its input is more often the mistake
            return Label(given.value.span if given else call.span, error.label), ()
        return self.locator.locate(call.span, given.value if given else None, call.arguments, scope, error.label)

    def channels_advice(self, call: Invocation, scope: ValueScope, flow: Tensor | None) -> Advice | None:
        """The advice for a refused call of a layer that is valid without the input's channels: `conv(3, 8, 3)`."""
        given = translation.input_argument(call.callee, call.arguments)
        if given is None or flow is None or flow.shape is None:
            return None
        rest = tuple(one for one in call.arguments if one is not given)
        values = {one: self.evaluator.evaluate(one.value, scope, flow) for one in call.arguments}
        is_input = values[given] == flow.shape.channels and not isinstance(values[given], bool)
        is_dense = call.callee == "dense" and len(rest) == 1 and values[rest[0]] not in {0, 1}
        if not (is_input or is_dense) or not _is_valid(LAYERS[call.callee], rest, values, flow.shape):
            return None
        return translation.without_input_argument(given, call.arguments, call.span)

    def matched(
        self, names: Sequence[str], call: Invocation, advice: Callable[[], Advice | None] = lambda: None
    ) -> dict[str, nodes.Argument]:
        """The arguments by parameter name. Arguments that match no parameter are reported and left out.

        `advice` computes the advice for surplus and repeated arguments.
        """
        self.reporter.work.charge(len(names) + len(call.arguments))
        given: dict[str, nodes.Argument] = {}
        known = frozenset(names)
        has_keyword = False
        for position, argument in enumerate(call.arguments):
            has_keyword = has_keyword or argument.keyword is not None
            if argument.keyword is None:
                if position >= len(names) or has_keyword:
                    self._misplaced(argument, names, call, advice(), is_late=position < len(names))
                    continue
                name = names[position]
            else:
                name = argument.keyword.text
                if name not in known:
                    self._unknown(argument, names, call)
                    continue
            if name in given:
                self.reporter.error(
                    "E0305",
                    f"`{name}` of `{call.callee}` is given twice",
                    Label(argument.span, "again here"),
                    secondary=(Label(given[name].span, "first here"),),
                    help="keep one of the two",
                    meant=advice(),
                )
            given[name] = argument
        return given

    def require(self, required: Sequence[str], given: dict[str, nodes.Argument], call: Invocation) -> bool:
        """Whether all required arguments are given. Reports the missing ones."""
        return self._require(required, given, call, ())

    def _require(
        self,
        required: Sequence[str],
        given: dict[str, nodes.Argument],
        call: Invocation,
        infos: Sequence[ArgumentInfo],
    ) -> bool:
        missing = [name for name in required if name not in given]
        if missing and len(missing) <= len(call.arguments) - len(given):
            return False  # a rejected argument is most likely the missing one
        if missing:
            docs = {info.name: f": {info.doc} ({info.kind.describe()})" for info in infos}
            self.reporter.error(
                "E0303",
                f"`{call.callee}` is missing {shortened([f'`{name}`' for name in missing], ' and ')}",
                call.span,
                help=tuple(f"add `{name}=...`{docs.get(name, '')}" for name in missing[:MOST_LISTED]),
            )
        return not missing

    def _accepted(
        self,
        info: ArgumentInfo,
        argument: nodes.Argument,
        scope: ValueScope,
        flow: Tensor | None,
        call: Invocation,
    ) -> Bound:
        value = self.evaluator.evaluate(argument.value, scope, flow)
        if not isinstance(value, BlockValue | Tensor):
            try:
                return cast("Bound", info.kind.accept(value))
            except UnfitError:
                pass
        advice = self.channels_advice(call, scope, flow)
        text = f"this is {describe(value)}"
        label, secondary = self.locator.locate(call.span, argument.value, call.arguments, scope, text)
        raise self.reporter.error(
            "E0304",
            f"`{info.name}` of `{call.callee}` must be {info.kind.describe()}",
            label,
            secondary=secondary,
            help=f"`{info.name}`: {info.doc}",
            meant=advice or (lambda: translation.value(info, argument, value, call.span, call.arguments, call.callee)),
        )

    def _unknown(self, argument: nodes.Argument, names: Sequence[str], call: Invocation) -> None:
        keyword = argument.keyword
        assert keyword is not None
        arguments = shortened([f"`{name}`" for name in names])
        self.reporter.error(
            "E0301",
            f"`{call.callee}` has no argument `{keyword}`",
            keyword.span,
            help=f"arguments of `{call.callee}`: {arguments}" if names else f"`{call.callee}` takes no arguments",
            meant=lambda: translation.argument(argument, names, call.callee, call.arguments, call.span),
        )

    def _misplaced(
        self, argument: nodes.Argument, names: Sequence[str], call: Invocation, advice: Advice | None, *, is_late: bool
    ) -> None:
        if is_late:
            message = "a positional argument follows a named one"
            help_text = "pass it by name, or move it before the named arguments"
        elif names:
            message = f"`{call.callee}` takes at most {len(names)} argument{'s' if len(names) > 1 else ''}"
            help_text = f"its arguments: {shortened([f'`{name}`' for name in names])}"
        else:
            message = f"`{call.callee}` takes no arguments"
            help_text = "delete it"
            fix = Fix("delete the argument", (translation.deletion(argument, call.arguments),))
            advice = advice or Advice("delete it", (fix,))
        self.reporter.error("E0301", message, argument.span, help=help_text, meant=advice)


def _is_valid(
    layer: type[Layer], arguments: Sequence[nodes.Argument], values: Mapping[nodes.Argument, Bound], x: Shape
) -> bool:
    """Whether a layer accepts these arguments and an input of shape `x`."""
    infos = arguments_of(layer)
    names = [one.keyword.text if one.keyword else info.name for one, info in zip(arguments, infos, strict=False)]
    kinds = {info.name: info.kind for info in infos}
    if len(arguments) > len(infos) or not kinds.keys() >= set(names):
        return False
    try:
        made = layer(
            **{name: kinds[name].accept(cast("Any", values[one])) for name, one in zip(names, arguments, strict=True)}
        )
        made.check()
        made.infer(x)
    except (UnfitError, MisfitError, TypeError):
        return False
    return True
