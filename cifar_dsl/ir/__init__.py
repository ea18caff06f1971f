"""The meaning of a spec as plain, immutable data: the graph of operations and the training recipe.

Nothing here knows a particular layer. Cost counts, the module builder, tables and pictures walk these objects; the
fingerprint is a hash of them.
"""

from cifar_dsl.ir.declaration import DECLARED_KINDS, ArgumentInfo, Declaration, Kind, argument, arguments_of, declared
from cifar_dsl.ir.execution import ComputedWeight, Execution, SavedTensors
from cifar_dsl.ir.exits import TrainedOutput, trained_outputs
from cifar_dsl.ir.fingerprint import fingerprint
from cifar_dsl.ir.graph import Graph, Node, Scope, Stage
from cifar_dsl.ir.lowering import Lowering
from cifar_dsl.ir.operation import Cost, Operation, Parameter
from cifar_dsl.ir.pattern import Pattern
from cifar_dsl.ir.recipe import Contrast, Group, Recipe, Standardization
from cifar_dsl.ir.shape import Shape
from cifar_dsl.ir.values import Call, Size, Symbol, Value

__all__ = [
    "DECLARED_KINDS",
    "ArgumentInfo",
    "Call",
    "ComputedWeight",
    "Contrast",
    "Cost",
    "Declaration",
    "Execution",
    "Graph",
    "Group",
    "Kind",
    "Lowering",
    "Node",
    "Operation",
    "Parameter",
    "Pattern",
    "Recipe",
    "SavedTensors",
    "Scope",
    "Shape",
    "Size",
    "Stage",
    "Standardization",
    "Symbol",
    "TrainedOutput",
    "Value",
    "argument",
    "arguments_of",
    "declared",
    "fingerprint",
    "trained_outputs",
]
