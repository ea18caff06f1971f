"""The most memory that a pass through the network takes at once."""

from attrs import define, field, frozen

from cifar_dsl.analysis.activation_trace import Tape
from cifar_dsl.ir import Graph, Stage


@frozen
class WeightBytes:
    """What each node's weights bring along, in bytes.

    `gradients` are those of the trained ones. `converted` is a copy in half the bytes, which stays until the backward
    pass, and `reordered` a copy of filters in the order in which a CPU's convolution wants them: it makes one in its
    forward pass, and two beside the gradient in its backward pass.
    """

    gradients: tuple[int, ...]
    converted: tuple[int, ...]
    reordered: tuple[int, ...]

    @classmethod
    def none(cls, graph: Graph) -> "WeightBytes":
        """Where weights don't count."""
        nothing = (0,) * len(graph.nodes)
        return cls(nothing, nothing, nothing)


def training_peak(graph: Graph, tape: Tape, batch: int, weights: WeightBytes | None = None) -> int:
    """Bytes that a step of training takes at the worst moment, beyond the weights and all of their gradients.

    The gradients of the last step are there until the forward pass is over; in the backward pass tensors take the
    place that not all of them have taken again.
    """
    weights = weights or WeightBytes.none(graph)
    keepers = [0] * len(tape.sizes)
    for step in tape.steps:
        for tensor in step.kept:
            keepers[tensor] += 1
    forward, left = _forward(graph, tape, batch, weights, keepers)
    backward = _backward(graph, tape, batch, weights, keepers, left)
    return max(forward, backward - sum(weights.gradients))


def evaluation_peak(graph: Graph, tape: Tape, batch: int, weights: WeightBytes | None = None) -> int:
    """Bytes that a forward pass takes at the worst moment where nothing is kept for a backward pass."""
    return _forward(graph, tape, batch, weights or WeightBytes.none(graph), None)[0]


def _forward(graph: Graph, tape: Tape, batch: int, weights: WeightBytes, keepers: list[int] | None) -> tuple[int, int]:
    """The most that is there at once, and what is left in the end. The input stays all the time."""
    spent: dict[int, list[int]] = {}  # the tensors that nothing needs after the node that makes this value
    for tensor, last in enumerate(_last_uses(graph, tape)):
        if tensor and not (keepers and keepers[tensor]):
            spent.setdefault(last, []).append(tensor)
    there = peak = batch * tape.sizes[0]
    for node, step, converted, reordered in zip(
        graph.nodes, tape.steps, weights.converted, weights.reordered, strict=True
    ):
        there += batch * (tape.sizes[node.output] + step.own_bytes) + converted
        peak = max(peak, there + reordered)
        freed = sum(tape.sizes[tensor] for tensor in spent.get(node.output, ())) + (0 if keepers else step.own_bytes)
        there -= batch * freed
    return peak, there


def _last_uses(graph: Graph, tape: Tape) -> list[int]:
    """For each tensor the value during whose making it is referred to last.

    The module of a block, a branch or another scope refers to all that flows in from outside until it is done.
    """
    found = list(graph.body.values)
    found.insert(0, 1)  # the input, at least while the first node takes it
    stages: list[Stage] = [*graph.nodes, *(scope for scope in graph.scopes if scope.values)]
    for stage in stages:
        for value in stage.inputs:
            tensor = tape.tensor_of(value)
            found[tensor] = max(found[tensor], stage.values[-1])
    found[tape.tensor_of(graph.output)] = len(graph.nodes)
    return found


def _backward(graph: Graph, tape: Tape, batch: int, weights: WeightBytes, keepers: list[int], there: int) -> int:
    """The most that is there at once; the forward pass has left what is `there`."""
    keepers = list(keepers)
    gradients = _Gradients()
    gradients.add(graph.output, gradients.new(tape.sizes[tape.tensor_of(graph.output)] if graph.output else 0))
    peak = 0
    for index in reversed(range(len(tape.steps))):
        step, node = tape.steps[index], graph.nodes[index]
        incoming = gradients.of.pop(node.output, None)
        beside = 0
        if incoming is not None:
            there += weights.gradients[index]
            beside = 2 * weights.reordered[index] + weights.converted[index]  # of which there is a gradient, too
            for value, size in zip(node.inputs, step.gradients, strict=True):
                if size is not None:
                    gradients.add(value, gradients.share(incoming) if step.passes_gradients else gradients.new(size))
        peak = max(peak, there + beside + batch * gradients.take_peak())
        if incoming is not None:
            gradients.release(incoming)
        for tensor in step.kept:
            keepers[tensor] -= 1
            if tensor and not keepers[tensor]:
                there -= batch * tape.sizes[tensor]
        there -= batch * step.own_bytes + weights.converted[index]
    return peak


@define
class _Buffer:
    size: int
    uses: int = 1


@define
class _Gradients:
    """The gradients of values that are there, of one image. Several values may have one buffer."""

    of: dict[int, _Buffer] = field(factory=dict)
    _there: int = 0
    _peak: int = 0

    def new(self, size: int) -> _Buffer:
        """A buffer of its own."""
        self._there += size
        self._peak = max(self._peak, self._there)
        return _Buffer(size)

    def share(self, buffer: _Buffer) -> _Buffer:
        """The same once more."""
        buffer.uses += 1
        return buffer

    def release(self, buffer: _Buffer) -> None:
        """Free it, once nobody uses it any more."""
        buffer.uses -= 1
        if not buffer.uses:
            self._there -= buffer.size

    def add(self, value: int, buffer: _Buffer) -> None:
        """Take a gradient for a value, beside those that have come already: they are added up, in place if possible."""
        other = self.of.get(value)
        if other is None:
            self.of[value] = buffer
        elif other.uses == 1 or buffer.uses == 1:
            summed, spent = (other, buffer) if other.uses == 1 else (buffer, other)
            self.release(spent)
            self.of[value] = summed
        else:
            self.of[value] = self.new(max(other.size, buffer.size))
            self.release(other)
            self.release(buffer)

    def take_peak(self) -> int:
        """The most that was there at once since it was asked last."""
        peak, self._peak = self._peak, self._there
        return peak
