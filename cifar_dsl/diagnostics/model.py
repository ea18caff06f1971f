"""A finding about a spec, and the reporter that gathers them."""

from collections.abc import Iterable, Sequence

from attrs import define, field, frozen

from cifar_dsl.diagnostics.codes import CODES
from cifar_dsl.limits import DIAGNOSTICS
from cifar_dsl.source import Span


@frozen
class Label:
    """Something said about a place: drawn under the excerpt."""

    span: Span
    text: str = ""


@frozen
class Diagnostic:
    """One error: what and where (`message`, `label`), why (`notes`), what to do (`help`).

    `label` is None only where no text exists to point at, as when a file is missing.
    """

    code: str = field()
    message: str
    label: Label | None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()

    @code.validator
    def _is_known(self, _attribute: object, value: str) -> None:
        if value not in CODES:
            raise AssertionError(f"{value} is not in the table of codes")

    @property
    def sort_key(self) -> tuple[str, int, str]:
        """Order of a listing: by file, then by place."""
        if self.label is None:
            return ("", 0, self.code)
        return (self.label.span.source.name, self.label.span.start, self.code)


class SpecError(Exception):
    """A spec is wrong; `diagnostics` says how, one entry for each mistake."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        from cifar_dsl.diagnostics.render import render_full

        return "\n\n".join(render_full(diagnostic) for diagnostic in self.diagnostics)


@define
class Reporter:
    """Gathers diagnostics, so that a file's mistakes are all told at once.

    The same mistake met again (a block's body is expanded at every call) counts once.
    """

    _found: dict[object, Diagnostic] = field(factory=dict)

    def report(self, diagnostic: Diagnostic) -> None:
        """Take a diagnostic down, unless this place already has one of this code."""
        span = diagnostic.label.span if diagnostic.label else diagnostic.message
        self._found.setdefault((diagnostic.code, span), diagnostic)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The findings in the order of the text, at most 20."""
        return tuple(sorted(self._found.values(), key=lambda d: d.sort_key)[:DIAGNOSTICS])

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self) -> None:
        """Raise `SpecError` with all that was reported."""
        if self._found:
            raise SpecError(self.diagnostics)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, or None if none is near."""
    from difflib import get_close_matches  # only a wrong spec waits for it

    candidates = sorted(set(known) - {name})
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    matches = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None
