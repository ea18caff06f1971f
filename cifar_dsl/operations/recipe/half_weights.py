"""Which weights of a network are kept in half precision, and which optimizers can't update them there."""

from cifar_dsl.ir import Graph, Node, Recipe
from cifar_dsl.ir.recipe import Optimizer
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.operations.registry import MisfitError

_KINDS = frozenset({"filter", "matrix", "bias", "embedding"})  # a scale multiplies numbers of any size


def check_weight_precision(recipe: Recipe) -> None:
    """Raise MisfitError for half-precision weights in a recipe that computes in float32."""
    if recipe.has_half_weights and recipe.precision == "fp32":
        raise MisfitError(
            "E0426",
            "`weight_precision half` is the number format of `precision`, which is fp32 here",
            help=("add `precision bf16` or `precision fp16`", "or remove `weight_precision`"),
        )


def half_weights(graph: Graph, recipe: Recipe) -> frozenset[str]:
    """The paths of the parameters that a training keeps in half precision.

    These are the parameters that `precision` would round in each pass: the filters, matrices, biases and embeddings of
    layers whose sums of products it computes in half precision. Norms, scales and weights of which a layer uses a
    function stay float32, as do buffers.
    """
    if not recipe.has_half_weights:
        return frozenset()
    return frozenset(
        f"{node.path}.{parameter.name}"
        for node in graph.nodes
        if _sums_in_half(graph, node)
        for parameter in node.parameters
        if parameter.kind in _KINDS
    )


def _sums_in_half(graph: Graph, node: Node) -> bool:
    operation = node.operation
    return operation.execution.is_autocast(operation) and not operation.computed_weight(*graph.input_shapes(node)).used


def vanishing_squares(graph: Graph, recipe: Recipe) -> list[int | None]:
    """The groups whose optimizers keep squares of gradients of half-precision weights in float16; None: the recipe's.

    A gradient below 2e-4 has a square below the smallest float16.
    """
    if recipe.precision != "fp16":
        return []
    half, assigned = half_weights(graph, recipe), assign(graph, recipe)
    groups = {assigned[path] for path in half if path in assigned}
    optimizers: list[tuple[int | None, Optimizer]] = [(None, recipe.optimizer)]
    optimizers += [(number, group.optimizer) for number, group in enumerate(recipe.groups)]
    return [number for number, optimizer in optimizers if number in groups and optimizer.keeps_squares]
