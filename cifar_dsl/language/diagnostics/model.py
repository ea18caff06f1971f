"""Diagnostics as data: what is wrong with a spec, where, why, and how to fix it."""

from collections.abc import Iterable, Sequence

from attrs import field

from cifar_dsl.foundation.errors import CifarDslError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics.codes import known_codes
from cifar_dsl.language.source import Span


@frozen
class Label:
    """A place with a text, shown under the excerpt."""

    span: Span
    text: str = ""


@frozen
class Edit:
    """Replaces the text of a span, which may be empty."""

    span: Span
    replacement: str


@frozen
class Fix:
    """A change of the text that fixes a diagnostic. A safe fix never changes the meaning of a spec."""

    title: str
    edits: tuple[Edit, ...]
    is_safe: bool = False


@frozen
class Diagnostic:
    """An error or warning: what and where (`message`, `label`), details (`notes`), how to fix it (`help`, `fixes`).

    `label` is None only if there is no text to point at, such as for a missing file.
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
        if value not in known_codes():
            raise AssertionError(f"{value} has no section in docs/diagnostics.md")

    @property
    def severity(self) -> str:
        """`error` or `warning`."""
        return known_codes()[self.code].severity

    @property
    def sort_key(self) -> tuple[str, int, str]:
        """The sort key of a list of diagnostics: by file, then by place."""
        if self.label is None:
            return ("", 0, self.code)
        return (self.label.span.source.name, self.label.span.start, self.code)


class SpecError(CifarDslError):
    """A spec has errors; `diagnostics` holds one entry for each.

    Raised by the compiler. The command line prints the diagnostics and exits with 1.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        from cifar_dsl.language.diagnostics.render import render_full

        return "\n\n".join(render_full(diagnostic) for diagnostic in self.diagnostics)


def replacement(span: Span, text: str | None) -> tuple[Fix, ...]:
    """The fix that replaces `span` with `text`; empty if `text` is None."""
    return (Fix(f"write `{text}`", (Edit(span, text),)),) if text else ()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to `name`, or None if none is similar."""
    from difflib import get_close_matches  # only needed for a spec with errors

    candidates = sorted(set(known) - {name})
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    matches = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None
