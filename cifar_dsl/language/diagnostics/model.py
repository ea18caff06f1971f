"""Diagnostics as data: what is wrong with a spec, where, why, and how to fix it."""

from collections.abc import Iterable, Sequence

from cifar_dsl.foundation.errors import CifarDslError
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.foundation.text import without_middle
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
    """A change of the text that fixes a diagnostic.

    A safe fix never changes the meaning of a valid spec; of a refused one, it writes what the text says in other words.
    """

    title: str
    edits: tuple[Edit, ...]
    is_safe: bool = False


def _known(code: str) -> str:
    if code not in known_codes():
        raise AssertionError(f"{code} has no section in docs/diagnostics.md")
    return code


def _all_without_middle(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(without_middle, texts))


@frozen
class Diagnostic:
    """An error or warning: what and where (`message`, `label`), details (`notes`), how to fix it (`help`, `fixes`).

    `label` is None only if there is no text to point at, such as for a missing file.
    """

    code: str = field(converter=_known)
    message: str = field(converter=without_middle)
    label: Label | None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = field(default=(), converter=_all_without_middle)
    help: tuple[str, ...] = field(default=(), converter=_all_without_middle)
    fixes: tuple[Fix, ...] = ()

    @property
    def severity(self) -> str:
        """`error` or `warning`."""
        return known_codes()[self.code].severity

    @property
    def fix_options(self) -> str:
        """The options of `cifar-dsl check` that apply a fix, "" if there is none for a file."""
        if not any(edit.span.source.is_file for fix in self.fixes for edit in fix.edits):
            return ""
        return "--fix" if self.fixes[0].is_safe else "--fix --unsafe-fixes"

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
        from cifar_dsl.language.diagnostics.grouping import grouped
        from cifar_dsl.language.diagnostics.render import CHECK, render_full

        return "\n\n".join(render_full(diagnostic, fixing=CHECK) for diagnostic in grouped(self.diagnostics))


@frozen
class Advice:
    """How to fix a diagnostic: the help, and the fix that applies it, if a program can."""

    help: str
    fixes: tuple[Fix, ...] = ()

    @classmethod
    def to_write(cls, span: Span, text: str, *, is_safe: bool = False) -> "Advice":
        """The advice that `text` was meant at `span`."""
        return cls(f"did you mean `{text}`?", replacement(span, text, is_safe=is_safe))


def replacement(span: Span, text: str | None, *, is_safe: bool = False) -> tuple[Fix, ...]:
    """The fix that replaces `span` with `text`; empty if `text` is None."""
    return (Fix(f"write `{text}`", (Edit(span, text),), is_safe),) if text else ()
