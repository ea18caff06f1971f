"""Reports the errors and warnings of one file."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from cifar_dsl.compiler import Analysis, ChosenData, Library, examine
from cifar_dsl.compiler.lints import rules as _rules  # noqa: F401  # registers the lints
from cifar_dsl.compiler.lints.allowing import without_allowed
from cifar_dsl.compiler.lints.registry import NETWORK_LINTS, TEXT_LINTS
from cifar_dsl.foundation import cancellation, limits
from cifar_dsl.foundation.garbage_collection import without_collections
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.language.diagnostics import Diagnostic, SpecError


@frozen
class Inspection:
    """The analysis of a file, None if it has errors, and all its diagnostics."""

    found: Analysis | Library | None
    diagnostics: tuple[Diagnostic, ...]


@without_collections()
def inspect(
    path: Path,
    root: Path | None = None,
    overrides: Sequence[str] = (),
    texts: Mapping[Path, str] | None = None,
    data: ChosenData | None = None,
) -> Inspection:
    """The errors of the spec or library at `path`, or else its warnings. The arguments are those of `examine`.

    Warnings concern the file's own text; inspecting a base reports the warnings of the base.
    """
    try:
        found = examine(path, root, overrides, texts, data)
    except SpecError as error:
        return Inspection(None, error.diagnostics)
    return Inspection(found, warnings(found))


def naming(one: Diagnostic, path: Path) -> Diagnostic:
    """The diagnostic of the spec at `path`; its message names the spec if it stands in another file, as in a base."""
    place = one.label.span.source if one.label else None
    if place is None or not place.is_file or place.name == str(path):
        return one
    return evolve(one, message=f"{one.message}, in {path}")


def warnings(found: Analysis | Library) -> tuple[Diagnostic, ...]:
    """The warnings about a file without errors, and its overrides, in the order of the texts. Raises CancelledError."""
    source = found.source
    items = found.program.own if isinstance(found, Analysis) else tuple(found.blocks.values())
    lints = [partial(lint, items, found) for lint in TEXT_LINTS]
    if isinstance(found, Analysis):
        lints += [partial(lint, found) for lint in NETWORK_LINTS]
    given: list[Diagnostic] = []
    for lint in lints:
        cancellation.current().raise_if_requested()
        given += lint()
    places = ((one, one.label.span.source) for one in given if one.label)
    own = [one for one, place in places if place is source or place.is_override]
    return tuple(
        sorted(without_allowed(own, source), key=lambda diagnostic: diagnostic.sort_key)[: limits.current().diagnostics]
    )
