"""`Reporter.error`, the only way in which the compiler reports an error."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from attrs import define, field

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics.model import Advice, Diagnostic, Fix, Label, SpecError
from cifar_dsl.language.source import Source, Span


class EvaluationFailed(Exception):  # noqa: N818  # control flow inside the compiler: the error has been reported
    """A value or shape can't be computed, and the error has been reported. Caught where the compiler can continue."""


@frozen
class Cause:
    """The single cause of all errors inside a call, such as two swapped arguments."""

    label: Label
    help: str


@frozen
class _Call:
    """A block call that is being expanded, as text."""

    text: str
    span: Span
    cause: Cause | None


@define
class Reporter:
    """Collects diagnostics, so that every error of a spec is reported at once.

    A recorded diagnostic is final: the calls on the stack determine its place and notes. Repeated errors at one place
    (a block's body is expanded at every call) are recorded once.
    """

    main: Source | None = None  # the checked text; its errors come first
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
        meant: str | Advice | None = None,
        fixes: tuple[Fix, ...] = (),
    ) -> EvaluationFailed:
        """Record an error at a place; a label adds a text. Raise the result if work can't continue.

        `meant` is the most likely intended name, or other advice: it replaces the help, and a fix writes the name at
        the place.
        Inside calls, notes list the calls. An error in a block of the library is shown at the call in the author's
        text. Inside a call with a cause, only the first error is recorded, at the cause.
        """
        label = at if isinstance(at, Label) else Label(at)
        key: object = (code, label.span)
        if key in self._recorded:
            return EvaluationFailed()
        helps = (help,) if isinstance(help, str) else help
        if meant:
            advice = Advice.to_write(label.span, meant) if isinstance(meant, str) else meant
            helps, fixes = (advice.help,), advice.fixes
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
        """Wrap the expansion of a block call. `cause`, if given, is the cause of every error inside."""
        self._calls.append(_Call(text, span, cause))
        try:
            yield
        finally:
            self._calls.pop()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The diagnostics in text order, those of the main text first; at most `limits.diagnostics`."""
        return tuple(self.ordered[: limits.current().diagnostics])

    @property
    def ordered(self) -> list[Diagnostic]:
        """All diagnostics in the order of `diagnostics`."""
        return sorted(self._recorded.values(), key=lambda one: (not self._is_main(one), one.sort_key))

    def _is_main(self, diagnostic: Diagnostic) -> bool:
        return diagnostic.label is not None and diagnostic.label.span.source is self.main

    def __bool__(self) -> bool:
        return bool(self._recorded)

    def raise_if_any(self) -> None:
        """Raise `SpecError` with all diagnostics, if there are any."""
        if self._recorded:
            raise SpecError(self.diagnostics)
