"""Where a function of one number is zero."""

import sys
from collections.abc import Callable

_MOST_STEPS = 200


def root(function: Callable[[float], float], low: float, high: float, *, atol: float = 1e-12) -> float:
    """A zero of a continuous function between `low` and `high`, where its values have different signs.

    It is exact to `atol`, or to rounding. The method is that of Chandrupatla (1997, "A new hybrid
    quadratic/bisection algorithm", Advances in Engineering Software 28): it replaces one of the two ends by a point
    between them, the zero of the inverse parabola through the last three points where that is safe, else the middle.
    `scipy.optimize` finds the same zeros, but takes longer to import than all of them take to find. Raises ValueError
    for values of one sign.
    """
    (a, f_a), (b, f_b) = ((end, function(end)) for end in (low, high))  # `a` is the newest end
    if f_a == 0 or f_b == 0:
        return a if f_a == 0 else b
    if (f_a > 0) == (f_b > 0):
        raise ValueError(f"the function is {f_a:g} at {low:g} and {f_b:g} at {high:g}: no zero is between them")
    share = 0.5  # where between `a` and `b` the next point is
    for _ in range(_MOST_STEPS):
        x = a + share * (b - a)
        f_x = function(x)
        if (f_x > 0) == (f_a > 0):
            c, f_c = a, f_a
        else:
            c, f_c, b, f_b = b, f_b, a, f_a
        a, f_a = x, f_x
        best, f_best = (a, f_a) if abs(f_a) < abs(f_b) else (b, f_b)
        nearest = max(atol, 2 * sys.float_info.epsilon * abs(best)) / abs(b - a)
        if f_best == 0 or nearest > 0.5:
            return best
        place, height = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        share = 0.5
        if height**2 < place and (1 - height) ** 2 < 1 - place:
            share = f_a / (f_b - f_a) * f_c / (f_b - f_c) + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        share = min(1 - nearest, max(nearest, share))
    return best
