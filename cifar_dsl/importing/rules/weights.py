"""Functions of the weights that layers use."""

from math import prod
from typing import Any

from attrs import evolve

from cifar_dsl.importing.network import as_printed
from cifar_dsl.importing.translator import Multiple, OfWeight, Translator, Weight
from cifar_dsl.operations.layers.weight import Scaled, Standardized


def standardized(t: Translator, rows: Weight, normalisation: dict[str, Any]) -> OfWeight:
    """Rows of a parameter with mean 0 and variance 1, perhaps with a learned gain for each. Raises UserError.

    `normalisation` has the arguments of the layer norm or batch norm that makes them.
    """
    found = OfWeight(rows, rows.shape[0], Standardized(eps=normalisation["eps"]))
    gain = t.get(normalisation["weight"])
    made = found if gain is None else product(found, gain)
    if normalisation["bias"] is not None or made is None:
        raise t.unsupported(f"it normalises the parameter `{rows.key}` as no weight function of the language does")
    return made


def product(first: Any, second: Any) -> Multiple | OfWeight | None:
    """The product of a parameter or a function of it and a number or a gain; None if it is something else."""
    if isinstance(first, int | float | Multiple):
        first, second = second, first
    if isinstance(first, Weight) and isinstance(second, int | float):
        return Multiple(first, float(second))
    if not isinstance(first, OfWeight) or not isinstance(first.function, Standardized):
        return None
    gain = Multiple(second, 1.0) if isinstance(second, Weight) else second
    if not isinstance(gain, Multiple) or prod(gain.weight.shape) != first.rows:
        return None
    numbers = prod(first.weight.shape) // first.rows
    gamma = as_printed(gain.factor * numbers**0.5)
    return evolve(first, function=Scaled(gamma=gamma, eps=first.function.eps), tensors={"gain": gain.weight})
