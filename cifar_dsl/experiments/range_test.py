"""Reads the curve of a learning rate range test: a smooth curve, its noise, and a suggested rate with its reason."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.records import frozen

Values = npt.NDArray[np.float64]

_BELOW = 10  # the suggestion is the rate of the lowest loss divided by this
_TOLD_APART = 1.81  # standard errors of one loss: two losses further apart differ with 90 % confidence
_LEAST_STEPS = 20
_CLEAR = 5  # standard errors that the loss must fall


@frozen
class Reading:
    """What a curve says.

    Attributes:
        smooth: The loss at each step, smoothed.
        noise: Standard deviation of a step's loss around the smooth curve.
        lowest: The rate at which the smooth curve is lowest; None if the loss didn't fall clearly.
        suggestion: A tenth of it.
        interval: A tenth of the rates around it whose losses noise can't tell from the lowest.
        obstacle: Why there is no suggestion; empty if there is one.
        at_end: Whether the loss was still falling at the highest rate, so that higher rates may be better.
    """

    smooth: tuple[float, ...]
    noise: float
    lowest: float | None = None
    suggestion: float | None = None
    interval: tuple[float, float] | None = None
    obstacle: str = ""
    at_end: bool = False


def read_curve(rates: Sequence[float], losses: Sequence[float], *, ended: str) -> Reading:
    """The reading of a curve; `ended` as in `RangeTest`."""
    if len(losses) < _LEAST_STEPS:
        return Reading(
            tuple(losses), 0.0, obstacle=f"it has only {len(losses)} steps; a curve needs at least {_LEAST_STEPS}"
        )
    measured = np.asarray(losses)
    weights = _weights(len(measured))
    smooth = weights @ measured
    rest = measured - smooth
    noise = float(np.sqrt(np.mean(rest**2)))
    # Before the loss explodes, or it would count as noise.
    at = int(smooth.argmin())
    own = rest[: at + 1]
    error = float(np.sqrt(np.mean(own**2) * (weights[at] ** 2).sum()))
    start = float(smooth[: max(1, len(smooth) // 10)].mean())
    fall = start - float(smooth[at])
    if at < len(smooth) // 10 or fall < _CLEAR * error:
        reason = f"the loss falls by {max(0.0, fall):.3g}, and its noise is {error:.2g} there"
        return Reading(tuple(smooth.tolist()), noise, obstacle=reason)
    alike = smooth <= smooth[at] + _TOLD_APART * error
    first, last = at, at
    while first > 0 and alike[first - 1]:
        first -= 1
    while last + 1 < len(alike) and alike[last + 1]:
        last += 1
    return Reading(
        smooth=tuple(smooth.tolist()),
        noise=noise,
        lowest=float(rates[at]),
        suggestion=float(f"{rates[at] / _BELOW:.2g}"),
        interval=(rates[first] / _BELOW, rates[last] / _BELOW),
        at_end=ended != "diverged" and at >= len(smooth) - max(2, len(smooth) // 20),
    )


def _weights(steps: int) -> Values:
    """The weights (step, step) of a Gaussian mean over neighbouring steps; rows add up to 1."""
    at = np.arange(steps)
    width = max(1.5, steps / 40)
    weights = np.exp(-0.5 * ((at[:, None] - at) / width) ** 2)
    return np.asarray(weights / weights.sum(1, keepdims=True), dtype=np.float64)
