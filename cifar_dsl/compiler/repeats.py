"""Calls of blocks that equal an earlier call: the graph gets a copy of what that became.

Deep networks repeat few blocks, and a copy takes a fraction of the time of an expansion. A call that differs in the
shapes of its tensors alone, as each layer of a dense block does, gets a copy with its own shapes.
"""

from collections.abc import Hashable, Mapping

from cifar_dsl.compiler.draft import Draft
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.values import BlockValue, Bound, Flow, Tensor, Unknown
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Node, Scope, Shape, Size, Stage
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.operations.registry import MisfitError

_PLAIN = (bool, int, float, str, Size)
_LONGEST = 16  # items of a list that is compared: comparing takes less than an expansion


@frozen
class PlacedCall:
    """A call of a block, and its place in the graph.

    Attributes:
        key: What equal calls have in common apart from shapes; None if it may use other tensors than `given`.
        given: The tensors that enter it, as its input or in its arguments, each once.
        depth: How many bodies and calls are active around it.
        path, label, span: Those of its scope in the graph.
    """

    key: Hashable
    given: tuple[Tensor, ...]
    depth: tuple[int, int]
    path: str
    label: str
    span: Span

    @property
    def shapes(self) -> tuple[Shape | None, ...]:
        """The shapes of the tensors that enter it."""
        return tuple(one.shape for one in self.given)


@frozen
class _Expansion:
    """What a call became; `work` is what that took, and `last` the last stage that was expanded.

    `is_general`: its stages, but for the shapes that follow from them, are those for tensors of any shape.
    """

    call: PlacedCall
    scope: Scope
    output: Flow
    work: int
    last: Span | None
    is_general: bool


class Repeats:
    """What calls have become in a draft.

    That follows from the block, the values of its arguments, the shapes of the tensors that enter it, which of them are
    the same, and the region that it is in, if it uses no other tensors, isn't in a later use of a tied block, and if
    neither an error nor a limit stops it.
    """

    def __init__(self, draft: Draft, reporter: Reporter, evaluator: Evaluator) -> None:
        self._draft = draft
        self._reporter = reporter
        self._evaluator = evaluator
        self._known: dict[tuple[Hashable, tuple[Shape | None, ...]], _Expansion] = {}
        self._general: dict[Hashable, _Expansion] = {}

    def key(
        self, block: BlockValue, arguments: Mapping[str, Bound | Unknown], x: Tensor
    ) -> tuple[Hashable, tuple[Tensor, ...]]:
        """What the calls have in common that become the same for equal shapes, and the tensors that enter this one.

        The first is None for a call that may use other tensors, or the weights of another one.
        """
        given = {x: 0}
        keys = tuple(_key(one, given) for one in (block, *arguments.values()))
        known = tuple(one.region for one in given)
        is_known = not (None in keys or self._draft.ties.are_later)
        return (keys, known, self._draft.region.number) if is_known else None, tuple(given)

    def note(self, call: PlacedCall, scope: Scope | None, output: Flow, work: int, *, reads_shapes: bool) -> None:
        """Remember what a call has become, if it can be copied. Errors are reported at each call.

        `reads_shapes`: whether its stages depend on shapes.
        """
        if (
            call.key is None
            or scope is None
            or self._reporter
            or set(scope.inputs).difference(one.number for one in call.given)
        ):
            return
        known = _Expansion(call, scope, output, work, self._reporter.at, not reads_shapes)
        self._known[call.key, call.shapes] = known
        if known.is_general:
            self._general[call.key] = known

    def copied(self, call: PlacedCall) -> Flow | None:
        """Append a copy of what an equal call became, charged as that was; its output. None if there is none."""
        known = self._known.get((call.key, call.shapes))
        if known is None and None not in call.shapes:  # None: after an error
            known = self._general.get(call.key)
        if known is None or any(now > then for now, then in zip(call.depth, known.call.depth, strict=True)):
            return None
        copy = _Copy(known, call, self._draft)
        try:
            scope = copy.whole()
        except MisfitError:
            return None  # the expansion finds out where
        longer = len(call.path) - len(known.call.path)
        work = known.work + max(0, longer) * len(copy.nodes) // 16
        if not (self._reporter.work.allows(work) and self._draft.extended(scope, copy.nodes)):
            return None  # the expansion finds out where the limit is exceeded
        self._reporter.work.charge(work)
        self._reporter.at = known.last
        self._evaluator.shape_reads += not known.is_general
        if isinstance(known.output, Tensor):
            return copy.tensor(known.output)
        return tuple(map(copy.tensor, known.output))


class _Copy:
    """The stages of an expansion for another call; `nodes` are those copied so far."""

    def __init__(self, known: _Expansion, call: PlacedCall, draft: Draft) -> None:
        self._known = known
        self._call = call
        self._draft = draft
        self._first = known.scope.values.start
        self._shift = draft.next - self._first  # the values come so much later
        self._has_equal_shapes = call.shapes == known.call.shapes
        self._rest = len(known.scope.path)  # of a path begins here
        self._entering = {then.number: now for then, now in zip(known.call.given, call.given, strict=True)}
        self.nodes: list[Node] = []

    def whole(self) -> Scope:
        """The scope of the call. Raises MisfitError if the shapes don't fit."""
        call, known = self._call, self._known.scope
        return self._scope(known, call.path, call.label, call.span)

    def tensor(self, tensor: Tensor) -> Tensor:
        """What a tensor of the expansion has become."""
        if tensor.number >= self._first:
            return Tensor(tensor.number + self._shift, self.nodes[tensor.number - self._first].shape, tensor.region)
        return self._entering[tensor.number]

    def _scope(self, scope: Scope, path: str, label: str, span: Span | None) -> Scope:
        start, stop = scope.values.start + self._shift, scope.values.stop + self._shift
        return Scope(
            path,
            scope.kind,
            label,
            tuple(sorted(self._values(scope.inputs))),
            self._values(scope.outputs),
            range(start, stop),
            tuple(map(self._stage, scope.stages)),
            span,
            scope.arguments,
            self._shared(scope.shares),
        )

    def _stage(self, stage: Stage) -> Stage:
        path = self._call.path + stage.path[self._rest :]
        if isinstance(stage, Scope):
            return self._scope(stage, path, stage.label, stage.span)
        shape, cost, parameters = stage.shape, stage.cost, stage.parameters
        if not self._has_equal_shapes:
            shape, cost, parameters = self._draft.fitted(stage, [self._shape_of(value) for value in stage.inputs])
        node = Node(
            path,
            stage.operation,
            self._values(stage.inputs),
            stage.output + self._shift,
            shape,
            cost,
            parameters,
            stage.span,
            stage.parts,
            self._shared(stage.shares),
        )
        self.nodes.append(node)
        return node

    def _shape_of(self, value: int) -> Shape:
        """The shape in the copy of a value of the expansion."""
        shape = self.nodes[value - self._first].shape if value >= self._first else self._entering[value].shape
        assert shape is not None
        return shape

    def _shared(self, path: str | None) -> str | None:
        """The copy of the path of a first use, which is in the same call: only bodies name tied blocks."""
        return path and self._call.path + path[self._rest :]

    def _values(self, values: tuple[int, ...]) -> tuple[int, ...]:
        first, shift = self._first, self._shift
        return tuple(value + shift if value >= first else self._entering[value].number for value in values)


def _key(value: Bound | Unknown, given: dict[Tensor, int]) -> Hashable:
    """What equal values have in common: 1, 1.0 and true differ. None for values that may hold other tensors.

    Numbers the tensors in `given`, in the order in which they are met.
    """
    match value:
        case BlockValue():
            return id(value.block) if value.scope is None else None
        case Tensor():
            return Tensor, given.setdefault(value, len(given))
        case tuple() if not isinstance(value, Size):
            is_short = len(value) <= _LONGEST and not any(type(one) is tuple for one in value)
            keys = tuple(_key(one, given) for one in value) if is_short else (None,)
            return None if None in keys else keys
    return (type(value), repr(value)) if isinstance(value, _PLAIN) else None
