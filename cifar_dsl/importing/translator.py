"""A network that is being translated: its steps so far, and what each name of the trace stands for.

`RULES` has an entry for each operation of ATen that isn't just a layer of the same meaning: those are found by their
names, in the table of foreign names. Views and permutations make no layer; see `layouts`.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.importing.layouts import BATCH, Atom, Dim, Layout, LayoutError, extent_of, merged
from cifar_dsl.importing.network import Place, Step, layer, unsupported
from cifar_dsl.importing.tracing import BATCH as IMAGES
from cifar_dsl.importing.tracing import AtenCall, Known, Ref, Stored
from cifar_dsl.ir import Operation, Pattern, Shape, arguments_of
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.layers.parts import WindowsEnter, WindowsLeave
from cifar_dsl.operations.layers.weight import Unchanged, WeightFunction
from cifar_dsl.operations.registry import MisfitError


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

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


@frozen(eq=False)
class Placed:
    """Numbers of a parameter at other places: `numbers` are their indices in the flat parameter."""

    weight: Weight
    numbers: Any  # a tensor of torch


@frozen
class Rolled:
    """An image (N, H, W, C) that is rolled by a number of rows and columns."""

    tensor: Tensor
    by: tuple[int, int]


@frozen
class Windows:
    """The windows of an image: how many, its size, theirs, and by how many rows and columns they are shifted."""

    count: int
    image: tuple[int, int]
    size: tuple[int, int]
    shift: tuple[int, int]


@frozen
class Multiple:
    """A tensor of the module, times a number."""

    weight: Weight
    factor: float


@frozen
class OfWeight:
    """A function of a weight's rows, perhaps seen in another shape, and the tensors that it has beside the weight."""

    weight: Weight
    rows: int
    function: WeightFunction
    tensors: dict[str, Weight] = field(factory=dict)


@frozen
class Noise:
    """Random zeros, and elsewhere `factor`: what dropout by hand multiplies with."""

    keep: float
    factor: float
    shape: tuple[int, ...]


_SPLIT = 6  # dimensions of an image that is split into windows: batch, windows, their pixels, channels
_PLAIN = (int, float, str, bool, type(None), tuple)
_VIEWS = frozenset(
    {"view", "reshape", "permute", "transpose", "contiguous", "clone", "unsqueeze", "squeeze", "flatten", "expand"}
)

Rule = Callable[["Translator", AtenCall], Any]
RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Enter a function into RULES."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, function))
        return function

    return enter


@define
class Translator:
    """The network so far, and what each name of the trace stands for."""

    image: Shape
    in_training: bool
    steps: list[Step] = field(factory=list)
    values: dict[str, Any] = field(factory=dict)
    _windows: dict[int, Windows] = field(factory=dict)  # the values that stand for windows, not for images
    _laid_out: dict[Tensor, int] = field(factory=dict)  # the values that `canonical` made
    place: Place = field(factory=Place)

    def run(self, call: AtenCall) -> None:
        """Translate one call."""
        self.place = call.place
        try:
            if (result := self._evaluated(call)) is None:
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
        if isinstance(found, Multiple | OfWeight):
            found = found.weight
        if isinstance(found, Weight):
            raise unsupported(f"it computes something of `{found.key}` alone, without the images", place or self.place)
        raise unsupported("it computes with a tensor that is neither an input nor a parameter", place or self.place)

    def weight(self, argument: Any) -> Weight | None:
        """The tensor of the module that an argument stands for; None for None. Raises UserError."""
        found = self.get(argument)
        if found is None or isinstance(found, Weight):
            return found
        raise self.unsupported("its weight isn't a parameter of the module, but computed")

    def used_weight(self, argument: Any) -> tuple[Weight, WeightFunction, dict[str, Weight | None]]:
        """The weight of a layer, its function, and the tensors of both by their names. Raises UserError."""
        found = self.get(argument)
        if isinstance(found, OfWeight) and found.rows == found.weight.shape[0]:
            return found.weight, found.function, {"weight": found.weight, **found.tensors}
        weight = self.weight(argument)
        assert weight is not None
        return weight, Unchanged(), {"weight": weight}

    def shape(self, value: int) -> Shape:
        """The shape of a value of the network."""
        return self.steps[value - 1].shape if value else self.image

    def windows(self, value: int) -> Windows | None:
        """The windows that a value stands for; None if it stands for images."""
        return self._windows.get(value)

    def images(self, value: int = 0) -> int:
        """The extent of the batch of a value: that of the images, or of all their windows."""
        windows = self.windows(value)
        return IMAGES * (windows.count if windows else 1)

    def natural(self, value: int) -> Tensor:
        """A value as it is."""
        return Tensor(value, Layout.of(self.images(value), self.shape(value).extents))

    def _evaluated(self, call: AtenCall) -> Any:
        """The result of a call whose tensors are all known, or whose only one is part of a parameter; else None."""
        import torch

        given = {name: self._plain(value) for name, value in call.arguments.items()}
        flat = [one for value in given.values() for one in (value if isinstance(value, tuple) else (value,))]
        kinds = {type(one) for one in flat if not isinstance(one, _PLAIN)}
        if kinds != {Known} and not (kinds == {Placed} and call.op in _VIEWS):
            return None
        weights = [one.weight for one in flat if isinstance(one, Placed)]
        tensors = {name: _as_tensors(value) for name, value in given.items()}
        with torch.no_grad():
            result = call.function(**tensors)
        return Placed(weights[0], result) if weights else Known(result)

    def _plain(self, value: Any) -> Any:
        return tuple(map(self.get, value)) if isinstance(value, tuple) else self.get(value)

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
        value = len(self.steps)
        if (windows := self._windows_after(operation, inputs)) is not None:
            self._windows[value] = windows
        return value

    def _windows_after(self, operation: Operation, inputs: Sequence[int]) -> Windows | None:
        """The windows that the output of an operation stands for. Raises UserError if its inputs stand for several."""
        if isinstance(operation, WindowsLeave):
            return None
        if isinstance(operation, WindowsEnter):
            _, height, width = self.shape(inputs[0]).extents
            count = height * width // prod(operation.size)
            return Windows(count, (height, width), operation.size, operation.shift)
        kinds = {self.windows(one) for one in inputs}
        if len(kinds) != 1:
            raise self.unsupported("it combines tensors of windows with others")
        return kinds.pop()

    def apply(self, x: Tensor, operation: Operation, weights: dict[str, Weight | None] | None = None) -> Tensor:
        """Apply a layer to each element, wherever it lies; or a layer that leaves the axes in place."""
        return Tensor(self.add(operation, [x.value], weights), x.layout)

    def seen(self, x: Tensor, layout: Layout, by: tuple[int, int] = (0, 0)) -> Tensor | Rolled:
        """A tensor, which may be rolled, in another layout: windows of an image, or the image of windows, are steps."""
        was_split = len(x.layout.dims) == _SPLIT
        x = evolve(x, layout=layout)
        found = self._into_windows(x, by, was_split=was_split) or self._from_windows(x)
        if found is None:
            return Rolled(x, by) if any(by) else x
        return found

    def _into_windows(self, x: Tensor, by: tuple[int, int], *, was_split: bool) -> Tensor | None:
        """Windows (N * windows, h * w, C) of an image; a single one, if the image was split to make them."""
        shape, dims = self.shape(x.value), x.layout.dims
        if self.windows(x.value) or not shape.is_image or len(dims) != 3 or max(by) > 0:
            return None
        if len(dims[0]) == 1 and not was_split:  # tokens
            return None
        channels, height, width = shape.extents
        counts = {atom.axis: atom.extent for atom in dims[0]}
        size = (height // counts.get(2, 1), width // counts.get(3, 1))
        if x.layout != self._in_windows(channels, (height, width), size):
            return None
        return self.natural(self.add(WindowsEnter(size=size, shift=(-by[0], -by[1])), [x.value]))

    def _from_windows(self, x: Tensor) -> Tensor | Rolled | None:
        """An image (N, H, W, C) of windows; if they are shifted, it is still rolled."""
        windows = self.windows(x.value)
        if windows is None or not self.shape(x.value).is_tokens or len(x.layout.dims) != 4:
            return None
        (height, width), size = windows.image, windows.size
        channels = self.shape(x.value).channels
        rows, columns = height // size[0], width // size[1]
        apart = self.natural(x.value).layout.reshaped((IMAGES, rows, columns, *size, channels))
        wanted = apart.permuted((0, 1, 3, 2, 4, 5)).reshaped((IMAGES, height, width, channels))
        if x.layout != wanted:
            return None
        leave = WindowsLeave(size=size, shift=windows.shift, image=windows.image)
        image = self.natural(self.add(leave, [x.value]))
        last = evolve(image, layout=image.layout.permuted((0, 2, 3, 1)))
        return Rolled(last, (-windows.shift[0], -windows.shift[1])) if any(windows.shift) else last

    @staticmethod
    def _in_windows(channels: int, image: tuple[int, int], size: tuple[int, int]) -> Layout:
        """The layout of windows (N * windows, h * w, C) over an image."""
        (height, width), (rows, columns) = image, size
        last = Layout.of(IMAGES, (channels, *image)).permuted((0, 2, 3, 1))
        split = last.reshaped((IMAGES, height // rows, rows, width // columns, columns, channels))
        count = (height // rows) * (width // columns)
        return split.permuted((0, 1, 3, 2, 4, 5)).reshaped((IMAGES * count, rows * columns, channels))

    def canonical(self, x: Tensor, place: Place | None = None) -> int:
        """The value whose axes are the dimensions of a tensor; adds a step if they lie otherwise."""
        layout = x.layout
        if not layout.dims or layout.whole_axis(0) != BATCH:
            raise unsupported("the first dimension isn't the batch", place or self.place)
        wanted = layout.dims[1:]
        extents = self.shape(x.value).extents
        if layout == Layout.of(self.images(x.value), extents):
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
            raise self.unsupported(f"`import` can't translate `{call.op}`")
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


def _as_tensors(value: Any) -> Any:
    """The tensors of an argument in place of what stands for them."""
    if isinstance(value, tuple):
        return [_as_tensors(one) for one in value]
    return value.tensor if isinstance(value, Known) else value.numbers if isinstance(value, Placed) else value


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


AXIS_LETTERS = {1: "f", 2: "td", 3: "chw"}  # names in patterns, by the number of axes


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
    for letter, side in zip(AXIS_LETTERS[len(x.extents)], left, strict=True):
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


def channel_axis(shape: Shape) -> int:
    """The axis of an image, of tokens or of a vector that holds the channels, counted with the batch."""
    return 2 if shape.is_tokens else 1
