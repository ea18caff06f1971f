"""Constraints on weights: where the weights are put back after each step of the optimizer."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Constraint, NoConstraint
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.registry import Registry

CONSTRAINTS: Registry[Constraint] = Registry("constraint")

WITH_ROWS = frozenset(["filter", "matrix"])  # kinds of parameters that a constraint bounds

CONSTRAINTS.register("none")(NoConstraint)


@CONSTRAINTS.register("max_norm")
@declared
class MaxNorm(Constraint):
    """After each step, scale rows that are longer than `limit` to that length; Srivastava et al. 2014, section 5.1.

    https://jmlr.org/papers/v15/srivastava14a.html. A row holds the weights of one output: a filter, or a row of a
    matrix. Biases, scales and embeddings have no limit. As `max_col_norm` and `max_kernel_norm` of pylearn2. The layer
    argument `weight=capped(limit)` is another function: there, the layer uses scaled rows, and the weights themselves
    keep growing.
    """

    limit: float = argument(Float(0, open_low=True), "the largest Euclidean norm of a row")
