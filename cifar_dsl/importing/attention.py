"""Attention among the steps of a network: the products that make it up, and `attention` in place of its long form."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from cifar_dsl.foundation.records import frozen
from cifar_dsl.importing.network import Network, Step, join, layer
from cifar_dsl.ir import Operation, Pattern, Shape

_PARTS = 3  # queries, keys, values


def scores(heads: int, queries: int, features: int, keys: int) -> Operation:
    """The product of queries (T, heads * e) and keys (S, heads * e): scores (heads, T, S)."""
    text = f"t, h * e | s, h * e -> h, t, s, h={heads}"
    extents = (queries, heads, features, keys)
    pattern = Pattern((((0,), (1, 2)), ((3,), (1, 2))), ((1,), (0,), (3,)), extents, text)
    return cast("Operation", join("einsum", pattern=pattern))


def weighted(heads: int, queries: int, keys: int, features: int) -> Operation:
    """The product of weights (heads, T, S) and values (S, heads * e): tokens (T, heads * e)."""
    text = f"h, t, s | s, h * e -> t, h * e, h={heads}"
    extents = (heads, queries, keys, features)
    pattern = Pattern((((0,), (1,), (2,)), ((2,), (0, 3))), ((1,), (0, 3)), extents, text)
    return cast("Operation", join("einsum", pattern=pattern))


def long_attend(attend: Any, queries: Shape, keys: Shape, values: Shape) -> list[Operation]:
    """The operations that `attend` with dropout consists of, in order."""
    heads, (count, channels), (others, _) = attend.heads, queries.extents, keys.extents
    features = channels // heads
    scale = [layer("scale", factor=features**-0.5)] if attend.scaled and features != 1 else []
    return [
        scores(heads, count, features, others),
        *scale,
        layer("softmax", over="columns"),
        layer("dropout", p=attend.dropout),
        weighted(heads, count, others, values.channels // heads),
    ]


def shifts_of(network: Network) -> dict[int, bool]:
    """For each value of windows, whether these are shifted."""
    found: dict[int, bool] = {}
    for value, step in enumerate(network.steps, 1):
        if step.operation.name == "into_windows":
            operation: Any = step.operation
            found[value] = any(operation.shift)
        elif step.operation.name != "from_windows" and step.inputs and step.inputs[0] in found:
            found[value] = found[step.inputs[0]]
    return found


@frozen
class Heads:
    """Attention as the steps of a network, but for the projections.

    Attributes:
        heads: How many.
        operands: The values of queries, keys and values.
        factor: By what the scores are multiplied first.
        between: The steps between the scores, or that factor, and the weights: their values, in order.
        steps: All its steps, in order: the product of queries and keys, the factor, those between, the other product.
    """

    heads: int
    operands: tuple[int, int, int]
    factor: float
    between: tuple[int, ...]
    steps: tuple[int, ...]


def heads_before(network: Network, value: int, users: Mapping[int, int]) -> Heads | None:
    """The attention whose output is this value; None if it is none, or others use what is inside."""
    step = network.steps[value - 1]
    if step.operation.name != "einsum" or len(step.inputs) != 2:
        return None
    weights, values = step.inputs
    between: list[int] = []
    while weights and users[weights] == 1 and len(network.steps[weights - 1].inputs) == 1:
        between.insert(0, weights)
        (weights,) = network.steps[weights - 1].inputs
    product = network.steps[weights - 1] if weights and users[weights] == 1 else step
    if product is step or len(product.inputs) != 2 or not (product.shape.is_image and step.shape.is_tokens):
        return None
    (heads, count, others), (queries, keys) = product.shape.extents, product.inputs
    features, mixed = (network.shape_of(one).channels // heads for one in (queries, values))
    if product.operation != scores(heads, count, features, others):
        return None
    if step.operation != weighted(heads, count, others, mixed):
        return None
    first: Any = network.steps[between[0] - 1].operation if between else None
    is_factor = first is not None and first.name == "scale" and not first.offset
    steps = (weights, *between, value)
    return Heads(
        heads,
        (queries, keys, values),
        first.factor if is_factor else 1.0,
        tuple(between[is_factor:]),
        steps,
    )


def is_scaled(network: Network, found: Heads) -> bool:
    """Whether the scores are divided by the root of the features of a head."""
    features = network.shape_of(found.operands[0]).channels // found.heads
    wanted: Any = layer("scale", factor=features**-0.5)
    return bool(found.factor == wanted.factor)


def thirds_of(network: Network, values: Sequence[int], channels: int) -> int | None:
    """The value whose thirds queries, keys and values are; None if they are others."""
    steps = [network.steps[value - 1] if value else None for value in values]
    wanted = [layer("slice", start=k * channels, stop=(k + 1) * channels) for k in range(_PARTS)]
    if [step.operation if step else None for step in steps] != wanted:
        return None
    sources = {step.inputs[0] for step in steps if step}
    return sources.pop() if len(sources) == 1 else None


def biases_of(first: Step, last: Step) -> dict[str, bool] | None:
    """The arguments about biases of the attention between two projections; None if there are none for it."""
    inner, outer = (bool(dict(step.weights).get("bias")) for step in (first, last))
    if inner and not outer:
        return None
    return {} if inner else {"qkv_bias": False} if outer else {"bias": False}


def long_form(
    network: Network, out: int, users: Mapping[int, int], *, is_shifted: bool
) -> tuple[str, list[int]] | None:
    """How `attention` is written that ends with the dense layer `out`, and its steps in the order of its long form.

    That is attention with relative positions, or with the mask of shifted windows. None if it is something else.
    """
    last = network.steps[out - 1]
    (before,) = last.inputs
    if last.operation.name != "dense" or not before or users[before] != 1:
        return None
    found = heads_before(network, before, users)
    if found is None or not is_scaled(network, found):
        return None
    between: list[Any] = [network.steps[value - 1].operation for value in found.between]
    dropout = between.pop().p if between and between[-1].name == "dropout" else 0.0
    mask = between[1:2] if is_shifted else []
    if between != [layer("relative_bias"), *mask, layer("softmax", over="columns")]:
        return None
    if mask and mask[0].name != "window_mask":
        return None
    channels = last.shape.channels
    source = thirds_of(network, found.operands, channels)
    first = network.steps[source - 1] if source else last
    biases = biases_of(first, last)
    if not source or first.operation.name != "dense" or users[source] != _PARTS or biases is None:
        return None
    given = "".join(f", {name}=false" for name in biases) + (f", dropout={dropout:.12g}" if dropout else "")
    if network.shape_of(first.inputs[0]).channels != channels or any(users[one] != 1 for one in found.operands):
        return None
    return f"attention({found.heads}, before=relative_bias{given})", [source, *found.operands, *found.steps, out]
