"""Reports exits that can't be trained: where they stand, how many there are, their outputs and weights."""

from cifar_dsl.compiler.data import DataShape
from cifar_dsl.compiler.draft import Region
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.outputs import deciding_layer, width_fixes
from cifar_dsl.foundation import limits
from cifar_dsl.ir import Graph, Node, TrainedOutput, trained_outputs
from cifar_dsl.language.diagnostics import Label, Reporter
from cifar_dsl.language.source import Span


def check_place(region: Region, call: Invocation, reporter: Reporter) -> None:
    """Report an exit in a body that runs for parts of the image, or at several uses. Raises EvaluationFailed."""
    if region.is_tied:
        raise reporter.error(
            "E0413",
            f"this exit is in the tied block `{region.name}`, which has several uses",
            call.span,
            help="put it after a use of the block",
        )
    if region.number:
        raise reporter.error(
            "E0413",
            f"this exit is in the body of `{region.name}`, which runs for {region.parts:,} parts",
            call.span,
            help="put it after this body, where the tensor is that of the whole image",
        )


def check_exits(graph: Graph, data: DataShape | None, reporter: Reporter) -> None:
    """Report too many exits, an exit with another number of outputs than the network, and exits without any weight.

    An output of the network that doesn't match the classes of the data is reported elsewhere.
    """
    network, *exits = trained_outputs(graph)
    if not exits and network.weight:
        return
    marked = [graph.nodes[one.value - 1] for one in exits]
    if len(exits) > (most := limits.current().exits):
        message = f"a network can have at most {most} exits, but this one has {len(exits)}"
        reporter.error("E0211", message, _span(marked[most]), help="remove some")
        return
    classes = data.classes if data else None
    if network.shape.is_vector or classes is not None:
        for one, node in zip(exits, marked, strict=True):
            _check_width(graph, one, node, network.shape.channels if classes is None else classes, data, reporter)
    elif exits:
        _report_unlike(graph, exits[0], reporter)
    last = graph.maker(graph.output)
    if last and not any(one.weight for one in (network, *exits)):
        reporter.error(
            "E0414",
            "all outputs of the network have the weight 0, so nothing is trained",
            _span(last),
            help="give one of them a weight: `exit(1)`",
        )


def _check_width(
    graph: Graph, one: TrainedOutput, node: Node, classes: int, data: DataShape | None, reporter: Reporter
) -> None:
    """Report an exit that doesn't give one output for each class."""
    if one.shape.channels == classes:
        return
    is_like_others = graph.shape_of(graph.output).extents == (classes,)
    others = f"and the network {classes}" if is_like_others or not data else f"but {data.name} has {classes} classes"
    layer = deciding_layer(graph, one.value) or node
    if layer.output in graph.evaluated and not layer.shape.is_vector:
        layer = node  # a layer of the network itself, such as the convolution before the exit's pooling
    fixes = width_fixes(layer, f"{classes}")
    reporter.error(
        "E0406",
        f"exit `{one.name}` gives {one.shape.channels} outputs, {others}",
        Label(_span(layer), f"outputs {layer.shape}"),
        help=fixes[0].title if fixes else f"end it with `dense({classes}) -> {node.operation.brief()}`",
        fixes=fixes,
    )


def _report_unlike(graph: Graph, one: TrainedOutput, reporter: Reporter) -> None:
    """Report a network whose output is no vector, as its exits are."""
    last, output = graph.maker(graph.output), graph.shape_of(graph.output)
    if last is not None:
        message = f"exit `{one.name}` gives {one.shape.channels} outputs, and the network an output of {output}"
        help_text = f"end the model with `flatten -> dense({one.shape.channels})`"
        reporter.error("E0406", message, Label(_span(last), f"outputs {output}"), help=help_text)


def _span(node: Node) -> Span:
    assert node.span is not None
    return node.span
