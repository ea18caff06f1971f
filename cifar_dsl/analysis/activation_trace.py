"""The tensors that a forward pass allocates and the ones that autograd saves for the backward pass, in bytes per image.

A value of the graph and the tensor that holds it are numbered alike: 0 is the network's input, and the node at index i
of `graph.nodes` makes value i + 1. A view, or an output written in place, lives in the tensor of another value.
"""

import sys

from cifar_dsl.analysis.overwriting import overwriting
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import Graph, Node, SavedTensors
from cifar_dsl.ir.execution import FLOAT_BYTES, HALF_BYTES, NOTHING


@frozen
class NodeTrace:
    """The memory of one node, in bytes per image.

    Attributes:
        output_tensor: The tensor that holds the node's output.
        saved_tensors: The inputs and outputs that the node saves for its backward pass.
        saved_bytes: The size of what it saves besides, such as masks, statistics and converted copies.
        gradient_bytes: The size of each input's gradient; None for an input that needs no gradient.
        passes_gradients: Whether the inputs' gradients share the memory of the output's gradient.
    """

    output_tensor: int
    saved_tensors: frozenset[int]
    saved_bytes: int
    gradient_bytes: tuple[int | None, ...]
    passes_gradients: bool

    @property
    def needs_gradients(self) -> bool:
        """Whether an input needs a gradient."""
        return any(size is not None for size in self.gradient_bytes)


@frozen
class ActivationTrace:
    """A forward pass: the size of every tensor in bytes per image (0 for views), and the memory of every node."""

    tensor_bytes: tuple[int, ...]
    nodes: tuple[NodeTrace, ...]

    def tensor_of(self, value: int) -> int:
        """The tensor that holds a value."""
        return self.nodes[value - 1].output_tensor if value else 0

    def kept_bytes(self) -> int:
        """Bytes per image that autograd keeps for the backward pass; a tensor saved by several nodes counts once."""
        saved_tensors = frozenset().union(*(node.saved_tensors for node in self.nodes))
        return sum(self.tensor_bytes[tensor] for tensor in saved_tensors) + sum(node.saved_bytes for node in self.nodes)

    def in_size_range(self, low: int = 0, high: int = sys.maxsize) -> "ActivationTrace":
        """The same pass, where everything smaller than `low` bytes, or not smaller than `high`, counts as 0 bytes."""

        def counted(size: int) -> int:
            return size if low <= size < high else 0

        nodes = (
            evolve(
                node,
                saved_bytes=counted(node.saved_bytes),
                gradient_bytes=tuple(None if size is None else counted(size) for size in node.gradient_bytes),
            )
            for node in self.nodes
        )
        return ActivationTrace(tuple(map(counted, self.tensor_bytes)), tuple(nodes))

    def of_test(self, graph: Graph) -> "ActivationTrace":
        """The same pass in a test, where tensors that only exits need count as 0 bytes, as do their nodes."""
        if not graph.exits:
            return self
        runs = [True, *(value in graph.evaluated for value in graph.body.values)]
        sizes = [size if is_run else 0 for size, is_run in zip(self.tensor_bytes, runs, strict=True)]
        nodes = (
            node if is_run else evolve(node, saved_bytes=0) for node, is_run in zip(self.nodes, runs[1:], strict=True)
        )
        return ActivationTrace(tuple(sizes), tuple(nodes))


def kept_bytes(graph: Graph) -> int:
    """Bytes per image that autograd keeps for the backward pass, in float32."""
    return trace_activations(graph).kept_bytes()


def trace_activations(graph: Graph, precision: str = "fp32", device: str = "cpu") -> ActivationTrace:
    """Trace the forward pass of a training step.

    Args:
        graph: The network.
        precision: The recipe's precision: fp32, bf16 or fp16.
        device: The type of device: cpu or cuda.
    """
    tracer = _Tracer(graph, precision, device)
    nodes = tuple(tracer.trace(node) for node in graph.nodes)
    return ActivationTrace(tuple(tracer.tensor_bytes), nodes)


class _Tracer:
    """Traces nodes in graph order. The lists are indexed by value."""

    def __init__(self, graph: Graph, precision: str, device: str) -> None:
        self._graph = graph
        self._is_mixed = precision != "fp32"
        self._device = device
        self.tensor_bytes = [FLOAT_BYTES * graph.input.elements]
        self._tensors = [0]  # the tensor that holds each value
        self._element_bytes = [FLOAT_BYTES]
        self._needs_gradient = [False]
        self._overwriting = overwriting(graph)
        self._some_tokens: set[int] = set()  # values that are views of some of the tokens of another one

    def trace(self, node: Node) -> NodeTrace:
        """Trace one node. Its inputs have been traced."""
        operation, execution = node.operation, node.operation.execution
        shapes = self._graph.input_shapes(node)
        input_widths = [self._element_bytes[value] for value in node.inputs]
        needs_gradient = [value in node.used_inputs and self._needs_gradient[value] for value in node.inputs]
        is_differentiated = any(p.is_trained for p in self._graph.owner(node).parameters) or any(needs_gradient)
        self._needs_gradient.append(is_differentiated)

        width = self._computed_width(node, max(input_widths))  # bytes per element during the computation
        output_width = {"computed": width, "input": max(input_widths), "float32": FLOAT_BYTES}[execution.output_dtype]
        self._element_bytes.append(output_width)

        value = node.output
        is_view = execution.is_view(operation, shapes)
        are_tokens = shapes[0].is_tokens and node.shape.is_tokens
        if is_view and are_tokens and 1 < node.shape.extents[0] < shapes[0].extents[0]:
            self._some_tokens.add(value)
        shares_input = is_view or value in self._overwriting
        self._tensors.append(self._tensors[node.inputs[0]] if shares_input else value)
        takes_none = shares_input or execution.expands
        self.tensor_bytes.append(0 if takes_none else output_width * node.shape.elements * node.parts)

        saved = NOTHING
        if is_differentiated:
            only_weights = not any(needs_gradient)
            saved = execution.saved_tensors(operation, shapes, node.shape, only_weights=only_weights)
        saved_tensors, copied_bytes = self._saved(saved, value, node, width)
        # A branch that is broadcast over the others has a gradient of their size until it is summed.
        elements = [node.shape.elements * node.parts] * len(shapes)
        if len(shapes) == 1:
            elements = [shapes[0].elements * self._graph.parts_of(node.inputs[0])]
        return NodeTrace(
            output_tensor=self._tensors[value],
            saved_tensors=saved_tensors,
            saved_bytes=(saved.numbers * width + saved.fixed_bytes) * node.parts + copied_bytes,
            gradient_bytes=tuple(
                input_width * count if is_needed else None
                for input_width, count, is_needed in zip(input_widths, elements, needs_gradient, strict=True)
            ),
            passes_gradients=execution.passes_gradients
            or (is_view and elements[0] == node.shape.elements * node.parts),
        )

    def _computed_width(self, node: Node, input_width: int) -> int:
        """Bytes per element in which a node computes."""
        execution = node.operation.execution
        if self._is_mixed and execution.is_autocast(node.operation):
            return HALF_BYTES
        if self._is_mixed and self._device in execution.float32_on:
            return FLOAT_BYTES
        return input_width

    def _saved(self, saved: SavedTensors, value: int, node: Node, width: int) -> tuple[frozenset[int], int]:
        """The inputs and outputs that a node saves, and the bytes of inputs that it saves as copies."""
        tensors = {self._tensors[value]} if saved.output else set()
        copied_bytes = 0
        for position, input_value in enumerate(node.inputs):
            others = (*node.inputs[:position], *node.inputs[position + 1 :])
            is_unneeded = saved.is_factor and others and not any(self._needs_gradient[other] for other in others)
            if not saved.inputs or is_unneeded:
                continue
            is_copied = node.operation.execution.merges_tokens and input_value in self._some_tokens
            if self._element_bytes[input_value] == width and not is_copied:
                tensors.add(self._tensors[input_value])
            else:
                copied_bytes += width * self._graph.shape_of(input_value).elements * self._graph.parts_of(input_value)
        return frozenset(tensors), copied_bytes
