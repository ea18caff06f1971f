"""Groups equal diagnostics, so that people read one message for one mistake that a text repeats."""

from collections.abc import Iterable

from cifar_dsl.foundation.records import evolve
from cifar_dsl.foundation.text import listed
from cifar_dsl.language.diagnostics.model import Diagnostic

_MOST = 10  # lines in a note


def grouped(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The first of each group of diagnostics that say the same about one text, with a note of the lines of the others.

    Programs get all of them: every place has its own fix.
    """
    groups: dict[object, list[Diagnostic]] = {}
    for one in diagnostics:
        place = (one.label.span.source, one.label.text) if one.label else id(one)
        help_text = () if one.fixes and one.fixes[0].is_safe else one.help  # `--fix` rewrites each place
        groups.setdefault((one.code, one.message, help_text, place), []).append(one)
    return [_with_lines(*group) for group in groups.values()]


def _with_lines(first: Diagnostic, *others: Diagnostic) -> Diagnostic:
    lines = sorted({other.label.span.line for other in others if other.label})
    if not lines:
        return first
    shown = [str(line) for line in lines[:_MOST]]
    if len(lines) > _MOST:
        shown.append(f"{len(lines) - _MOST} more")
    note = f"the same on line{'s' if len(shown) > 1 else ''} {listed(shown, 'and')}"
    return evolve(first, notes=(*first.notes, note))
