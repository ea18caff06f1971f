"""Calls of blocks that equal an earlier call: the graph gets a copy of what that became.

Deep networks repeat few blocks, and a copy takes a fraction of the time of an expansion.
"""

from collections.abc import Hashable, Mapping

from cifar_dsl.compiler.draft import Draft
from cifar_dsl.compiler.values import BlockValue, Bound, Flow, Tensor, Unknown
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Node, Scope, Size, Stage
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Span

_PLAIN = (bool, int, float, str, Size)


@frozen
class PlacedCall:
    """A call of a block, and its place in the graph.

    Attributes:
        key: What equal calls have in common; None if it may use other tensors than `x`.
        x: The tensor that enters it.
        depth: How many bodies and calls are active around it.
        path, label, span: Those of its scope in the graph.
    """

    key: Hashable
    x: Tensor
    depth: tuple[int, int]
    path: str
    label: str
    span: Span


@frozen
class _Expansion:
    """What a call became; `work` is what that took, and `last` the last stage that was expanded."""

    call: PlacedCall
    scope: Scope
    output: Flow
    work: int
    last: Span | None


class Repeats:
    """What calls have become in a draft.

    That follows from the block, the values of its arguments, the shape of its input and the region that it is in, if it
    uses no other tensors, and if neither an error nor a limit stops it.
    """

    def __init__(self, draft: Draft, reporter: Reporter) -> None:
        self._draft = draft
        self._reporter = reporter
        self._known: dict[Hashable, _Expansion] = {}

    def key(self, block: BlockValue, arguments: Mapping[str, Bound | Unknown], x: Tensor) -> Hashable:
        """What the calls have in common that become the same; None for a call that may use other tensors than `x`."""
        keys = tuple(map(_key, (block, *arguments.values())))
        return None if None in keys else (keys, x.shape, self._draft.region.number)

    def note(self, call: PlacedCall, scope: Scope | None, output: Flow, work: int) -> None:
        """Remember what a call has become, if it can be copied. Errors are reported at each call."""
        if call.key is None or scope is None or self._reporter or set(scope.inputs) - {call.x.number}:
            return
        self._known[call.key] = _Expansion(call, scope, output, work, self._reporter.at)

    def copied(self, call: PlacedCall) -> Flow | None:
        """Append a copy of what an equal call became, charged as that was; its output. None if there is none."""
        known = self._known.get(call.key)
        if known is None or any(now > then for now, then in zip(call.depth, known.call.depth, strict=True)):
            return None
        copy = _Copy(known, call, self._draft.next - known.scope.values.start)
        scope = copy.whole()
        longer = len(call.path) - len(known.call.path)
        work = known.work + max(0, longer) * len(copy.nodes) // 16
        if not (self._reporter.work.allows(work) and self._draft.extended(scope, copy.nodes)):
            return None  # the expansion finds out where the limit is exceeded
        self._reporter.work.charge(work)
        self._reporter.at = known.last
        if isinstance(known.output, Tensor):
            return copy.tensor(known.output)
        return tuple(map(copy.tensor, known.output))


class _Copy:
    """The stages of an expansion for another call, whose values come `shift` later; `nodes` are those copied so far."""

    def __init__(self, known: _Expansion, call: PlacedCall, shift: int) -> None:
        self._known = known
        self._call = call
        self._shift = shift
        self._first = known.scope.values.start
        self._rest = len(known.scope.path)  # of a path begins here
        self.nodes: list[Node] = []

    def whole(self) -> Scope:
        """The scope of the call."""
        call, known = self._call, self._known.scope
        return self._scope(known, call.path, call.label, call.span)

    def tensor(self, tensor: Tensor) -> Tensor:
        """What a tensor of the expansion has become."""
        is_inside = tensor.number >= self._first
        return Tensor(tensor.number + self._shift, tensor.shape, tensor.region) if is_inside else self._call.x

    def _scope(self, scope: Scope, path: str, label: str, span: Span | None) -> Scope:
        start, stop = scope.values.start + self._shift, scope.values.stop + self._shift
        return Scope(
            path,
            scope.kind,
            label,
            self._values(scope.inputs),
            self._values(scope.outputs),
            range(start, stop),
            tuple(map(self._stage, scope.stages)),
            span,
            scope.arguments,
        )

    def _stage(self, stage: Stage) -> Stage:
        path = self._call.path + stage.path[self._rest :]
        if isinstance(stage, Scope):
            return self._scope(stage, path, stage.label, stage.span)
        node = Node(
            path,
            stage.operation,
            self._values(stage.inputs),
            stage.output + self._shift,
            stage.shape,
            stage.cost,
            stage.parameters,
            stage.span,
            stage.parts,
        )
        self.nodes.append(node)
        return node

    def _values(self, values: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(value + self._shift if value >= self._first else self._call.x.number for value in values)


def _key(value: Bound | Unknown) -> Hashable:
    """What equal values have in common: 1, 1.0 and true differ. None for values that may hold tensors."""
    if isinstance(value, BlockValue):
        return id(value.block) if value.scope is None else None
    return (type(value), repr(value)) if isinstance(value, _PLAIN) else None
