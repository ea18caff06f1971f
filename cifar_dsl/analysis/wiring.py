"""How the stages of a scope are connected when the scope becomes a module, and which modules its layers become."""

from cifar_dsl.analysis.overwriting import overwriting
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import Graph, Lowering, Node, Scope, Stage


@frozen
class WiredStage:
    """A stage of a module: its name there, and the values that it takes and makes, by their numbers in the module.

    `only_trains`: tests leave it out, since it computes nothing but exits.
    """

    name: str
    stage: Stage
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    only_trains: bool = False


@frozen
class WiredScope:
    """A scope as a module. Its values are numbered: first the inputs, then what each stage makes.

    The stages of a join are its branches, then the join itself. Tests don't compute the values in `only_trained`.
    """

    stages: tuple[WiredStage, ...]
    inputs: int
    outputs: tuple[int, ...]
    only_trained: frozenset[int] = frozenset()


class Wiring:
    """The wiring of a graph's scopes."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._overwriting = overwriting(graph)
        self._last_uses = {value: node.output for node in graph.nodes for value in node.inputs}
        self._last_uses |= dict.fromkeys((graph.output, *graph.exits), graph.body.values.stop)  # after all nodes

    def of(self, scope: Scope, *, with_empty_blocks: bool = False) -> WiredScope:
        """The wiring of one scope; `with_empty_blocks`: also of calls of blocks that compute nothing there."""
        numbers = {value: i for i, value in enumerate(scope.inputs)}  # of the module's values, by the graph's
        stages: list[WiredStage] = []
        count = len(scope.inputs)
        for stage in scope.stages:
            is_kept = stage.values or scope.kind == "join" or (with_empty_blocks and _passes_on(stage))
            if not is_kept:
                continue
            name = "join" if isinstance(stage, Node) and stage.operation.is_join else stage.name
            made = (stage.output,) if isinstance(stage, Node) else self._leaving(stage)
            places = tuple(range(count, count + len(made)))
            inputs = tuple(numbers[value] for value in stage.inputs)
            stages.append(WiredStage(name, stage, inputs, places, self._only_trains(stage, made)))
            numbers |= zip(made, places, strict=True)
            count += len(made)
        return WiredScope(
            tuple(stages),
            len(scope.inputs),
            tuple(numbers[value] for value in self._leaving(scope)),
            frozenset(number for value, number in numbers.items() if not self._is_evaluated(value)),
        )

    def _only_trains(self, stage: Stage, made: tuple[int, ...]) -> bool:
        """Whether tests need nothing that a stage makes or passes on."""
        return bool(stage.values) and not any(map(self._is_evaluated, (*stage.values, *made)))

    def _is_evaluated(self, value: int) -> bool:
        return not (self._graph.exits and value) or value in self._graph.evaluated

    def lowering(self, node: Node) -> Lowering:
        """The module of a layer or join, in place where it can be."""
        lowering = node.operation.lower(*self._graph.input_shapes(node))
        if node.output in self._overwriting:
            lowering = evolve(lowering, arguments=(*lowering.arguments, ("inplace", True)))
        return lowering

    def _leaving(self, scope: Scope) -> tuple[int, ...]:
        """The values that the module of a scope returns: its outputs, and all that it makes and later stages use."""
        used = (value for value in scope.values if self._last_uses.get(value, 0) >= scope.values.stop)
        return tuple(dict.fromkeys((*scope.outputs, *used)))


def _passes_on(stage: Stage) -> bool:
    """Whether it is a call of a block that passes its input on."""
    return (
        isinstance(stage, Scope) and stage.kind == "block" and stage.inputs == stage.outputs and len(stage.inputs) == 1
    )
