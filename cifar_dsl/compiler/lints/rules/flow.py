"""Warnings about the tensors of a network.

A place in a block expands to several layers, one for each call. Most warnings are reported only if they hold for all.
"""

from collections.abc import Callable, Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.ir import Graph, Node, Scope, arguments_of
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.layers.activation import Softmax
from cifar_dsl.operations.layers.parts import Einsum, WindowsEnter

_CENTRING = frozenset(["bn", "instancenorm"])  # they subtract the mean of each channel
_BEFORE_LOSS = {"cross_entropy": ("softmax",), "focal": ("softmax",), "bce": ("sigmoid", "softmax")}


def _everywhere(graph: Graph, holds: Callable[[Node], bool]) -> Iterator[tuple[Span, list[Node]]]:
    """The places where `holds` is true for all layers, with those layers."""
    return ((span, found) for span, found in graph.places.items() if all(map(holds, found)))


@network_lint
def lost_tensors(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0202: outputs that are never used."""
    graph = analysis.graph
    used = {graph.output, *graph.exits}
    for span, _ in _everywhere(graph, lambda node: not (graph.consumers[node.output] or node.output in used)):
        yield Diagnostic("W0202", "the output of this stage is never used", Label(span), help=("use it or delete it",))


@network_lint
def biases_before_norms(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0203: a bias that the following normalisation subtracts."""
    graph = analysis.graph

    def is_centred_away(node: Node) -> bool:
        consumers = graph.consumers[node.output]
        if len(consumers) != 1 or consumers[0].operation.name not in _CENTRING:
            return False
        has_option = any(info.name == "bias" for info in arguments_of(type(node.operation)))
        return has_option and any(p.kind == "bias" for p in graph.owner(node).parameters)

    for span, found in _everywhere(graph, is_centred_away):
        useless = sum(p.elements for node in found for p in node.parameters if p.kind == "bias")
        layer = found[0].operation.name
        yield Diagnostic(
            "W0203",
            f"the bias of this {layer} has no effect: the normalisation after it subtracts the mean",
            Label(span),
            notes=(f"{useless:,} parameters have no effect",),
            help=("add `bias=false`", "or allow it, if the published network has it: `# allow: W0203`"),
            fixes=_without_bias(analysis.calls.get(span), layer),
        )


def _without_bias(written: nodes.CallExpression | None, layer: str) -> tuple[Fix, ...]:
    if written is None or written.callee.text != layer:
        return ()  # an argument of a block names the layer
    call = Invocation.of(written)
    order = [info.name for info in arguments_of(LAYERS[layer])]
    if any(call.given(name, order) for name in ("frozen", "bias_init")):
        return ()  # they need a bias
    given = call.given("bias", order)
    place = given.value.span if given else call.arguments[-1].span  # there is at least one argument: the channels
    start = place.start if given else place.end
    edit = Edit(Span(place.source, start, place.end), "false" if given else ", bias=false")
    return (Fix("add `bias=false`", (edit,)),)


@network_lint
def dropping_pools(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0204: rows and columns that no pooling window covers."""
    graph = analysis.graph
    reported: set[Span] = set()
    for node in graph.nodes:
        if node.span is None or node.span in reported:
            continue
        rows, columns = node.operation.dropped_border(*graph.input_shapes(node))
        if rows or columns:
            x = graph.shape_of(node.inputs[0])
            reported.add(node.span)
            counts = ((rows, "row"), (columns, "column"))
            lost = " and ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count)
            yield Diagnostic(
                "W0204",
                f"{node.operation.name} drops {lost} of its input",
                Label(node.span, f"the input is {x}"),
                help=("use `ceil=true`, or change a padding or stride before it so that nothing is left over",),
            )


@network_lint
def activations_twice(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0205: an activation directly after the same activation.

    One that changes its own output, such as `tanh`, may be meant in a branch beside another use of its input.
    """
    graph = analysis.graph

    def is_second(node: Node) -> bool:
        if node.operation.family != "activation":
            return False
        maker = graph.maker(node.inputs[0])
        if maker is None or maker.operation.name != node.operation.name:
            return False
        return node.operation.is_idempotent or len(graph.consumers[maker.output]) == 1

    for span, (node, *_) in _everywhere(graph, is_second):
        maker = graph.maker(node.inputs[0])
        assert maker is not None
        assert maker.span is not None
        yield Diagnostic(
            "W0205",
            f"{node.operation.name} directly follows {maker.operation.name}",
            Label(span, "again here"),
            secondary=(Label(maker.span, "first here"),) if maker.span != span else (),
            help=("delete one of the two, or put a layer between them",),
        )


@network_lint
def softmax_before_loss(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0207: a network or an exit that ends with the softmax or sigmoid that its loss applies itself."""
    graph, recipe = analysis.graph, analysis.recipe
    if recipe is None:
        return
    reported: set[Span] = set()
    for value in (graph.output, *graph.exits):
        last = graph.maker(value)
        while last is not None and last.operation.exit_weight is not None:
            last = graph.maker(last.inputs[0])
        if last is None or last.span is None or last.span in reported:
            continue
        if last.operation.name in _BEFORE_LOSS.get(recipe.loss.name, ()):
            reported.add(last.span)
            what = "network" if value == graph.output else "exit"
            message = f"the loss {recipe.loss.name} expects scores, but the {what} ends with a {last.operation.name}"
            yield Diagnostic("W0207", message, Label(last.span), help=("delete it",))


@network_lint
def mixed_edges(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0213: a layer that mixes neighbouring pixels in a shifted window."""
    graph = analysis.graph
    shifted = [scope for scope in graph.scopes if scope.kind == "scope" and _is_shifted(scope)]
    inside = {value for scope in shifted for value in scope.values}
    for span, found in _everywhere(graph, lambda node: node.output in inside and _mixes_pixels(node)):
        name = found[0].operation.name
        yield Diagnostic(
            "W0213",
            f"`{name}` mixes pixels of opposite edges in a shifted window",
            Label(span),
            help=("move it out of the `windows`: in the body, only `attend` and `attention` keep the edges apart",),
        )


def _is_shifted(scope: Scope) -> bool:
    """Whether a scope is that of shifted windows."""
    enter = scope.stages[0]
    return isinstance(enter, Node) and isinstance(enter.operation, WindowsEnter) and any(enter.operation.shift)


def _mixes_pixels(node: Node) -> bool:
    kernel = getattr(node.operation, "kernel", (1, 1))
    return node.operation.family in {"conv", "pool"} and isinstance(kernel, tuple) and kernel != (1, 1)


_ON_SCORES = frozenset(["scale", "relative_bias", "window_mask", "conv", "dropout", "identity"])


@network_lint
def softmax_over_heads(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0214: a softmax over the heads of scores."""
    graph = analysis.graph
    for span, found in _everywhere(graph, lambda node: _is_over_heads(graph, node)):
        yield Diagnostic(
            "W0214",
            f"this softmax is over {found[0].shape.channels} heads, not over the keys",
            Label(span),
            help=("write `softmax(columns)`: scores are heads x queries x keys",),
        )


def _is_over_heads(graph: Graph, node: Node) -> bool:
    """Whether a node is a softmax over the first axis of a product of tokens with tokens."""
    if not isinstance(node.operation, Softmax) or node.operation.over != "channels" or not node.shape.is_image:
        return False
    maker = graph.maker(node.inputs[0])
    while maker is not None and maker.operation.name in _ON_SCORES:
        maker = graph.maker(maker.inputs[0])
    if maker is None or not isinstance(maker.operation, Einsum):
        return False
    return bool(maker.operation.pattern.missing) and all(shape.is_tokens for shape in graph.input_shapes(maker))
