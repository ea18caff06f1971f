"""Which activations run elsewhere: after a max pooling, which leaves them fewer numbers, or with a batch norm."""

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import Graph, Lowering, Node

_NOTHING = Lowering.to("torch.nn.Identity")
_FUSED = frozenset({"relu", "gelu", "silu", "relu6", "hardswish"})  # activations that join a batch norm


def pooled_first(graph: Graph) -> dict[int, Lowering]:
    """The modules that differ if max pooling runs first, by the value that they make.

    The module of the activation does nothing, and that of the pooling pools and then calls the activation. Outputs and
    gradients stay the same, apart from the sign of a zero (`Operation.commutes_with_max`). A 2x2 pooling leaves a
    quarter of the activation's work; the memory that autograd saves doesn't change.
    """
    modules: dict[int, Lowering] = {}
    for pooling in graph.nodes:
        activation = _only_used_by(graph, pooling)
        if activation and _can_swap(activation, pooling):
            modules[activation.output] = _NOTHING
            modules[pooling.output] = Lowering.to(
                "pooled_first",
                pooling=pooling.operation.lower(activation.shape),
                activation=_applied(activation, pooling),
            )
    return modules


def fused_norms(graph: Graph) -> dict[int, Lowering]:
    """The modules that differ if batch norms of images compute the activation behind them, by the value that they make.

    An activation that `pooled_first` moves stays there.
    """
    moved = pooled_first(graph)
    modules: dict[int, Lowering] = {}
    for activation in graph.nodes:
        if activation.operation.name not in _FUSED or activation.output in moved:
            continue
        norm = _only_used_by(graph, activation)
        if norm and norm.operation.name == "bn" and norm.shape.is_image:
            modules[activation.output] = _NOTHING
            modules[norm.output] = Lowering.to(
                "norm_then_activation",
                activation=activation.operation.lower(norm.shape),
                **norm.operation.lower(norm.shape).keywords(),
            )
    return moved | modules


def _only_used_by(graph: Graph, node: Node) -> Node | None:
    """The maker of a node's input, if nothing else uses that, and it isn't a result."""
    maker = graph.maker(node.inputs[0])
    if maker is None or maker.output in {graph.output, *graph.exits} or len(graph.consumers[maker.output]) > 1:
        return None
    return maker


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
