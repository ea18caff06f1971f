"""Functions of the weights that layers use."""

from math import prod
from typing import Any

from cifar_dsl.foundation.records import evolve
from cifar_dsl.importing.network import as_printed
from cifar_dsl.importing.translator import Multiple, OfWeight, Translator, Weight
from cifar_dsl.operations.layers.weight import Scaled, Standardized


def standardized(t: Translator, rows: Weight, normalisation: dict[str, Any]) -> OfWeight:
    """Rows of a parameter with mean 0 and variance 1, perhaps with a learned gain for each. Raises UserError.

    `normalisation` has the arguments of the layer norm or batch norm that makes them.
    """
    found = OfWeight(rows, rows.shape[0], Standardized(eps=normalisation["eps"]))
    gain = t.get(normalisation["weight"])
    made = found if gain is None else _scaled(found, gain)
    if normalisation["bias"] is not None or made is None:
        raise t.unsupported(f"it normalises the parameter `{rows.key}` as no weight function of the language does")
    return made


def product(first: Any, second: Any) -> Multiple | OfWeight | None:
    """The product of a parameter or a function of it and a number or a gain; None if it is something else."""
    if isinstance(first, int | float | Multiple):
        first, second = second, first
    if isinstance(first, Weight) and isinstance(second, int | float):
        return Multiple(first, float(second))
    return _scaled(first, second) if isinstance(first, OfWeight) else None


def _scaled(found: OfWeight, by: Any) -> OfWeight | None:
    """Standardized rows, times a gain for each; None if it is something else."""
    gain = Multiple(by, 1.0) if isinstance(by, Weight) else by
    if not isinstance(found.function, Standardized) or not isinstance(gain, Multiple):
        return None
    if prod(gain.weight.shape) != found.rows:
        return None
    gamma = as_printed(gain.factor * (prod(found.weight.shape) // found.rows) ** 0.5)
    return evolve(found, function=Scaled(gamma=gamma, eps=found.function.eps), tensors={"gain": gain.weight})
