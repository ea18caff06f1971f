"""Binds the arguments of a call to the declaration that it calls, and checks them."""

from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar, cast

from cifar_dsl.compiler import argument_translation, translation
from cifar_dsl.compiler.argument_translation import Call, Change, can_apply
from cifar_dsl.compiler.dataflow import TENSORS, Dataflow, refusal
from cifar_dsl.compiler.error_location import ErrorLocator, Location, own_origin
from cifar_dsl.compiler.types import describe_types, fits
from cifar_dsl.compiler.values import (
    BlockValue,
    Bound,
    Flow,
    Tensor,
    Tie,
    Unknown,
    ValueScope,
    describe,
    is_tensors,
    write,
)
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.foundation.text import MOST_LISTED, listed, shortened
from cifar_dsl.ir import ArgumentInfo, Declaration, Shape, Symbol, Value, arguments_of
from cifar_dsl.language.diagnostics import Advice, EvaluationFailed, Fix, Label, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes, print_expression
from cifar_dsl.operations.argument_types import Stage, UnfitError
from cifar_dsl.operations.layers import LAYERS, Branches, Layer
from cifar_dsl.operations.registry import MisfitError

D = TypeVar("D", bound=Declaration)

# In steps, apart from the evaluation of arguments; measured by bench/check_cost.py.
_STEPS_OF_A_CALL = 65  # of a block
_STEPS_OF_A_PARAMETER = 5
_STEPS_OF_A_SEARCH = 100  # for what an argument with an unknown name means

_CONSTANTS = (nodes.Number, nodes.Truth, nodes.String, nodes.SizeLiteral)
_NO_SUCH = "no such argument"


@frozen
class Invocation:
    """A call as written: `callee(arguments)`, or a bare name."""

    callee: str
    callee_span: Span
    arguments: tuple[nodes.Argument, ...]
    span: Span
    written: tuple[nodes.Argument, ...] | None = None  # the arguments in the text, if others are meant
    pattern: nodes.Pattern | None = None
    starts_chain: bool = False

    @classmethod
    def of(cls, kind: nodes.Name | nodes.CallExpression, *, starts_chain: bool = False) -> "Invocation":
        """The invocation that a name or a call expression makes."""
        if isinstance(kind, nodes.Name):
            return cls(kind.text, kind.span, (), kind.span)
        callee = kind.callee
        return cls(callee.text, callee.span, kind.arguments, kind.span, None, kind.pattern, starts_chain)

    @property
    def text(self) -> Call:
        """The text of the call, for advice."""
        arguments = self.arguments if self.written is None else self.written
        return Call(self.callee, self.callee_span.end, arguments, self.span)

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


@frozen
class _Wrong:
    """A wrong argument of a call, not yet reported; `find` looks for what was meant."""

    code: str
    message: str
    label: Label
    help: str
    what: str  # the message, if the message of the call mentions all wrong arguments
    find: Callable[[], Change | None]
    secondary: tuple[Label, ...] = ()


@frozen
class Branch:
    """A branch as written, in the scope where it stands."""

    body: nodes.Body
    scope: ValueScope

    def as_block(self, name: nodes.Identifier) -> BlockValue:
        """The branch as the value of a block's parameter, under whose name its stages stand."""
        return BlockValue(nodes.Block(name, (), self.body, self.body.span), self.scope)

    def tied(self, name: nodes.Identifier) -> BlockValue:
        """The body of `tied` as the value of a name, whose uses have the same weights."""
        return evolve(self.as_block(name), tie=Tie())


class Evaluates(Protocol):
    """Evaluates the values of arguments."""

    def evaluate(self, node: nodes.Expression, scope: ValueScope, flow: Flow | None = None) -> Bound:
        """The value of `node`. Raises EvaluationFailed."""
        ...

    def constant(self, node: nodes.Expression) -> Hashable:
        """What tells the value of a literal or word from others, wherever it stands; None for other expressions."""
        ...

    def dataflow(self, scope: ValueScope) -> Dataflow:
        """What the expressions in a scope stand for."""
        ...


@frozen
class Binder:
    """Matches arguments to parameters, evaluates them, and reports every error in them."""

    evaluator: Evaluates
    reporter: Reporter
    locator: ErrorLocator = field(factory=ErrorLocator)
    _made: dict[Hashable, tuple[Declaration, int]] = field(factory=dict, init=False, eq=False, repr=False)

    def declared(self, declaration: type[D], call: Invocation, scope: ValueScope, flow: Flow | None = None) -> D:
        """An instance of `declaration` with the arguments of `call`. Raises EvaluationFailed.

        Calls with equal constants get the same instance, at the same number of steps: deep networks repeat few layers.
        """
        key = self._key(declaration, call)
        if key is None:
            return self._declared(declaration, call, scope, flow)
        work = self.reporter.work
        if known := self._made.get(key):
            work.charge(known[1])
            return cast("D", known[0])
        before = work.done
        made = self._declared(declaration, call, scope, flow)
        self._made[key] = made, work.done - before
        return made

    def _key(self, declaration: type[D], call: Invocation) -> Hashable:
        """What tells a call with constants from others; None for other calls."""
        key: list[object] = [declaration]
        for one in call.arguments:
            constant = self.evaluator.constant(one.value)
            if constant is None:
                return None
            key += (one.keyword and one.keyword.text, constant)
        return tuple(key)

    def _declared(self, declaration: type[D], call: Invocation, scope: ValueScope, flow: Flow | None) -> D:
        infos = arguments_of(declaration)
        if issubclass(declaration, Layer):
            self._refuse_tensors(call, frozenset(info.name for info in infos), scope, is_layer=True)
        wrong: list[_Wrong] = []
        count = len(call.arguments)
        call, given = self._matched([info.name for info in infos], call, wrong, scope, flow)
        values: dict[str, Any] = {}
        required = [info.name for info in infos if info.is_required]
        is_complete = self._require(required, given, count - len(given), call, infos)
        for info in infos:
            if info.name in given:
                try:
                    values[info.name] = self._accepted(info, given[info.name], scope, flow, call, wrong)
                except EvaluationFailed:
                    is_complete = False
        if wrong:
            self._report(wrong, call)
        if wrong or not is_complete:
            raise EvaluationFailed
        made = declaration(**values)
        try:
            made.check()
        except MisfitError as error:
            label, secondary = self.locate(call, error, [info.name for info in infos], scope)
            raise self.reporter.error(error.code, error.message, label, secondary=secondary, help=error.help) from None
        return made

    def block_scope(
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
        self.reporter.work.charge(_STEPS_OF_A_CALL + _STEPS_OF_A_PARAMETER * len(block.parameters))
        if not any(one.may_be_tensor for one in block.parameters):
            for_blocks = frozenset(i for i, one in enumerate(block.parameters) if one.is_for_block)
            self._refuse_tensors(call, frozenset(block.order), scope, for_blocks, is_layer=False)
        count, wrong = len(call.arguments), list[_Wrong]()
        call, given = self._matched(block.order, call, wrong, scope, flow)
        self._report(wrong, call)
        filled = self._filled(block, call, given, branches) if branches else {}
        required = [one.name.text for one in block.parameters if one.default is None and one.name.text not in filled]
        self._require(required, given, count - len(given), call, ())
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
        self.reporter.work.charge(sum(map(len, shown)) // 4)
        return inner, f"{block.name}({', '.join(shown)})"

    def _refuse_tensors(
        self,
        call: Invocation,
        names: frozenset[str],
        scope: ValueScope,
        for_blocks: frozenset[int] = frozenset(),
        *,
        is_layer: bool,
    ) -> None:
        """Report tensors among the arguments of a call that takes none: `relu(x)`. Raises EvaluationFailed.

        `names` are those of its arguments, and those at the places `for_blocks` are for blocks.
        """
        if all(isinstance(one.value, _CONSTANTS) for one in call.arguments):
            return
        dataflow = self.evaluator.dataflow(scope)
        inputs = [
            one
            for i, one in enumerate(call.arguments)
            if not isinstance(one.value, _CONSTANTS)
            and (one.keyword.text not in names if one.keyword else i not in for_blocks)
            and dataflow.sort(one.value) in TENSORS
        ]
        if not inputs:
            return
        calls = nodes.inside([one.value for one in inputs], nodes.CallExpression)
        if any(dataflow.sort(one) == "tensor" for one in calls):
            raise EvaluationFailed  # reported by the resolver
        found = refusal(call.text, inputs, dataflow, starts_chain=call.starts_chain, is_layer=is_layer)
        raise self.reporter.error("E0301", found.message, found.at, notes=self._remarks(call), meant=found.advice)

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
            raise self.reporter.error("E0215", message, call.span, help=help_text)
        self.check_branches(call, Branches(least, len(free), names) if free else None, len(branches))
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

    def check_branches(self, call: Invocation, takes: Branches | None, count: int) -> None:
        """Report a wrong number of branches; `takes` is None if a call takes none. Raises EvaluationFailed."""
        if takes is None:
            message, help_text = f"`{call.callee}` takes no branches", "a sequence is written `conv(8, 1) -> relu`"
            raise self.reporter.error(
                "E0215",
                message,
                call.span,
                help=help_text,
                meant=translation.join_meant(call.callee, call.callee_span),
                notes=self._remarks(call),
            )
        if takes.fit(count):
            return
        message = f"`{call.callee}` takes {takes.describe()}, and gets {count or 'none'}"
        help_text = (
            f"write `{takes.example(call.span.text)}`"
            if count
            else "every branch gives the empty list, which is no branch"
        )
        raise self.reporter.error("E0215", message, call.span, help=help_text, notes=self._remarks(call))

    def _written(self, expression: nodes.Expression, value: Bound | Unknown) -> str:
        """The text of an argument with this value; a tensor is written as in the text."""
        if not (isinstance(value, Tensor | Unknown) or (value and is_tensors(value))):
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
            self._check_type(parameter, block, value, written, origin)
        except EvaluationFailed:
            return Unknown()
        return value

    def _check_type(
        self, parameter: nodes.BlockParameter, block: nodes.Block, value: Bound, written: nodes.Expression, span: Span
    ) -> None:
        self.reporter.work.charge(len(parameter.types))
        if fits(value, parameter.types):
            return
        raise self.reporter.error(
            "E0304",
            f"`{parameter.name}` of `{block.name}` must be {describe_types(parameter.types)}",
            Label(span, _found(value, is_block=[one.text for one in parameter.types] == ["block"])),
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

    def locate(self, call: Invocation, error: MisfitError, order: Sequence[str], scope: ValueScope) -> Location:
        """Where to show an error of a call; `order`: names of its positional arguments."""
        given = call.given(error.argument, order)
        if error.code == "E0307":  # if a window doesn't fit, its input is more often the mistake
            return Label(given.value.span if given else call.span, error.label), ()
        return self.locator.locate(call.span, given.value if given else None, call.arguments, scope, error.label)

    def channels_advice(self, call: Invocation, scope: ValueScope, flow: Flow | None) -> Advice | None:
        """The advice for a refused call of a layer that is valid without the input's channels: `conv(3, 8, 3)`."""
        change = self._without_input(call, scope, flow)
        return argument_translation.advice([change], call.text) if change else None

    def _without_input(self, call: Invocation, scope: ValueScope, flow: Flow | None) -> Change | None:
        given = argument_translation.input_argument(call.callee, call.arguments)
        if given is None or not isinstance(flow, Tensor) or flow.shape is None:
            return None
        rest = tuple(one for one in call.arguments if one is not given)
        try:
            values = {one.span: self.evaluator.evaluate(one.value, scope, flow) for one in call.arguments}
        except EvaluationFailed:
            return None
        value = values[given.span]
        is_input = value == flow.shape.channels and not isinstance(value, bool)
        is_dense = call.callee == "dense" and len(rest) == 1 and values[rest[0].span] not in {0, 1}
        if not (is_input or is_dense) or not _is_valid(LAYERS[call.callee], rest, values, flow.shape):
            return None
        return argument_translation.without_input(given, call.text)

    def _matched(
        self, names: Sequence[str], call: Invocation, wrong: list[_Wrong], scope: ValueScope, flow: Flow | None
    ) -> tuple[Invocation, dict[str, nodes.Argument]]:
        """The call as it is meant, and its arguments by name; those that match no parameter are added to `wrong`.

        An argument with a name of another framework, which is wrong, too, is matched by its name here.
        """
        self.reporter.work.charge(len(names) + len(call.arguments))
        if len(call.arguments) <= len(names) and not any(argument.keyword for argument in call.arguments):
            return call, dict(zip(names, call.arguments, strict=False))
        kept = list(call.arguments)
        known = frozenset(names)
        if any(argument.keyword and argument.keyword.text not in known for argument in kept):
            kept = [meant for one in kept if (meant := self._known(one, known, names, call, wrong))]
            call = evolve(call, arguments=tuple(kept), written=call.arguments)
        given: dict[str, nodes.Argument] = {}
        has_keyword = False
        without_input = cache(lambda: self._without_input(call, scope, flow))
        for position, argument in enumerate(kept):
            has_keyword = has_keyword or argument.keyword is not None
            if argument.keyword is None and (position >= len(names) or has_keyword):
                if not _is_counted(wrong):
                    wrong.append(_misplaced(argument, names, call, without_input(), is_late=position < len(names)))
                continue
            name = argument.keyword.text if argument.keyword else names[position]
            if name in given and not _is_counted(wrong):
                wrong.append(_repeated(argument, given[name], name, call, without_input()))
            given[name] = argument
        return call, given

    def _known(
        self,
        argument: nodes.Argument,
        known: Container[str],
        names: Sequence[str],
        call: Invocation,
        wrong: list[_Wrong],
    ) -> nodes.Argument | None:
        """An argument, with the name that is meant if it has an unknown one; None if none is meant."""
        is_known = argument.keyword is None or argument.keyword.text in known
        return argument if is_known else self._unknown(argument, names, call, wrong)

    def _unknown(
        self, argument: nodes.Argument, names: Sequence[str], call: Invocation, wrong: list[_Wrong]
    ) -> nodes.Argument | None:
        """Add an argument with an unknown name to `wrong`; the argument with the name that is meant, or None."""
        keyword = argument.keyword
        assert keyword is not None
        if _is_counted(wrong):
            return None
        self.reporter.work.charge(_STEPS_OF_A_SEARCH + sum(map(len, names)))
        change = argument_translation.unknown(argument, names, call.text)
        arguments = shortened([f"`{name}`" for name in names])
        wrong.append(
            _Wrong(
                "E0301",
                f"`{call.callee}` has no argument `{keyword}`",
                Label(keyword.span),
                f"arguments of `{call.callee}`: {arguments}" if names else f"`{call.callee}` takes no arguments",
                _NO_SUCH,
                lambda: change,
            )
        )
        return change.renamed() if change else None

    def _report(self, wrong: Sequence[_Wrong], call: Invocation) -> None:
        """Report the wrong arguments of a call, as many as are shown: in one error, if a program can change several."""
        wrong = wrong[: limits.current().diagnostics]
        rest, text = list(wrong), call.text
        if len(wrong) > 1:
            found = [(one, one.find()) for one in wrong]
            together = {one: change for one, change in found if change and can_apply(change, text)}
            if len(together) > 1:
                rest = [one for one in wrong if one not in together]
                self._report_together(together, call)
        for one in rest:
            self._report_alone(one, text, self._remarks(call))

    def _report_alone(self, one: _Wrong, call: Call, notes: tuple[str, ...]) -> None:
        def meant() -> Advice | None:
            change = one.find()
            return argument_translation.advice([change], call) if change else None

        self.reporter.error(
            one.code, one.message, one.label, secondary=one.secondary, notes=notes, help=one.help, meant=meant
        )

    def _remarks(self, call: Invocation) -> tuple[str, ...]:
        """The notes about the callee, for errors that point at an argument."""
        remark = self.reporter.remarks.get(call.callee_span)
        return (remark,) if remark else ()

    def _report_together(self, found: Mapping[_Wrong, Change], call: Invocation) -> None:
        """Report arguments that a program can change, the first in the text first."""
        changes = tuple(dict.fromkeys(found.values()))
        first, *others = sorted(found, key=lambda one: (one.label.span not in call.span, one.label.span.start))
        advice = argument_translation.advice(changes, call.text)
        if len(changes) == 1:  # all others follow from one mistake
            notes, secondary = self._remarks(call), first.secondary
            self.reporter.error(first.code, first.message, first.label, secondary=secondary, notes=notes, meant=advice)
            return
        if all(one.what == _NO_SUCH for one in found):
            labels = [one.label for one in (first, *others)]
            message = f"`{call.callee}` has no arguments {listed([f'`{label.span.text}`' for label in labels], 'and')}"
        else:
            message = f"several arguments of `{call.callee}` are wrong"
            labels = [Label(one.label.span, one.what) for one in (first, *others)]
        notes = self._remarks(call)
        self.reporter.error(first.code, message, labels[0], secondary=tuple(labels[1:]), notes=notes, meant=advice)

    def _require(
        self,
        required: Sequence[str],
        given: dict[str, nodes.Argument],
        rejected: int,
        call: Invocation,
        infos: Sequence[ArgumentInfo],
    ) -> bool:
        """Whether all required arguments are given. Reports the missing ones, unless as many were rejected."""
        missing = [name for name in required if name not in given]
        if missing and len(missing) <= rejected:
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
        flow: Flow | None,
        call: Invocation,
        wrong: list[_Wrong],
    ) -> Bound:
        """The value of an argument. Raises EvaluationFailed; a value that isn't accepted is added to `wrong`."""
        value = self.evaluator.evaluate(argument.value, scope, flow)
        if isinstance(value, BlockValue) and isinstance(info.kind, Stage):
            return value
        if not isinstance(value, BlockValue | Tensor):
            try:
                return cast("Bound", info.kind.accept(cast("Value", value)))
            except UnfitError:
                pass
        change = self._without_input(call, scope, flow)
        text = _found(value, is_block=isinstance(info.kind, Stage))
        label, secondary = self.locator.locate(call.span, argument.value, call.arguments, scope, text)
        wrong.append(
            _Wrong(
                "E0304",
                f"`{info.name}` of `{call.callee}` must be {info.kind.describe()}",
                label,
                f"`{info.name}`: {info.doc}",
                f"`{info.name}` must be {info.kind.describe()}",
                lambda: change or argument_translation.unfit(info, argument, value, call.callee),
                secondary,
            )
        )
        raise EvaluationFailed


def _found(value: Bound, *, is_block: bool) -> str:
    """What an argument is, where another type is needed."""
    is_undefined = is_block and isinstance(value, Symbol) and value not in LAYERS
    return f"no block `{value}` is defined" if is_undefined else f"this is {describe(value)}"


def _is_value(argument: nodes.Argument) -> bool:
    """Whether the text shows that an argument is no block."""
    return not isinstance(argument.value, nodes.Name | nodes.Index | nodes.Conditional)


def _is_counted(wrong: list[_Wrong]) -> bool:
    """Whether one more wrong argument isn't shown, since errors are limited; then it is only counted."""
    is_counted = len(wrong) >= limits.current().diagnostics
    if is_counted:
        wrong.append(wrong[-1])
    return is_counted


def _misplaced(
    argument: nodes.Argument, names: Sequence[str], call: Invocation, change: Change | None, *, is_late: bool
) -> _Wrong:
    """A positional argument that is one too many, or follows a named one; `change` is what was meant, if known."""
    if is_late:
        message = what = "a positional argument follows a named one"
        help_text = "pass it by name, or move it before the named arguments"
    elif names:
        what = f"`{call.callee}` takes at most {len(names)} argument{'s' if len(names) > 1 else ''}"
        message, help_text = what, f"its arguments: {shortened([f'`{name}`' for name in names])}"
    else:
        message = what = f"`{call.callee}` takes no arguments"
        help_text = f"if it computes the input, write it before: `{argument.span.text} -> {call.callee}`"
        if not any(nodes.inside([argument.value], nodes.CallExpression)):
            help_text, change = "delete it", change or argument_translation.superfluous(argument)
    return _Wrong("E0301", message, Label(argument.span), help_text, what, lambda: change)


def _repeated(
    argument: nodes.Argument, before: nodes.Argument, name: str, call: Invocation, change: Change | None
) -> _Wrong:
    """An argument that is given a second time; `change` is what was meant, if known."""
    return _Wrong(
        "E0305",
        f"`{name}` of `{call.callee}` is given twice",
        Label(argument.span, "again here"),
        "keep one of the two",
        f"`{name}` is given twice",
        lambda: change,
        (Label(before.span, "first here"),),
    )


def _is_valid(layer: type[Layer], arguments: Sequence[nodes.Argument], values: Mapping[Span, Bound], x: Shape) -> bool:
    """Whether a layer accepts these arguments and an input of shape `x`."""
    infos = arguments_of(layer)
    names = [one.keyword.text if one.keyword else info.name for one, info in zip(arguments, infos, strict=False)]
    kinds = {info.name: info.kind for info in infos}
    if len(arguments) > len(infos) or not kinds.keys() >= set(names):
        return False
    try:
        made = layer(
            **{
                name: kinds[name].accept(cast("Any", values[one.span]))
                for name, one in zip(names, arguments, strict=True)
            }
        )
        made.check()
        made.infer(x)
    except (UnfitError, MisfitError, TypeError):
        return False
    return True
