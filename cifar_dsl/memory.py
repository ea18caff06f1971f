"""How much memory a training will take, worked out without torch."""

from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.recipes import DATASETS, OPTIMIZERS

_FLOAT_BYTES = 4
_COPIES = 2  # an activation and, for a time, its gradient


def estimate(graph: Graph, recipe: Recipe, images: int | None = None) -> dict[str, int]:
    """Bytes on the device by what they are for; the caches of torch and of the driver come on top.

    `images` is how many the data has, for training and testing together, where the recipe's data can't say it.
    """
    info = DATASETS[recipe.data.name]
    parameters = graph.cost.parameters * _FLOAT_BYTES
    activation_bytes = _FLOAT_BYTES if recipe.precision == "fp32" else _FLOAT_BYTES // 2
    parts = {
        "weights": parameters,
        "gradients": parameters,
        "optimizer": parameters * OPTIMIZERS.of(recipe.optimizer).states,
        "activations": graph.cost.activations * recipe.batch * activation_bytes * _COPIES,
        "data set": (images or info.images or 0) * graph.input.elements,
    }
    return parts | {"together": sum(parts.values())}
