"""What a forward pass leaves for the backward pass: which tensors autograd keeps, and how large they are."""

import sys

from attrs import evolve, frozen

from cifar_dsl.analysis.overwriting import overwriting
from cifar_dsl.ir import Execution, Graph, Node, SavedTensors
from cifar_dsl.ir.execution import FLOAT_BYTES, HALF_BYTES, NOTHING


@frozen
class Step:
    """What one node does to memory, in bytes for one image.

    `output` is the number of the tensor that its output lies in, `kept` are those that it keeps, and `own_bytes` is the
    size of what only it keeps. `gradients` is the size of the gradient of each input, None where none is taken;
    `passes_gradients` says that they lie in the memory of its output's.
    """

    output: int
    kept: frozenset[int]
    own_bytes: int
    gradients: tuple[int | None, ...]
    passes_gradients: bool


@frozen
class Tape:
    """A forward pass. Tensors are numbered as values are; `sizes` is what each holds for one image, in bytes.

    A value that lies in the memory of another holds 0 bytes itself.
    """

    sizes: tuple[int, ...]
    steps: tuple[Step, ...]

    def tensor_of(self, value: int) -> int:
        """The tensor in whose memory a value lies."""
        return self.steps[value - 1].output if value else 0

    def kept_bytes(self) -> int:
        """What is kept in all; a tensor that several nodes keep is there once."""
        kept = frozenset().union(*(step.kept for step in self.steps))
        return sum(self.sizes[tensor] for tensor in kept) + sum(step.own_bytes for step in self.steps)

    def only(self, low: int = 0, high: int = sys.maxsize) -> "Tape":
        """The same pass, of which only what holds at least `low` and less than `high` bytes counts."""

        def counted(size: int) -> int:
            return size if low <= size < high else 0

        steps = (
            evolve(
                step,
                own_bytes=counted(step.own_bytes),
                gradients=tuple(None if size is None else counted(size) for size in step.gradients),
            )
            for step in self.steps
        )
        return Tape(tuple(map(counted, self.sizes)), tuple(steps))


def kept_bytes(graph: Graph) -> int:
    """How many bytes autograd keeps of one image for the backward pass, in float32."""
    return record(graph).kept_bytes()


def record(graph: Graph, precision: str = "fp32", device: str = "cpu") -> Tape:
    """The forward pass of a training, in this precision of a recipe and on this type of device."""
    recorder = _Recorder(graph, precision, device)
    steps = tuple(recorder.step(node) for node in graph.nodes)
    return Tape(tuple(recorder.sizes), steps)


class _Recorder:
    def __init__(self, graph: Graph, precision: str, device: str) -> None:
        self._graph = graph
        self._is_mixed = precision != "fp32"
        self._device = device
        self.sizes = [FLOAT_BYTES * graph.input.elements]
        self._tensors = [0]  # of each value, the one in whose memory it lies
        self._widths = [FLOAT_BYTES]  # bytes of each number of a value
        self._is_differentiated = [False]
        self._overwriting = overwriting(graph)

    def step(self, node: Node) -> Step:
        """Follow a node, whose inputs have been followed."""
        operation, execution = node.operation, node.operation.execution
        shapes = self._graph.input_shapes(node)
        widths = [self._widths[number] for number in node.inputs]
        differentiated = [self._is_differentiated[number] for number in node.inputs]
        is_differentiated = any(p.is_trained for p in node.parameters) or any(differentiated)
        self._is_differentiated.append(is_differentiated)

        input_width = max(widths)
        width = self._computed_width(execution, input_width)  # of each number that it computes with, in bytes
        output_width = {"computed": width, "input": input_width, "float32": FLOAT_BYTES}[execution.output_dtype]
        self._widths.append(output_width)

        value = node.output
        is_view = execution.is_view(operation, shapes)
        is_inside = is_view or value in self._overwriting
        self._tensors.append(self._tensors[node.inputs[0]] if is_inside else value)
        self.sizes.append(0 if is_inside else output_width * node.shape.elements)

        saved = execution.saved_tensors(operation, shapes, node.shape) if is_differentiated else NOTHING
        tensors, copied = self._saved(saved, value, node, width)
        # The gradient of a branch that is spread over the others is as large as theirs, before it is summed up.
        elements = [x.elements for x in shapes] if len(shapes) == 1 else [node.shape.elements] * len(shapes)
        return Step(
            output=self._tensors[value],
            kept=tensors,
            own_bytes=saved.numbers * width + saved.fixed_bytes + copied,
            gradients=tuple(
                input_width * count if wanted else None
                for input_width, count, wanted in zip(widths, elements, differentiated, strict=True)
            ),
            passes_gradients=execution.passes_gradients or (is_view and node.shape.elements == shapes[0].elements),
        )

    def _computed_width(self, execution: Execution, input_width: int) -> int:
        if self._is_mixed and execution.autocasts:
            return HALF_BYTES
        if self._is_mixed and self._device in execution.float32_on:
            return FLOAT_BYTES
        return input_width

    def _saved(self, saved: SavedTensors, value: int, node: Node, width: int) -> tuple[frozenset[int], int]:
        """The tensors that a node saves of those that flow in and out, and the bytes of those that are converted."""
        tensors = {self._tensors[value]} if saved.output else set()
        copied = 0
        for place, number in enumerate(node.inputs):
            # What is multiplied is saved for the gradient of the others.
            others = (*node.inputs[:place], *node.inputs[place + 1 :])
            if not saved.inputs or (others and not any(self._is_differentiated[other] for other in others)):
                continue
            if self._widths[number] == width:
                tensors.add(self._tensors[number])
            else:
                copied += width * self._graph.shape_of(number).elements
        return frozenset(tensors), copied
