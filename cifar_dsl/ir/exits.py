"""The outputs of a network that are trained: its own, and those that exits mark."""

from collections.abc import Set

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.graph import Graph, Node
from cifar_dsl.ir.operation import Cost
from cifar_dsl.ir.shape import Shape

_OUTPUT = "output"


@frozen
class TrainedOutput:
    """An output that is trained.

    Attributes:
        name: That of the tensor, of a `let`, or the path of the exit; `output` for the network's own.
        value: The tensor.
        weight: The factor on its loss; 0 if it is only measured.
        learns_from_teacher: Whether it learns from a teacher alone, if the recipe distills.
        shape: Its shape, without the batch.
        cost: That of the stages that only training runs, for one image; several exits share none.
    """

    name: str
    value: int
    weight: float
    shape: Shape
    cost: Cost = Cost()
    learns_from_teacher: bool = False


def trained_outputs(graph: Graph) -> tuple[TrainedOutput, ...]:
    """The network's output, then the exits in their order."""
    names = {scope.output: scope.path for scope in graph.scopes if scope.kind == "let" and len(scope.outputs) == 1}
    outputs = [
        TrainedOutput(
            name=_OUTPUT,
            value=graph.output,
            weight=_weight(graph, graph.output),
            shape=graph.shape_of(graph.output),
            learns_from_teacher=_learns_from_teacher(graph, graph.output),
        )
    ]
    known = {*graph.evaluated}
    for value in graph.exits:
        own = graph.used_by(value, known)
        name = names.get(value, graph.name_of(value))
        weight, shape = _weight(graph, value), graph.shape_of(value)
        cost, is_pupil = _cost(graph, own, known), _learns_from_teacher(graph, value)
        outputs.append(TrainedOutput(name, value, weight, shape, cost, is_pupil))
        known |= own
    return tuple(outputs)


def owners(graph: Graph, own: Set[int], known: Set[int]) -> list[Node]:
    """The nodes whose parameters the nodes of `own` use, and those of `known` don't."""
    found, others = ({(one := graph.owner(graph.nodes[value - 1])).path: one for value in few} for few in (own, known))
    return [node for path, node in found.items() if path not in others]


def _cost(graph: Graph, own: Set[int], known: Set[int]) -> Cost:
    return Cost(sum(node.cost.parameters for node in owners(graph, own, known)), graph.cost_of(own).macs)


def _learns_from_teacher(graph: Graph, value: int) -> bool:
    maker = graph.maker(value)
    return maker is not None and maker.operation.learns_from_teacher


def _weight(graph: Graph, value: int) -> float:
    maker = graph.maker(value)
    weight = maker.operation.exit_weight if maker else None
    return 1.0 if weight is None else weight
