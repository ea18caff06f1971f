"""Binds the arguments of a call to the declaration that it calls, and checks them."""

from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from cifar_dsl.compiler.dataflow import TENSORS, refusal
from cifar_dsl.compiler.error_location import ErrorLocator, Location
from cifar_dsl.compiler.foreign_order import input_channels
from cifar_dsl.compiler.invocation import Evaluates, Invocation
from cifar_dsl.compiler.values import BlockValue, Bound, Flow, Tensor, ValueScope, describe
from cifar_dsl.compiler.wrong_arguments import WrongArguments
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.foundation.text import MOST_LISTED, shortened
from cifar_dsl.ir import ArgumentInfo, Declaration, Symbol, Value, arguments_of
from cifar_dsl.language.diagnostics import EvaluationFailed, Label, Reporter
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.argument_types import Stage, UnfitError
from cifar_dsl.operations.layers import LAYERS, Layer
from cifar_dsl.operations.registry import MisfitError

D = TypeVar("D", bound=Declaration)

_CONSTANTS = (nodes.Number, nodes.Truth, nodes.String, nodes.SizeLiteral)


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
            self.refuse_tensors(call, frozenset(info.name for info in infos), scope, is_layer=True)
        wrong = WrongArguments(call, self.reporter)
        count = len(call.arguments)
        call, given = self.matched([info.name for info in infos], call, wrong, scope, flow)
        values: dict[str, Any] = {}
        required = [info.name for info in infos if info.is_required]
        is_complete = self.require(required, given, count - len(given), call, infos)
        for info in infos:
            if info.name in given:
                try:
                    values[info.name] = self._accepted(info, given[info.name], scope, flow, call, wrong)
                except EvaluationFailed:
                    is_complete = False
        if wrong:
            wrong.report()
        if wrong or not is_complete:
            raise EvaluationFailed
        made = declaration(**values)
        try:
            made.check()
        except MisfitError as error:
            label, secondary = self.locate(call, error, [info.name for info in infos], scope)
            raise self.reporter.error(error.code, error.message, label, secondary=secondary, help=error.help) from None
        return made

    def _accepted(
        self,
        info: ArgumentInfo,
        argument: nodes.Argument,
        scope: ValueScope,
        flow: Flow | None,
        call: Invocation,
        wrong: WrongArguments,
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
        change = input_channels(call, scope, flow, self.evaluator)
        text = describe_unfit(value, is_block=isinstance(info.kind, Stage))
        at = self.locator.locate(call.span, argument.value, call.arguments, scope, text)
        wrong.add_unfit(argument, info, value, at, change)
        raise EvaluationFailed

    def locate(self, call: Invocation, error: MisfitError, order: Sequence[str], scope: ValueScope) -> Location:
        """Where to show an error of a call; `order`: names of its positional arguments."""
        given = call.given(error.argument, order)
        if error.code == "E0307":  # if a window doesn't fit, its input is more often the mistake
            return Label(given.value.span if given else call.span, error.label), ()
        return self.locator.locate(call.span, given.value if given else None, call.arguments, scope, error.label)

    # ---- arguments of any callee: a declaration or a block

    def refuse_tensors(
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
        notes = self.reporter.remarks_on(call.callee_span)
        raise self.reporter.error("E0301", found.message, found.at, notes=notes, meant=found.advice)

    def matched(
        self, names: Sequence[str], call: Invocation, wrong: WrongArguments, scope: ValueScope, flow: Flow | None
    ) -> tuple[Invocation, dict[str, nodes.Argument]]:
        """The call as it is meant, and its arguments by name; those that match no parameter are added to `wrong`.

        An argument with a name of another framework, which is wrong, too, is matched by its name here.
        """
        self.reporter.work.charge(len(names) + len(call.arguments))
        if len(call.arguments) <= len(names) and not any(argument.keyword for argument in call.arguments):
            return call, dict(zip(names, call.arguments, strict=False))
        kept: list[nodes.Argument] = []
        known = frozenset(names)
        for argument in call.arguments:
            is_known = argument.keyword is None or argument.keyword.text in known
            if meant := argument if is_known else wrong.add_unknown(argument, names):
                kept.append(meant)
        if wrong:
            call = evolve(call, arguments=tuple(kept), written=call.arguments)
        given: dict[str, nodes.Argument] = {}
        has_keyword = False
        without_channels = cache(lambda: input_channels(call, scope, flow, self.evaluator))
        for position, argument in enumerate(kept):
            has_keyword = has_keyword or argument.keyword is not None
            if argument.keyword is None and (position >= len(names) or has_keyword):
                wrong.add_misplaced(argument, names, without_channels, is_late=position < len(names))
                continue
            name = argument.keyword.text if argument.keyword else names[position]
            if name in given:
                wrong.add_repeated(argument, given[name], name, without_channels)
            given[name] = argument
        return call, given

    def require(
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


def describe_unfit(value: Bound, *, is_block: bool) -> str:
    """What an argument is, where another type is needed."""
    is_undefined = is_block and isinstance(value, Symbol) and value not in LAYERS
    return f"no block `{value}` is defined" if is_undefined else f"this is {describe(value)}"
