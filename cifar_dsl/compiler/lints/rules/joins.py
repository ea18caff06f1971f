"""W0208 and W0209: joins whose branches aren't those that were meant."""

from collections.abc import Iterator, Mapping, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.branches import SEPARATE, is_identity, one_by_one, separated, separation
from cifar_dsl.compiler.lints.registry import network_lint, text_lint
from cifar_dsl.compiler.names import Definition
from cifar_dsl.ir import Graph, Shape
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers.shaping import Slice


@text_lint
def missing_separators(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """W0208: joins of one branch, and branches in which `identity` is one of several stages."""
    definitions = found.names.definitions
    of_lists = _joins_of_lists(found)
    for branched in nodes.inside(items, nodes.Branched):
        definition = definitions.get(branched.name.span)
        if definition and definition.kind == "join" and not isinstance(branched.branches, nodes.For):
            yield from _of_join(branched, definitions, is_of_list=branched.span in of_lists)


def _joins_of_lists(found: Analysis | Library) -> set[Span]:
    """The joins of several tensors that a single branch may give as a list."""
    graph = found.graph if isinstance(found, Analysis) else None
    return {node.span for node in graph.nodes if node.span and len(node.inputs) > 1} if graph else set()


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
    joins = {join.span: join for join in nodes.inside(analysis.program.own, nodes.Branched)}
    sliced_values = _sliced_values(graph) if joins else []
    reported: set[Span] = set()
    for node in graph.nodes:
        if node.span is None or node.span not in joins or node.span in reported:
            continue
        if node.operation.name == "concat" and node.shape.is_tokens and len(node.inputs) > 1:
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
    help_text = f"for {meant}, end each branch with `-> transpose`, and write `-> transpose` after the `concat`"
    ends = [branch.span.end for branch in join.bodies if isinstance(branch.stages[-1], nodes.Chain)]
    edits = tuple(Edit(Span(join.span.source, end, end), " -> transpose") for end in (*ends, join.span.end))
    fixes = (Fix("transpose before and after the `concat`", edits),) if len(ends) == len(join.bodies) else ()
    return Diagnostic("W0209", message, Label(join.name.span), help=(help_text,), fixes=fixes)
