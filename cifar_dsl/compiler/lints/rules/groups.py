"""W0402: groups with more epochs than the training."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.foundation.text import in_epochs
from cifar_dsl.language.diagnostics import Diagnostic, Label


@network_lint
def groups_beyond_training(analysis: Analysis) -> Iterator[Diagnostic]:
    """Groups whose schedule spans more epochs than the training has."""
    recipe, program = analysis.recipe, analysis.program
    if recipe is None:
        return
    for group in recipe.groups:
        if group.epochs is None or group.epochs <= recipe.epochs:
            continue
        places = [program.groups[group.name].settings["epochs"].span, program.settings["epochs"].span]
        # In a derived spec, the mistake is the one of the two that the spec sets itself.
        yield Diagnostic(
            "W0402",
            f"group `{group.name}` has {in_epochs(group.epochs)}, but training ends after {recipe.epochs:g}",
            Label(next((place for place in places if place.source is analysis.source), places[0])),
            help=(f"write `epochs {recipe.epochs:g}` in the group, or train for {in_epochs(group.epochs)}",),
        )
