"""The one way in which the compiler reports an error: `Reporter.error`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from attrs import define, field

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics.model import Diagnostic, Fix, Label, SpecError, replacement
from cifar_dsl.language.source import Source, Span


class EvaluationFailed(Exception):  # noqa: N818  # control flow inside the compiler: the error has been reported
    """Something has no value, or no shape. Raised where the reason has been reported, caught where work can resume."""


@frozen
class Cause:
    """The one reason for everything that is wrong inside a call, such as two swapped arguments."""

    label: Label
    help: str


@frozen
class _Call:
    """A call of a block that is being expanded, as a person would write it."""

    text: str
    span: Span
    cause: Cause | None


@define
class Reporter:
    """Collects diagnostics, so that every error of a spec is reported at once.

    A diagnostic is complete when it is recorded: the calls on the stack decide its place and its notes. The same error
    met again (a block's body is expanded at every call) is recorded once.
    """

    main: Source | None = None  # the text that is being checked, whose errors come first
    _recorded: dict[object, Diagnostic] = field(factory=dict, init=False)
    _calls: list[_Call] = field(factory=list, init=False)  # outermost first

    def error(
        self,
        code: str,
        message: str,
        at: Span | Label,
        *,
        secondary: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str | tuple[str, ...] = (),  # noqa: A002
        meant: str | None = None,
        fixes: tuple[Fix, ...] = (),
    ) -> EvaluationFailed:
        """Record an error at a place, which a label describes further. Raise the result where work can't continue.

        `meant` is the name that was most likely intended: it replaces the help, and its fix writes it at the place.
        Inside calls, notes list them. For an error in a block of the library, the place is the call in the author's
        text. Inside a call with a cause, the first error is recorded at the cause; the others follow from it.
        """
        label = at if isinstance(at, Label) else Label(at)
        key: object = (code, label.span)
        if key in self._recorded:
            return EvaluationFailed()
        helps = (help,) if isinstance(help, str) else help
        if meant:
            helps, fixes = (f"did you mean `{meant}`?",), replacement(label.span, meant)
        notes += tuple(f"in `{call.text}`, called at {call.span}" for call in reversed(self._calls))
        if label.span.source.is_library:
            own = next((call.span for call in reversed(self._calls) if not call.span.source.is_library), None)
            if own:
                label, secondary = Label(own, "in this call"), (label, *secondary)
        for cause in (call.cause for call in reversed(self._calls) if call.cause):
            key = cause.label.span
            label, secondary, helps, fixes = cause.label, (label, *secondary), (cause.help,), ()
        self._recorded.setdefault(key, Diagnostic(code, message, label, secondary, notes, helps, fixes))
        return EvaluationFailed()

    def include(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Record the diagnostics of a text that was parsed on its own."""
        for one in diagnostics:
            self._recorded.setdefault((one.code, one.label and one.label.span), one)

    @contextmanager
    def call(self, text: str, span: Span, cause: Cause | None = None) -> Iterator[None]:
        """While a block's call is expanded. `cause`, if there is one, is the reason for every error inside."""
        self._calls.append(_Call(text, span, cause))
        try:
            yield
        finally:
            self._calls.pop()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The diagnostics in the order of the text, those of the main text first; `limits.diagnostics` at most."""
        ordered = sorted(self._recorded.values(), key=lambda one: (not self._is_main(one), one.sort_key))
        return tuple(ordered[: limits.current().diagnostics])

    def _is_main(self, diagnostic: Diagnostic) -> bool:
        return diagnostic.label is not None and diagnostic.label.span.source is self.main

    def __bool__(self) -> bool:
        return bool(self._recorded)

    def raise_if_any(self) -> None:
        """Raise `SpecError` with every diagnostic, if there is one."""
        if self._recorded:
            raise SpecError(self.diagnostics)
