"""Which activations run after the max pooling that follows them in the spec, since it leaves them fewer numbers."""

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import Graph, Lowering, Node

_NOTHING = Lowering.to("torch.nn.Identity")


def pooled_first(graph: Graph) -> dict[int, Lowering]:
    """The modules that differ if max pooling runs first, by the value that they make.

    The module of the activation does nothing, and that of the pooling pools and then calls the activation. Outputs and
    gradients stay the same, apart from the sign of a zero (`Operation.commutes_with_max`). A 2x2 pooling leaves a
    quarter of the activation's work; the memory that autograd saves doesn't change.
    """
    results = {graph.output, *graph.exits}
    modules: dict[int, Lowering] = {}
    for pooling in graph.nodes:
        activation = graph.maker(pooling.inputs[0])
        if activation is None or activation.output in results or len(graph.consumers[activation.output]) > 1:
            continue
        if _can_swap(activation, pooling):
            modules[activation.output] = _NOTHING
            modules[pooling.output] = Lowering.to(
                "pooled_first",
                pooling=pooling.operation.lower(activation.shape),
                activation=_applied(activation, pooling),
            )
    return modules


def _can_swap(activation: Node, pooling: Node) -> bool:
    """Whether the order doesn't change the result, and the new one takes less work."""
    can_swap = activation.operation.commutes_with_max and pooling.operation.takes_maxima
    return can_swap and pooling.shape.elements < activation.shape.elements


def _applied(activation: Node, pooling: Node) -> Lowering:
    """The activation of what the pooling makes, in place where that is possible."""
    lowering = activation.operation.lower(pooling.shape)
    if activation.operation.execution.can_overwrite:  # the backward pass of a pooling doesn't need its output
        lowering = evolve(lowering, arguments=(*lowering.arguments, ("inplace", True)))
    return lowering
