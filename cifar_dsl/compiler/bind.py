"""Arguments of a call -> an instance of what was called, checked against its declaration."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, cast

from attrs import field

from cifar_dsl.compiler.error_location import ErrorLocator, Location
from cifar_dsl.compiler.values import BlockValue, Bound, Tensor, ValueScope, describe
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import ArgumentInfo, Declaration, Symbol, arguments_of
from cifar_dsl.language.diagnostics import EvaluationFailed, Label, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.registry import MisfitError

D = TypeVar("D", bound=Declaration)


@frozen
class Invocation:
    """A call as it stands in the text: `callee(arguments)`, or the bare word."""

    callee: str
    callee_span: Span
    arguments: tuple[nodes.Argument, ...]
    span: Span

    @classmethod
    def of(cls, kind: nodes.Name | nodes.CallExpression) -> "Invocation":
        """The invocation that a name or a call expression is."""
        if isinstance(kind, nodes.Name):
            return cls(kind.text, kind.span, (), kind.span)
        return cls(kind.callee.text, kind.callee.span, kind.arguments, kind.span)

    def span_of(self, argument: str | None, order: Sequence[str]) -> Span:
        """Where `argument` stands, or the whole call when it isn't given."""
        given = self.given(argument, order)
        return given.value.span if given else self.span

    def given(self, argument: str | None, order: Sequence[str]) -> nodes.Argument | None:
        """What is given for `argument`, or None. `order`: that of arguments without names."""
        for position, given in enumerate(self.arguments):
            name = given.keyword.text if given.keyword else order[position] if position < len(order) else None
            if name == argument:
                return given
        return None

    def crossed(self, order: Sequence[str]) -> Span | None:
        """Two arguments without names that most likely stand the other way round.

        One is a bare word which is the name of the other.
        """
        unnamed = [argument for argument in self.arguments if argument.keyword is None][: len(order)]
        for i, argument in enumerate(unnamed):
            if isinstance(argument.value, nodes.Name) and argument.value.text in order[: len(unnamed)]:
                other = order.index(argument.value.text)
                if other != i:
                    first, last = unnamed[min(i, other)], unnamed[max(i, other)]
                    return Span(first.span.source, first.span.start, last.span.end)
        return None


class Evaluates(Protocol):
    """Whatever works out the values of arguments."""

    def evaluate(self, node: nodes.Expression, scope: ValueScope, flow: Tensor | None = None) -> Bound:
        """The value of `node`. Raises EvaluationFailed."""
        ...


@frozen
class Binder:
    """Matches arguments to names, evaluates them, and reports all that is wrong with them."""

    evaluator: Evaluates
    reporter: Reporter
    locator: ErrorLocator = field(factory=ErrorLocator)

    def declared(self, declaration: type[D], call: Invocation, scope: ValueScope, flow: Tensor | None = None) -> D:
        """The declared thing with these arguments. Raises EvaluationFailed."""
        infos = arguments_of(declaration)
        given = self.matched([info.name for info in infos], call)
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

    def locate(self, call: Invocation, error: MisfitError, order: Sequence[str], scope: ValueScope) -> Location:
        """Where to show an error of a call; `order` is that of its arguments without names."""
        given = call.given(error.argument, order)
        if error.code == "E0307":  # what is wrong with a window is more often its input
            return Label(given.value.span if given else call.span, error.label), ()
        return self.locator.locate(call.span, given.value if given else None, call.arguments, scope, error.label)

    def matched(self, names: Sequence[str], call: Invocation) -> dict[str, nodes.Argument]:
        """The arguments by name; what matches no name is reported and left out."""
        given: dict[str, nodes.Argument] = {}
        for position, argument in enumerate(call.arguments):
            if argument.keyword is None:
                if position >= len(names) or any(a.keyword for a in call.arguments[:position]):
                    self._misplaced(argument, names, call, is_late=position < len(names))
                    continue
                name = names[position]
            else:
                name = argument.keyword.text
                if name not in names:
                    self._unknown(argument.keyword, names, call)
                    continue
            if name in given:
                self.reporter.error(
                    "E0305",
                    f"`{name}` of `{call.callee}` is given twice",
                    Label(argument.span, "again here"),
                    secondary=(Label(given[name].span, "first here"),),
                    help="keep one of the two",
                )
            given[name] = argument
        return given

    def require(self, required: Sequence[str], given: dict[str, nodes.Argument], call: Invocation) -> bool:
        """Whether all required arguments are there; the missing ones are reported."""
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
            return False  # an argument that was refused is most likely the missing one
        if missing:
            docs = {info.name: f": {info.doc} ({info.kind.describe()})" for info in infos}
            self.reporter.error(
                "E0303",
                f"`{call.callee}` needs {' and '.join(f'`{name}`' for name in missing)}",
                call.span,
                help=tuple(f"add `{name}=...`{docs.get(name, '')}" for name in missing),
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
        near = nearest(value, info.kind.symbols()) if isinstance(value, Symbol) else None
        text = f"this is {describe(value)}"
        label, secondary = self.locator.locate(call.span, argument.value, call.arguments, scope, text)
        raise self.reporter.error(
            "E0304",
            f"`{info.name}` of `{call.callee}` is {info.kind.describe()}",
            label,
            secondary=secondary,
            help=f"`{info.name}`: {info.doc}",
            meant=near,
        )

    def _unknown(self, keyword: nodes.Identifier, names: Sequence[str], call: Invocation) -> None:
        taken = ", ".join(f"`{name}`" for name in names) or "no arguments"
        self.reporter.error(
            "E0301",
            f"`{call.callee}` has no argument `{keyword}`",
            keyword.span,
            help=f"`{call.callee}` takes {taken}",
            meant=nearest(keyword.text, names),
        )

    def _misplaced(self, argument: nodes.Argument, names: Sequence[str], call: Invocation, *, is_late: bool) -> None:
        if is_late:
            message, help_text = (
                "an argument without a name stands before those with one",
                "name this one too",
            )
        elif names:
            message = f"`{call.callee}` takes at most {len(names)} argument{'s' if len(names) > 1 else ''}"
            help_text = f"they are {', '.join(f'`{name}`' for name in names)}"
        else:
            message, help_text = f"`{call.callee}` takes no arguments", "delete it"
        self.reporter.error("E0301", message, argument.span, help=help_text)
