"""Every layer of the language, each declared in one class; importing this package enters them all."""

from cifar_dsl.layers import activation, conv, dense, join, norm, pool, shaping
from cifar_dsl.layers.base import JOINS, LAYERS, Join, JoinError, Layer

__all__ = [
    "JOINS",
    "LAYERS",
    "Join",
    "JoinError",
    "Layer",
    "activation",
    "conv",
    "dense",
    "join",
    "norm",
    "pool",
    "shaping",
]
