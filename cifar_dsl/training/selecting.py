"""Whether a training can learn from the images that a run chose: both must draw the same batches. Needs no torch."""

from collections.abc import Iterable, Iterator

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.text import in_epochs
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.training.artifacts import ArtifactFile, SelectionFile, selection_of
from cifar_dsl.training.plan import Plan

_SETTINGS = ("validation", "batch", "drop_last")  # beside seed and images, all that decides which images a batch has


def check_selection(graph: Graph, recipe: Recipe, images: int, digest: str, files: Iterable[ArtifactFile]) -> None:
    """Raise RunError if the selection among the artifacts doesn't fit a training.

    `images` counts the training images of its dataset, and `digest` is that of the dataset.
    """
    file = selection_of(files)
    if file is None:
        return
    if message := next(_misfits(graph, recipe, images, digest, file), ""):
        raise RunError(
            f"the selection of images doesn't fit: {message}",
            "pass a run on the same images with the same batches: --selection RUN",
            reason=f"the selection is {file.record.source}",
        )


def _misfits(graph: Graph, recipe: Recipe, images: int, digest: str, file: SelectionFile) -> Iterator[str]:
    """How a selection doesn't fit."""
    data = file.run.data
    if data.train_images != images:
        yield f"its run chose among {data.train_images:,} training images, and the dataset has {images:,}"
    if data.digest != digest:
        yield f"its run chose among other images, those of {data.name} with the digest {data.digest[:16]}"
    for name in _SETTINGS:
        its, ours = _written(getattr(file.recipe, name)), _written(getattr(recipe, name))
        if its != ours:
            yield f"its run was trained with `{name} {its}`, and this recipe has `{name} {ours}`"
    if recipe.epochs > file.epochs_done:
        yield f"its run ended after {in_epochs(file.epochs_done)}, and this training has {recipe.epochs:g}"
    yield from _lone_images(graph, Plan.of(recipe, images - recipe.validation, file.share))


def _lone_images(graph: Graph, plan: Plan) -> Iterator[str]:
    """Whether a layer that needs several images gets a batch of which one was chosen."""
    smallest = min((batch for step in (0, plan.steps - 1) for batch in plan.batches_in_step(1, step)), default=0)
    needing = (node.path for node in graph.nodes if node.operation.needs_batch(*graph.input_shapes(node)))
    if smallest == 1 and (path := next(needing, None)):
        yield f"`{path}` can't be trained on a single image, and of a batch only one was chosen"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"
