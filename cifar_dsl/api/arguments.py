"""Checks of what is passed to the functions of the API."""

import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any

from attrs import fields

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.training.options import RunOptions


def run_options(options: Mapping[str, Any], function: Callable[..., Any]) -> RunOptions:
    """The options of a run among the keywords of a function.

    Raises UserError for a value out of bounds, and TypeError, which names the function and the nearest keyword, for one
    that it doesn't have.
    """
    known = [each.name for each in fields(RunOptions)]
    for name in options:
        if name not in known:
            own = [each.name for each in inspect.signature(function).parameters.values()]
            near = nearest(name, [*own, *known])
            advice = f"; did you mean '{near}'?" if near else ""
            raise TypeError(f"{function.__name__}() got an unexpected keyword argument '{name}'{advice}")
    return RunOptions(**options)


def require_seed(seed: object) -> None:
    """Raise UserError unless it is an integer of at least 0."""
    if not hasattr(seed, "__index__") or operator.index(seed) < 0:
        raise UserError(f"seed is {seed!r}, but must be an integer of at least 0")


def image_shape(extents: Any) -> Shape:
    """The shape of an image, (C, H, W). Raises UserError."""
    try:
        shape = tuple(map(operator.index, extents))
    except TypeError:
        shape = ()
    if len(shape) != 3 or min(shape) < 1:
        raise UserError("input must be the shape of an image without the batch", "pass (C, H, W), such as (3, 32, 32)")
    return Shape(shape)
