"""How much memory a training will take, worked out without torch."""

from cifar_dsl.analysis.activation_trace import record
from cifar_dsl.analysis.peak_memory import WeightBytes, evaluation_peak, training_peak
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.ir.execution import FLOAT_BYTES, HALF_BYTES
from cifar_dsl.operations.recipe.groups import assign

EVALUATION_BATCH = 500  # images; a constant, so that evaluating a saved run repeats the very same sums
_LABEL_BYTES = 8

# The resident size of a process that has trained next to nothing, as `bench/memory.py --process` measures it: Python,
# torch 2.14 in the build for CUDA, which is what PyPI has for Linux, and all that both load for a first step.
_PROCESS_BYTES = 730_000_000
# From this size on glibc takes the memory of a tensor from the system and gives it back at once. Smaller ones lie in
# its heap, which keeps the room of those that were freed (the largest M_MMAP_THRESHOLD; see mallopt(3)).
_MAPPED_BYTES = 2**25
# Free room that the heap comes to have between tensors, beside what they fill at most: measured as 0.46 (vgg11), 0.48
# (resnet18) and 0.6 (mobilenet_v2) of that after two steps, and no more after four.
_HEAP_GAPS = 0.5


def estimate(graph: Graph, recipe: Recipe, images: int | None = None, device: str = "cpu") -> dict[str, int]:
    """Bytes by what they are for, at the worst moment of a training on a `device` of this type: cpu or cuda.

    Together they are the resident size of the process on a CPU, and what torch takes on a GPU, where the CUDA context
    comes on top. `images` is how many the data has, for training and testing together, where the recipe's data can't
    say it.
    """
    images = images or recipe.data.images or 0
    trained, states = _trained(graph, recipe)
    parts = {
        "weights": graph.cost.parameters * FLOAT_BYTES,
        "gradients": trained * FLOAT_BYTES,
        "optimizer": states * FLOAT_BYTES,
    }
    if recipe.average:
        parts["averages"] = parts["weights"] * len(recipe.average)
    tested = min(EVALUATION_BATCH, images or EVALUATION_BATCH)  # together
    heap, mapped = _activation_bytes(graph, recipe, tested, device)
    parts["activations"] = heap + mapped
    parts["data set"] = images * (graph.input.elements + _LABEL_BYTES)
    if device == "cpu":
        parts["gaps"] = round(_HEAP_GAPS * (heap + parts["gradients"] + parts["optimizer"]))
        parts["process"] = _PROCESS_BYTES
    return parts | {"together": sum(parts.values())}


def _activation_bytes(graph: Graph, recipe: Recipe, test: int, device: str) -> tuple[int, int]:
    """What passes through the network take at the worst moment, beside the weights and all of their gradients.

    `test` images are evaluated together. On a CPU it has two parts: in the heap, where one pass finds the room that
    another has left, and mapped.
    """
    tape, weights = record(graph, recipe.precision, device), _weight_bytes(graph, recipe.precision, device)
    train = recipe.batch
    if device != "cpu":
        return 0, max(training_peak(graph, tape, train, weights), evaluation_peak(graph, tape, test, weights))
    train_limit, test_limit = _MAPPED_BYTES // train, _MAPPED_BYTES // test
    in_heap = (
        training_peak(graph, tape.only(high=train_limit), train, weights),
        evaluation_peak(graph, tape.only(high=test_limit), test, weights),
    )
    mapped = (
        training_peak(graph, tape.only(low=train_limit), train),
        evaluation_peak(graph, tape.only(low=test_limit), test),
    )
    return max(in_heap), max(mapped)


def _weight_bytes(graph: Graph, precision: str, device: str) -> WeightBytes:
    gradients, converted, reordered = [], [], []
    for node in graph.nodes:
        gradients.append(FLOAT_BYTES * sum(p.elements for p in node.parameters if p.is_trained))
        is_converted = precision != "fp32" and node.operation.execution.autocasts
        converted.append(HALF_BYTES * node.cost.parameters if is_converted else 0)
        width = HALF_BYTES if is_converted else FLOAT_BYTES
        filters = sum(p.elements for p in node.parameters if p.kind == "filter")
        reordered.append(width * filters if device == "cpu" else 0)
    return WeightBytes(tuple(gradients), tuple(converted), tuple(reordered))


def _trained(graph: Graph, recipe: Recipe) -> tuple[int, int]:
    """How many numbers are trained, and how many more their optimizers keep."""
    assigned = assign(graph, recipe)
    states = [group.optimizer.states for group in recipe.groups]
    own = recipe.optimizer.states
    trained = kept = 0
    for node in graph.nodes:
        for parameter in node.parameters:
            path = f"{node.path}.{parameter.name}"
            if path in assigned:
                group = assigned[path]
                trained += parameter.elements
                kept += parameter.elements * (own if group is None else states[group])
    return trained, kept
