"""The peak memory of a training step or an evaluation, in bytes.

The peak follows from which tensors are live when. Tensors and values are numbered as in `activation_trace`: 0 is the
network's input, and the node at index i makes value i + 1. For example, one image of a small network in float32:

    input 4x2x2                  value 0    4 x 2 x 2 x 4 bytes =  64
    conv(8, 1, bias=false)       value 1    8 x 2 x 2 x 4 bytes = 128   saves its input, value 0
    sigmoid                      value 2                          128   saves its output, value 2
    conv(2, 1, bias=false)       value 3    2 x 2 x 2 x 4 bytes =  32   saves its input, value 2

The forward pass frees a tensor after its last use unless a node has saved it. `g2` is the gradient of value 2:

    forward    conv      0, 1              64 + 128         = 192
               sigmoid   0, 1, 2           64 + 128 + 128   = 320   value 1 is freed: sigmoid doesn't save its input
               conv      0, 2, 3           64 + 128 + 32    = 224   value 3 is freed: the loss replaces it with g3
    backward   conv      0, 2, g3, g2      192 + 32 + 128   = 352   g3 is freed
               sigmoid   0, 2, g2, g1      192 + 128 + 128  = 448   g2 is freed, and value 2 with its last saver
               conv      0, g1             64 + 128         = 192   the input needs no gradient

`training_peak` is 448 bytes. `evaluation_peak` is 320 bytes: nothing is saved, and the input stays live. With
`WeightBytes`, gradients and copies of weights are added where they are live.
"""

from cifar_dsl.analysis.activation_trace import ActivationTrace
from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.ir import Graph, Stage


@frozen
class NodeWeights:
    """Memory for the weights of a node, beside the weights themselves, in bytes.

    Attributes:
        gradients: Gradients of the trained weights. Of weights that several nodes share, the last one makes it.
        added: Gradients that the node adds to that of a later node with the same weights.
        converted: Half-precision copies of weights, which live until the node's backward pass is over, and in a test to
            its end.
        saved: What a function of the weight saves for its backward pass.
        used: What that function returns.
        kept: What the node saves of it, or of its half-precision copy, for the backward pass.
        forward: What the forward pass makes and frees beside its output, such as filters in another memory layout.
        backward: The same of the backward pass, beside the gradients.
    """

    gradients: int = 0
    added: int = 0
    converted: int = 0
    saved: int = 0
    used: int = 0
    kept: int = 0
    forward: int = 0
    backward: int = 0


@frozen
class WeightBytes:
    """Memory for the weights of each node.

    Attributes:
        nodes: That of each node.
        accumulates: Whether the gradients of earlier batches are live in the backward pass, which adds to them.
    """

    nodes: tuple[NodeWeights, ...]
    accumulates: bool = False

    @classmethod
    def none(cls, graph: Graph) -> "WeightBytes":
        """0 bytes for every node."""
        return cls((NodeWeights(),) * len(graph.nodes))

    def of_test(self, graph: Graph) -> "WeightBytes":
        """The same memory in a test, which leaves out the nodes that only exits need."""
        if not graph.exits:
            return self
        runs = (node.output in graph.evaluated for node in graph.nodes)
        nodes = (own if is_run else NodeWeights() for own, is_run in zip(self.nodes, runs, strict=True))
        return evolve(self, nodes=tuple(nodes))


def training_peak(graph: Graph, trace: ActivationTrace, batch: int, weights: WeightBytes | None = None) -> int:
    """Peak bytes of a training step on a `batch` of images, without the weights and their full set of gradients.

    During the forward pass, the gradients of the previous step are still live. During the backward pass, activations
    may use the memory of gradients that are not computed yet.
    """
    weights = weights or WeightBytes.none(graph)
    savers = [0] * len(trace.tensor_bytes)  # the number of nodes that save each tensor
    for node in trace.nodes:
        for tensor in node.saved_tensors:
            savers[tensor] += 1
    forward_peak, live_bytes = _forward(graph, trace, batch, weights, savers)
    backward_peak = _backward(graph, trace, batch, weights, savers, live_bytes)
    return max(
        forward_peak, backward_peak - (0 if weights.accumulates else sum(own.gradients for own in weights.nodes))
    )


def evaluation_peak(graph: Graph, trace: ActivationTrace, batch: int, weights: WeightBytes | None = None) -> int:
    """Peak bytes of a forward pass on a `batch` of images that saves nothing for a backward pass."""
    weights = (weights or WeightBytes.none(graph)).of_test(graph)
    peak, _ = _forward(graph, trace.of_test(graph), batch, weights, None)
    return peak


def _forward(
    graph: Graph, trace: ActivationTrace, batch: int, weights: WeightBytes, savers: list[int] | None
) -> tuple[int, int]:
    """The peak, and the bytes that are live after the pass. The input is live throughout.

    `savers` is the number of nodes that save each tensor, or None for an evaluation, which saves nothing.
    """
    freed_after: dict[int, list[int]] = {}  # by the value that a node makes: the tensors whose last use is that node
    for tensor, last_use in enumerate(_last_uses(graph, trace)):
        if tensor and not (savers and savers[tensor]):
            freed_after.setdefault(last_use, []).append(tensor)
    live_bytes = peak = batch * trace.tensor_bytes[0]
    for node, node_trace, own in zip(graph.nodes, trace.nodes, weights.nodes, strict=True):
        peak = max(peak, live_bytes + own.saved + own.used)
        live_bytes += batch * (trace.tensor_bytes[node.output] + node_trace.saved_bytes) + own.converted
        saved = own.saved if savers else 0
        peak = max(peak, live_bytes + saved + own.used + own.forward)
        live_bytes -= batch * sum(trace.tensor_bytes[tensor] for tensor in freed_after.get(node.output, ()))
        live_bytes += saved + own.kept if savers else -batch * node_trace.saved_bytes
    return peak, live_bytes


def _last_uses(graph: Graph, trace: ActivationTrace) -> list[int]:
    """The last use of each tensor in the forward pass, as the value that is being made at that time.

    The module of a block, a branch or another scope holds references to its inputs until it returns.
    """
    last_uses = list(graph.body.values)  # a tensor that nothing uses is freed as soon as it is made
    last_uses.insert(0, 1)  # the first node uses the input
    stages: list[Stage] = [*graph.nodes, *(scope for scope in graph.scopes if scope.values)]
    for stage in stages:
        for value in stage.inputs:
            tensor = trace.tensor_of(value)
            last_uses[tensor] = max(last_uses[tensor], stage.values[-1])
    for value in (graph.output, *graph.exits):
        last_uses[trace.tensor_of(value)] = len(graph.nodes)  # the value of the last node
    return last_uses


def _backward(
    graph: Graph, trace: ActivationTrace, batch: int, weights: WeightBytes, savers: list[int], live_bytes: int
) -> int:
    """The peak of the backward pass; `live_bytes` are live after the forward pass."""
    savers = list(savers)
    gradients = _Gradients()
    for value in (graph.output, *graph.exits):
        gradients.add(value, gradients.new(trace.tensor_bytes[trace.tensor_of(value)] if value else 0))
    peak = 0
    for index in reversed(range(len(graph.nodes))):
        node, node_trace, own = graph.nodes[index], trace.nodes[index], weights.nodes[index]
        incoming = gradients.buffers.pop(node.output, None)
        scratch_bytes = 0
        if incoming is not None:
            scratch_bytes = own.backward + own.added
            if weights.accumulates:
                scratch_bytes += own.gradients
            else:
                live_bytes += own.gradients
            for value, size in zip(node.inputs, node_trace.gradient_bytes, strict=True):
                if size is not None:
                    is_shared = node_trace.passes_gradients
                    gradients.add(value, gradients.share(incoming) if is_shared else gradients.new(size))
        peak = max(peak, live_bytes + scratch_bytes + batch * gradients.take_peak())
        if incoming is not None:
            gradients.release(incoming)
        for tensor in node_trace.saved_tensors:
            savers[tensor] -= 1
            if tensor and not savers[tensor]:
                live_bytes -= batch * trace.tensor_bytes[tensor]
        live_bytes -= batch * node_trace.saved_bytes + own.converted + own.saved + own.kept
    return peak


@define
class _Buffer:
    """The memory of a gradient, in bytes per image. It is freed when its last reference is released."""

    size: int
    references: int = 1


@define
class _Gradients:
    """The live gradients, by value, in bytes per image. Several values may share a buffer."""

    buffers: dict[int, _Buffer] = field(factory=dict)
    _live_bytes: int = 0
    _peak_bytes: int = 0

    def new(self, size: int) -> _Buffer:
        """Allocate a buffer."""
        self._live_bytes += size
        self._peak_bytes = max(self._peak_bytes, self._live_bytes)
        return _Buffer(size)

    def share(self, buffer: _Buffer) -> _Buffer:
        """Increment the reference count."""
        buffer.references += 1
        return buffer

    def release(self, buffer: _Buffer) -> None:
        """Decrement the reference count, and free the buffer when it reaches 0."""
        buffer.references -= 1
        if not buffer.references:
            self._live_bytes -= buffer.size

    def add(self, value: int, buffer: _Buffer) -> None:
        """Add to the gradient of a value: in place if one of the two buffers isn't shared, else in a new one."""
        other = self.buffers.get(value)
        if other is None:
            self.buffers[value] = buffer
        elif other.references == 1 or buffer.references == 1:
            total, released = (other, buffer) if other.references == 1 else (buffer, other)
            self.release(released)
            self.buffers[value] = total
        else:
            self.buffers[value] = self.new(max(other.size, buffer.size))
            self.release(other)
            self.release(buffer)

    def take_peak(self) -> int:
        """The peak since the last call, in bytes per image."""
        peak, self._peak_bytes = self._peak_bytes, self._live_bytes
        return peak
