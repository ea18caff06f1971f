"""The weights of tied blocks: a later use has those of the first use, whose stages it must have."""

from collections.abc import Sequence
from itertools import zip_longest

from cifar_dsl.compiler.values import Tie
from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.foundation.text import listed
from cifar_dsl.ir import Cost, Node, Parameter, Scope, Shape
from cifar_dsl.language.diagnostics import EvaluationFailed, Label, Reporter
from cifar_dsl.language.source import Span

_OTHER_SIZES = "bring the tensors to one size before the tied block, or name another tied block for this size"
_OTHER_STAGES = "let the body depend only on what is the same at all uses"


@frozen
class TiedUse:
    """A use of the tied block `name` as the stage `path`; `span` is that of its call."""

    tie: Tie
    name: str
    path: str
    span: Span


@frozen
class UsedStages:
    """The stages that a use of a tied block has become, each with the shapes of its inputs; `x` is that of the use."""

    scope: Scope
    x: Shape
    nodes: Sequence[tuple[Node, tuple[Shape, ...]]]


@define
class Ties:
    """The uses of tied blocks that are being expanded, the innermost last."""

    uses: list[TiedUse] = field(factory=list)
    _owners: set[str] = field(factory=set)  # the paths of the nodes with parameters in first uses

    @property
    def are_later(self) -> bool:
        """Whether the stages here are in a later use, so that they have the weights of others."""
        return any(use.tie.first for use in self.uses)

    def note(self, nodes: Sequence[Node]) -> None:
        """Note nodes of first uses, whose weights later uses have."""
        self._owners.update(node.path for node in nodes if node.parameters)

    def shared(self, node: Node) -> Node:
        """A node of a use, with the parameters of the same node in the first use, if it is in a later one."""
        path = node.path
        for use in reversed(self.uses):
            first = use.tie.first
            if first is not None and path.startswith(f"{use.path}."):
                path = first.path + path[len(use.path) :]
        if path == node.path or path not in self._owners:
            self.note([node])
            return node
        return evolve(node, cost=Cost(0, node.cost.macs), parameters=(), shares=path)


def check_use(use: TiedUse, first: UsedStages, later: UsedStages, reporter: Reporter) -> None:
    """Report a later use whose stages aren't those of the first use. Raises EvaluationFailed."""
    for a, b in zip_longest(first.nodes, later.nodes):
        if a is None or b is None or not _is_alike(a[0], b[0], first, later):
            texts = [f"`{one[0].operation.brief()}`" if one else "no stage" for one in (a, b)]
            note = f"the stage there is {texts[0]}, and here {texts[1]}"
            raise _other(use, first, later, note, _OTHER_STAGES, reporter)
        if a != b and (note := _other_weights(*a, *b)):
            raise _other(use, first, later, note, _OTHER_SIZES, reporter)


def _other(
    use: TiedUse, first: UsedStages, later: UsedStages, note: str, help_text: str, reporter: Reporter
) -> EvaluationFailed:
    message = f"`{use.name}` can't have the weights of its first use here"
    label, span = Label(use.span, f"used on {later.x}"), first.scope.span
    secondary = (Label(span, f"first used on {first.x}"),) if span and span != use.span else ()
    return reporter.error("E0312", message, label, secondary=secondary, notes=(note,), help=help_text)


def _is_alike(a: Node, b: Node, first: UsedStages, later: UsedStages) -> bool:
    """Whether two nodes are the same stage of a tied block: their text, place and inputs in it."""
    is_same_text = a.operation == b.operation or a.operation.brief() == b.operation.brief()
    is_same_place = a.path[len(first.scope.path) :] == b.path[len(later.scope.path) :]
    return is_same_text and is_same_place and _inputs(a, first.scope) == _inputs(b, later.scope)


def _inputs(node: Node, scope: Scope) -> list[int]:
    """The inputs of a node, counted from the first value of its use; below 0 for the tensor that enters."""
    return [max(value - scope.values.start, -1) for value in node.inputs]


def _other_weights(a: Node, of_a: tuple[Shape, ...], b: Node, of_b: tuple[Shape, ...]) -> str:
    """How the weights of a stage on `of_b` differ from those on `of_a`; "" if they are the same."""
    if of_a == of_b or not (a.parameters or a.shares):
        return ""
    name = f"`{a.operation.brief()}`"
    there, here = (node.operation.parameters(*shapes) for node, shapes in ((a, of_a), (b, of_b)))
    if _sizes(there) != _sizes(here):
        different = [(one, other) for one, other in zip(there, here, strict=True) if one.shape != other.shape]
        parts = [f"a {one.name} of {_size(one)} there, and of {_size(other)} here" for one, other in different[:1]]
        return f"{name} needs {listed(parts, 'and')}"
    if a.operation.lower(*of_a) != b.operation.lower(*of_b):
        return f"{name} computes otherwise on {of_b[0]} than on {of_a[0]}"
    return ""


def _sizes(parameters: Sequence[Parameter]) -> list[tuple[str, tuple[int, ...]]]:
    return [(one.name, one.shape) for one in parameters]


def _size(parameter: Parameter) -> str:
    return "x".join(map(str, parameter.shape))
