"""Operations of ATen as operations of the language.

`RULES` has an entry for each operation of ATen that isn't just a layer of the same meaning: those are found by their
names, in the table of foreign names. Views and permutations make no layer; see `layouts`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from attrs import define, evolve, field

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.importing.layouts import BATCH, Atom, Dim, Layout, LayoutError, extent_of, merged
from cifar_dsl.importing.network import Network, Place, Step, join, layer, unsupported
from cifar_dsl.importing.tracing import BATCH as IMAGES
from cifar_dsl.importing.tracing import AtenCall, Constant, Ref, Stored, Trace
from cifar_dsl.ir import Operation, Pattern, Shape, arguments_of
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.layers.shaping import Slice
from cifar_dsl.operations.registry import MisfitError

_CHANNELS_LAST = 3  # axes of an image


@frozen
class Tensor:
    """A tensor that depends on the images: a value of the network, and how it lies over it."""

    value: int
    layout: Layout


@frozen
class Weight:
    """A tensor of the module, perhaps seen in another shape."""

    key: str
    shape: tuple[int, ...]


@frozen
class Noise:
    """Random zeros, and elsewhere `factor`: what dropout by hand multiplies with."""

    keep: float
    factor: float
    shape: tuple[int, ...]


Rule = Callable[["Translator", AtenCall], Any]
RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Enter a function into RULES."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, function))
        return function

    return enter


def translate(trace: Trace, image: Shape) -> Network:
    """The network of a trace. Raises UserError."""
    translator = Translator(image, trace.in_training)
    translator.values[trace.input.name] = translator.natural(0)
    for call in trace.calls:
        translator.run(call)
    if not isinstance(trace.output, Ref):
        count = len(trace.output) if isinstance(trace.output, tuple) else 0
        what = f"its output is a tuple of {count} tensors" if count else "its output isn't a tensor"
        raise unsupported(f"{what}, and a network has one", Place())
    output = translator.tensor(trace.output, Place())
    value = translator.canonical(output, Place())
    used = {key for step in translator.steps for _, key in step.weights}
    network = Network(image, tuple(translator.steps), value, tuple(key for key in trace.stored if key not in used))
    _refuse_shared(network)
    return network


def _refuse_shared(network: Network) -> None:
    """Raise UserError if two steps have the same weights."""
    counts = Counter(key for step in network.steps for key in {key for _, key in step.weights})
    for step in network.steps:
        for _, key in step.weights:
            if counts[key] > 1:
                raise unsupported(f"`{key}` is used {counts[key]} times, and layers don't share weights", step.place)


@define
class Translator:
    """The network so far, and what each name of the trace stands for."""

    image: Shape
    in_training: bool
    steps: list[Step] = field(factory=list)
    values: dict[str, Any] = field(factory=dict)
    _laid_out: dict[Tensor, int] = field(factory=dict)  # the values that `canonical` made
    place: Place = field(factory=Place)

    def run(self, call: AtenCall) -> None:
        """Translate one call."""
        self.place = call.place
        try:
            result = RULES[call.op](self, call) if call.op in RULES else self._layer_of_that_name(call)
        except MisfitError as error:
            raise self.unsupported(f"`{call.op}`: {error.message}") from None
        except UnfitError as error:
            raise self.unsupported(f"`{call.op}` has an argument that isn't {error}") from None
        except LayoutError:
            raise self.unsupported(f"`{call.op}` mixes axes in a way that no layer does") from None
        if call.in_place:
            self._overwrite(call, result)
        self.values[call.name] = result

    def unsupported(self, what: str) -> UserError:
        """The error about the call at hand."""
        return unsupported(what, self.place)

    # ---- values

    def get(self, argument: Any) -> Any:
        """What an argument stands for."""
        if isinstance(argument, Ref):
            return self.values[argument.name]
        if isinstance(argument, Stored):
            return Weight(argument.key, argument.shape)
        return argument

    def tensor(self, argument: Any, place: Place | None = None) -> Tensor:
        """The tensor that an argument stands for. Raises UserError if it doesn't depend on the images."""
        found = self.get(argument)
        if isinstance(found, Tensor):
            return found
        if isinstance(found, Weight):
            raise unsupported(f"it computes something of the parameter `{found.key}` alone", place or self.place)
        raise unsupported("it computes with a tensor that is neither an input nor a parameter", place or self.place)

    def weight(self, argument: Any) -> Weight | None:
        """The tensor of the module that an argument stands for; None for None. Raises UserError."""
        found = self.get(argument)
        if found is None or isinstance(found, Weight):
            return found
        raise self.unsupported("its weight isn't a parameter of the module, but computed")

    def shape(self, value: int) -> Shape:
        """The shape of a value of the network."""
        return self.steps[value - 1].shape if value else self.image

    def natural(self, value: int) -> Tensor:
        """A value as it is."""
        return Tensor(value, Layout.of(IMAGES, self.shape(value).extents))

    def _overwrite(self, call: AtenCall, result: Any) -> None:
        """Let what has the memory that a call changes stand for the new value."""
        changed = self.get(next(iter(call.arguments.values())))
        if not isinstance(changed, Tensor) or not isinstance(result, Tensor):
            return
        for name, value in self.values.items():
            if isinstance(value, Tensor) and value.value == changed.value:
                self.values[name] = result if value.layout == changed.layout else Tensor(result.value, value.layout)

    # ---- steps

    def add(self, operation: Operation, inputs: Sequence[int], weights: dict[str, Weight | None] | None = None) -> int:
        """Add a step; its value."""
        shapes = [self.shape(value) for value in inputs]
        operation.check()
        found = {name: weight for name, weight in (weights or {}).items() if weight}
        for parameter in operation.parameters(*shapes):
            weight = found.get(parameter.name)
            if weight is None or prod(weight.shape) != parameter.elements:
                raise self.unsupported(f"`{operation.name}` has no weight `{parameter.name}` of {parameter.shape} here")
        keys = tuple((name, weight.key) for name, weight in found.items())
        self.steps.append(Step(operation, tuple(inputs), operation.infer(*shapes), self.place, keys))
        return len(self.steps)

    def apply(self, x: Tensor, operation: Operation, weights: dict[str, Weight | None] | None = None) -> Tensor:
        """Apply a layer to each element, wherever it lies; or a layer that leaves the axes in place."""
        return Tensor(self.add(operation, [x.value], weights), x.layout)

    def canonical(self, x: Tensor, place: Place | None = None) -> int:
        """The value whose axes are the dimensions of a tensor; adds a step if they lie otherwise."""
        layout = x.layout
        if not layout.dims or layout.whole_axis(0) != BATCH:
            raise unsupported("the first dimension isn't the batch", place or self.place)
        wanted = layout.dims[1:]
        extents = self.shape(x.value).extents
        if layout == Layout.of(IMAGES, extents):
            return x.value
        if not 1 <= len(wanted) <= 3:
            what = f"it makes a tensor of {len(wanted) + 1} dimensions, and the language has images, tokens and vectors"
            raise unsupported(what, place or self.place)
        if x not in self._laid_out:
            self._laid_out[x] = self.add(_rearranging(Shape(extents), wanted), [x.value])
        return self._laid_out[x]

    def natural_of(self, argument: Any) -> int:
        """The value with the axes of an argument, which is a tensor."""
        return self.canonical(self.tensor(argument))

    # ---- layers that are found by their names

    def _layer_of_that_name(self, call: AtenCall) -> Tensor:
        name = _layer_name(call.op)
        if name is None:
            raise self.unsupported(f"the language has nothing for `{call.op}`")
        operation = self.configured(name, call)
        x = self.tensor(next(iter(call.arguments.values())))
        if operation.family == "activation":
            return self.apply(x, operation)
        return self.natural(self.add(operation, [self.canonical(x)]))

    def configured(self, name: str, call: AtenCall, **given: Any) -> Any:
        """The layer with the arguments of a call; `given` are those that the call has otherwise. Raises."""
        kinds = {info.name: info.kind for info in arguments_of(LAYERS[name])}
        values = dict(given)
        for key, value in call.arguments.items():
            own = _argument_name(key, kinds)
            if own is None and key in call.changed and not isinstance(value, Ref | Stored):
                raise self.unsupported(f"`{call.op}` with `{key}={value}`")
            if own is None or own in given or value is None or value == () or isinstance(value, Ref | Stored):
                continue
            values[own] = _value(value, kinds[own])
        return layer(name, **values)


def _layer_name(op: str) -> str | None:
    """The layer that a name of torch stands for."""
    if op in LAYERS:
        return op
    found = foreign_names.LAYERS.get(op)
    return found.text if found and found.is_exact and found.text in LAYERS else None


def _argument_name(name: str, known: dict[str, Any]) -> str | None:
    """The argument of the language that an argument of torch stands for."""
    if name in known:
        return name
    return next((one.text for one in foreign_names.ARGUMENTS.meanings(name) if one.text in known), None)


def _value(value: Any, kind: Any) -> Any:
    """A value of torch in the form that an argument takes. Raises UnfitError."""
    from cifar_dsl.ir import Size, Symbol

    if isinstance(value, tuple):
        return kind.accept(Size(value if len(value) > 1 else value * 2))
    if isinstance(value, str):
        return kind.accept(Symbol(value))
    return kind.accept(value)


def _rearranging(x: Shape, wanted: tuple[Dim, ...]) -> Any:
    """The layer that makes a tensor with the wanted axes of one of shape x."""
    natural = Layout.of(IMAGES, x.extents).dims[1:]
    if len(wanted) == 1 and tuple(atom for dim in natural for atom in dim) == wanted[0]:
        return layer("flatten")
    if x.is_image and len(wanted) == 2 and wanted == ((*natural[1], *natural[2]), natural[0]):
        return layer("tokens")
    if x.is_tokens and wanted == (natural[1], natural[0]):
        return layer("transpose")
    if x.is_tokens and len(wanted) == 3 and wanted[0] == natural[1] and merged((*wanted[1], *wanted[2])) == natural[0]:
        height, width = map(extent_of, wanted[1:])
        return layer("grid") if height == width else layer("grid", size=(height, width))
    if x.is_image and len(wanted) == 3 and wanted[1:] == natural[1:] and len(wanted[0]) == 2:
        inner, outer = wanted[0]
        if inner.axis == outer.axis == 1 and merged((outer, inner)) == natural[0]:
            return layer("shuffle", groups=outer.extent)
    return layer("rearrange", pattern=_pattern(x, wanted))


_NAMES = {1: "f", 2: "td", 3: "chw"}


def _pattern(x: Shape, wanted: tuple[Dim, ...]) -> Pattern:
    """The pattern that splits the axes of x as the wanted ones need, and puts their parts there."""
    found = [atom for dim in wanted for atom in dim]
    if any(atom.axis == BATCH for atom in found):
        raise LayoutError
    parts = {axis: sorted((a for a in found if a.axis == axis), key=lambda a: -a.stride) for axis in range(1, 4)}
    left = [tuple(parts[axis + 1]) for axis in range(len(x.extents))]
    if tuple(map(extent_of, left)) != x.extents:
        raise LayoutError
    numbers: dict[Atom, int] = {}
    for side in left:
        for atom in side:
            numbers[atom] = len(numbers)
    names: dict[Atom, str] = {}
    given: list[str] = []
    for letter, side in zip(_NAMES[len(x.extents)], left, strict=True):
        for place, atom in enumerate(side):
            names[atom] = letter if len(side) == 1 else f"{letter}{place + 1}"
            if place and len(side) > 1:
                given.append(f"{names[atom]}={atom.extent}")

    def written(sides: Sequence[Dim]) -> str:
        return ", ".join(" * ".join(names[atom] for atom in side) or "1" for side in sides)

    text = ", ".join([f"{written(left)} -> {written(wanted)}", *given])
    return Pattern(
        (tuple(tuple(numbers[atom] for atom in side) for side in left),),
        tuple(tuple(numbers[atom] for atom in side) for side in wanted),
        tuple(atom.extent for atom in numbers),
        text,
    )


# ---- layers with weights


@rule("conv2d", "convolution")
def _conv(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    weight, bias = t.weight(a["weight"]), t.weight(a["bias"])
    assert weight is not None
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
    )
    x = t.natural_of(a["input"])
    return t.natural(t.add(operation, [x], {"weight": weight, "bias": bias}))


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
    weight, bias = t.weight(a["weight"]), t.weight(a["bias"])
    assert weight is not None
    outputs = weight.shape[0]
    tensors = {"weight": weight, "bias": bias}
    x = t.tensor(a["input"])
    last = len(x.layout.dims) - 1
    if last == 1 and x.layout.whole_axis(0) == BATCH:
        x = t.natural(t.canonical(x))
    shape = t.shape(x.value)
    axis = x.layout.whole_axis(last)
    is_channels = axis == (1 if not shape.is_tokens else 2) or (shape.channels == 1 and not x.layout.dims[last])
    if not is_channels:
        x = _with_channels_last(t, x)
        shape = t.shape(x.value)
        axis = 2 if shape.is_tokens else 1
    if shape.is_image:
        operation = layer("conv", channels=outputs, kernel=(1, 1), bias=bias is not None)
    else:
        operation = layer("dense", features=outputs, bias=bias is not None)
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
def _batch_norm(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
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
def _layer_norm(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
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


# ---- pools


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
    channels = _channel_axis(shape)
    pooled = [axis for axis, extent in enumerate(shape.extents, 1) if extent > 1 and axis != channels]
    axes = [x.layout.whole_axis(place) for place in places if x.layout.dims[place]]
    if shape.is_image + shape.is_tokens == 0 or sorted(axis or 0 for axis in axes) != pooled:
        return _mean_of_axes(t, x, places, keep=keep)
    value = t.add(layer("global_avgpool", keep=keep), [x.value])
    axis = _channel_axis(t.shape(value))
    moved = tuple(
        tuple(evolve(atom, axis=axis) if atom.axis == channels else atom for atom in dim) for dim in x.layout.dims
    )
    dims = [() if place in places else dim for place, dim in enumerate(moved) if keep or place not in places]
    return Tensor(value, Layout(tuple(dims)))


def _channel_axis(shape: Shape) -> int:
    return 2 if shape.is_tokens else 1


def _mean_of_axes(t: Translator, x: Tensor, places: list[int], *, keep: bool) -> Tensor:
    value = t.canonical(x)
    shape = t.shape(value)
    names = _NAMES[len(shape.extents)]
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


# ---- joins


@rule("add", "sub")
def _add(t: Translator, call: AtenCall) -> Any:
    a = call.arguments
    first, second = t.get(a["self"]), t.get(a["other"])
    if isinstance(second, int | float) and isinstance(first, Tensor):
        sign = -1 if call.op == "sub" else 1
        return t.apply(first, layer("scale", factor=1.0, offset=float(sign * second * a["alpha"])))
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
    raise t.unsupported("it computes something of a parameter alone")


def _position_embedding(t: Translator, x: Tensor, weight: Weight) -> Tensor | None:
    value = t.canonical(x) if len(x.layout.dims) == 3 else -1
    if value < 0 or not t.shape(value).is_tokens or weight.shape[-2:] != t.shape(value).extents:
        return None
    return t.natural(t.add(layer("position_embedding"), [value], {"weight": weight}))


@rule("mul", "div")
def _mul(t: Translator, call: AtenCall) -> Any:
    first, second = t.get(call.arguments["self"]), t.get(call.arguments["other"])
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
    if prod(noise.shape) == IMAGES:
        return t.apply(x, layer("drop_path", p=p))
    if prod(noise.shape) == prod(x.layout.shape):
        return t.apply(x, layer("dropout", p=p))
    raise t.unsupported("random zeros for something else than images or single numbers")


def _scaled(t: Translator, x: Tensor, weight: Weight) -> Tensor:
    """A product with a parameter: `layer_scale`, if it has one number for each channel."""
    shape = t.shape(x.value)
    long = [len(weight.shape) - place for place, extent in enumerate(weight.shape) if extent > 1]
    count = len(x.layout.dims)
    if len(long) == 1 and x.layout.whole_axis(count - long[0]) == _channel_axis(shape):
        return t.apply(x, layer("layer_scale"), {"weight": weight})
    return _joined(t, "mul", x, weight)


def _joined(t: Translator, name: str, *operands: Any) -> Tensor:
    """An element-wise join; parameters become branches of their own."""
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
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
    if (IMAGES, *t.shape(value).extents) != wanted:
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
    dims = len(t.tensor(parts[0]).layout.dims)
    values = [t.canonical(t.tensor(part)) for part in parts]
    axis = call.arguments["dim"] % dims
    words = {2: ("first",), 3: ("first", "features"), 4: ("first", "rows", "columns")}[dims]
    if axis == 0:
        raise t.unsupported("it puts batches together")
    return t.natural(t.add(join("concat", over=words[axis - 1]), values))


# ---- views


@rule("view", "reshape", "_unsafe_view")
def _view(t: Translator, call: AtenCall) -> Any:
    x = t.get(call.arguments["self"])
    if isinstance(x, Weight):
        return evolve(x, shape=call.shape)
    return Tensor(t.tensor(x).value, t.tensor(x).layout.reshaped(call.shape))


RULES.update(dict.fromkeys(("flatten", "unflatten", "unsqueeze", "squeeze"), _view))


@rule("permute")
def _permute(t: Translator, call: AtenCall) -> Tensor:
    x = t.tensor(call.arguments["self"])
    return Tensor(x.value, x.layout.permuted([place % len(x.layout.dims) for place in call.arguments["dims"]]))


@rule("transpose", "swapaxes", "t", "numpy_T")
def _transpose(t: Translator, call: AtenCall) -> Tensor:
    x = t.tensor(call.arguments["self"])
    count = len(x.layout.dims)
    numbers = [value for value in call.arguments.values() if isinstance(value, int)] or [0, 1]
    order = list(range(count))
    a, b = (number % count for number in numbers)
    order[a], order[b] = b, a
    return Tensor(x.value, x.layout.permuted(order))


@rule("contiguous", "clone", "alias", "detach", "to", "_to_copy", "identity")
def _same(t: Translator, call: AtenCall) -> Any:
    return t.get(next(iter(call.arguments.values())))


@rule("expand", "expand_as")
def _expand(t: Translator, call: AtenCall) -> Any:
    x = t.get(call.arguments["self"])
    if isinstance(x, Weight):
        return x
    if t.tensor(x).layout.shape == call.shape:
        return x
    raise t.unsupported("it repeats a tensor")


@rule("select")
def _select(t: Translator, call: AtenCall) -> Tensor:
    x = t.tensor(call.arguments["self"])
    place = call.arguments["dim"] % len(x.layout.dims)
    index = call.arguments["index"] % x.layout.shape[place]
    shape = t.shape(x.value)
    if shape.is_tokens and x.layout.whole_axis(place) == 1:
        value = t.add(layer("token", index=index), [x.value])
        dims = tuple(
            (Atom(1, atom.extent, atom.stride),) if atom.axis == 2 else (atom,)
            for dim in x.layout.without(place).dims
            for atom in dim
        )
        return Tensor(value, Layout(dims))
    return _part(t, x, place, index, 1).dropped(place)


@frozen
class _Part:
    x: Tensor

    def dropped(self, place: int) -> Tensor:
        return Tensor(self.x.value, self.x.layout.without(place))


def _part(t: Translator, x: Tensor, place: int, start: int, count: int) -> _Part:
    """Some indices of a dimension."""
    dim = x.layout.dims[place]
    if not dim and start == 0:
        return _Part(x)
    outer = dim[0]
    shape = t.shape(x.value)
    extent = shape.extents[outer.axis - 1] if outer.axis else 0
    if len(dim) > 1 or not outer.axis or outer.stride * outer.extent != extent:  # not the outermost part of an axis
        value = t.canonical(x)
        if value == x.value:
            raise LayoutError
        return _part(t, t.natural(value), place, start, count)
    taken = [range(one) for one in shape.extents]
    taken[outer.axis - 1] = range(start * outer.stride, (start + count) * outer.stride)
    value = t.add(Slice.of_axes(taken, shape), [x.value])
    new = (Atom(outer.axis, count, outer.stride),) if count > 1 else ()
    return _Part(Tensor(value, Layout((*x.layout.dims[:place], new, *x.layout.dims[place + 1 :]))))


@rule("slice")
def _slice(t: Translator, call: AtenCall) -> Any:
    a = call.arguments
    x = t.get(a["self"])
    if isinstance(x, Weight):
        if x.shape == call.shape:
            return x
        raise t.unsupported(f"it takes a part of the parameter `{x.key}`")
    x = t.tensor(x)
    place = a["dim"] % len(x.layout.dims)
    extent = x.layout.shape[place]
    taken = range(extent)[slice(a["start"], a["end"], a["step"])]
    if taken == range(extent):
        return x
    if taken.step == 1:
        return _part(t, x, place, taken.start, len(taken)).x
    axis = x.layout.whole_axis(place)
    if not axis:
        raise LayoutError
    shape = t.shape(x.value)
    ranges = [range(one) for one in shape.extents]
    ranges[axis - 1] = taken
    value = t.add(Slice.of_axes(ranges, shape), [x.value])
    return Tensor(value, x.layout.with_axis(axis, len(taken)))


@rule("narrow")
def _narrow(t: Translator, call: AtenCall) -> Tensor:
    x = t.tensor(call.arguments["self"])
    place = call.arguments["dim"] % len(x.layout.dims)
    return _part(t, x, place, call.arguments["start"], call.arguments["length"]).x


@rule("chunk", "split", "split_with_sizes", "unbind")
def _chunk(t: Translator, call: AtenCall) -> Any:
    x = t.tensor(call.arguments["self"])
    place = call.arguments["dim"] % len(x.layout.dims)
    counts = [1 if call.op == "unbind" else shape[place] for shape in call.shape]
    starts = [sum(counts[:number]) for number in range(len(counts))]
    parts = [_part(t, x, place, start, count) for start, count in zip(starts, counts, strict=True)]
    return tuple(part.dropped(place) if call.op == "unbind" else part.x for part in parts)


@rule("getitem")
def _getitem(t: Translator, call: AtenCall) -> Any:
    return t.get(call.arguments["0"])[call.arguments["1"]]


@rule("pad")
def _pad(t: Translator, call: AtenCall) -> Tensor:
    a = call.arguments
    x = t.tensor(a["self"])
    if not any(a["pad"]):
        return x
    modes = {"constant": "zeros", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
    if a["value"] not in (None, 0) or a["mode"] not in modes:
        raise t.unsupported("it pads with something else than zeros")
    value = t.canonical(x)
    before = a["pad"]
    if len(before) == 6 and t.shape(value).is_image and not any(before[:4]):
        return t.natural(t.add(layer("pad_channels", before=before[4], after=before[5]), [value]))
    if len(before) != 4 or min(before) < 0:
        raise t.unsupported("it pads other axes than rows and columns")
    left, right, top, bottom = before
    sides = (top, bottom, left, right)
    return t.natural(t.add(layer("pad_image", pad=sides, pad_mode=modes[a["mode"]]), [value]))


# ---- others


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
    over = "channels" if word == axes[_channel_axis(t.shape(value)) - 1] else word
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
    values = [_tokens_of_heads(t, one) for one in operands]
    dropout = float(a["dropout_p"])
    value = t.add(join("attend", heads=heads, dropout=dropout), values)
    batch, tokens, channels = Layout.of(IMAGES, t.shape(value).extents).dims
    inner = t.shape(value).channels // heads
    split = Layout((batch, tokens, channels)).reshaped((IMAGES, extent_of(tokens), heads, inner))
    return Tensor(value, split.permuted((0, 2, 1, 3)))


def _tokens_of_heads(t: Translator, x: Tensor) -> int:
    """Heads (N, heads, T, d) as tokens (T, heads * d)."""
    if len(x.layout.dims) != 4:
        raise LayoutError
    batch, heads, tokens, features = x.layout.dims
    return t.canonical(Tensor(x.value, Layout((batch, tokens, merged((*heads, *features))))))


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
