"""Warnings about what flows through a network.

A place in the text may stand for many layers, one for each call of its block; a warning is given where it holds
for all of them.
"""

from collections.abc import Callable, Iterator

from attrs import define, field

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.bind import Invocation
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.ir import Graph, Node, arguments_of
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes, parse_override
from cifar_dsl.operations.layers import LAYERS

_CENTRING = frozenset(["bn", "instancenorm"])  # they subtract the mean of each channel by itself
_BEFORE_LOSS = {"cross_entropy": ("softmax",), "focal": ("softmax",), "bce": ("sigmoid", "softmax")}


@define
class _Flow:
    """A graph with who takes what: `takers[v]` are the nodes that take value v."""

    graph: Graph
    takers: list[list[Node]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.takers = [[] for _ in range(self.graph.body.values.stop)]
        for node in self.graph.nodes:
            for value in node.inputs:
                self.takers[value].append(node)

    def everywhere(self, holds: Callable[[Node], bool]) -> Iterator[tuple[Span, list[Node]]]:
        """The places whose layers are all such that `holds`, with those layers."""
        places: dict[Span, list[Node]] = {}
        spoilt: set[Span] = set()
        for node in self.graph.nodes:
            if node.span is not None and node.span not in spoilt:
                if holds(node):
                    places.setdefault(node.span, []).append(node)
                else:
                    spoilt.add(node.span)
        yield from ((span, nodes) for span, nodes in places.items() if span not in spoilt)


@network_lint
def lost_tensors(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0202: outputs that nothing takes."""
    flow = _Flow(analysis.graph)
    output = analysis.graph.output
    for span, _ in flow.everywhere(lambda node: not flow.takers[node.output] and node.output != output):
        yield Diagnostic("W0202", "nothing uses the tensor that this gives", Label(span), help=("use it or delete it",))


@network_lint
def biases_before_norms(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0203: a bias whose sum a normalisation centres away."""
    flow = _Flow(analysis.graph)

    def is_centred_away(node: Node) -> bool:
        takers = flow.takers[node.output]
        has_bias = "bias" in node.operation.arguments() and any(p.kind == "bias" for p in node.parameters)
        return has_bias and len(takers) == 1 and takers[0].operation.name in _CENTRING

    for span, found in flow.everywhere(is_centred_away):
        needless = sum(p.elements for node in found for p in node.parameters if p.kind == "bias")
        layer = found[0].operation.name
        yield Diagnostic(
            "W0203",
            f"the normalisation after it subtracts the bias of this {layer} again",
            Label(span),
            notes=(f"{needless:,} parameters do nothing",),
            help=("add `bias=false`",),
            fixes=_without_bias(span, layer),
        )


def _without_bias(span: Span, layer: str) -> tuple[Fix, ...]:
    parsed = parse_override(Source("", f"x={span.text}")).chain.elements[0].kind
    if not isinstance(parsed, nodes.CallExpression) or parsed.callee.text != layer:
        return ()  # an argument of a block names the layer
    call = Invocation.of(parsed)
    order = [info.name for info in arguments_of(LAYERS[layer])]
    if any(call.given(name, order) for name in ("frozen", "bias_init")):
        return ()  # which would speak of a bias that isn't there
    given = call.given("bias", order)
    place = given.value.span if given else call.arguments[-1].span  # without arguments there are no channels
    start = place.start if given else place.end
    offset = span.start - len("x=")
    edit = Edit(Span(span.source, start + offset, place.end + offset), "false" if given else ", bias=false")
    return (Fix("add `bias=false`", (edit,)),)


@network_lint
def dropping_pools(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0204: rows and columns that no window of a pooling sees."""
    graph = analysis.graph
    told: set[Span] = set()
    for node in graph.nodes:
        if node.span is None or node.span in told:
            continue
        rows, columns = node.operation.dropped_border(*graph.input_shapes(node))
        if rows or columns:
            x = graph.shape_of(node.inputs[0])
            told.add(node.span)
            counts = ((rows, "row"), (columns, "column"))
            lost = " and ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count)
            yield Diagnostic(
                "W0204",
                f"{node.operation.name} leaves out {lost} of its input",
                Label(node.span, f"the input is {x}"),
                help=("use `ceil=true`, or a padding or stride before it that makes the extents fit",),
            )


@network_lint
def activations_twice(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0205: an activation right after the same one."""
    flow = _Flow(analysis.graph)

    def is_second(node: Node) -> bool:
        maker = flow.graph.maker(node.inputs[0])
        is_activation = node.operation.family == "activation"
        return is_activation and maker is not None and maker.operation.name == node.operation.name

    for span, (node, *_) in flow.everywhere(is_second):
        maker = flow.graph.maker(node.inputs[0])
        assert maker is not None
        assert maker.span is not None
        yield Diagnostic(
            "W0205",
            f"{node.operation.name} comes right after {maker.operation.name}",
            Label(span, "again here"),
            secondary=(Label(maker.span, "first here"),) if maker.span != span else (),
            help=("delete one of the two, or put a layer between them",),
        )


@network_lint
def softmax_before_loss(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0207: a network that ends with what its loss does anyway."""
    graph, recipe = analysis.graph, analysis.recipe
    last = graph.maker(graph.output)
    if recipe is None or last is None or last.span is None:
        return
    if last.operation.name in _BEFORE_LOSS.get(recipe.loss.name, ()):
        message = f"the loss {recipe.loss.name} takes scores, and this is a {last.operation.name} of them"
        yield Diagnostic("W0207", message, Label(last.span), help=("delete it",))
