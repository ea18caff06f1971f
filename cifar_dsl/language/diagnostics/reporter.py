"""`Reporter.error`, the only way in which the compiler reports an error."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import OutOfStepsError, Work
from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.language.diagnostics.model import Advice, Diagnostic, Fix, Label, SpecError
from cifar_dsl.language.source import Source, Span

STEPS_AFTER_ERROR = 200_000  # later rounds of a loop mostly repeat the first error
_STEPS_OF_AN_ERROR = 40


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


@frozen
class _Recorded:
    """A diagnostic whose help, if it takes a search, is left out until it is shown: most of many errors never are."""

    diagnostic: Diagnostic
    place: Span | None = None
    help: Callable[[], str] | None = None
    meant: Callable[[], str | Advice | None] | None = None

    def complete(self) -> Diagnostic:
        if self.meant and (meant := self.meant()):
            assert self.place is not None
            advice = _advice(self.place, meant)
            return evolve(self.diagnostic, help=(advice.help,), fixes=advice.fixes)
        return evolve(self.diagnostic, help=(self.help(),)) if self.help else self.diagnostic


@define
class Reporter:
    """Collects diagnostics, so that every error of a spec is reported at once.

    A recorded diagnostic is final: the calls on the stack determine its place and notes. Repeated errors at one place
    (a block's body is expanded at every call) are recorded once; in the library, once for each call of the author.

    It also has the steps that the check may still take: few are left after the first error. `remarks` are notes for
    every error that points at a span.
    """

    main: Source | None = None  # the checked text; its errors come first
    work: Work = field(factory=Work, init=False)
    at: Span | None = field(default=None, init=False)  # what is being worked on
    remarks: dict[Span, str] = field(factory=dict, init=False)
    _recorded: dict[object, _Recorded] = field(factory=dict, init=False)
    _calls: list[_Call] = field(factory=list, init=False)  # outermost first

    def error(
        self,
        code: str,
        message: str,
        at: Span | Label,
        *,
        secondary: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str | tuple[str, ...] | Callable[[], str] = (),  # noqa: A002
        meant: str | Advice | Callable[[], str | Advice | None] | None = None,
        fixes: tuple[Fix, ...] = (),
    ) -> EvaluationFailed:
        """Record an error at a place; a label adds a text. Raise the result if work can't continue.

        `meant` is the most likely intended name, or other advice: it replaces the help, and a fix writes the name at
        the place. Pass a function for it or the help if they take a search among names: it is called if the error is
        shown.
        Inside calls, notes list the calls. An error in a block of the library is shown at the call in the author's
        text. Inside a call with a cause, only the first error is recorded, at the cause.
        """
        label = at if isinstance(at, Label) else Label(at)
        own = None  # the call in the author's text
        if label.span.source.is_library:
            own = next((call.span for call in reversed(self._calls) if not call.span.source.is_library), None)
        key: object = (code, label.span, own)
        self.work.done += _STEPS_OF_AN_ERROR + len(self._calls)
        if key in self._recorded:
            return EvaluationFailed()
        place, find_help, find_meant = label.span, None, None
        helps: tuple[str, ...] = ()
        if isinstance(help, str | tuple):
            helps = (help,) if isinstance(help, str) else help
        else:
            find_help = help
        if callable(meant):
            find_meant = meant
        elif meant:
            advice = _advice(place, meant)
            helps, fixes = (advice.help,), advice.fixes
        notes += self.remarks_on(*(one.span for one in (label, *secondary)))
        notes += tuple(f"in `{call.text}`, called at {call.span}" for call in reversed(self._calls))
        if own:
            label, secondary = Label(own, "in this call"), (label, *secondary)
        for cause in (call.cause for call in reversed(self._calls) if call.cause):
            key = cause.label.span
            label, secondary, helps, fixes = cause.label, (label, *secondary), (cause.help,), ()
            find_help = find_meant = None
        diagnostic = Diagnostic(code, message, label, secondary, notes, helps, fixes)
        self._record(key, _Recorded(diagnostic, place, find_help, find_meant))
        return EvaluationFailed()

    def remarks_on(self, *spans: Span) -> tuple[str, ...]:
        """The notes for errors that point at these spans."""
        return tuple(self.remarks[one] for one in spans if one in self.remarks)

    def _record(self, key: object, recorded: _Recorded) -> None:
        if not self._recorded:
            self.work.most = min(self.work.most, self.work.done + STEPS_AFTER_ERROR)
        self._recorded.setdefault(key, recorded)

    def include(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Record the diagnostics of a text that was parsed on its own."""
        for one in diagnostics:
            self._record((one.code, one.label and one.label.span, None), _Recorded(one))

    @contextmanager
    def call(self, text: str, span: Span, cause: Cause | None = None) -> Iterator[None]:
        """Wrap the expansion of a block call. `cause`, if given, is the cause of every error inside."""
        self._calls.append(_Call(text, span, cause))
        try:
            yield
        finally:
            self._calls.pop()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Wrap work that is charged: report that no steps are left, unless an error ended it, and raise SpecError."""
        try:
            yield
        except OutOfStepsError:
            self.out_of_steps()
            self.raise_if_any()

    def out_of_steps(self, *loops: Label) -> None:
        """Report that no steps are left for what is being worked on; `loops` are those it is in, the widest first."""
        if self._recorded:
            return
        assert self.at is not None
        label, *secondary = (*loops, Label(self.at, "limit exceeded here" if loops else ""))
        self.error(
            "E0211",
            f"a check can take at most {limits.current().steps:,} steps",
            label,
            secondary=tuple(secondary),
            help=("use smaller loops and lists; docs/limits.md says what counts as steps", limits.remedy("steps")),
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The diagnostics in text order, those of the main text first; at most `limits.diagnostics`."""
        return tuple(self.shown())

    def shown(self, is_wanted: Callable[[Diagnostic], bool] = lambda _: True) -> Iterator[Diagnostic]:
        """The diagnostics that are wanted, as in `diagnostics`; their help is looked for if they are."""
        ordered = sorted(self._recorded.values(), key=lambda one: self._order(one.diagnostic))
        wanted = (one.complete() for one in ordered if is_wanted(one.diagnostic))
        return islice(wanted, limits.current().diagnostics)

    def _order(self, diagnostic: Diagnostic) -> tuple[bool, tuple[str, int, str]]:
        is_main = diagnostic.label is not None and diagnostic.label.span.source is self.main
        return (not is_main, diagnostic.sort_key)

    def __bool__(self) -> bool:
        return bool(self._recorded)

    def raise_if_any(self) -> None:
        """Raise `SpecError` with all diagnostics, if there are any."""
        if self._recorded:
            raise SpecError(self.diagnostics)


def _advice(place: Span, meant: str | Advice) -> Advice:
    advice = Advice.to_write(place, meant) if isinstance(meant, str) else meant
    if not (place.source.is_override and advice.fixes):
        return advice
    fixed = _fixed_override(place.source, advice.fixes[0])
    return Advice(f"write `{place.source.name} {shlex.quote(fixed)}`", advice.fixes) if fixed else advice


def _fixed_override(source: Source, fix: Fix) -> str:
    """The text of an override after a fix; "" if the fix changes another text or writes more than an override holds."""
    text = source.text
    for edit in sorted(fix.edits, key=lambda edit: edit.span.start, reverse=True):
        if edit.span.source is not source:
            return ""
        text = text[: edit.span.start] + edit.replacement + text[edit.span.end :]
    text = re.sub(r"^([\w.]+) +(?=[^=])", r"\1=", text)  # as a setting of `train`, a fix writes no `=` ...
    if source.text.startswith("train.") and not text.startswith("train."):  # ... and no `train`
        text = f"train.{text}"
    return "" if "\n" in text or "=" not in text else text
