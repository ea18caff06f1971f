"""W0404: outputs that have no part in the loss, since the teacher or the labels have no share of it."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.ir import trained_outputs
from cifar_dsl.language.diagnostics import Diagnostic, Label


@network_lint
def lessons_without_share(analysis: Analysis) -> Iterator[Diagnostic]:
    """Networks with exits for a teacher, of which those or all others aren't trained."""
    graph, recipe, setting = analysis.graph, analysis.recipe, analysis.program.settings.get("distill")
    if recipe is None or setting is None or not recipe.distill.weight:
        return
    outputs = trained_outputs(graph)
    pupils = [one for one in outputs if one.learns_from_teacher]
    others = [one for one in outputs if not one.learns_from_teacher and one.weight]
    if not pupils:
        return
    maker = graph.maker(pupils[0].value)
    if not any(one.weight for one in pupils) and maker is not None and maker.span is not None:
        yield Diagnostic(
            "W0404",
            f"nothing learns from the teacher: the weight of `{pupils[0].name}` is 0",
            Label(maker.span),
            help=("write `exit(1, learns=teacher)`, or another weight",),
        )
    if others and recipe.distill.weight == 1:
        yield Diagnostic(
            "W0404",
            f"`{others[0].name}` learns the labels, which have no share of the loss",
            Label(setting.span),
            help=("reduce `weight` of `distill`, the share of the teacher, or give the exit `learns=teacher`",),
        )
