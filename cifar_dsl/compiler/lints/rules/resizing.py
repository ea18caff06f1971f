"""W0407 and W0409: training that ends on smaller images than those of the tests, or has none."""

import math
from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.text import in_epochs
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.operations.recipe.augmentation import Resize, resizing


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
    at = analysis.program.settings["augment"].chain.elements[recipe.augment.index(resize)].span
    if all(image == (rows, columns) for image in begun):
        message = f"`{resize.name}` has no effect: all images of the training have full size, {rows}x{columns}"
        yield Diagnostic("W0409", message, Label(at), help=("delete it, or begin with a smaller size",))
    if (height, width) == (rows, columns):
        return
    late = len(begun) < len(resize.sizes)
    after = in_epochs(resize.at[len(begun)]) if late else ""
    why = f"the next size would begin after {after}" if late else "tests see images of full size"
    yield Diagnostic(
        "W0407",
        f"training ends on images of {height}x{width}, but tests run on {rows}x{columns}: {why}",
        Label(at),
        help=(f"write `{_ending(resize, recipe.epochs, (rows, columns)).brief()}`, or other epochs",),
    )


def _ending(resize: Resize, epochs: float, full: tuple[int, int]) -> Resize:
    """The schedule with the last half of its last size at full size, or all of it if no more sizes fit."""
    kept = [(after, size) for after, size in zip(resize.at, resize.sizes, strict=True) if after < epochs]
    last = kept[-1][0]
    begin = math.ceil((last + epochs) / 2)
    if begin >= epochs or len(kept) == limits.current().sizes:
        kept.pop()
        begin = last
    at, sizes = zip(*kept, (begin, full), strict=True)
    return Resize(at=at, sizes=sizes)
