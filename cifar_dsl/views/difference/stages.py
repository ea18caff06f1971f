"""The stages of a graph, with keys for comparing them with those of another graph."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Literal, cast

from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.ir import Graph, Node, Scope

Kind = Literal["layer", "join", "scope", "block", "tied", "branch", "let", "part"]
_SHOWN_STAGES = 6  # of a sequence before it is shortened


@frozen(eq=False)
class Stage:
    """A layer, a join with its branches, or a scope with its stages.

    Attributes:
        path: The path of the node or scope.
        kind: layer, join, or the kind of the scope.
        what: The name of the layer, join or block; for other scopes, their kind.
        label: The text in the spec.
        node: The node of a layer or join; None for a scope.
        stages: The branches of a join, or the stages of a scope.
        size: The number of nodes in it.
        content: A number that is equal for stages with equal operations in equal order, in any scopes.
        key: Like `content`, but scopes with a different `what` have different keys.
    """

    path: str
    kind: Kind
    what: str
    label: str
    node: Node | None
    stages: "tuple[Stage, ...]"
    size: int
    content: int
    key: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def is_scope(self) -> bool:
        """Whether it is a scope, which has no node of its own."""
        return self.node is None

    def nodes(self) -> list[Node]:
        """The nodes in it."""
        found: list[Node] = []
        waiting = [self]
        while waiting:
            stage = waiting.pop()
            if stage.node is not None:
                found.append(stage.node)
            waiting.extend(stage.stages)
        return found

    def dissolved(self) -> "Iterator[Stage]":
        """The layers and joins inside nested scopes, in order; a join isn't split into its branches."""
        waiting = [self]
        while waiting:
            stage = waiting.pop()
            if stage.is_scope:
                waiting.extend(reversed(stage.stages))
            else:
                yield stage

    def unwrapped(self) -> "Stage":
        """The only layer or join inside nested scopes of one stage each; else the stage itself."""
        stage = self
        while stage.is_scope and len(stage.stages) == 1:
            (stage,) = stage.stages
        return self if stage.is_scope else stage


@define
class Reader:
    """Makes stages of graphs; those of one reader can be compared by `content` and `key`."""

    _numbers: dict[Hashable, int] = field(factory=dict)

    def stages(self, graph: Graph) -> tuple[Stage, ...]:
        """The stages of a whole graph."""
        return self._inside(graph.body)

    def _inside(self, scope: Scope) -> tuple[Stage, ...]:
        return tuple([self._stage(stage) for stage in scope.computing])

    def _stage(self, stage: Node | Scope) -> Stage:
        if isinstance(stage, Node):
            return self._node(stage, stage.path, ())
        inside = self._inside(stage)
        if stage.kind == "join":
            *branches, last = inside
            assert last.node is not None
            return self._node(last.node, stage.path, tuple(branches))
        kind, label = cast("Kind", stage.kind), stage.label
        what = label.partition("(")[0] if kind in {"block", "scope", "tied"} else kind
        contents = tuple(layer.content for inner in inside for layer in inner.dissolved())
        content = contents[0] if len(contents) == 1 else self._number(contents)
        key = self._number((kind, what, *(inner.key for inner in inside)))
        return Stage(stage.path, kind, what, label, None, inside, len(stage.values), content, key)

    def _node(self, node: Node, path: str, branches: tuple[Stage, ...]) -> Stage:
        operation = node.operation
        kind: Kind = "join" if operation.is_join else "layer"
        name = operation.name
        content = self._number((operation, *(branch.content for branch in branches)))
        key = self._number(("node", operation, *(branch.key for branch in branches)))
        size = 1 + sum(branch.size for branch in branches)
        return Stage(path, kind, name, name, node, branches, size, content, key)

    def _number(self, thing: Hashable) -> int:
        return self._numbers.setdefault(thing, len(self._numbers))


def stages_text(stages: Sequence[Stage], graph: Graph, *, in_general: bool = False) -> str:
    """The spec text of stages; `in_general` leaves out arguments."""
    texts = [_text(stage, graph, in_general=in_general) for stage in stages]
    shown: list[str] = []
    start = 0
    while start < len(texts):
        end = start
        while end < len(texts) and texts[end] == texts[start]:
            end += 1
        shown.append(texts[start] if end == start + 1 else f"{end - start} x {texts[start]}")
        start = end
    if len(shown) > _SHOWN_STAGES:
        return " -> ".join([*shown[: _SHOWN_STAGES - 1], f"... ({len(texts)} stages)"])
    return " -> ".join(shown)


def _text(stage: Stage, graph: Graph, *, in_general: bool) -> str:
    if stage.kind == "layer":
        assert stage.node is not None
        return stage.what if in_general else stage.node.operation.brief()
    if stage.kind == "join":
        return f"{stage.what} {{ {' | '.join(_branches(stage, graph, in_general=in_general))} }}"
    inside = stages_text(stage.stages, graph, in_general=in_general)
    match stage.kind:
        case "block":
            return stage.what if in_general else stage.label.removesuffix("()")
        case "tied":
            return stage.label
        case "let":
            return f"let {stage.label} = {inside}"
        case _:
            return inside


def _branches(stage: Stage, graph: Graph, *, in_general: bool) -> Iterator[str]:
    """The texts of the branches of a join; a branch without layers is named after its tensor."""
    assert stage.node is not None
    branches = {branch.name: branch for branch in stage.stages}
    for i, value in enumerate(stage.node.inputs, start=1):
        branch = branches.get(f"branch{i}")
        if branch is None:
            yield "a tensor" if in_general else graph.name_of(value)
        else:
            yield stages_text(branch.stages, graph, in_general=in_general)
