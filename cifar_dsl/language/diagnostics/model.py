"""A finding about a spec, and the reporter that gathers them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, evolve, field, frozen

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.errors import CifarDslError
from cifar_dsl.language.diagnostics.codes import CODES
from cifar_dsl.language.source import Source, Span


@frozen
class Label:
    """Something said about a place: drawn under the excerpt."""

    span: Span
    text: str = ""


@frozen
class Edit:
    """Text that is put in place of a span, which may be empty."""

    span: Span
    replacement: str


@frozen
class Fix:
    """A change of the text that would mend it. A safe one leaves the meaning of a spec as it is."""

    title: str
    edits: tuple[Edit, ...]
    is_safe: bool = False


@frozen
class Diagnostic:
    """One finding: what and where (`message`, `label`), why (`notes`), what to do (`help`, `fixes`).

    `label` is None only where no text exists to point at, as when a file is missing.
    """

    code: str = field()
    message: str
    label: Label | None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()

    @code.validator
    def _is_known(self, _attribute: object, value: str) -> None:
        if value not in CODES:
            raise AssertionError(f"{value} is not in the table of codes")

    @property
    def severity(self) -> str:
        """`error`, or `warning` for what a spec may do and most likely should not."""
        return CODES[self.code].severity

    @property
    def sort_key(self) -> tuple[str, int, str]:
        """Order of a listing: by file, then by place."""
        if self.label is None:
            return ("", 0, self.code)
        return (self.label.span.source.name, self.label.span.start, self.code)


class SpecError(CifarDslError):
    """A spec is wrong; `diagnostics` holds one entry for each error.

    Raised by the compiler. The command line prints the diagnostics and exits with 1.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        from cifar_dsl.language.diagnostics.render import render_full

        return "\n\n".join(render_full(diagnostic) for diagnostic in self.diagnostics)


@define
class Reporter:
    """Gathers diagnostics, so that a file's mistakes are all told at once.

    The same mistake met again (a block's body is expanded at every call) counts once.
    """

    main: Source | None = None  # the text that is being checked, whose mistakes are told first
    _found: dict[object, Diagnostic] = field(factory=dict)
    _trail: list[tuple[str, Span]] = field(factory=list)

    def report(self, diagnostic: Diagnostic) -> None:
        """Take a diagnostic down, with the trail that led to it, unless this place already has one of this code."""
        span = diagnostic.label.span if diagnostic.label else diagnostic.message
        if (diagnostic.code, span) not in self._found:
            trail = (f"in `{call}`, called at {place}" for call, place in reversed(self._trail))
            told = evolve(diagnostic, notes=(*diagnostic.notes, *trail))
            self._found[diagnostic.code, span] = self._at_the_call(told)

    def _at_the_call(self, diagnostic: Diagnostic) -> Diagnostic:
        """The same, told of the call in the author's own text, where its place is in a block of the library."""
        label = diagnostic.label
        calls = [place for _, place in reversed(self._trail) if not place.source.is_library]
        if label is None or not label.span.source.is_library or not calls:
            return diagnostic
        return evolve(diagnostic, label=Label(calls[0], "in this call"), secondary=(label, *diagnostic.secondary))

    @contextmanager
    def within(self, call: str, place: Span) -> Iterator[None]:
        """Note on everything reported inside in which call of a block it was come by."""
        self._trail.append((call, place))
        try:
            yield
        finally:
            self._trail.pop()

    @contextmanager
    def put_down_to(self, place: Span | None, text: str, help_text: str) -> Iterator[None]:
        """Put everything reported inside down to one cause, if `place` is one: of all that only the first is told."""
        if place is None:
            yield
            return
        before = dict(self._found)
        try:
            yield
        finally:
            found = [diagnostic for key, diagnostic in self._found.items() if key not in before]
            if found:
                first = found[0]
                secondary = (first.label, *first.secondary) if first.label else first.secondary
                told = evolve(first, label=Label(place, text), secondary=secondary, help=(help_text,), fixes=())
                self._found = before
                self._found.setdefault(place, told)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The findings in the order of the text, those of the text that is checked first; at most 20."""
        found = sorted(self._found.values(), key=lambda one: (not self._is_main(one), one.sort_key))
        return tuple(found[: limits.current().diagnostics])

    def _is_main(self, diagnostic: Diagnostic) -> bool:
        return diagnostic.label is not None and diagnostic.label.span.source is self.main

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self) -> None:
        """Raise `SpecError` with all that was reported."""
        if self._found:
            raise SpecError(self.diagnostics)


def replacement(span: Span, text: str | None) -> tuple[Fix, ...]:
    """The fix that puts `text` in place of `span`; none where there is no such text."""
    return (Fix(f"write `{text}`", (Edit(span, text),)),) if text else ()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, or None if none is near."""
    from difflib import get_close_matches  # only a wrong spec waits for it

    candidates = sorted(set(known) - {name})
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    matches = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None
