"""What is wrong with an array of a dataset, and the line of NumPy that repairs it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.records import frozen

CHANNELS_LIMIT = 4  # distinguishes (N, C, H, W) from (N, H, W, C)

# The help for labels 1, 2, ... N.
FROM_ONE = "write `y_train, y_test = y_train - 1, y_test - 1`: labels count from 0"

_Array = npt.NDArray[Any]


@frozen
class Fault:
    """What an array is instead of pictures or labels, why that doesn't work, and the fix."""

    problem: str
    help: str
    reason: str


def kind_of(array: _Array) -> str:
    """Type and shape of an array, for messages: `uint8 (6, 32, 32, 3)`."""
    return f"{array.dtype.name} ({', '.join(map(str, array.shape))})"


def picture_fault(name: str, images: _Array) -> Fault | None:
    """Why the array `name` isn't pictures (N, H, W, C) of bytes; None if it is."""
    if images.size and images.dtype != np.uint8:
        return Fault(f"is {kind_of(images)}, not uint8", *_bytes_advice(name, images))
    if images.dtype != np.uint8:
        return Fault(f"is {kind_of(images)}, not uint8", "store at least one picture", "there are no pictures in it")
    axes = f"the axes are picture, row, column and channel, with 1 to {CHANNELS_LIMIT} channels"
    problem = f"is {kind_of(images)}, not (N, H, W, C)"
    if images.ndim > 1 and 0 in images.shape[1:]:
        return Fault(problem, "store pictures of at least one pixel and one channel", axes)
    if images.ndim != 4 or images.shape[3] > CHANNELS_LIMIT:
        return Fault(problem, _axes_advice(name, images.shape), axes)
    return None


def label_fault(name: str, labels: _Array) -> Fault | None:
    """Why the array `name` isn't labels (N,) of 64-bit integers; None if it is."""
    if labels.dtype == np.int64 and labels.ndim == 1:
        return None
    return Fault(
        f"is {kind_of(labels)}, not integers (N)",
        _labels_advice(name, labels),
        "a label is the index of the picture's class, from 0",
    )


def object_fault(name: str) -> Fault:
    """The fault of an array of Python objects, which is never read."""
    return Fault(
        "is an array of Python objects",
        _line(name, f"numpy.array({name}.tolist())"),
        "numpy stores objects as a pickle, which can run code when it is read, so they are never read; pictures of "
        "different sizes become such an array, and must be resized to one size first",
    )


def _line(name: str, expression: str) -> str:
    other = name.replace("train", "test")
    return f"write `{name} = {expression}`" + (f", and the same for {other}" if other != name else "")


def _bytes_advice(name: str, images: _Array) -> tuple[str, str]:
    """The help and the reason for pictures of another type."""
    reason = "pictures are integers from 0 to 255; the recipe normalizes them"
    before = "store the pixels before any scaling or normalization, as numpy.uint8 from 0 to 255"
    if images.dtype == np.bool_:
        return _line(name, f"{name}.astype(numpy.uint8) * 255"), reason
    if images.dtype.kind not in "uif":
        return before, reason
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        return f"correct the NaN or infinite values of {name}; {before}", reason
    seen = f"{reason}; these range from {low:.5g} to {high:.5g}"
    if images.dtype.kind == "f":
        if low >= 0 and high <= 1:
            return _line(name, f"(255 * {name}).round().astype(numpy.uint8)"), seen
        if low >= -1 and high <= 1:
            return _line(name, f"(127.5 * ({name} + 1)).round().astype(numpy.uint8)"), seen
        if low >= 0 and high <= 255:
            return _line(name, f"{name}.round().astype(numpy.uint8)"), seen
        return before, seen
    if low >= 0 and high <= 255:
        return _line(name, f"{name}.astype(numpy.uint8)"), seen
    if images.dtype == np.int8:
        return _line(name, f"{name}.view(numpy.uint8)"), f"{seen}, as bytes do that were read with a sign"
    if low >= 0:
        bits = (int(high).bit_length() + 1) // 2 * 2  # 10, 12, 14 or 16: what cameras and scanners deliver
        return _line(name, f"({name} >> {bits - 8}).astype(numpy.uint8)"), f"{seen}, which takes {bits} bits"
    return before, seen


def _axes_advice(name: str, shape: tuple[int, ...]) -> str:
    """The help for bytes of another shape, none of whose axes is empty."""
    if len(shape) == 3:
        return _line(name, f"{name}[..., None]") + ": a picture without a channel axis becomes one with one channel"
    if len(shape) == 2:
        for channels in (1, 3):
            side = round((shape[1] / channels) ** 0.5)
            if channels * side * side == shape[1]:
                flat = f"{name}.reshape(-1, {channels}, {side}, {side}).transpose(0, 2, 3, 1)"
                return _line(name, flat) + f", if a row is {channels} channel{'s' * (channels > 1)} after each other"
    if len(shape) == 5 and 1 in shape[1:]:
        return _line(name, f"{name}.squeeze({1 + shape[1:].index(1)})")
    if len(shape) == 4 and shape[1] < min(shape[2:]):
        return _line(name, f"{name}.transpose(0, 2, 3, 1)") + ": it turns (N, C, H, W) into (N, H, W, C)"
    if len(shape) == 4:
        return _line(name, f"{name}[..., :3]") + ", to keep three channels"
    return "arrange the axes as (N, H, W, C)"


def _labels_advice(name: str, labels: _Array) -> str:
    one = "store one integer per picture, the index of its class"
    if labels.ndim == 2 and labels.shape[1] > 1:
        is_number = labels.dtype.kind in "uifb"
        if is_number and len(labels) and np.all(labels >= 0) and np.allclose(labels.sum(1), 1):  # one-hot, or soft
            return _line(name, f"{name}.argmax(1)")
    if labels.ndim != 1:
        return _line(name, f"{name}.reshape(-1)") if labels.size == max(labels.shape, default=0) else one
    if labels.dtype.kind in "US":
        others = "`y_train, y_test = (numpy.searchsorted(classes, y) for y in (y_train, y_test))`"
        return f"write `classes = numpy.unique(y_train)` and {others}, and store `classes`, too"
    if labels.dtype.kind == "b" or (labels.dtype.kind == "f" and np.all(labels == np.round(labels))):
        return _line(name, f"{name}.astype(numpy.int64)")
    return one
