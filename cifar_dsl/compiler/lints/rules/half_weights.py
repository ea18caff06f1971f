"""W0411: optimizers whose squares of gradients vanish in float16."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.operations.recipe.half_weights import vanishing_squares


@network_lint
def squares_in_float16(analysis: Analysis) -> Iterator[Diagnostic]:
    """Optimizers that keep squares of gradients in float16, with the weights."""
    recipe, program = analysis.recipe, analysis.program
    if recipe is None:
        return
    for number in vanishing_squares(analysis.graph, recipe):
        group = None if number is None else recipe.groups[number]
        settings = program.groups[group.name].settings if group else {}
        optimizer = group.optimizer if group else recipe.optimizer
        yield Diagnostic(
            "W0411",
            f"`{optimizer.name}` keeps squares of gradients in float16, where they vanish",
            Label(program.settings["precision"].span),
            secondary=(Label({**program.settings, **settings}["optimizer"].span, "its state has the weights' format"),),
            help=("write `precision bf16`", "or keep the weights in float32, or use `sgd`, `lion` or `muon`"),
        )
