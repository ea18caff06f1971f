"""The wrong arguments of a call: what is wrong with each, what it was meant to be, and the report of all of them."""

from collections.abc import Callable, Mapping, Sequence

from cifar_dsl.compiler import argument_translation
from cifar_dsl.compiler.argument_translation import Call, Change, can_apply
from cifar_dsl.compiler.error_location import Location
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.values import Bound
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import listed, shortened
from cifar_dsl.ir import ArgumentInfo
from cifar_dsl.language.diagnostics import Advice, Label, Reporter
from cifar_dsl.language.syntax import nodes

_STEPS_OF_A_SEARCH = 100  # for what an argument with an unknown name means; measured by bench/check_cost.py
_NO_SUCH = "no such argument"


@frozen
class _Wrong:
    """A wrong argument, not yet reported; `find` looks for what was meant."""

    code: str
    message: str
    label: Label
    help: str
    what: str  # the message, if the message of the call mentions all wrong arguments
    find: Callable[[], Change | None]
    secondary: tuple[Label, ...] = ()


class WrongArguments:
    """Collects the wrong arguments of a call, so that one error can show the whole call as it is meant."""

    def __init__(self, call: Invocation, reporter: Reporter) -> None:
        self._call = call
        self._reporter = reporter
        self._found: list[_Wrong] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def is_full(self) -> bool:
        """Whether one more isn't shown, since errors are limited."""
        return len(self._found) >= limits.current().diagnostics

    # ---- kinds of wrong arguments

    def add_unknown(self, argument: nodes.Argument, names: Sequence[str]) -> nodes.Argument | None:
        """Add an argument with a name that isn't among `names`; the argument with the name that is meant, or None."""
        keyword, callee = argument.keyword, self._call.callee
        assert keyword is not None
        if self.is_full:
            return None
        self._reporter.work.charge(_STEPS_OF_A_SEARCH + sum(map(len, names)))
        change = argument_translation.unknown(argument, names, self._call.text)
        arguments = shortened([f"`{name}`" for name in names])
        self._found.append(
            _Wrong(
                "E0301",
                f"`{callee}` has no argument `{keyword}`",
                Label(keyword.span),
                f"arguments of `{callee}`: {arguments}" if names else f"`{callee}` takes no arguments",
                _NO_SUCH,
                lambda: change,
            )
        )
        return change.renamed() if change else None

    def add_misplaced(
        self, argument: nodes.Argument, names: Sequence[str], meant: Callable[[], Change | None], *, is_late: bool
    ) -> None:
        """Add a positional argument that follows a named one (`is_late`) or is one too many.

        `meant` finds what the call is meant to be, if that is known.
        """
        if self.is_full:
            return
        change, callee = meant(), self._call.callee
        if is_late:
            message = what = "a positional argument follows a named one"
            help_text = "pass it by name, or move it before the named arguments"
        elif names:
            what = f"`{callee}` takes at most {len(names)} argument{'s' if len(names) > 1 else ''}"
            message, help_text = what, f"its arguments: {shortened([f'`{name}`' for name in names])}"
        else:
            message = what = f"`{callee}` takes no arguments"
            help_text = f"if it computes the input, write it before: `{argument.span.text} -> {callee}`"
            if not any(nodes.inside([argument.value], nodes.CallExpression)):
                help_text, change = "delete it", change or argument_translation.superfluous(argument)
        self._found.append(_Wrong("E0301", message, Label(argument.span), help_text, what, lambda: change))

    def add_repeated(
        self, argument: nodes.Argument, before: nodes.Argument, name: str, meant: Callable[[], Change | None]
    ) -> None:
        """Add an argument that is given a second time; `meant` as in `add_misplaced`."""
        if self.is_full:
            return
        change = meant()
        self._found.append(
            _Wrong(
                "E0305",
                f"`{name}` of `{self._call.callee}` is given twice",
                Label(argument.span, "again here"),
                "keep one of the two",
                f"`{name}` is given twice",
                lambda: change,
                (Label(before.span, "first here"),),
            )
        )

    def add_unfit(
        self, argument: nodes.Argument, info: ArgumentInfo, value: Bound, at: Location, change: Change | None
    ) -> None:
        """Add an argument whose value isn't accepted; `change` is what the call is meant to be, if that is known."""
        label, secondary = at
        callee = self._call.callee
        self._found.append(
            _Wrong(
                "E0304",
                f"`{info.name}` of `{callee}` must be {info.kind.describe()}",
                label,
                f"`{info.name}`: {info.doc}",
                f"`{info.name}` must be {info.kind.describe()}",
                lambda: change or argument_translation.unfit(info, argument, value, callee),
                secondary,
            )
        )

    # ---- the report

    def report(self) -> None:
        """Report them, as many as are shown: in one error, if a program can change several."""
        rest, text = self._found[: limits.current().diagnostics], self._call.text
        if len(rest) > 1:
            found = [(one, one.find()) for one in rest]
            together = {one: change for one, change in found if change and can_apply(change, text)}
            if len(together) > 1:
                rest = [one for one in rest if one not in together]
                self._report_together(together)
        for one in rest:
            self._report_alone(one, text)

    def _report_alone(self, one: _Wrong, call: Call) -> None:
        def meant() -> Advice | None:
            change = one.find()
            return argument_translation.advice([change], call) if change else None

        notes = self._reporter.remarks_on(self._call.callee_span)
        self._reporter.error(
            one.code, one.message, one.label, secondary=one.secondary, notes=notes, help=one.help, meant=meant
        )

    def _report_together(self, found: Mapping[_Wrong, Change]) -> None:
        """Report arguments that a program can change, the first in the text first."""
        changes = tuple(dict.fromkeys(found.values()))
        first, *others = sorted(found, key=lambda one: (one.label.span not in self._call.span, one.label.span.start))
        advice = argument_translation.advice(changes, self._call.text)
        notes = self._reporter.remarks_on(self._call.callee_span)
        if len(changes) == 1:  # all others follow from one mistake
            self._reporter.error(
                first.code, first.message, first.label, secondary=first.secondary, notes=notes, meant=advice
            )
            return
        callee = self._call.callee
        if all(one.what == _NO_SUCH for one in found):
            labels = [one.label for one in (first, *others)]
            message = f"`{callee}` has no arguments {listed([f'`{label.span.text}`' for label in labels], 'and')}"
        else:
            message = f"several arguments of `{callee}` are wrong"
            labels = [Label(one.label.span, one.what) for one in (first, *others)]
        self._reporter.error(first.code, message, labels[0], secondary=tuple(labels[1:]), notes=notes, meant=advice)
