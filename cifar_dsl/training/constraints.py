"""Constraints on weights, applied in place after each step of the optimizers. Nothing waits for the device."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.ir.recipe import Constraint
from cifar_dsl.operations.recipe.constraint import WITH_ROWS
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.training.lowering.modules import LocallyConnected


@frozen
class _Limited:
    """The weights of a layer, as a view whose axes `within` run within a row, and the largest norm of a row."""

    parameter: nn.Parameter = field(eq=False)
    weight: Tensor = field(eq=False)
    within: tuple[int, ...]
    limit: float

    def project(self) -> None:
        """Scale the rows that are too long."""
        norms = torch.linalg.vector_norm(self.weight, dim=self.within, keepdim=True)
        self.weight.mul_(self.limit / norms.clamp(min=self.limit))


class Constraints:
    """The constraints of a recipe and its groups on the weights of a network."""

    def __init__(self, module: nn.Module, graph: Graph, recipe: Recipe) -> None:
        self._limited = []
        assigned = assign(graph, recipe)
        for node in graph.nodes:
            for parameter in node.parameters:
                path = f"{node.path}.{parameter.name}"
                if path not in assigned or parameter.kind not in WITH_ROWS:
                    continue
                group = assigned[path]
                constraint = (recipe if group is None else recipe.groups[group]).constrain
                if (limit := _limit_of(constraint)) is not None:
                    layer, name = module.get_submodule(node.path), parameter.name
                    weight = layer.get_parameter(name)
                    self._limited.append(_Limited(weight, *_rows(layer, weight), limit))

    @torch.no_grad()
    def apply(self, trained: Collection[nn.Parameter]) -> None:
        """Project the weights among the `trained` parameters."""
        if not self._limited:
            return
        moved = set(map(id, trained))
        for one in self._limited:
            if id(one.parameter) in moved:
                one.project()


def _limit_of(constraint: Constraint) -> float | None:
    limit = constraint.arguments().get("limit")
    return None if limit is None else float(limit)


def _rows(layer: nn.Module, weight: nn.Parameter) -> tuple[Tensor, tuple[int, ...]]:
    """A view of a weight, and its axes within a row: the weights of one output."""
    values = weight.detach()
    if isinstance(layer, LocallyConnected):
        return values, (2,)
    if isinstance(layer, nn.ConvTranspose2d):  # (inputs, outputs of a group, height, width)
        return torch.unflatten(values, 0, (layer.groups, -1)), (1, 3, 4)
    return values, tuple(range(1, values.ndim))
