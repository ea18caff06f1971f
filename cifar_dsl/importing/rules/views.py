"""Operations that place, take or pad elements."""

from typing import Any

from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.importing.layouts import Atom, Layout, LayoutError
from cifar_dsl.importing.network import layer
from cifar_dsl.importing.tracing import AtenCall
from cifar_dsl.importing.translator import RULES, Multiple, OfWeight, Rolled, Tensor, Translator, Weight, rule
from cifar_dsl.operations.layers.shaping import Slice


@rule("view", "view_as", "reshape", "reshape_as", "_unsafe_view")
def _view(t: Translator, call: AtenCall) -> Any:
    x = t.get(call.arguments["self"])
    if isinstance(x, Weight):
        return evolve(x, shape=call.shape)
    if isinstance(x, Multiple | OfWeight):
        return evolve(x, weight=evolve(x.weight, shape=call.shape))
    x, by = _unrolled(t, x)
    return t.seen(x, x.layout.reshaped(call.shape), by)


def _unrolled(t: Translator, argument: Any) -> tuple[Tensor, tuple[int, int]]:
    """A tensor, and by how many rows and columns it is rolled."""
    found = t.get(argument)
    return (found.tensor, found.by) if isinstance(found, Rolled) else (t.tensor(argument), (0, 0))


RULES.update(dict.fromkeys(("flatten", "unflatten", "unsqueeze", "squeeze"), _view))


@rule("permute")
def _permute(t: Translator, call: AtenCall) -> Tensor | Rolled:
    x, by = _unrolled(t, call.arguments["self"])
    order = [place % len(x.layout.dims) for place in call.arguments["dims"]]
    return t.seen(x, x.layout.permuted(order), by)


@rule("roll")
def _roll(t: Translator, call: AtenCall) -> Tensor | Rolled:
    x, by = _unrolled(t, call.arguments["self"])
    moved = list(by)
    for shift, place in zip(call.arguments["shifts"], call.arguments["dims"], strict=True):
        axis = x.layout.whole_axis(place % len(x.layout.dims))
        if axis not in {2, 3} or not t.shape(x.value).is_image:
            raise t.unsupported("it rolls something else than the rows and columns of an image")
        moved[axis - 2] += shift
    return Rolled(x, (moved[0], moved[1])) if any(moved) else x


@rule("transpose", "swapaxes", "t", "numpy_T", "mT")
def _transpose(t: Translator, call: AtenCall) -> Tensor:
    x = t.tensor(call.arguments["self"])
    count = len(x.layout.dims)
    last = (-2, -1) if call.op == "mT" else (0, 1)
    numbers = [value for value in call.arguments.values() if isinstance(value, int)] or last
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
