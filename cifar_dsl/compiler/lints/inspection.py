"""Errors and warnings of one file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from cifar_dsl.compiler import Analysis, Library, examine
from cifar_dsl.compiler.lints.allowing import without_allowed
from cifar_dsl.compiler.lints.conditions import dead_branches
from cifar_dsl.compiler.lints.definitions import unused_definitions
from cifar_dsl.compiler.lints.flow import (
    activations_twice,
    biases_before_norms,
    dropping_pools,
    lost_tensors,
    softmax_before_loss,
)
from cifar_dsl.compiler.lints.schedules import unreached_rates
from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import Diagnostic, SpecError
from cifar_dsl.language.syntax import nodes

_OF_TEXTS: tuple[Callable[[Sequence[nodes.Item], "Analysis | Library"], Iterator[Diagnostic]], ...] = (
    unused_definitions,
    dead_branches,
)
_OF_NETWORKS: tuple[Callable[[Analysis], Iterator[Diagnostic]], ...] = (
    lost_tensors,
    biases_before_norms,
    dropping_pools,
    activations_twice,
    softmax_before_loss,
    unreached_rates,
)


@frozen
class Inspection:
    """What a file is found to be, None where it is wrong, and everything that there is to say about it."""

    found: Analysis | Library | None
    diagnostics: tuple[Diagnostic, ...]


def inspect(
    path: Path, root: Path | None = None, overrides: Sequence[str] = (), texts: Mapping[Path, str] | None = None
) -> Inspection:
    """The errors of the spec or library at `path`, or else its warnings. `texts`: see `compiler.files.SpecReader`.

    Warnings are about the file's own text; those of what it extends are told when that is inspected.
    """
    try:
        found = examine(path, root, overrides, texts)
    except SpecError as error:
        return Inspection(None, error.diagnostics)
    return Inspection(found, warnings(found))


def warnings(found: Analysis | Library) -> tuple[Diagnostic, ...]:
    """The warnings about a file that is right, in the order of its text."""
    source = found.source
    items = found.program.own if isinstance(found, Analysis) else tuple(found.blocks.values())
    given = [diagnostic for lint in _OF_TEXTS for diagnostic in lint(items, found)]
    if isinstance(found, Analysis):
        given += [diagnostic for lint in _OF_NETWORKS for diagnostic in lint(found)]
    own = [diagnostic for diagnostic in given if diagnostic.label and diagnostic.label.span.source is source]
    return tuple(
        sorted(without_allowed(own, source), key=lambda diagnostic: diagnostic.sort_key)[: limits.current().diagnostics]
    )
