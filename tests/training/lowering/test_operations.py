"""The tables beside the modules have exactly the targets that operations are lowered to."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch

from cifar_dsl.ir import Declaration, Kind, Lowering, Operation, Pattern, Shape, Symbol, arguments_of
from cifar_dsl.operations.argument_types import (
    Axes,
    Bool,
    Choice,
    Extents,
    Float,
    Int,
    ListOf,
    OneOf,
    Pair,
    Stage,
    UnfitError,
)
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES, WEIGHTS, Enclosure, Join
from cifar_dsl.operations.recipe import CLIPS, LOSSES, OPTIMIZERS
from cifar_dsl.operations.registry import CallOf, MisfitError, Registry
from cifar_dsl.training.losses import LOSS_MODULES
from cifar_dsl.training.lowering.torch_module import MODULES, resolve
from cifar_dsl.training.optimizers import OPTIMIZER_CLASSES

INPUTS = [Shape((4, 16, 16)), Shape((16, 4)), Shape((16,)), Shape((2, 1, 1))]


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
            axes, output = ((0,), (1,), (2,)), ((1,), (0,), (2,))
            one = Pattern((axes,), output, INPUTS[0].extents, "c, h, w -> h, c, w")
            return [one, Pattern((axes, axes), output, INPUTS[0].extents, "c, h, w | c, h, w -> h, c, w")]
        case Stage():
            return [Symbol("identity")]
        case Extents():
            return [(4,)]
        case Pair(low=low):
            return [(max(low, 1),) * 2]
        case ListOf(item=item, length=length):
            return [tuple(some(item)[:1] * (length or 1))]
        case CallOf(registry=registry) if registry is WEIGHTS:
            return [one for name in registry for one in instances(registry[name])]
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
        if isinstance(declared, Enclosure):
            if not declared.runs_in_place:
                continue  # it has no stage of its own
            enter, x = declared.enter(INPUTS[0]), INPUTS[0]
            with suppress(MisfitError):
                yield from (enter.lower(x), declared.leave(x).lower(enter.infer(x)))
            continue
        if not isinstance(declared, Operation):
            if (lowering := declared.lower()) is not None:
                yield lowering
            continue
        for inputs in inputs_of(declared):
            try:
                declared.infer(*inputs)
            except (MisfitError, UnfitError):
                continue
            yield from with_inner(declared.lower(*inputs))


def with_inner(lowering: Lowering) -> Iterator[Lowering]:
    """A lowering, and those that make its arguments."""
    yield lowering
    for _, value in lowering.arguments:
        if isinstance(value, Lowering):
            yield from with_inner(value)


def inputs_of(operation: Operation) -> list[tuple[Shape, ...]]:
    """Inputs to try: one, or as many as a join takes at least."""
    count = operation.branches.least if isinstance(operation, Join) else 1
    of_two_ranks = [(INPUTS[0], Shape(INPUTS[0].extents[:1]))] if isinstance(operation, Join) else []
    return [(x,) * count for x in INPUTS] + of_two_ranks


@pytest.mark.parametrize(
    ("registries", "table"),
    [
        ((LAYERS, JOINS, SCOPES), MODULES),
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
    assert any(takes(one, inputs) for one in declared for inputs in inputs_of(one))


def takes(operation: Operation, inputs: tuple[Shape, ...]) -> bool:
    try:
        operation.infer(*inputs)
    except MisfitError:
        return False
    return isinstance(operation.lower(*inputs), Lowering)


def test_targets_in_torch_resolve_to_torch() -> None:
    assert resolve("torch.nn.Conv2d") is torch.nn.Conv2d
