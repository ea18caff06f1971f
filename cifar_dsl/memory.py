"""How much memory a training will take, worked out without torch."""

from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.recipes import DATASETS, OPTIMIZERS
from cifar_dsl.recipes.groups import assign

_FLOAT_BYTES = 4
_COPIES = 2  # an activation and, for a time, its gradient


def estimate(graph: Graph, recipe: Recipe, images: int | None = None) -> dict[str, int]:
    """Bytes on the device by what they are for; the caches of torch and of the driver come on top.

    `images` is how many the data has, for training and testing together, where the recipe's data can't say it.
    """
    info = DATASETS[recipe.data.name]
    parameters = graph.cost.parameters * _FLOAT_BYTES
    activation_bytes = _FLOAT_BYTES if recipe.precision == "fp32" else _FLOAT_BYTES // 2
    trained, states = _trained(graph, recipe)
    parts = {
        "weights": parameters,
        "gradients": trained * _FLOAT_BYTES,
        "optimizer": states * _FLOAT_BYTES,
        "averages": parameters * len(recipe.average),
        "activations": graph.cost.activations * recipe.batch * activation_bytes * _COPIES,
        "data set": (images or info.images or 0) * graph.input.elements,
    }
    if not recipe.average:
        del parts["averages"]
    return parts | {"together": sum(parts.values())}


def _trained(graph: Graph, recipe: Recipe) -> tuple[int, int]:
    """How many numbers are trained, and how many more their optimizers keep."""
    assigned = assign(graph, recipe)
    states = [OPTIMIZERS.of(group.optimizer).states for group in recipe.groups]
    own = OPTIMIZERS.of(recipe.optimizer).states
    trained = kept = 0
    for node in graph.nodes:
        for parameter in node.parameters:
            path = f"{node.path}.{parameter.name}"
            if path in assigned:
                group = assigned[path]
                trained += parameter.elements
                kept += parameter.elements * (own if group is None else states[group])
    return trained, kept
