"""W0406: early stopping that training ends too early for."""

import math
from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.foundation.text import in_epochs
from cifar_dsl.language.diagnostics import Diagnostic, Label


@network_lint
def unreached_patience(analysis: Analysis) -> Iterator[Diagnostic]:
    """Early stopping whose patience outlasts the training."""
    recipe, settings = analysis.recipe, analysis.program.settings
    if recipe is None or not recipe.early_stopping.measure or recipe.early_stopping.shortest < math.ceil(recipe.epochs):
        return
    shortest = recipe.early_stopping.shortest
    # In a derived spec, the mistake is the one of the two that the spec sets itself.
    is_own = settings["epochs"].span.source is analysis.source
    advice = f"{'write' if is_own else 'set'} `epochs {shortest + 1:g}`, or reduce `patience`"
    yield Diagnostic(
        "W0406",
        f"early stopping has no effect: it can end a training after {in_epochs(shortest)} at the earliest, "
        f"but this one has {recipe.epochs:g}",
        Label(settings["epochs" if is_own else "early_stopping"].span),
        help=(advice,),
    )
