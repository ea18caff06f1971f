"""Which layers of a network compute in the memory of their input."""

from collections import Counter

from cifar_dsl.ir import Graph, Node
from cifar_dsl.operations.layers.base import JOINS, LAYERS


def overwriting(graph: Graph) -> frozenset[int]:
    """The indices of the nodes whose output takes the place of their input.

    That saves memory, and a write to other memory than was read: an eighth of a step of `baseline` on a CPU
    (`bench/cpu_choices.py`). It changes no number: nothing else uses that input, and what made it needs it no more for
    its backward pass.
    """
    uses = Counter(value for node in graph.nodes for value in node.inputs)
    uses[graph.output] += 1
    return frozenset(
        index
        for index, node in enumerate(graph.nodes)
        if node.call.name in LAYERS
        and LAYERS[node.call.name].can_overwrite
        and node.inputs[0] > 0  # the images are not the network's
        and uses[node.inputs[0]] == 1
        and _lets_go(graph, graph.nodes[node.inputs[0] - 1])
    )


def _lets_go(graph: Graph, node: Node) -> bool:
    """Whether the output is a tensor of its own that its maker's backward pass doesn't need."""
    if node.call.name in JOINS:
        join = JOINS.of(node.call)
        return join.lets_output_go and not join.is_view(tuple(map(graph.shape_of, node.inputs)))
    return LAYERS[node.call.name].lets_output_go
