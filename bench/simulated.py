"""Accuracies drawn from distributions whose truth is known, for bench/false_claims.py."""

import math

import numpy as np
import numpy.typing as npt
from attrs import frozen

Floats = npt.NDArray[np.float64]


@frozen
class Scene:
    """Spreads (standard deviations) of the baseline and of the others, and the shape of their accuracies."""

    name: str
    base: float = 1.0
    others: float = 1.0
    shape: str = "normal"

    @property
    def is_promised(self) -> bool:
        """Whether at most 5 % false claims are promised for it."""
        return self.shape == "normal"


SCENES = (
    Scene("equal spreads"),
    Scene("the others scatter 2 times as much", others=2),
    Scene("the others scatter 4 times as much", others=4),
    Scene("the others scatter 8 times as much", others=8),
    Scene("the baseline scatters 4 times as much", base=4),
    Scene("the baseline scatters 8 times as much", base=8),
    Scene("mild skew, the others scatter 2 times as much", others=2, shape="mild"),
    Scene("strong skew", shape="skew"),
    Scene("strong skew, the others scatter 2 times as much", others=2, shape="skew"),
    Scene("heavy tails", shape="heavy"),
    Scene("1 run in 20 collapses", shape="broken"),
)


def draws(rng: np.random.Generator, size: tuple[int, ...], shape: str) -> Floats:
    """Accuracies of mean 0 and standard deviation 1."""
    if shape == "mild":  # gamma: skewness -1
        return (4 - rng.standard_gamma(4, size)) / 2
    if shape == "skew":  # an exponential tail of bad runs: skewness -2
        return 1 - rng.standard_exponential(size)
    if shape == "heavy":  # Student's t with 3 degrees of freedom
        return rng.standard_t(3, size) / math.sqrt(3)
    if shape == "broken":  # one run in twenty lies ten standard deviations lower
        return (rng.standard_normal(size) - 10 * (rng.random(size) < 0.05) + 0.5) / math.sqrt(1 + 4.75)
    return rng.standard_normal(size)


def monte_carlo_error(rate: float, count: int) -> float:
    """The standard deviation of a rate seen in `count` simulations; that of 1 / count, if nothing was seen."""
    share = min(max(rate, 1 / count), 1 - 1 / count)
    return math.sqrt(share * (1 - share) / count)
