"""What a forward pass leaves for the backward pass: which tensors autograd keeps, and how large they are."""

import sys

from attrs import evolve, frozen

from cifar_dsl.ir import Graph, Node
from cifar_dsl.operations.layers import JOINS, LAYERS, overwriting
from cifar_dsl.operations.layers.saved_tensors import FLOAT_BYTES, HALF_BYTES, NOTHING, Kept


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


@frozen
class _Use:
    """What a node does with its inputs. `width` is of each number that it computes with, in bytes."""

    kept: Kept
    keeps: tuple[bool, ...]  # which of its inputs, where it keeps inputs
    is_view: bool
    passes_gradients: bool
    gradients: tuple[int, ...]  # how many numbers the gradient of each input has
    width: int
    output_width: int


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
        value = len(self.sizes)
        widths = [self._widths[number] for number in node.inputs]
        differentiated = [self._is_differentiated[number] for number in node.inputs]
        use = self._join(node) if node.call.name in JOINS else self._layer(node)
        is_trained = any(not (p.is_frozen or p.is_buffer) for p in node.parameters)
        is_differentiated = is_trained or any(differentiated)
        self._is_differentiated.append(is_differentiated)
        self._widths.append(use.output_width)
        is_inside = use.is_view or value - 1 in self._overwriting
        self._tensors.append(self._tensors[node.inputs[0]] if is_inside else value)
        self.sizes.append(0 if is_inside else use.output_width * node.shape.elements)
        kept = use.kept if is_differentiated else NOTHING
        own = kept.numbers * use.width + kept.fixed_bytes
        tensors = {self._tensors[value]} if kept.output else set()
        for number, width, is_kept in zip(node.inputs, widths, use.keeps, strict=True):
            if kept.inputs and is_kept and width == use.width:
                tensors.add(self._tensors[number])
            elif kept.inputs and is_kept:
                own += use.width * self._graph.shape_of(number).elements  # a converted copy
        gradients = tuple(
            width * count if wanted else None
            for width, count, wanted in zip(widths, use.gradients, differentiated, strict=True)
        )
        return Step(self._tensors[value], frozenset(tensors), own, gradients, use.passes_gradients)

    def _layer(self, node: Node) -> _Use:
        layer, number = LAYERS.of(node.call), node.inputs[0]
        x, input_width = self._graph.shape_of(number), self._widths[number]
        width = input_width
        if self._is_mixed and layer.takes_half:
            width = HALF_BYTES
        elif self._is_mixed and self._device in layer.float32_on:
            width = FLOAT_BYTES
        is_view = layer.is_view(x)
        return _Use(
            kept=layer.kept(x, node.shape),
            keeps=(True,),
            is_view=is_view,
            passes_gradients=is_view and node.shape.elements == x.elements,
            gradients=(x.elements,),
            width=width,
            output_width={"computed": width, "input": input_width, "float32": FLOAT_BYTES}[layer.gives],
        )

    def _join(self, node: Node) -> _Use:
        join, branches = JOINS.of(node.call), tuple(self._graph.shape_of(number) for number in node.inputs)
        differentiated = [self._is_differentiated[number] for number in node.inputs]
        width = max(self._widths[number] for number in node.inputs)
        return _Use(
            kept=join.kept(branches, node.shape),
            # What is multiplied is kept for the gradient of the others.
            keeps=tuple(any(differentiated[:i] + differentiated[i + 1 :]) for i in range(len(branches))),
            is_view=join.is_view(branches),
            passes_gradients=join.passes_gradients,
            # Of a branch that is spread over the others, as of them, before it is summed up.
            gradients=(node.shape.elements,) * len(branches),
            width=width,
            output_width=width,
        )
