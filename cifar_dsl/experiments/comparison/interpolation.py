"""Interpolation of smooth functions that are slow to compute."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def cubic(values: Floats, places: Floats) -> Floats:
    """The values between equidistant nodes, each by the cubic polynomial through the four nodes around it.

    `places` are in nodes: 1.5 lies between the second and the third value. Places outside take the value at the end.
    """
    inside = np.clip(places, 0, len(values) - 1)
    first = np.clip(inside.astype(int) - 1, 0, len(values) - 4)
    u = inside - first
    a, b, c, d = (values[first + i] for i in range(4))
    before, after = u * (u - 1), (u - 2) * (u - 3)
    found: Floats = a * (1 - u) * after / 6 + b * u * after / 2 + before * (c * (3 - u) / 2 + d * (u - 2) / 6)
    return found
