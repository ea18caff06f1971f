"""What a forward pass leaves for the backward pass: which tensors autograd keeps, and how large they are."""

import sys

from attrs import evolve, frozen

from cifar_dsl.ir import Graph, Node
from cifar_dsl.layers import JOINS, LAYERS, Layer
from cifar_dsl.layers.kept import FLOAT_BYTES, HALF_BYTES, Kept


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

    def step(self, node: Node) -> Step:
        """Follow a node, whose inputs have been followed."""
        y, value = node.shape, len(self.sizes)
        shapes = tuple(self._graph.shape_of(number) for number in node.inputs)
        widths = [self._widths[number] for number in node.inputs]
        differentiated = [self._is_differentiated[number] for number in node.inputs]
        if node.call.name in JOINS:
            join = JOINS.of(node.call)
            kept, is_view, passes = join.kept(shapes, y), join.is_view(shapes), join.passes_gradients
            extents = [y.elements] * len(shapes)  # of a branch that is spread, before it is summed up
            width = output_width = max(widths)
            # What is multiplied is kept for the gradient of the others.
            is_kept = [any(differentiated[:i] + differentiated[i + 1 :]) for i in range(len(shapes))]
        else:
            layer = LAYERS.of(node.call)
            extents = [shapes[0].elements]
            kept, is_view = layer.kept(shapes[0], y), layer.is_view(shapes[0])
            passes = is_view and y.elements == shapes[0].elements
            width = self._width(widths[0], layer)
            output_width = FLOAT_BYTES if layer.gives_float32 else width
            is_kept = [True]
        is_trained = any(not (p.is_frozen or p.is_buffer) for p in node.parameters)
        self._is_differentiated.append(is_trained or any(differentiated))
        self._widths.append(output_width)
        self._tensors.append(self._tensors[node.inputs[0]] if is_view else value)
        self.sizes.append(0 if is_view else output_width * y.elements)
        if not self._is_differentiated[-1]:
            kept = Kept()
        own = kept.numbers * width + kept.fixed_bytes
        tensors = {self._tensors[value]} if kept.output else set()
        if kept.inputs:
            for number, shape, own_width, is_it in zip(node.inputs, shapes, widths, is_kept, strict=True):
                if not is_it:
                    continue
                if own_width == width:
                    tensors.add(self._tensors[number])
                else:
                    own += width * shape.elements  # a converted copy
        gradients = tuple(
            own_width * elements if wanted else None
            for own_width, elements, wanted in zip(widths, extents, differentiated, strict=True)
        )
        return Step(self._tensors[value], frozenset(tensors), own, gradients, passes)

    def _width(self, width: int, layer: Layer) -> int:
        """Bytes of each number that a layer computes with, of an input with this many."""
        if not self._is_mixed:
            return width
        if layer.takes_half:
            return HALF_BYTES
        return FLOAT_BYTES if self._device in layer.float32_on else width
