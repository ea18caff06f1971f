"""Every layer and join of the language, each declared in one class; importing this package registers them all."""

from cifar_dsl.operations.layers import (
    activation,
    arithmetic,
    attention,
    conv,
    dense,
    dropout,
    join,
    local,
    norm,
    pattern,
    pool,
    scale,
    shaping,
)
from cifar_dsl.operations.layers.base import JOINS, LAYERS, Join, JoinError, Layer
from cifar_dsl.operations.layers.initializer import INITIALIZERS

__all__ = [
    "INITIALIZERS",
    "JOINS",
    "LAYERS",
    "Join",
    "JoinError",
    "Layer",
    "activation",
    "arithmetic",
    "attention",
    "conv",
    "dense",
    "dropout",
    "join",
    "local",
    "norm",
    "pattern",
    "pool",
    "scale",
    "shaping",
]
