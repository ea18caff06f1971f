"""Which operations of a network run in place, in the memory of their input."""

from collections import Counter

from cifar_dsl.ir import Graph, Node


def overwriting(graph: Graph) -> frozenset[int]:
    """The values that overwrite the input of their node.

    Running in place saves memory and memory traffic: an eighth of a step of `baseline` on a CPU
    (`bench/cpu_choices.py`). Results don't change: nothing else uses the input, and the backward pass of the node that
    made it doesn't need it.
    """
    uses = Counter(value for node in graph.nodes for value in node.inputs)
    uses[graph.output] += 1
    return frozenset(
        node.output
        for node in graph.nodes
        if node.operation.execution.can_overwrite
        and (maker := graph.maker(node.inputs[0]))  # the network's input belongs to the caller
        and uses[node.inputs[0]] == 1
        and _is_reusable(graph, maker)
    )


def _is_reusable(graph: Graph, node: Node) -> bool:
    """Whether the output has a tensor of its own that the node's backward pass doesn't need."""
    execution = node.operation.execution
    return execution.output_reusable and not execution.is_view(node.operation, graph.input_shapes(node))
