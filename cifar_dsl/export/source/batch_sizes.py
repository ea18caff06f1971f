"""Layers that take nothing from their input but the number of images, such as `learned`.

In the graph they take the network's images, which every class around them would pass on. In printed source they take a
tensor that is at hand where they stand.
"""

from cifar_dsl.export.source.parts import Part, Step
from cifar_dsl.ir import Graph, Node, Shape

_ONE_BATCH = frozenset({"model", "block", "branch", "let", "join"})  # scopes whose tensors have equal numbers of images


def use_tensors_at_hand(part: Part, graph: Graph) -> None:
    """Give such layers tensors at hand, in a part and all inside, and drop the inputs that only they had."""
    if any(node.operation.takes_only_batch for node in graph.nodes):
        _rewire(part)


def _rewire(part: Part) -> bool:
    """Rewire a part. Returns whether its only input serves nothing but the number of images."""
    counting: list[Step] = []  # steps whose only input gives no more than the number of images
    for step in part.steps:
        if step.part is not None:
            if _rewire(step.part):
                counting.append(step)
            _drop_unused_inputs(step.part, step)
        elif isinstance(step.stage, Node) and step.stage.operation.takes_only_batch:
            counting.append(step)
    for step in counting:
        value = _at_hand(part, step, counting) if part.scope.kind in _ONE_BATCH else None
        if value is not None:
            step.inputs = (value,)
            if step.part is not None:
                step.part.enter(_shape_of(part, value))
    real = {value for step in part.steps if step not in counting for value in step.inputs} | {*part.outputs}
    return part.inputs == 1 and bool(counting) and 0 not in real


def _at_hand(part: Part, step: Step, counting: list[Step]) -> int | None:
    """What a step takes instead: in a join, the tensor of another branch; else the last one made, or that entered."""
    if part.scope.kind == "join":
        others = (value for one in part.steps[:-1] if one not in counting for value in one.inputs)
        return next(others, None)
    place = part.steps.index(step)
    before = part.steps[place - 1] if place else None
    if before is not None and not before.only_trains:
        return before.outputs[-1]
    return part.inputs - 1 if part.inputs > 1 else None


def _shape_of(part: Part, value: int) -> Shape:
    if value < part.inputs:
        return part.shapes[0][value]
    maker = next(step for step in part.steps if value in step.outputs)
    if isinstance(maker.stage, Node):
        return maker.stage.shape
    assert maker.part is not None
    return maker.part.shapes[1][maker.outputs.index(value)]


def _drop_unused_inputs(part: Part, step: Step) -> None:
    """Remove the inputs of a part that nothing in it takes; `step` is the part's in the part around."""
    used = {value for one in part.steps for value in one.inputs} | {*part.outputs}
    kept = [value for value in range(part.inputs) if value in used] or [part.inputs - 1]
    if len(kept) == part.inputs or not part.steps:
        return
    shift = part.inputs - len(kept)
    numbers = {old: new for new, old in enumerate(kept)}

    def renumbered(values: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(numbers[value] if value < part.inputs else value - shift for value in values)

    for one in part.steps:
        one.inputs, one.outputs = renumbered(one.inputs), renumbered(one.outputs)
    part.outputs = renumbered(part.outputs)
    part.only_trained = frozenset(renumbered(tuple(part.only_trained)))
    part.inputs = len(kept)
    part.enter(*(part.shapes[0][old] for old in kept))
    step.inputs = tuple(step.inputs[old] for old in kept)
