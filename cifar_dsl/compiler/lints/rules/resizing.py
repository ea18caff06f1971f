"""W0407: training that ends on smaller images than those of the tests."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.operations.recipe.augmentation import resizing


@network_lint
def tests_of_another_size(analysis: Analysis) -> Iterator[Diagnostic]:
    """A schedule of sizes whose last epoch isn't at full size."""
    recipe = analysis.recipe
    resize = resizing(recipe.augment) if recipe else None
    if recipe is None or resize is None:
        return
    begun = [image for after, image in zip(resize.at, resize.sizes, strict=True) if after < recipe.epochs]
    height, width = begun[-1]
    rows, columns = analysis.graph.input.extents[1:]
    if (height, width) == (rows, columns):
        return
    at = analysis.program.settings["augment"].chain.elements[recipe.augment.index(resize)].span
    late = len(begun) < len(resize.sizes)
    why = f"the next size would begin after {resize.at[len(begun)]} epochs" if late else "tests see images of full size"
    yield Diagnostic(
        "W0407",
        f"training ends on images of {height}x{width}, but tests run on {rows}x{columns}: {why}",
        Label(at),
        help=(f"let the last size be {rows}x{columns}, from an epoch before {recipe.epochs:g} on",),
    )
