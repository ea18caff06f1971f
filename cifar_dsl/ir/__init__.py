"""What a spec means, as plain immutable data: the graph of layers and the training recipe."""

from cifar_dsl.ir.graph import (
    Call,
    Cost,
    Graph,
    Group,
    Node,
    Parameter,
    Recipe,
    Scope,
    Shape,
    Size,
    Symbol,
    Value,
    fingerprint,
)

__all__ = [
    "Call",
    "Cost",
    "Graph",
    "Group",
    "Node",
    "Parameter",
    "Recipe",
    "Scope",
    "Shape",
    "Size",
    "Symbol",
    "Value",
    "fingerprint",
]
