"""W0408: a selection of images that keeps all of them."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label


@network_lint
def keeps_all(analysis: Analysis) -> Iterator[Diagnostic]:
    """Recipes whose choice of images leaves none of a batch out."""
    recipe, setting = analysis.recipe, analysis.program.settings.get("keep")
    if recipe is None or setting is None or not recipe.keep.chooses or recipe.keep.every > 1:
        return
    if recipe.keep.kept_of(recipe.batch) == recipe.batch:
        yield Diagnostic(
            "W0408",
            f"`{recipe.keep.brief()}` keeps all {recipe.batch} images of a batch",
            Label(setting.span),
            help=("write `keep all`, or a smaller share, such as `hardest(0.5)`",),
            fixes=(Fix("write `keep all`", (Edit(setting.chain.span, "all"),)),),
        )
