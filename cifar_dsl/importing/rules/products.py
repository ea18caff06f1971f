"""Attention that a module computes by itself: products of queries, keys and values, and what is added to the scores."""

from typing import Any

from cifar_dsl.foundation.records import evolve
from cifar_dsl.importing.attention import scores, weighted
from cifar_dsl.importing.layouts import Layout, LayoutError, merged
from cifar_dsl.importing.network import layer
from cifar_dsl.importing.tracing import AtenCall, Known
from cifar_dsl.importing.translator import Placed, Tensor, Translator, Weight, rule


@rule("matmul", "bmm")
def _matmul(t: Translator, call: AtenCall) -> Tensor:
    first, second = (t.tensor(value) for value in list(call.arguments.values())[:2])
    if len(first.layout.dims) != 4 or len(second.layout.dims) != 4:
        raise t.unsupported("a product of tensors other than those of attention")
    is_scores = t.shape(first.value).is_image and first.layout == t.natural(first.value).layout
    return _weighted(t, first, second) if is_scores else _scores(t, first, second)


def _scores(t: Translator, queries: Tensor, keys: Tensor) -> Tensor:
    """Products of queries (N, heads, T, e) and keys (N, heads, e, S), and the scale of the queries after them."""
    queries, factor = _without_scale(t, queries)
    heads, features = queries.layout.shape[1], queries.layout.shape[-1]
    operands = [tokens_of_heads(t, one) for one in (queries, evolve(keys, layout=keys.layout.permuted((0, 1, 3, 2))))]
    counts = [t.shape(value).extents[0] for value in operands]
    value = t.add(scores(heads, counts[0], features, counts[1]), operands)
    return t.natural(value if factor == 1 else t.add(layer("scale", factor=factor), [value]))


def _weighted(t: Translator, weights: Tensor, values: Tensor) -> Tensor:
    """Values (N, heads, S, e), weighted with (N, heads, T, S)."""
    heads, queries, keys = t.shape(weights.value).extents
    operand = tokens_of_heads(t, values)
    features = values.layout.shape[-1]
    return heads_of_tokens(t, t.add(weighted(heads, queries, keys, features), [weights.value, operand]), heads)


def _without_scale(t: Translator, x: Tensor) -> tuple[Tensor, float]:
    """A tensor before a scale, and its factor: the scores are scaled instead."""
    step = t.steps[x.value - 1] if x.value else None
    scale: Any = step.operation if step else None
    if step is None or scale.name != "scale" or scale.offset:
        return x, 1.0
    return evolve(x, value=step.inputs[0]), scale.factor


def tokens_of_heads(t: Translator, x: Tensor) -> int:
    """Heads (N, heads, T, e) as tokens (T, heads * e)."""
    if len(x.layout.dims) != 4:
        raise LayoutError
    batch, heads, tokens, features = x.layout.dims
    return t.canonical(Tensor(x.value, Layout((batch, tokens, merged((*heads, *features))))))


def heads_of_tokens(t: Translator, value: int, heads: int) -> Tensor:
    """Tokens (T, heads * e) as heads (N, heads, T, e)."""
    tokens, channels = t.shape(value).extents
    split = t.natural(value).layout.reshaped((t.images(value), tokens, heads, channels // heads))
    return Tensor(value, split.permuted((0, 2, 1, 3)))


@rule("index")
def _index(t: Translator, call: AtenCall) -> Placed:
    import torch

    weight = t.get(call.arguments["self"])
    indices = [t.get(one) for one in call.arguments["indices"]]
    if not isinstance(weight, Weight) or not all(one is None or isinstance(one, Known) for one in indices):
        raise t.unsupported("an index, other than a fixed one of a parameter")
    numbers = torch.arange(weight.elements).reshape(weight.shape)
    return Placed(weight, numbers[tuple(slice(None) if one is None else one.tensor for one in indices)])


def added_to_scores(t: Translator, x: Tensor, other: Placed | Known) -> Tensor:
    """Scores with the biases of relative positions, or with the mask of shifted windows. Raises UserError."""
    found = _relative_bias(t, x, other) if isinstance(other, Placed) else _window_mask(t, x, other)
    if found is None:
        what = (
            "other numbers of a parameter than those of relative positions" if isinstance(other, Placed) else "a mask"
        )
        raise t.unsupported(f"it adds {what}")
    return found


def _relative_bias(t: Translator, x: Tensor, placed: Placed) -> Tensor | None:
    shape = t.shape(x.value)
    if x.layout != t.natural(x.value).layout or not shape.is_image:
        return None
    heads, tokens, _ = shape.extents
    for height in range(1, tokens + 1):
        width = tokens // height
        wanted = (2 * height - 1) * (2 * width - 1), heads
        if height * width != tokens or placed.weight.shape != wanted:
            continue
        if placed.numbers.numel() == shape.elements and _distances(heads, height, width).equal(
            placed.numbers.reshape(shape.extents)
        ):
            size = {} if height == width else {"size": (height, width)}
            return t.apply(x, layer("relative_bias", **size), {"weight": placed.weight})
    return None


def _distances(heads: int, height: int, width: int) -> Any:
    """The places (heads, T, T) of the numbers that `relative_bias` adds, in its parameter."""
    import torch

    from cifar_dsl.training.lowering.modules import RelativeBias

    module = RelativeBias(heads, height, width).double()
    with torch.no_grad():
        module.weight.copy_(torch.arange(module.weight.numel()).reshape(module.weight.shape))
        scores = torch.zeros(1, heads, height * width, height * width, dtype=torch.float64)
        return module(scores)[0].long()


def _window_mask(t: Translator, x: Tensor, known: Known) -> Tensor | None:
    import torch

    from cifar_dsl.training.lowering.pattern_modules import WindowMask

    windows = t.windows(x.value)
    shape = t.shape(x.value)
    if windows is None or not shape.is_image or shape.extents[1] != shape.extents[2]:
        return None
    heads, tokens, _ = shape.extents
    split = t.natural(x.value).layout.reshaped((t.images(), windows.count, heads, tokens, tokens))
    if x.layout != split or tuple(known.tensor.shape) != (1, windows.count, 1, tokens, tokens):
        return None
    where = {"image": windows.image, "size": windows.size, "shift": windows.shift}
    wanted = WindowMask(**where)(torch.zeros(windows.count, 1, tokens, tokens))
    if not wanted.equal(known.tensor[0].float()):
        return None
    return t.apply(x, layer("window_mask", **where))
