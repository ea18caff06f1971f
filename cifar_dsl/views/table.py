"""A network as a table: one row for each layer with shape and costs, then totals, exits, memory and the recipe."""

from cifar_dsl.analysis import kept_bytes
from cifar_dsl.compiler import Analysis, mean_macs
from cifar_dsl.foundation.text import columns, in_short, listed
from cifar_dsl.ir import Graph, Node, Recipe, TrainedOutput, trained_outputs
from cifar_dsl.operations.layers import Join
from cifar_dsl.operations.recipe.augmentation import resizing
from cifar_dsl.views.flatten import recipe_values

HEAD = ("layer", "path", "output", "parameters", "macs")
NUMBERS = frozenset({3, 4})  # the columns that are right-aligned


def table(analysis: Analysis) -> list[str]:
    """The network as a table, with its totals, memory and recipe, in lines."""
    graph = analysis.graph
    lines = columns([HEAD, *rows_of(graph)], right=NUMBERS)
    rule = "-" * max(map(len, lines))
    return [
        f"{analysis.program.name}  {analysis.fingerprint}",
        "",
        lines[0],
        rule,
        *lines[1:-1],
        rule,
        lines[-1],
        *notes(analysis),
    ]


def rows_of(graph: Graph) -> list[tuple[str, ...]]:
    """The rows below `HEAD`: the input, each layer or join, and the total."""
    cost = graph.cost
    return [
        ("input", "", str(graph.input), "", ""),
        *(_row(graph, node) for node in graph.nodes),
        ("total", "", str(graph.shape_of(graph.output)), f"{cost.parameters:,}", f"{cost.macs:,}"),
    ]


def _row(graph: Graph, node: Node) -> tuple[str, ...]:
    return (
        node.operation.brief() + _stretched(graph, node),
        node.path,
        f"{node.parts} x {node.shape}" if node.parts > 1 else str(node.shape),
        f"= {graph.later_uses[node.output].label}" if node.shares else _count(node.cost.parameters),
        _count(node.cost.macs),
    )


def notes(analysis: Analysis) -> list[str]:
    """The lines below the rows: the exits, the memory, the sizes of training images, the recipe."""
    return [
        *_exits(analysis.graph),
        "",
        f"activations kept for backward: {in_short(kept_bytes(analysis.graph), 'B')} per image in float32",
        *_training_sizes(analysis),
        *recipe_lines(analysis.recipe),
    ]


def recipe_lines(recipe: Recipe | None) -> list[str]:
    """The recipe, one setting per line."""
    if recipe is None:
        return ["no recipe: this spec can be shown but not trained"]
    return columns(list(recipe_values(recipe).items()))


def taught_by(one: TrainedOutput) -> str:
    """What an output learns from."""
    return "teacher" if one.learns_from_teacher else "labels"


def _exits(graph: Graph) -> list[str]:
    """The exits of a network as a table: what they cost is that of stages that only training runs."""
    network, *exits = trained_outputs(graph)
    if not exits and network.weight == 1:
        return []
    outputs = (network, *exits)
    rows = [["exit", "weight", "output", "parameters", "macs"]]
    rows += [
        [one.name, f"{one.weight:g}", str(one.shape), _count(one.cost.parameters), _count(one.cost.macs)]
        for one in outputs
    ]
    if any(one.learns_from_teacher for one in outputs):
        learns = ["learns", *(taught_by(one) for one in outputs)]
        rows = [[*row, cell] for row, cell in zip(rows, learns, strict=True)]
    head, *lines = columns(rows, right=frozenset({1, 3, 4}))
    tested = graph.cost.parameters - sum(one.cost.parameters for one in exits)
    note = f"tests run the output alone: {tested:,} parameters, {graph.cost.macs:,} macs"
    return ["", head, *lines, *([note] if exits else [])]


def _training_sizes(analysis: Analysis) -> list[str]:
    """The multiply-accumulates for each size of the training images, if the recipe resizes them."""
    sizes, recipe = analysis.training_sizes, analysis.recipe
    if recipe is None or not resizing(recipe.augment):
        return []
    each = [f"{one.image} from epoch {one.after + 1} on ({one.macs:,})" for one in sizes]
    mean = mean_macs(sizes, recipe.epochs_before, recipe.epochs)
    return [f"macs in training: {', '.join(each)}; in the mean {mean:,.0f}"]


def _stretched(graph: Graph, node: Node) -> str:
    """The mark of a join with branches that are stretched: " (64 stretches)"."""
    if not isinstance(node.operation, Join):
        return ""
    shapes = graph.input_shapes(node)
    stretched = dict.fromkeys(str(shapes[number]) for number in node.operation.stretched(*shapes))
    return f" ({listed([*stretched], 'and')} {'stretches' if len(stretched) == 1 else 'stretch'})" if stretched else ""


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
