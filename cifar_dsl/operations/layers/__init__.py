"""Every layer, join and scope of the language, one class each; importing this package registers them all."""

from typing import Any

from cifar_dsl.operations.layers import (
    activation,
    arithmetic,
    attention,
    conv,
    dense,
    dropout,
    exit,  # noqa: A004
    join,
    learned,
    local,
    norm,
    parts,
    pattern,
    pool,
    scale,
    scores,
    shaping,
    tied,
)
from cifar_dsl.operations.layers.base import JOINS, LAYERS, SCOPES, Branches, Enclosure, Join, JoinError, Layer
from cifar_dsl.operations.layers.initializer import INITIALIZERS
from cifar_dsl.operations.layers.weight import WEIGHTS
from cifar_dsl.operations.registry import Registry

VALUES: tuple[Registry[Any], ...] = (INITIALIZERS, WEIGHTS)  # whose declarations are arguments of layers


def value_registry(name: str) -> Registry[Any] | None:
    """The registry of the initialiser or weight function with this name; None if there is none."""
    return next((registry for registry in VALUES if name in registry), None)


__all__ = [
    "INITIALIZERS",
    "JOINS",
    "LAYERS",
    "SCOPES",
    "VALUES",
    "WEIGHTS",
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
    "exit",
    "join",
    "learned",
    "local",
    "norm",
    "parts",
    "pattern",
    "pool",
    "scale",
    "scores",
    "shaping",
    "tied",
    "value_registry",
]
