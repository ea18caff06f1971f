"""W0210 and W0211: shapes and arguments in the order of other frameworks."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.foreign_order import channels_first, torch_order
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.language.diagnostics import Advice, Diagnostic, Label, replacement
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import Layer


@network_lint
def channels_last(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0210: an input of height, width and channels."""
    size = next((item.size for item in analysis.program.own if isinstance(item, nodes.Input)), None)
    meant = channels_first(size.extents) if size else None
    if size is not None and meant is not None:
        channels, height, width = size.extents
        message = f"`input {size.span.text}` is an image of {channels} channels, {height} high and {width} wide"
        help_text = f"write the channels first: `input {meant}`"
        fixes = replacement(size.span, str(meant))
        yield Diagnostic("W0210", message, Label(size.span), help=(help_text,), fixes=fixes)


@network_lint
def input_channels(analysis: Analysis) -> Iterator[Diagnostic]:
    """W0211: layers whose first argument is most likely the number of input channels, wherever they are expanded."""
    calls, graph = analysis.calls, analysis.graph
    found: dict[Span, Advice | None] = {}
    for node in graph.nodes:
        if node.span in calls and isinstance(node.operation, Layer) and found.get(node.span, True):
            x = graph.shape_of(node.inputs[0])
            found[node.span] = torch_order(Invocation.of(calls[node.span]), node.operation, x, fits=True)
    for span, advice in found.items():
        if advice is not None:
            message = f"`{span.text}` has the order of PyTorch: it starts with the number of input channels"
            help_text = (advice.help, "the order is channels, kernel, stride")
            yield Diagnostic("W0211", message, Label(span), help=help_text, fixes=advice.fixes)
