"""How far two floats may lie apart, and why: the tolerances that tests share.

Pass one with two stars: `pytest.approx(x, **FLOAT64)`, `torch.testing.assert_close(a, b, **SAME_FORMULA)`. A tolerance
that one test alone needs stands in that test, with its reason in a comment; `tests/test_tolerances.py` checks both.
What is computed exactly, or by the same operations in the same order, is compared with `==` or `torch.equal`.

One operation rounds its result by 1.1e-16 of its size in float64, 6.0e-8 in float32, 4.9e-4 in float16 and 2.0e-3 in
bfloat16. A tolerance is about ten to a hundred times what such roundings add up to.
"""

from torch import Tensor

# ---- numbers of Python, for `pytest.approx`

FLOAT64 = {"rel": 1e-12, "abs": 1e-15}
"""Some operations in float64, or a function of scipy. Decimals such as 0.1 are rounded too: 0.1 + 0.2 != 0.3."""

STORED_AS_FLOAT32 = {"rel": 1e-7, "abs": 0.0}
"""The same number, rounded once to float32."""

FLOAT32 = {"rel": 2e-6, "abs": 0.0}
"""A loss, a norm or a mean in float32, of up to a thousand terms without a sign. Measured: 2e-7."""

HALF = {"rel": 2e-3, "abs": 0.0}
"""A loss of activations rounded to float16 or bfloat16, whose errors mostly cancel. Measured: up to 1e-4."""

# ---- tensors in float32, for `torch.testing.assert_close`

SAME_FORMULA = {"rtol": 1e-6, "atol": 1e-6}
"""A formula that is written otherwise, of numbers up to about ten and sums of up to a hundred terms. Measured: 5e-7."""

FLOAT64_SUMS = {"rtol": 1e-11, "atol": 1e-13}
"""The same in float64."""

PIXELS = {"rtol": 0.0, "atol": 3e-4}
"""Bytes of an image, up to 255, after a few operations: each rounds by up to 1.5e-5. Measured: 8e-5."""

TRAINED = {"rtol": 1e-5, "atol": 2e-6}
"""Weights after about twelve steps of a small network, whose sums are taken in another order.

A step moves a weight by up to 1e-2 and rounds that by a little more than 1e-7 of it; steps add up. Measured: 5e-8. This
holds where no gradient is rounding noise alone (`without_idle_biases`), and no optimizer divides by noise: Adam and
its like need an eps far above the noise of gradients (1e-8), and optimizers that take signs need rates that are exact.
"""


def sums(expected: Tensor) -> dict[str, float]:
    """Of sums with terms of both signs, in another order.

    Such a sum can be nearly zero while its terms aren't, and its error has the size of theirs: so the largest number of
    the tensor is the measure. Measured: 1e-6 of it.
    """
    return {"rtol": 0.0, "atol": 1e-5 * float(expected.detach().abs().max())}
