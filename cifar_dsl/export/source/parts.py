"""The expansions of a spec's blocks, branches and named tensors, with the values of their parameters."""

from collections.abc import Iterable, Iterator
from typing import Any

from cifar_dsl.analysis.wiring import Wiring
from cifar_dsl.export.source.torch_modules import signatures
from cifar_dsl.foundation.records import define, evolve, field
from cifar_dsl.ir import Graph, Lowering, Node, Scope, Shape, Stage

Key = tuple[Any, ...]


@define(eq=False)
class Step:
    """A stage of a part: what it calls, and the numbers of the values that it takes and makes.

    `target` and `arguments` are those of a layer or join, `part` is that of a scope. `functions` has the target of an
    argument that is made by a call, whose own arguments are those of the step with its name in front: `function.eps`.
    `only_trains`: tests leave it out, although they run the part around it. `is_optional`: some parts of its unit leave
    it out, those in which it `is_absent`.
    """

    name: str
    stage: Stage
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    target: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    functions: tuple[tuple[str, str], ...] = ()
    part: "Part | None" = None
    only_trains: bool = False
    is_optional: bool = False
    is_absent: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The names that a `let` gives to what it makes."""
        is_let = isinstance(self.stage, Scope) and self.stage.kind == "let"
        return tuple(self.stage.label.split(", ")) if isinstance(self.stage, Scope) and is_let else ()


@define(eq=False)
class Part:
    """An expansion of a scope.

    Attributes:
        scope: The scope.
        key: Equal for the expansions of one place in the text.
        block: The part of the block's call, or of the model, that it lies in; itself, if it is one.
        values: The values of the block's parameters and of its input's extents, by name.
        shapes: The shapes of its inputs and of its outputs.
        only_trained: The outputs that tests don't compute.
    """

    scope: Scope
    key: Key
    block: "Part | None"
    values: dict[str, Any]
    shapes: tuple[tuple[Shape, ...], tuple[Shape, ...]]
    steps: list[Step] = field(factory=list)
    inputs: int = 1
    outputs: tuple[int, ...] = ()
    only_trained: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The name of its module."""
        return self.scope.name

    @property
    def owner(self) -> "Part":
        """The part whose parameters its expressions use."""
        return self.block or self

    @property
    def is_chain(self) -> bool:
        """Whether each stage takes what the one before it makes, and nothing else."""
        return (
            self.inputs == 1
            and all(step.inputs == (number,) for number, step in enumerate(self.steps))
            and all(step.outputs == (number,) for number, step in enumerate(self.steps, start=1))
            and self.outputs == (len(self.steps),)
        )

    def enter(self, *shapes: Shape) -> None:
        """Set the shapes of its inputs, and the values that a spec can say of them."""
        self.shapes = (shapes, self.shapes[1])
        # A block that also takes older tensors is called on the latest one.
        self.values |= _of_input(shapes[-1 if self.scope.kind == "block" else 0])

    def inside(self) -> "Iterator[Part]":
        """The parts in it."""
        return (step.part for step in self.steps if step.part)


def part_of(graph: Graph) -> Part:
    """The part of the whole model."""
    return _Reader(graph).part(graph.body, None, ())


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._wiring = Wiring(graph)

    def part(self, scope: Scope, block: Part | None, around: Key, *, only_trains: bool = False) -> Part:
        """The part of a scope; `only_trains`: tests leave it out as a whole."""
        is_block = scope.kind in {"block", "model"}
        key: Key = _place(scope) if scope.kind == "tied" else (*around, *_place(scope))
        if scope.kind == "block":
            key = ("block", scope.label.partition("(")[0])
        shape_of = self._graph.shape_of
        part = Part(
            scope,
            key,
            None if is_block else block,
            dict(scope.arguments) if is_block else dict(block.owner.values if block else {}),
            (tuple(map(shape_of, scope.inputs)), tuple(map(shape_of, scope.outputs))),
        )
        if scope.kind != "model" and part.shapes[0]:
            part.enter(*part.shapes[0])
        wired = self._wiring.of(scope, with_empty_blocks=True)
        part.inputs, part.outputs = wired.inputs, wired.outputs
        if not only_trains:
            part.only_trained = wired.only_trained.intersection(wired.outputs)
        for one in wired.stages:
            step = Step(one.name, one.stage, one.inputs, one.outputs, only_trains=one.only_trains and not only_trains)
            if isinstance(one.stage, Node):
                lowering = self._wiring.lowering(one.stage)
                arguments = dict(_flat(lowering))
                if lowering.target in signatures() and "inplace" in signatures()[lowering.target].arguments:
                    arguments.setdefault("inplace", False)
                step.target, step.arguments = lowering.target, tuple(arguments.items())
                step.functions = tuple((k, made.target) for k, made in lowering.arguments if isinstance(made, Lowering))
            else:
                step.part = self.part(one.stage, part.owner, key, only_trains=only_trains or one.only_trains)
            part.steps.append(step)
        if scope.kind == "join":
            sources = same_tensors(part)
            for step in part.steps[:-1]:  # branches all start from what enters, not from what another one passes on
                step.inputs = tuple(sources.get(value, value) for value in step.inputs)
        return part


def same_tensors(part: Part) -> dict[int, int]:
    """The inputs of a part, by the values that are the same tensor."""
    sources = {number: number for number in range(part.inputs)}
    for step in part.steps:
        if step.part is not None:
            inner = same_tensors(step.part)
            passed = [inner.get(output) for output in step.part.outputs]
        else:
            passed = [0] if step.target == "torch.nn.Identity" else []
        for output, place in zip(step.outputs, passed, strict=False):
            if place is not None and step.inputs[place] in sources:
                sources[output] = sources[step.inputs[place]]
    return sources


def order_of_use(part: Part) -> tuple[int, ...]:
    """The inputs of a part in the order in which its stages take them."""
    taken = (value for values in (*(step.inputs for step in part.steps), part.outputs) for value in values)
    return tuple(dict.fromkeys((*(value for value in taken if value < part.inputs), *range(part.inputs))))


def reorder_inputs(part: Part, order: tuple[int, ...]) -> None:
    """Renumber the inputs of a part; `order` has their numbers until now."""
    new = {old: number for number, old in enumerate(order)}

    def renumbered(values: Iterable[int]) -> tuple[int, ...]:
        return tuple(new.get(value, value) for value in values)

    for step in part.steps:
        step.inputs = renumbered(step.inputs)
    part.outputs = renumbered(part.outputs)
    part.only_trained = frozenset(renumbered(part.only_trained))
    part.shapes = (tuple(part.shapes[0][old] for old in order), part.shapes[1])


def _flat(lowering: Lowering) -> Iterator[tuple[str, Any]]:
    """The arguments of a call, and in place of those that are made by a call, the arguments of that."""
    for name, value in lowering.arguments:
        if isinstance(value, Lowering):
            yield from ((f"{name}.{inner}", argument) for inner, argument in value.arguments)
        else:
            yield name, value


def _of_input(shape: Shape) -> dict[str, int]:
    """What a spec can say about the tensor that enters."""
    values = {"in_channels": shape.channels}
    if shape.is_image:
        values |= dict(zip(("height", "width"), shape.extents[1:], strict=True))
    elif shape.is_tokens:
        values["length"] = shape.extents[0]
    return values


def _place(scope: Scope) -> Key:
    """What the expansions of one place of the text share."""
    if scope.kind == "branch":
        return ("branch", scope.name)
    if scope.kind == "tied":  # whose uses are in several places
        return ("tied", scope.label, _span(evolve(scope, span=None)))
    return (scope.kind, scope.label if scope.kind == "let" else scope.name.rstrip("0123456789"), _span(scope))


def _span(stage: Stage) -> tuple[str, int, int] | None:
    """The place of a stage in the text, or that of the last stage in it."""
    if stage.span is not None:
        return stage.span.source.name, stage.span.start, stage.span.end
    computing = [one for one in stage.stages if one.values] if isinstance(stage, Scope) else []
    return _span(computing[-1]) if computing else None
