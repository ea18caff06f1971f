"""Which operations of a network compute in the memory of their input."""

from collections import Counter

from cifar_dsl.ir import Graph, Node


def overwriting(graph: Graph) -> frozenset[int]:
    """The values that take the place of their maker's input.

    That saves memory, and a write to other memory than was read: an eighth of a step of `baseline` on a CPU
    (`bench/cpu_choices.py`). It changes no number: nothing else uses that input, and what made it needs it no more for
    its backward pass.
    """
    uses = Counter(value for node in graph.nodes for value in node.inputs)
    uses[graph.output] += 1
    return frozenset(
        node.output
        for node in graph.nodes
        if node.operation.execution.can_overwrite
        and (maker := graph.maker(node.inputs[0]))  # the images are not the network's
        and uses[node.inputs[0]] == 1
        and _is_reusable(graph, maker)
    )


def _is_reusable(graph: Graph, node: Node) -> bool:
    """Whether the output is a tensor of its own that its maker's backward pass doesn't need."""
    execution = node.operation.execution
    return execution.output_reusable and not execution.is_view(node.operation, graph.input_shapes(node))
