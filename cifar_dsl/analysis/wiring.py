"""How the stages of a scope are connected when the scope becomes a module, and which modules its layers become."""

from attrs import evolve

from cifar_dsl.analysis.overwriting import overwriting
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Lowering, Node, Scope, Stage


@frozen
class WiredStage:
    """A stage of a module: its name there, and the values that it takes and makes, by their numbers in the module."""

    name: str
    stage: Stage
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@frozen
class WiredScope:
    """A scope as a module. Its values are numbered: first the inputs, then what each stage makes.

    The stages of a join are its branches, then the join itself.
    """

    stages: tuple[WiredStage, ...]
    inputs: int
    outputs: tuple[int, ...]


class Wiring:
    """The wiring of a graph's scopes."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._overwriting = overwriting(graph)
        self._last_uses = {value: node.output for node in graph.nodes for value in node.inputs}
        self._last_uses[graph.output] = graph.body.values.stop  # after all nodes

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
            stages.append(WiredStage(name, stage, tuple(numbers[value] for value in stage.inputs), places))
            numbers |= zip(made, places, strict=True)
            count += len(made)
        return WiredScope(tuple(stages), len(scope.inputs), tuple(numbers[value] for value in self._leaving(scope)))

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
