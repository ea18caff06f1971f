"""Reports a network whose outputs don't match the classes of its dataset, at the number that decides them."""

from cifar_dsl.compiler.builtin_names import CLASSES
from cifar_dsl.compiler.data import DataShape
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.program import Program
from cifar_dsl.ir import Graph, Node, arguments_of
from cifar_dsl.language.diagnostics import Edit, Fix, Label, Reporter
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes, parse_override

_WIDTHS = ("features", "channels")  # the arguments of layers that set the number of outputs


def check_outputs(
    program: Program, graph: Graph, data: DataShape, secondary: tuple[Label, ...], reporter: Reporter
) -> None:
    """Report an output that isn't a vector of one score per class. `secondary`: where the dataset is chosen."""
    output = graph.shape_of(graph.output)
    if data.classes is None or output.extents == (data.classes,):
        return
    is_vector = len(output.extents) == 1
    layer = deciding_layer(graph, graph.output) if is_vector else graph.maker(graph.output)
    what = f"{output.extents[0]} outputs" if is_vector else f"an output of {output}"
    everything = (*program.params.values(), *program.blocks.values(), program.model)
    is_defined = CLASSES in {*program.params, *program.blocks} | nodes.bound_names(everything)
    number = f"{data.classes}" if is_defined else CLASSES
    fixes = width_fixes(layer, number) if layer and is_vector else ()
    if CLASSES in program.params and CLASSES in nodes.references(everything):
        help_text = f"write `param {CLASSES} = {data.classes}`, or delete the param: then the dataset decides"
    elif fixes:
        help_text = fixes[0].title
    else:
        help_text = f"end the model with `{'' if is_vector else 'flatten -> '}dense({number})`"
    reporter.error(
        "E0406",
        f"the network has {what}, but {data.name} has {data.classes} classes",
        Label(layer.span, f"outputs {layer.shape}") if layer and layer.span else program.model.span,
        secondary=secondary,
        help=help_text,
        fixes=fixes,
    )


def deciding_layer(graph: Graph, output: int) -> Node | None:
    """The last layer that sets the number of outputs of a vector; else the last layer, None if there is none."""
    count = graph.shape_of(output).channels
    node = graph.maker(output)
    while node is not None and node.shape.channels == count and len(node.inputs) == 1:
        if any(name in _WIDTHS for name in node.operation.arguments()):
            return node
        node = graph.maker(node.inputs[0])
    return graph.maker(output)


def width_fixes(layer: Node, number: str) -> tuple[Fix, ...]:
    """The fix that replaces the literal number of outputs in the call of a layer; none if the text has no such."""
    literal = _literal(layer)
    if literal is None or layer.span is None:
        return ()
    text, start = layer.span.text, layer.span.start
    call = text[: literal.start - start] + number + text[literal.end - start :]
    return (Fix(f"write `{call}`", (Edit(literal, number),)),)


def _literal(layer: Node) -> Span | None:
    """The place of the literal number of outputs in the call of a layer."""
    span = layer.span
    if span is None or span.source.is_library:
        return None
    kind = parse_override(Source("", f"x={span.text}")).chain.elements[0].kind
    if not isinstance(kind, nodes.CallExpression) or kind.callee.text != layer.operation.name:
        return None
    order = [info.name for info in arguments_of(type(layer.operation))]
    given = next((one for name in _WIDTHS if (one := Invocation.of(kind).given(name, order))), None)
    if given is None or not isinstance(given.value, nodes.Number):
        return None
    moved = span.start - len("x=")
    return Span(span.source, given.value.span.start + moved, given.value.span.end + moved)
