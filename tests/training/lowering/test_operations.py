"""The tables beside the modules have exactly the targets that operations are lowered to."""

from collections.abc import Iterator

import pytest
import torch

from cifar_dsl.ir import Declaration, Kind, Lowering, Operation, Pattern, Shape, arguments_of
from cifar_dsl.operations.argument_types import Axes, Bool, Choice, Float, Int, ListOf, OneOf, Pair, UnfitError
from cifar_dsl.operations.layers import JOINS, LAYERS
from cifar_dsl.operations.recipe import CLIPS, LOSSES, OPTIMIZERS
from cifar_dsl.operations.registry import MisfitError, Registry
from cifar_dsl.training.losses import LOSS_MODULES
from cifar_dsl.training.lowering.modules import MODULES
from cifar_dsl.training.lowering.torch_module import resolve
from cifar_dsl.training.optimizers import OPTIMIZER_CLASSES

INPUTS = [Shape((4, 16, 16)), Shape((16, 4)), Shape((16,))]


def some(kind: Kind) -> list[object]:
    """Values of a kind: all of those that there are few of, else one."""
    match kind:
        case Bool():
            return [False, True]
        case Choice(names=names):
            return list(names)
        case Float():
            return [0.5]
        case Int(low=low):
            return [max(low, 2)]
        case Axes():
            return [Pattern((((0,), (1,), (2,)),), ((1,), (0,), (2,)), INPUTS[0].extents, "c, h, w -> h, c, w")]
        case Pair(low=low):
            return [(max(low, 1),) * 2]
        case ListOf(item=item, length=length):
            return [tuple(some(item)[:1] * (length or 1))]
        case OneOf(kinds=kinds):
            return [value for one in kinds for value in some(one)]
    return []


def instances(declaration: type[Declaration]) -> Iterator[Declaration]:
    """With what is required alone, and with each value of each argument."""
    infos = arguments_of(declaration)
    required = {info.name: some(info.kind)[0] for info in infos if info.is_required}
    yield declaration(**required)
    yield from (declaration(**required | {info.name: value}) for info in infos for value in some(info.kind))


def lowerings(registry: Registry) -> Iterator[Lowering]:
    for declared in (one for name in registry for one in instances(registry[name])):
        if not isinstance(declared, Operation):
            if (lowering := declared.lower()) is not None:
                yield lowering
            continue
        for x in INPUTS:
            try:
                declared.infer(x)
            except (MisfitError, UnfitError):
                continue
            yield declared.lower(x)


@pytest.mark.parametrize(
    ("registries", "table"),
    [
        ((LAYERS, JOINS), MODULES),
        ((LOSSES,), LOSS_MODULES),
        ((OPTIMIZERS,), OPTIMIZER_CLASSES),
        ((CLIPS,), {}),
    ],
    ids=["modules", "losses", "optimizers", "clippings"],
)
def test_each_table_has_exactly_the_targets_of_lowerings(registries, table) -> None:
    targets = {lowering.target for registry in registries for lowering in lowerings(registry)}
    ours = {target for target in targets if not target.startswith("torch.")}
    assert ours == set(table)
    assert all(callable(resolve(target, table)) for target in targets)


@pytest.mark.parametrize("name", [*LAYERS, *JOINS])
def test_every_operation_can_be_lowered(name: str) -> None:
    """So that the table above has seen them all."""
    registry = LAYERS if name in LAYERS else JOINS
    declared = list(instances(registry[name]))
    assert any(takes(one, x) for one in declared for x in INPUTS)


def takes(operation: Operation, x: Shape) -> bool:
    try:
        operation.infer(x)
    except MisfitError:
        return False
    return isinstance(operation.lower(x), Lowering)


def test_targets_in_torch_resolve_to_torch() -> None:
    assert resolve("torch.nn.Conv2d") is torch.nn.Conv2d
