"""W0403: exits without weight whose layers nothing trains."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.ir import trained_outputs
from cifar_dsl.ir.exits import owners
from cifar_dsl.language.diagnostics import Diagnostic, Label


@network_lint
def untrained_exits(analysis: Analysis) -> Iterator[Diagnostic]:
    """Outputs of weight 0 with parameters that lead to no other output."""
    graph = analysis.graph
    outputs = trained_outputs(graph)
    known: set[int] = set()
    for one in sorted(outputs, key=lambda one: not one.weight):  # those with a weight first
        own = graph.used_by(one.value, known)
        untrained = sum(p.elements for node in owners(graph, own, known) for p in node.parameters if p.is_trained)
        known |= own
        maker = graph.maker(one.value)
        if one.weight or not untrained or maker is None or maker.span is None:
            continue
        yield Diagnostic(
            "W0403",
            f"{untrained:,} parameters lead only to this exit of weight 0, so they are never trained",
            Label(maker.span),
            help=(
                "give it a weight, or mark a tensor whose layers other outputs train, such as the mean of two exits",
            ),
        )
