"""Whether accuracies look skewed: a tail of bad runs breaks what intervals and claims promise.

The skewness of one spec says little with few runs, so that of all specs is added up. A single spec is named if it has
enough runs to show by itself that it is skewed (D'Agostino 1970, "Transformation to normality of the null distribution
of g1", Biometrika 57).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

LEVEL = 0.005  # of a false warning, for normal accuracies: once for all specs together, once for single ones
_FEWEST = 3  # runs that have a skewness
_ENOUGH = 8  # runs of a spec for the test of a single one


def skewed_specs(accuracies: Mapping[str, Sequence[float]]) -> list[str]:
    """The specs that look skewed by themselves; if none does, but all together do, those that lean to the same side.

    Empty if the accuracies look as normal ones do.
    """
    found = {name: _skewness(values) for name, values in accuracies.items() if _has_skewness(values)}
    counts = {name: len(accuracies[name]) for name in found}
    tested = {name: _single_p(found[name], n) for name, n in counts.items() if n >= _ENOUGH}
    single = [name for name, p in tested.items() if p < LEVEL / len(tested)]
    if single or not found:
        return single
    total, variance = sum(found.values()), sum(_variance(n) for n in counts.values())
    if 2 * special.ndtr(-abs(total) / math.sqrt(variance)) >= LEVEL:
        return []
    return [name for name, skewness in found.items() if skewness * total > 0]


def _has_skewness(values: Sequence[float]) -> bool:
    return len(values) >= _FEWEST and len(set(values)) > 1


def _skewness(values: Sequence[float]) -> float:
    centred = np.asarray(values) - np.mean(values)
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


def _variance(n: int) -> float:
    """The variance of the skewness of `n` normal values."""
    return 6 * (n - 2) / ((n + 1) * (n + 3))


def _single_p(skewness: float, n: int) -> float:
    """The two-sided p-value of a skewness of `n` values, by D'Agostino's transformation to a normal score."""
    y = skewness / math.sqrt(_variance(n))
    kurtosis = 3 * (n**2 + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w2 = math.sqrt(2 * (kurtosis - 1)) - 1
    scale = math.sqrt(2 / (w2 - 1))
    z = math.asinh(y / scale) / math.sqrt(math.log(w2) / 2)
    return float(2 * special.ndtr(-abs(z)))
