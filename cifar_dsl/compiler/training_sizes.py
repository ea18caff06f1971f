"""The network at the sizes of training images: `resize` in a recipe changes them from epoch to epoch."""

import math
from collections.abc import Sequence
from itertools import pairwise

from cifar_dsl.compiler.expand import expand
from cifar_dsl.compiler.names import Names
from cifar_dsl.compiler.program import Program
from cifar_dsl.compiler.values import ValueScope
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import Graph, Node, Recipe, Shape
from cifar_dsl.language.diagnostics import Label, Reporter, SpecError
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.recipe.augmentation import Resize, resizing

_ADVICE = (
    "a network takes images of several sizes if it ends with `global_avgpool` and names no other size",
    "or remove `resize`",
)


@frozen
class TrainingSize:
    """The size of the training images from an epoch on, and the multiply-accumulates of the network for one of them.

    `after`: how many epochs have passed when this size begins.
    """

    after: int
    image: Shape
    macs: int


def training_sizes(
    program: Program, names: Names, values: ValueScope, graph: Graph, recipe: Recipe | None, reporter: Reporter
) -> tuple[TrainingSize, ...]:
    """The sizes of the training images in order: one without `resize`. Reports those that don't fit the network."""
    resize = resizing(recipe.augment) if recipe else None
    if recipe is None or resize is None or reporter:
        return (TrainingSize(0, graph.input, graph.training_cost.macs),)
    stage = recipe.augment.index(resize)
    at = program.settings["augment"].chain.elements[stage].span
    found = []
    for after, (height, width) in zip(resize.at, resize.sizes, strict=True):
        image = Shape((graph.input.channels, height, width))
        is_full = image == graph.input
        at_size = graph if is_full else _expanded(program, names, values, image, reporter, resize, at)
        if at_size is None:
            break
        if (node := _different(graph, at_size)) is not None:
            reporter.error(
                "E0424",
                f"`{node.path}` is not the same layer for images of {image} and of {graph.input}",
                at,
                secondary=(Label(node.span, "this layer depends on the size"),) if node.span else (),
                help=_ADVICE,
            )
            break
        found.append(TrainingSize(after, image, at_size.training_cost.macs))
    return tuple(found)


def mean_macs(sizes: Sequence[TrainingSize], begin: float, end: float) -> float:
    """The multiply-accumulates for a training image of these sizes, in the mean from epoch `begin` to `end`.

    Both are numbers of epochs that have passed. If they are equal, the next epoch counts.
    """
    end = end if end > begin else begin + 1
    starts = [size.after for size in sizes]
    shares = [max(0.0, min(end, later) - max(begin, start)) for start, later in pairwise([*starts, math.inf])]
    return sum(size.macs * (share / (end - begin)) for size, share in zip(sizes, shares, strict=True))


def _expanded(
    program: Program,
    names: Names,
    values: ValueScope,
    image: Shape,
    reporter: Reporter,
    resize: Resize,
    at: Span,
) -> Graph | None:
    """The network for images of another size; None if it doesn't take them, which is reported."""
    assert program.input is not None
    inner = Reporter(main=reporter.main)
    inner.work = reporter.work
    given = nodes.Input(nodes.SizeLiteral(image.extents, program.input.size.span), program.input.span)
    graph = expand(evolve(program, input=given), names, values, inner, is_final=False)
    try:
        inner.raise_if_any()
    except SpecError as error:
        first = error.diagnostics[0]
        if first.code == "E0211":  # steps ran out, which says nothing about the size
            reporter.include(error.diagnostics)
            return None
        reporter.error(
            "E0424",
            f"`{resize.name}` trains on images of {image}, which the network doesn't take: {first.message}",
            at,
            help="use larger sizes, or remove `resize`",
        )
        return None
    return graph


def _different(graph: Graph, other: Graph) -> Node | None:
    """The first node whose module or weights differ between two expansions of one network."""
    for one, two in zip(graph.nodes, other.nodes, strict=False):
        if (one.path, one.inputs, one.parameters) != (two.path, two.inputs, two.parameters):
            return one
        if one.operation.lower(*graph.input_shapes(one)) != two.operation.lower(*other.input_shapes(two)):
            return one
    return None if len(graph.nodes) == len(other.nodes) else graph.nodes[-1]
