"""Operations on several tensors, or on a tensor and a number or parameter."""

from math import prod
from typing import Any

from cifar_dsl.foundation.records import evolve
from cifar_dsl.importing.network import join, layer
from cifar_dsl.importing.rules.products import added_to_scores
from cifar_dsl.importing.rules.weights import product
from cifar_dsl.importing.tracing import AtenCall, Constant, Known
from cifar_dsl.importing.translator import Noise, Placed, Tensor, Translator, Weight, channel_axis, rule


@rule("add", "sub")
def _add(t: Translator, call: AtenCall) -> Any:
    a = call.arguments
    first, second = t.get(a["self"]), t.get(a["other"])
    if isinstance(second, int | float) and isinstance(first, Tensor):
        sign = -1 if call.op == "sub" else 1
        return t.apply(first, layer("scale", factor=1.0, offset=float(sign * second * a["alpha"])))
    if call.op == "add" and a["alpha"] == 1:
        scores, other = (second, first) if isinstance(second, Tensor) else (first, second)
        if isinstance(scores, Tensor) and isinstance(other, Placed | Known):
            return added_to_scores(t, scores, other)
    if isinstance(second, Constant) or isinstance(first, Constant | int | float):
        if isinstance(first, (Weight, Constant)):
            return _untracked(t, call)  # the counter of a batch norm
        raise t.unsupported("it adds a tensor that is neither an input nor a parameter")
    if isinstance(first, Weight) and isinstance(second, int | float):
        return first  # the counter of a batch norm
    plain = a["alpha"] == 1 and call.op == "add"
    if (
        plain
        and isinstance(second, Weight)
        and isinstance(first, Tensor)
        and (positions := _position_embedding(t, first, second)) is not None
    ):
        return positions
    factor = a["alpha"] * (-1 if call.op == "sub" else 1)
    if factor != 1:
        second = t.apply(t.tensor(second), layer("scale", factor=float(factor)))
    return _joined(t, "add", first, second)


def _untracked(t: Translator, call: AtenCall) -> Any:
    if isinstance(first := t.get(call.arguments["self"]), Weight) and not first.shape:
        return first
    raise t.unsupported("it computes something of a parameter alone, without the images")


def _position_embedding(t: Translator, x: Tensor, weight: Weight) -> Tensor | None:
    value = t.canonical(x) if len(x.layout.dims) == 3 else -1
    if value < 0 or not t.shape(value).is_tokens or weight.shape[-2:] != t.shape(value).extents:
        return None
    return t.natural(t.add(layer("position_embedding"), [value], {"weight": weight}))


@rule("mul", "div")
def _mul(t: Translator, call: AtenCall) -> Any:
    first, second = t.get(call.arguments["self"]), t.get(call.arguments["other"])
    if call.op == "mul" and (of_weight := product(first, second)) is not None:
        return of_weight
    if call.op == "mul" and (isinstance(first, int | float | Noise | Weight)):
        first, second = second, first
    if isinstance(first, Noise) and isinstance(second, int | float):
        return evolve(first, factor=first.factor * second if call.op == "mul" else first.factor / second)
    if isinstance(second, Noise):
        return _dropped(t, t.tensor(first), second)
    if isinstance(second, int | float) and isinstance(first, Tensor):
        factor = float(second) if call.op == "mul" else 1 / second
        return first if factor == 1 else t.apply(first, layer("scale", factor=factor))
    if call.op == "div":
        divisor = t.apply(t.tensor(second), layer("power", p=-1.0))
        return _joined(t, "mul", t.tensor(first), divisor)
    if isinstance(second, Weight) and isinstance(first, Tensor):
        return _scaled(t, first, second)
    return _joined(t, "mul", first, second)


def _dropped(t: Translator, x: Tensor, noise: Noise) -> Tensor:
    """A product with noise: a layer of dropout."""
    if abs(noise.factor * noise.keep - 1) > 1e-6:
        raise t.unsupported("random zeros that don't keep the mean")
    p = round(1 - noise.keep, 9)
    if p == 0:
        return x
    if prod(noise.shape) == t.images(x.value):
        return t.apply(x, layer("drop_path", p=p))
    if prod(noise.shape) == prod(x.layout.shape):
        return t.apply(x, layer("dropout", p=p))
    raise t.unsupported("random zeros for something else than images or single numbers")


def _scaled(t: Translator, x: Tensor, weight: Weight) -> Tensor:
    """A product with a parameter: `layer_scale`, if it has one number for each channel."""
    shape = t.shape(x.value)
    long = [len(weight.shape) - place for place, extent in enumerate(weight.shape) if extent > 1]
    count = len(x.layout.dims)
    if len(long) == 1 and x.layout.whole_axis(count - long[0]) == channel_axis(shape):
        return t.apply(x, layer("layer_scale"), {"weight": weight})
    return _joined(t, "mul", x, weight)


def _joined(t: Translator, name: str, *operands: Any) -> Tensor:
    """An element-wise join; parameters become branches of their own. Raises UserError if there is nothing else."""
    tensors = [operand for operand in operands if isinstance(operand, Tensor)] or [t.tensor(operands[0])]
    if len(tensors) == len(operands) and all(one.layout == tensors[0].layout for one in tensors):
        shapes = {t.shape(one.value) for one in tensors}
        if len(shapes) == 1:
            return Tensor(t.add(join(name), [one.value for one in tensors]), tensors[0].layout)
    inputs: list[int] = []
    for operand in operands:
        if isinstance(operand, Weight):
            extents = operand.shape[1:] if len(operand.shape) > 3 else operand.shape or (1,)
            learned = layer("learned", size=tuple(extents))
            inputs.append(t.add(learned, [t.canonical(tensors[0])], {"weight": operand}))
        else:
            inputs.append(t.canonical(t.tensor(operand)))
    value = t.add(join(name), inputs)
    wanted = tuple(max(extents) for extents in zip(*_padded([one.layout.shape for one in tensors]), strict=True))
    if (t.images(value), *t.shape(value).extents) != wanted:
        raise t.unsupported(f"`{name}` of shapes that the language stretches otherwise")
    return t.natural(value)


def _padded(shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    most = max(map(len, shapes))
    return [(1,) * (most - len(shape)) + shape for shape in shapes]


@rule("cat")
def _cat(t: Translator, call: AtenCall) -> Tensor:
    parts = [t.get(part) for part in call.arguments["tensors"]]
    if len(parts) == 1:
        return t.tensor(parts[0])
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if len(tensors) == 1 and isinstance(parts[0], Weight) and len(parts) == 2:
        x = t.canonical(tensors[0])
        if t.shape(x).is_tokens and prod(parts[0].shape) == t.shape(x).channels:
            return t.natural(t.add(layer("class_token"), [x], {"weight": parts[0]}))
    if len(tensors) == len(parts) and (whole := _cat_of_axes(t, tensors, call.arguments["dim"])):
        return whole
    dims = len(t.tensor(parts[0]).layout.dims)
    values = [t.canonical(t.tensor(part)) for part in parts]
    axis = call.arguments["dim"] % dims
    words = {2: ("first",), 3: ("first", "features"), 4: ("first", "rows", "columns")}[dims]
    if axis == 0:
        raise t.unsupported("it puts batches together")
    return t.natural(t.add(join("concat", over=words[axis - 1]), values))


def _cat_of_axes(t: Translator, tensors: list[Tensor], dim: int) -> Tensor | None:
    """A concatenation where each dimension is an axis of all, in some order; None if it isn't."""
    layout = tensors[0].layout
    orders = {tuple(map(one.layout.whole_axis, range(len(one.layout.dims)))) for one in tensors}
    axis = layout.whole_axis(dim % len(layout.dims))
    if len(orders) > 1 or None in orders.copy().pop() or not axis:
        return None
    words = {1: ("first",), 2: ("first", "features"), 3: ("first", "rows", "columns")}
    words_of_axes = words[len(t.shape(tensors[0].value).extents)]
    value = t.add(join("concat", over=words_of_axes[axis - 1]), [one.value for one in tensors])
    return Tensor(value, layout.with_axis(axis, t.shape(value).extents[axis - 1]))
