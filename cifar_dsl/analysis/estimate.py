"""An estimate of the memory that a training takes, without torch."""

from cifar_dsl.analysis.activation_trace import ActivationTrace, NodeTrace, trace_activations
from cifar_dsl.analysis.peak_memory import NodeWeights, WeightBytes, evaluation_peak, training_peak
from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import Graph, Node, Recipe
from cifar_dsl.ir.execution import FLOAT_BYTES, HALF_BYTES
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.operations.recipe.half_weights import half_weights
from cifar_dsl.operations.recipe.selection import share_of

EVALUATION_BATCH = 500  # images; a constant, so that evaluating a saved run repeats the very same sums
_LABEL_BYTES = 8
_INDEX_BYTES = 4  # of a pixel, in the maps of augmentations

# The resident size of a process after a tiny training, measured with `bench/memory.py --process`: Python, torch 2.14
# in the CUDA build (PyPI's default for Linux), and what both load for a first step.
_PROCESS_BYTES = 730_000_000
# For each element of the matrix of a whitening: on a CPU, what fitting it takes, in float64; on a GPU, the matrix.
_WHITENING_BYTES = {"cpu": 40, "cuda": FLOAT_BYTES}
# What cuBLAS allocates through torch for each stream: 32 MiB since Hopper, about 8 MiB on earlier GPUs
# (`getChosenWorkspaceSize` in torch's aten/src/ATen/cuda/CublasHandlePool.cpp). Each network has a stream.
_WORKSPACE_BYTES = 2**25
# glibc maps a tensor of at least this size separately and unmaps it when it is freed. Smaller tensors live on the
# heap, which keeps freed memory for reuse (the largest M_MMAP_THRESHOLD; see mallopt(3)).
_MAPPED_BYTES = 2**25
# Heap fragmentation, as a share of the peak of the tensors on the heap: measured as 0.46 (vgg11), 0.48 (resnet18) and
# 0.6 (mobilenet_v2) after two steps, and no more after four.
_FRAGMENTATION = 0.5


def estimate(
    graph: Graph,
    recipe: Recipe,
    images: int | None = None,
    device: str = "cpu",
    teacher: Graph | None = None,
    share: float = 1.0,
    seeds: int = 1,
) -> dict[str, int]:
    """Bytes by purpose at the peak of a training, and their `total`.

    On a CPU, the total is the resident size of the process. On a GPU, it is what torch allocates; the CUDA context and
    the workspaces of convolutions come on top.

    Args:
        graph: The network.
        recipe: How it is trained.
        images: The size of the dataset, training and test images together. Required if the recipe doesn't know it.
        device: The type of device: cpu or cuda.
        teacher: The network that a recipe with `distill` learns from.
        share: The part of each batch that the network sees: that of a selection of images.
        seeds: The number of networks that train side by side in one process. They share images and teacher.
    """
    recipe = evolve(recipe, batch=share_of(share, recipe.batch))
    images = images or recipe.data.used_images or 0
    parts = _bytes_of_weights(graph, recipe)
    if recipe.perturb.passes > 1:
        parts["perturbation"] = parts["gradients"]  # a copy of the trained weights
    if recipe.average:
        parts["averages"] = graph.cost.parameters * FLOAT_BYTES * len(recipe.average)
    parts = {name: size * seeds for name, size in parts.items()}
    evaluation_batch = min(EVALUATION_BATCH, images or EVALUATION_BATCH)
    heap, mapped = _activation_bytes(graph, recipe, evaluation_batch, device)
    if teacher:
        # It classifies the images before their normalization, which each step keeps for it.
        kept = recipe.batch * teacher.input.elements * FLOAT_BYTES
        parts["teacher"] = teacher.cost.parameters * FLOAT_BYTES + seeds * kept
        its_heap, its_mapped = _teacher_bytes(teacher, recipe, device)
        heap, mapped = max(heap, its_heap), max(mapped, its_mapped)
    parts["activations"] = seeds * (heap + mapped)
    if device != "cpu":
        parts["first steps"] = seeds * _first_steps_bytes(graph, recipe, evaluation_batch, device)
        parts["workspaces"] = seeds * _WORKSPACE_BYTES
    number_bytes = FLOAT_BYTES if recipe.normalize.is_first else 1  # of a stored image
    parts["dataset"] = images * (graph.input.elements * number_bytes + _LABEL_BYTES)
    maps = sum(one.source_maps for one in recipe.augment)
    if maps:
        _, height, width = graph.input.extents
        parts["augmentation"] = maps * height * width * _INDEX_BYTES
    if recipe.normalize.is_whitening:
        parts["whitening"] = _WHITENING_BYTES["cpu" if device == "cpu" else "cuda"] * graph.input.elements**2
    if device == "cpu":
        parts["fragmentation"] = round(_FRAGMENTATION * (heap + parts["gradients"] + parts["optimizer"]))
        parts["process"] = _PROCESS_BYTES
    return parts | {"total": sum(parts.values())}


def _activation_bytes(graph: Graph, recipe: Recipe, evaluation_batch: int, device: str) -> tuple[int, int]:
    """Peak bytes on the heap and in mapped memory, without the weights and their full set of gradients.

    On the heap, a training step and an evaluation reuse the same memory. On a GPU, everything counts as mapped.
    """
    trace = trace_activations(graph, recipe.precision, device)
    weights = weight_bytes(graph, trace, recipe, device)
    training_batch = recipe.batch
    if device != "cpu":
        training = training_peak(graph, trace, training_batch, weights)
        return 0, max(training, evaluation_peak(graph, trace, evaluation_batch, weights))
    training_limit, evaluation_limit = _MAPPED_BYTES // training_batch, _MAPPED_BYTES // evaluation_batch  # per image
    on_heap = (
        training_peak(graph, trace.in_size_range(high=training_limit), training_batch, weights),
        evaluation_peak(graph, trace.in_size_range(high=evaluation_limit), evaluation_batch, weights),
    )
    mapped = (
        training_peak(graph, trace.in_size_range(low=training_limit), training_batch),
        evaluation_peak(graph, trace.in_size_range(low=evaluation_limit), evaluation_batch),
    )
    return max(on_heap), max(mapped)


def _first_steps_bytes(graph: Graph, recipe: Recipe, evaluation_batch: int, device: str) -> int:
    """Peak bytes of what runs eagerly once beside recorded steps, whose memory stays theirs.

    Full batches are recorded first. Then an incomplete batch, on average of half the size, and an evaluation come.
    """
    trace = trace_activations(graph, recipe.precision, device)
    weights = weight_bytes(graph, trace, recipe, device)
    incomplete = 0 if recipe.drop_last else training_peak(graph, trace, recipe.batch // 2, weights)
    return max(incomplete, evaluation_peak(graph, trace, evaluation_batch, weights))


def _teacher_bytes(teacher: Graph, recipe: Recipe, device: str) -> tuple[int, int]:
    """As `_activation_bytes`, while the teacher classifies a batch; the student's images are live, and nothing else."""
    trace = trace_activations(teacher, recipe.precision, device)
    weights = weight_bytes(teacher, trace, evolve(recipe, weight_precision="fp32"), device)
    batch, images = recipe.batch, recipe.batch * teacher.input.elements * FLOAT_BYTES
    if device != "cpu":
        return 0, images + evaluation_peak(teacher, trace, batch, weights)
    limit = _MAPPED_BYTES // batch  # per image
    on_heap = evaluation_peak(teacher, trace.in_size_range(high=limit), batch, weights)
    mapped = evaluation_peak(teacher, trace.in_size_range(low=limit), batch)
    return (on_heap + images, mapped) if images < _MAPPED_BYTES else (on_heap, mapped + images)


def weight_bytes(graph: Graph, trace: ActivationTrace, recipe: Recipe, device: str) -> WeightBytes:
    """Memory for the weights of each node beside the weights themselves, on this type of device."""
    last_uses = {graph.owner(node).path: node.output for node in graph.nodes}  # whose backward pass is the first
    half = half_weights(graph, recipe)
    nodes = [
        _node_weights(
            graph, node, node_trace, recipe, device, half, is_last=last_uses[graph.owner(node).path] == node.output
        )
        for node, node_trace in zip(graph.nodes, trace.nodes, strict=True)
    ]
    return WeightBytes(tuple(nodes), accumulates=recipe.accumulate > 1)


def _node_weights(
    graph: Graph,
    node: Node,
    node_trace: NodeTrace,
    recipe: Recipe,
    device: str,
    half: frozenset[str],
    *,
    is_last: bool,
) -> NodeWeights:
    """`half` are the paths of the weights that are kept in half precision."""
    owner = graph.owner(node)
    parameters = owner.parameters
    in_half = [p for p in parameters if f"{owner.path}.{p.name}" in half]
    gradients = sum(_width(is_half=p in in_half) * p.elements for p in parameters if p.is_trained)
    is_frozen = any(p.name == "weight" and not p.is_trained for p in parameters)
    is_converted = recipe.precision != "fp32" and node.operation.execution.is_autocast(node.operation)
    width = HALF_BYTES if is_converted else FLOAT_BYTES
    # A convolution on a CPU copies its filters in each pass, and trained ones twice in the backward pass.
    reordered = width * sum(p.elements for p in parameters if p.kind == "filter") if device == "cpu" else 0
    computed = node.operation.computed_weight(*graph.input_shapes(node))
    rearranged = width * computed.rearranged
    # Autocast converts a weight once in a step, but what is computed from it in each use.
    kept_there = 0 if node.shares else sum(p.elements for p in in_half)
    converted = HALF_BYTES * (node.cost.parameters - kept_there) if is_converted and not computed.used else 0
    result = HALF_BYTES * computed.used if is_converted else 0
    kept = width * computed.used if node_trace.needs_gradients or not computed.is_factor else 0
    # First comes the gradient of half-precision weights or of a function's result, which is no longer needed then.
    of_function = 0 if is_frozen else FLOAT_BYTES * computed.in_backward - gradients - kept
    return NodeWeights(
        gradients=gradients if is_last else 0,
        added=0 if is_last else gradients,
        converted=converted,
        saved=0 if is_frozen else FLOAT_BYTES * (computed.kept - computed.used),
        used=FLOAT_BYTES * computed.used,
        kept=kept,
        forward=reordered + rearranged + result,
        backward=max((1 if is_frozen else 2) * reordered + rearranged + converted + result, of_function),
    )


def _bytes_of_weights(graph: Graph, recipe: Recipe) -> dict[str, int]:
    """Bytes of all weights, their gradients, and what optimizers keep for them (momenta ...) in the same format."""
    groups, half = assign(graph, recipe), half_weights(graph, recipe)
    group_states = [group.optimizer.states for group in recipe.groups]
    weights = gradients = states = 0
    for node in graph.nodes:
        for parameter in node.parameters:
            if parameter.is_buffer:
                continue
            path = f"{node.path}.{parameter.name}"
            size = parameter.elements * _width(is_half=path in half)
            weights += size
            if path in groups:
                group = groups[path]
                gradients += size
                states += size * (recipe.optimizer.states if group is None else group_states[group])
    return {"weights": weights, "gradients": gradients, "optimizer": states}


def _width(*, is_half: bool) -> int:
    return HALF_BYTES if is_half else FLOAT_BYTES
