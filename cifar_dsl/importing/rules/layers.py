"""Operations with weights, pools, activations, attention, and what is random."""

from math import prod
from typing import Any

from cifar_dsl.foundation.records import evolve
from cifar_dsl.importing.layouts import BATCH, Atom, Layout, LayoutError
from cifar_dsl.importing.network import join, layer
from cifar_dsl.importing.rules.products import heads_of_tokens, tokens_of_heads
from cifar_dsl.importing.rules.weights import standardized
from cifar_dsl.importing.tracing import AtenCall, Constant, Known
from cifar_dsl.importing.translator import AXIS_LETTERS, Noise, Tensor, Translator, Weight, channel_axis, rule
from cifar_dsl.ir import Pattern

_CHANNELS_LAST = 3  # axes of an image


@rule("conv2d", "convolution")
def _conv(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    (weight, function, tensors), bias = t.used_weight(a["weight"]), t.weight(a["bias"])
    kernel = weight.shape[2:]
    pad = a["padding"]
    if pad == "same":
        pad = tuple(d * (k - 1) // 2 for d, k in zip(_pair(a["dilation"]), kernel, strict=True))
    elif pad == "valid":
        pad = (0, 0)
    operation = layer(
        "conv",
        channels=weight.shape[0],
        kernel=kernel,
        stride=_pair(a["stride"]),
        pad=_pair(pad),
        dilation=_pair(a["dilation"]),
        groups=a["groups"],
        bias=bias is not None,
        weight=function,
    )
    x = t.natural_of(a["input"])
    return t.natural(t.add(operation, [x], {**tensors, "bias": bias}))


@rule("conv_transpose2d")
def _conv_transpose(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    weight, bias = t.weight(a["weight"]), t.weight(a["bias"])
    assert weight is not None
    operation = layer(
        "conv_transpose",
        channels=weight.shape[1] * a["groups"],
        kernel=weight.shape[2:],
        stride=_pair(a["stride"]),
        pad=_pair(a["padding"]),
        output_pad=_pair(a["output_padding"]),
        dilation=_pair(a["dilation"]),
        groups=a["groups"],
        bias=bias is not None,
    )
    return t.natural(t.add(operation, [t.natural_of(a["input"])], {"weight": weight, "bias": bias}))


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return (first, *rest) if rest else (first, first)


@rule("linear")
def _linear(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    (weight, function, tensors), bias = t.used_weight(a["weight"]), t.weight(a["bias"])
    outputs = weight.shape[0]
    tensors = {**tensors, "bias": bias}
    x = t.tensor(a["input"])
    last = len(x.layout.dims) - 1
    is_tokens = last == 2 and t.shape(x.value).is_image and len(x.layout.dims[1]) > 1
    if x.layout.whole_axis(0) == BATCH and (last == 1 or is_tokens):
        x = t.natural(t.canonical(x))
    shape = t.shape(x.value)
    axis = x.layout.whole_axis(last)
    is_channels = axis == (1 if not shape.is_tokens else 2) or (shape.channels == 1 and not x.layout.dims[last])
    if not is_channels:
        x = _with_channels_last(t, x)
        shape = t.shape(x.value)
        axis = 2 if shape.is_tokens else 1
    if shape.is_image:
        operation = layer("conv", channels=outputs, kernel=(1, 1), bias=bias is not None, weight=function)
    else:
        operation = layer("dense", features=outputs, bias=bias is not None, weight=function)
    value = t.add(operation, [x.value], tensors)
    return Tensor(value, _replaced_last(x.layout, axis or 1, outputs))


def _replaced_last(layout: Layout, axis: int, extent: int) -> Layout:
    return Layout((*layout.dims[:-1], (Atom(axis, extent),) if extent > 1 else ()))


def _with_channels_last(t: Translator, x: Tensor) -> Tensor:
    """A tensor whose last dimension is the channels of its value, and whose other dimensions are where they were."""
    *others, last = x.layout.dims
    middle = others[1:]
    if len(middle) == 2:
        value = t.canonical(Tensor(x.value, Layout((others[0], last, *middle))))
        return Tensor(value, t.natural(value).layout.permuted((0, 2, 3, 1)))
    if len(middle) > 2:
        raise LayoutError
    value = t.canonical(x)
    return t.natural(value)


@rule("batch_norm")
def _batch_norm(t: Translator, call: AtenCall) -> Any:
    a = call.arguments
    if isinstance(x := t.get(a["input"]), Weight) and len(x.shape) == 3 and a["running_mean"] is None and a["training"]:
        return standardized(t, evolve(x, shape=x.shape[1:]), a)
    weight, bias = t.weight(a["weight"]), t.weight(a["bias"])
    mean, variance = t.weight(a["running_mean"]), t.weight(a["running_var"])
    if mean is None or variance is None:
        raise t.unsupported("a batch norm without running statistics (`track_running_stats=False`)")
    if (weight is None) != (bias is None):
        raise t.unsupported("a batch norm that has either a scale or an offset, but not both")
    operation = layer("bn", eps=a["eps"], momentum=float(f"{a['momentum']:.9g}"), affine=weight is not None)
    tracked = Weight(mean.key.removesuffix("running_mean") + "num_batches_tracked", ())
    tensors = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    x = t.natural_of(a["input"])
    return t.natural(t.add(operation, [x], {**tensors, "num_batches_tracked": tracked}))


@rule("layer_norm")
def _layer_norm(t: Translator, call: AtenCall) -> Any:
    a = call.arguments
    if isinstance(rows := t.get(a["input"]), Weight) and tuple(a["normalized_shape"]) == rows.shape[1:]:
        return standardized(t, rows, a)
    weight, bias = t.weight(a["weight"]), t.weight(a["bias"])
    if (weight is None) != (bias is None):
        raise t.unsupported("a layer norm that has either a scale or an offset, but not both")
    if len(a["normalized_shape"]) != 1:
        raise t.unsupported("a layer norm over several axes; `groupnorm(1)` has a scale for each channel only")
    x = t.tensor(a["input"])
    channels = 2 if t.shape(x.value).is_tokens else 1
    if x.layout.whole_axis(len(x.layout.dims) - 1) != channels:
        x = _with_channels_last(t, x)
    operation = layer("layernorm", eps=a["eps"], affine=weight is not None)
    return t.apply(x, operation, {"weight": weight, "bias": bias})


@rule("group_norm")
def _group_norm(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    weight, bias = t.weight(a["weight"]), t.weight(a["bias"])
    operation = layer("groupnorm", groups=a["num_groups"], eps=a["eps"], affine=weight is not None)
    return t.natural(t.add(operation, [t.natural_of(a["input"])], {"weight": weight, "bias": bias}))


@rule("instance_norm")
def _instance_norm(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    if a["running_mean"] is not None:
        raise t.unsupported("an instance norm with running statistics")
    weight, bias = t.weight(a["weight"]), t.weight(a["bias"])
    operation = layer("instancenorm", eps=a["eps"], affine=weight is not None)
    return t.natural(t.add(operation, [t.natural_of(a["input"])], {"weight": weight, "bias": bias}))


@rule("prelu")
def _prelu(t: Translator, call: AtenCall) -> Tensor:
    x, weight = t.natural_of(call.arguments["self"]), t.weight(call.arguments["weight"])
    assert weight is not None
    operation = layer("prelu", channelwise=prod(weight.shape) > 1)
    return t.natural(t.add(operation, [x], {"weight": weight}))


@rule("adaptive_avg_pool2d")
def _adaptive_avgpool(t: Translator, call: AtenCall) -> Tensor:
    x = t.natural_of(call.arguments["self"])
    size = _pair(call.arguments["output_size"])
    if size == t.shape(x).extents[1:]:
        return t.natural(x)
    operation = layer("global_avgpool", keep=True) if size == (1, 1) else layer("adaptive_avgpool", size=size)
    return t.natural(t.add(operation, [x]))


@rule("adaptive_max_pool2d")
def _adaptive_maxpool(t: Translator, call: AtenCall) -> Any:
    x = t.natural_of(call.arguments["self"])
    size = _pair(call.arguments["output_size"])
    operation = layer("global_maxpool", keep=True) if size == (1, 1) else layer("adaptive_maxpool", size=size)
    return (t.natural(t.add(operation, [x])), None)


@rule("avg_pool2d")
def _avgpool(t: Translator, call: AtenCall) -> Tensor:
    x = t.natural_of(call.arguments["self"])
    if call.arguments["divisor_override"] is not None:
        raise t.unsupported("an average pool with another divisor")
    if _pair(call.arguments["kernel_size"]) == t.shape(x).extents[1:] and not any(call.arguments["padding"]):
        return t.natural(t.add(layer("global_avgpool", keep=True), [x]))
    return t.natural(t.add(t.configured("avgpool", call), [x]))


@rule("max_pool2d")
def _maxpool(t: Translator, call: AtenCall) -> Tensor:
    if set(call.arguments["dilation"]) - {1}:
        raise t.unsupported("a max pool with dilation")
    return t.natural(t.add(t.configured("maxpool", call), [t.natural_of(call.arguments["self"])]))


@rule("mean")
def _mean(t: Translator, call: AtenCall) -> Tensor:
    x = t.tensor(call.arguments["self"])
    count = len(x.layout.dims)
    places = sorted(place % count for place in call.arguments.get("dim") or range(count))
    keep = bool(call.arguments.get("keepdim"))
    shape = t.shape(x.value)
    channels = channel_axis(shape)
    pooled = [axis for axis, extent in enumerate(shape.extents, 1) if extent > 1 and axis != channels]
    axes = [x.layout.whole_axis(place) for place in places if x.layout.dims[place]]
    if shape.is_image + shape.is_tokens == 0 or sorted(axis or 0 for axis in axes) != pooled:
        return _mean_of_axes(t, x, places, keep=keep)
    value = t.add(layer("global_avgpool", keep=keep), [x.value])
    axis = channel_axis(t.shape(value))
    moved = tuple(
        tuple(evolve(atom, axis=axis) if atom.axis == channels else atom for atom in dim) for dim in x.layout.dims
    )
    dims = [() if place in places else dim for place, dim in enumerate(moved) if keep or place not in places]
    return Tensor(value, Layout(tuple(dims)))


def _mean_of_axes(t: Translator, x: Tensor, places: list[int], *, keep: bool) -> Tensor:
    value = t.canonical(x)
    shape = t.shape(value)
    names = AXIS_LETTERS[len(shape.extents)]
    if 0 in places:
        raise t.unsupported("a mean over the batch")
    left = tuple((number,) if extent > 1 else () for number, extent in enumerate(shape.extents))
    numbers = {number: place for place, number in enumerate(n for side in left for n in side)}
    inputs = tuple(tuple(numbers[n] for n in side) for side in left)
    rest = [axis for axis in range(len(shape.extents)) if axis + 1 not in places]
    output = tuple(inputs[axis] if axis in rest else () for axis in range(len(shape.extents)) if keep or axis in rest)
    written = [names[axis] if inputs[axis] else "1" for axis in range(len(shape.extents))]
    wanted = [written[axis] if axis in rest else "1" for axis in range(len(shape.extents)) if keep or axis in rest]
    text = f"{', '.join(written)} -> {', '.join(wanted) or '1'}"
    extents = tuple(extent for extent in shape.extents if extent > 1)
    return t.natural(t.add(layer("mean", pattern=Pattern((inputs,), output, extents, text)), [value]))


@rule("dropout", "alpha_dropout", "feature_dropout")
def _dropout(t: Translator, call: AtenCall) -> Tensor:
    x = t.tensor(next(iter(call.arguments.values())))
    p = float(call.arguments["p"])
    if p == 0:
        return x
    name = {"dropout": "dropout", "alpha_dropout": "alpha_dropout", "feature_dropout": "channel_dropout"}[call.op]
    if name == "channel_dropout":
        return t.natural(t.add(layer(name, p=p), [t.canonical(x)]))
    return t.apply(x, layer(name, p=p))


@rule("empty", "empty_like", "new_empty", "ones", "rand")
def _empty(_: Translator, call: AtenCall) -> Any:
    return Constant(call.shape)


@rule("new_zeros")
def _zeros(_: Translator, call: AtenCall) -> Known:
    import torch

    return Known(torch.zeros(call.shape))


@rule("bernoulli")
def _bernoulli(t: Translator, call: AtenCall) -> Any:
    if "p" not in call.arguments:
        raise t.unsupported("random numbers")
    return Noise(float(call.arguments["p"]), 1.0, call.shape)


@rule("softmax")
def _softmax(t: Translator, call: AtenCall) -> Tensor:
    value = t.natural_of(call.arguments["self"])
    words = {1: ("features",), 2: ("tokens", "features"), 3: ("channels", "rows", "columns")}
    axes = words[len(t.shape(value).extents)]
    axis = call.arguments["dim"] % (len(axes) + 1)
    word = axes[axis - 1] if axis else ""
    if not word:
        raise t.unsupported("a softmax over the batch")
    over = "channels" if word == axes[channel_axis(t.shape(value)) - 1] else word
    return t.natural(t.add(layer("softmax", over=over), [value]))


@rule("scaled_dot_product_attention")
def _attention(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    if a["attn_mask"] is not None or a["is_causal"]:
        raise t.unsupported("attention with a mask")
    operands = [t.tensor(a[name]) for name in ("query", "key", "value")]
    heads = operands[0].layout.shape[1]
    features = operands[0].layout.shape[-1]
    if a["scale"] not in (None, features**-0.5):
        raise t.unsupported("attention with another scale")
    values = [tokens_of_heads(t, one) for one in operands]
    dropout = float(a["dropout_p"])
    value = t.add(join("attend", heads=heads, dropout=dropout), values)
    return heads_of_tokens(t, value, heads)


@rule("hardtanh", "clamp")
def _hardtanh(t: Translator, call: AtenCall) -> Tensor:
    low, high = (call.arguments[name] for name in (("min_val", "max_val") if call.op == "hardtanh" else ("min", "max")))
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise t.unsupported("it clips at one side only, or at a tensor")
    is_relu6 = (low, high) == (0, 6)
    operation = layer("relu6") if is_relu6 else layer("hardtanh", low=float(low), high=float(high))
    return t.apply(t.tensor(call.arguments[next(iter(call.arguments))]), operation)


@rule("pow")
def _power(t: Translator, call: AtenCall) -> Tensor:
    exponent = call.arguments["exponent"]
    if not isinstance(exponent, int | float):
        raise t.unsupported("a power whose exponent is a tensor")
    return t.apply(t.tensor(call.arguments["self"]), layer("power", p=float(exponent)))


@rule("upsample_nearest2d", "upsample_bilinear2d")
def _upsample(t: Translator, call: AtenCall) -> Tensor:
    value = t.natural_of(next(iter(call.arguments.values())))
    extents, wanted = t.shape(value).extents[1:], call.shape[2:]
    if any(new % old for new, old in zip(wanted, extents, strict=True)) or call.arguments.get("align_corners"):
        raise t.unsupported("an enlargement by something else than an integer factor")
    factor = tuple(new // old for new, old in zip(wanted, extents, strict=True))
    mode = "nearest" if "nearest" in call.op else "bilinear"
    return t.natural(t.add(layer("upsample", factor=factor, mode=mode), [value]))
