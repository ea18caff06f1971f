"""W0208, W0209 and W0212: joins whose branches aren't those that were meant."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.branches import SEPARATE, is_identity, one_by_one, separated, separation
from cifar_dsl.compiler.lints.registry import network_lint, text_lint
from cifar_dsl.compiler.names import Definition
from cifar_dsl.compiler.names.sorts import may_give_list
from cifar_dsl.ir import Graph, Shape
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers.join import Add, Concat, MaxOfBranches, MeanOfBranches, Shake
from cifar_dsl.operations.layers.shaping import Slice


@text_lint
def missing_separators(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """W0208: joins of one branch, and branches in which `identity` is one of several stages."""
    definitions = found.names.definitions
    of_lists = _joins_of_lists(items, found)
    for branched in nodes.inside(items, nodes.Branched):
        definition = definitions.get(branched.name.span)
        if definition and definition.kind == "join" and not isinstance(branched.branches, nodes.For):
            yield from _of_join(branched, definitions, is_of_list=branched.span in of_lists)


def _joins_of_lists(items: Sequence[nodes.Item], found: Analysis | Library) -> set[Span]:
    """The joins of several tensors that a single branch gives as a list; of a library, those in which it may."""
    if isinstance(found, Analysis):
        return {node.span for node in found.graph.nodes if node.span and len(node.inputs) > 1}
    ends = ((join.span, join.bodies[0].stages[-1]) for join in nodes.inside(items, nodes.Branched) if join.bodies)
    return {span for span, last in ends if isinstance(last, nodes.Chain) and may_give_list(last, found.blocks.get)}


def _of_join(join: nodes.Branched, definitions: Mapping[Span, Definition], *, is_of_list: bool) -> Iterator[Diagnostic]:
    if len(join.bodies) == 1:
        if is_of_list:
            return
        (branch,) = join.bodies
        parts = separated(branch, definitions)
        if len(parts) == 1 and len(branch.stages) == 2:
            parts = one_by_one(branch)
        help_text = "write its other branches, or write its stages without the join"
        if len(branch.stages) > 1:
            help_text = f"{SEPARATE}, or write its stages without the join"
        message = f"this `{join.name}` has only one branch"
        yield Diagnostic("W0208", message, Label(join.name.span), help=(help_text,), fixes=separation(parts))
        return
    for branch in join.bodies:
        alone = next((stage for stage in branch.stages if is_identity(stage, definitions)), None)
        chains = [stage for stage in branch.stages if isinstance(stage, nodes.Chain)]
        if alone is not None and len(chains) > 1:
            message = "`identity` has no effect beside the other stages of its branch"
            fixes = separation(separated(branch, definitions))
            yield Diagnostic("W0208", message, Label(alone.span), help=(f"{SEPARATE}, or delete it",), fixes=fixes)


@network_lint
def stacked_tokens(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0209: a `concat` of slices of the same tokens, which stacks tokens and not the features that the slices cut."""
    graph = analysis.graph
    joins = analysis.joins
    sliced_values = _sliced_values(graph) if joins else []
    reported: set[Span] = set()
    for node in graph.nodes:
        if node.span is None or node.span not in joins or node.span in reported:
            continue
        operation = node.operation
        is_stacking = isinstance(operation, Concat) and operation.over == "first" and node.shape.is_tokens
        if is_stacking and len(node.inputs) > 1:
            sliced = {sliced_values[value] for value in node.inputs}
            if len(sliced) == 1 and None not in sliced:
                reported.add(node.span)
                yield _stacked(joins[node.span], [graph.shape_of(value) for value in node.inputs], node.shape)


def _sliced_values(graph: Graph) -> list[int | None]:
    """Of each value, the value of which it is a slice, possibly with activations; None if it is no slice."""
    found: list[int | None] = [None]
    for node in graph.nodes:
        if isinstance(node.operation, Slice) and not node.operation.has_axes:
            found.append(node.inputs[0])
        else:
            found.append(found[node.inputs[0]] if node.operation.family == "activation" else None)
    return found


def _stacked(join: nodes.Branched, shapes: Sequence[Shape], stacked: Shape) -> Diagnostic:
    meant = Shape((shapes[0].extents[0], sum(shape.channels for shape in shapes)))
    message = f"this `concat` stacks the tokens of slices: {' and '.join(map(str, shapes))} become {stacked}"
    help_text = f"for {meant}, write `concat(features) {{`"
    end = Span(join.span.source, join.name.span.end, join.name.span.end)
    is_bare = isinstance(join.head, nodes.Name)
    fixes = (Fix("write `concat(features)`", (Edit(end, "(features)"),)),) if is_bare else ()
    return Diagnostic("W0209", message, Label(join.name.span), help=(help_text,), fixes=fixes)


@network_lint
def stretched_branches(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0212: a join with a branch whose single channel, row or column a layer with windows or outputs made.

    In a `mul`, such a branch is a gate. Pools of the whole image, patterns, slices and learned tensors reduce axes on
    purpose. So does a join in which no branch has the shape of the output.
    """
    graph = analysis.graph
    joins = analysis.joins
    reported: set[Span] = set()
    for node in graph.nodes:
        if node.span is None or node.span in reported or node.span not in joins:
            continue
        if not isinstance(node.operation, Add | MeanOfBranches | MaxOfBranches | Shake):
            continue
        shapes = graph.input_shapes(node)
        if node.shape not in shapes:
            continue
        for number in node.operation.stretched(*shapes):
            if help_text := _slip(graph, node.inputs[number], node.shape):
                reported.add(node.span)
                yield _stretched(joins[node.span], number, shapes[number], node.shape, help_text)
                break


def _slip(graph: Graph, value: int, joined: Shape) -> str:
    """The help text for a branch that is probably stretched by mistake; "" if it isn't."""
    shape = graph.shape_of(value)
    if shape.channels == 1 < joined.channels and _is_made_by(graph, value, _channels, ("channels", "features")):
        projection = f"conv({joined.channels}, 1)" if shape.is_image else f"dense({joined.channels})"
        return f"end the branch with `{projection}`"
    if shape.is_image:
        for axis in (1, 2):
            if shape.extents[axis] == 1 < joined.extents[axis] and _is_made_by(graph, value, _along(axis), ("kernel",)):
                return "use the same stride and padding in all branches"
    return ""


def _channels(shape: Shape) -> int:
    return shape.channels


def _along(axis: int) -> Callable[[Shape], int]:
    return lambda shape: shape.extents[axis] if shape.is_image else 0


def _is_made_by(graph: Graph, value: int, extent: Callable[[Shape], int], arguments: Sequence[str]) -> bool:
    """Whether an extent of 1 comes from a layer with one of these arguments, or from the network's input."""
    while node := graph.maker(value):
        if node.operation.is_join or not node.used_inputs:
            return False
        value = node.inputs[0]
        if extent(graph.shape_of(value)) != 1:
            return any(name in node.operation.arguments() for name in arguments)
    return True


def _stretched(join: nodes.Branched, number: int, shape: Shape, joined: Shape, help_text: str) -> Diagnostic:
    message = f"a branch of this `{join.name}` is stretched from {shape} to {joined}"
    bodies = join.bodies
    where = (Label(bodies[number].span, f"this branch outputs {shape}"),) if number < len(bodies) else ()
    return Diagnostic(
        "W0212", message, Label(join.name.span), secondary=where, help=(f"{help_text}, or allow it if it is meant",)
    )
