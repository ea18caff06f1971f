"""Every layer, join and scope of the language, one class each; importing this package registers them all."""

from cifar_dsl.operations.layers import (
    activation,
    arithmetic,
    attention,
    conv,
    dense,
    dropout,
    join,
    learned,
    local,
    norm,
    pattern,
    pool,
    scale,
    scores,
    shaping,
)
from cifar_dsl.operations.layers.base import JOINS, LAYERS, SCOPES, Branches, Enclosure, Join, JoinError, Layer
from cifar_dsl.operations.layers.initializer import INITIALIZERS

__all__ = [
    "INITIALIZERS",
    "JOINS",
    "LAYERS",
    "SCOPES",
    "Branches",
    "Enclosure",
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
    "learned",
    "local",
    "norm",
    "pattern",
    "pool",
    "scale",
    "scores",
    "shaping",
]
