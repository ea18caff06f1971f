"""The graph under construction: layers and joins are appended to it, within `limits`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from cifar_dsl.compiler.bind import Binder
from cifar_dsl.compiler.error_location import Branch, locate_mismatch, origins
from cifar_dsl.compiler.foreign_order import channels_advice, channels_first, torch_order
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.tying import TiedUse, Ties, UsedStages, check_use
from cifar_dsl.compiler.values import Bound, Flow, Tensor, Unknown, ValueScope, tensors
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import Limits
from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.ir import Cost, Declaration, Graph, Node, Parameter, Scope, Shape, Stage, arguments_of
from cifar_dsl.language.diagnostics import Cause, EvaluationFailed, Label, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import Enclosure, Join, JoinError, Layer
from cifar_dsl.operations.layers.parts import Windows
from cifar_dsl.operations.registry import MisfitError

_STEPS_OF_A_ROUND = 2
_STEPS_OF_A_SCOPE = 10

T = TypeVar("T")


@frozen
class Region:
    """A body whose tensors aren't those around it: of a scope that runs for parts of an image, or of a tied block.

    `windows` is the innermost scope, if it is one of windows, and `image` the shape of the tensor that enters it.
    """

    number: int
    name: str
    parts: int  # of the whole image
    image: Shape | None = None
    windows: Windows | None = None
    is_tied: bool = False

    @property
    def is_neighbourly(self) -> bool:
        """Whether the pixels of a part are neighbours in the image."""
        return self.windows is None or not any(self.windows.shift)


class TooLargeError(Exception):
    """The expansion stopped at a limit. The limit, or an earlier error, has been reported."""


@define
class _Loop:
    """A loop that is being expanded, in a scope; `count` is its number of rounds, if it is written as such."""

    span: Span
    count: nodes.Expression | None
    scope: ValueScope
    rounds: int = 0


@frozen
class BlockCall:
    """A call of a block with its arguments and the shape of its input.

    `conditions` is the number of `if`s that are active there. `is_named`: it names the block itself, not a parameter
    that holds it.
    """

    block: nodes.Block
    arguments: Mapping[str, Bound | Unknown]
    input: Shape | None
    conditions: int
    is_named: bool


@define
class Draft:
    """The nodes and scopes so far, and the block calls that are being expanded."""

    input: Shape
    input_span: Span
    reporter: Reporter
    binder: Binder
    _nodes: list[Node] = field(factory=list)
    _stages: list[Stage] = field(factory=list)  # not yet enclosed by a scope
    _frames: list[BlockCall] = field(factory=list)  # that are being expanded
    _loops: list[_Loop] = field(factory=list)
    _known: dict[tuple[Layer, Shape], tuple[Shape, Cost, tuple[Parameter, ...]]] = field(factory=dict)
    _regions: list[Region] = field(factory=lambda: [Region(0, "", 1)])  # that are being expanded
    _count_of_regions: int = 0
    ties: Ties = field(factory=Ties)
    _parameters: int = 0
    _limits: Limits = field(factory=limits.current)

    def finished(self, output: Tensor) -> Graph:
        """The complete graph."""
        values = range(1, len(self._nodes) + 1)
        body = Scope("", "model", "", (0,), (output.number,), values, tuple(self._stages))
        return Graph(self.input, body)

    # ---- regions

    @property
    def region(self) -> Region:
        """The region of the stage that is being expanded."""
        return self._regions[-1]

    def enter(self, enclosure: Enclosure, x: Shape) -> None:
        """Begin the body of a scope whose current tensor has the shape `x`."""
        self._count_of_regions += 1
        parts = self.region.parts * enclosure.parts(x)
        windows = enclosure if isinstance(enclosure, Windows) else None
        self._regions.append(Region(self._count_of_regions, enclosure.name, parts, x, windows))

    def leave(self) -> None:
        """End the body of a scope."""
        self._regions.pop()

    def check_region(self, tensor: Tensor, name: str, span: Span) -> None:
        """Report a tensor of the whole image, or of other parts of it. Raises EvaluationFailed."""
        region = self.region
        if tensor.shape is not None and tensor.region != region.number:
            message = f"`{name}` is outside this `{region.name}`, whose body runs for {region.parts} parts"
            help_text = f"name a tensor in the body, or join after the `{region.name}`"
            if region.is_tied:
                message = f"`{name}` is outside the tied block `{region.name}`, which has one input at each use"
                help_text = "name a tensor in the body, or join outside"
            raise self.reporter.error("E0313", message, span, help=help_text)

    # ---- tied blocks

    @contextmanager
    def use(self, use: TiedUse, x: Tensor) -> Iterator[Tensor]:
        """Expand a use of a tied block on `x`. Its body gets the result, and tensors of other uses aren't its own."""
        around = self.region
        self._count_of_regions += 1
        number = self._count_of_regions
        self._regions.append(Region(number, use.name, around.parts, around.image, around.windows, is_tied=True))
        self.ties.uses.append(use)
        try:
            yield Tensor(x.number, x.shape, number)
        finally:
            self.ties.uses.pop()
            self._regions.pop()

    def enclose_use(self, use: TiedUse, mark: int, output: Tensor) -> Tensor:
        """Make a scope of a use of a tied block, which is the stages since `mark`; its output around it.

        Reports a later use whose stages aren't those of the first one. Raises EvaluationFailed.
        """
        first = use.tie.first
        shares = first.path if first else None
        scope = self.enclose(mark, use.path, "tied", use.name, output, use.span, shares=shares)
        assert scope is not None
        if first is None:
            use.tie.first = scope
        else:
            self.reporter.work.charge(len(scope.values))
            check_use(use, self._used_stages(first), self._used_stages(scope), self.reporter)
        return Tensor(output.number, output.shape, self.region.number)

    def _used_stages(self, scope: Scope) -> UsedStages:
        made = self._nodes[scope.values.start - 1 : scope.values.stop - 1]
        nodes = [(node, tuple(map(self._shape_of, node.inputs))) for node in made]
        return UsedStages(scope, self._shape_of(scope.inputs[0]), nodes)

    def _shape_of(self, value: int) -> Shape:
        maker = self._maker(value)
        return maker.shape if maker else self.input

    # ---- appending

    def layer(
        self,
        layer: Layer,
        path: str,
        call: Invocation,
        scope: ValueScope,
        tensor: Tensor,
        declaration: type[Declaration] | None = None,
    ) -> Tensor:
        """Append `layer` and return its output. Raises EvaluationFailed, TooLargeError.

        `scope` is that of the call, `declaration` what it calls, if that isn't the layer.
        """
        shape, cost, parameters = self.inferred(layer, call, scope, tensor, declaration)
        self.binder.locator.note_valid(call.span)
        return self._append(Node(path, layer, (tensor.number,), self.next, shape, cost, parameters, call.span))

    def inferred(
        self,
        layer: Layer,
        call: Invocation,
        scope: ValueScope,
        tensor: Tensor,
        declaration: type[Declaration] | None = None,
    ) -> tuple[Shape, Cost, tuple[Parameter, ...]]:
        """The output's shape, the cost and the parameters of a layer on a tensor. Raises EvaluationFailed."""
        x = tensor.shape
        if x is None:
            raise EvaluationFailed
        try:
            shape, cost, parameters = self._inferred(layer, x)
        except MisfitError as error:
            order = [info.name for info in arguments_of(declaration or type(layer))]
            label, secondary = self.binder.locate(call, error, order, scope)
            help_text = error.help
            advice = None
            if crossed := call.crossed(order):
                label, secondary = Label(crossed, error.label), ()
                help_text = (f"swap the arguments in `{crossed.text}`", *help_text)
            elif error.code in {"E0302", "E0304", "E0307"}:
                advice = channels_advice(call, scope, tensor, self.binder.evaluator)
                advice = advice or torch_order(call, layer, x, fits=False)
                if error.code == "E0307" and (meant := channels_first(self.input.extents)):
                    help_text = (f"write the channels of the input first: `input {meant}`", *help_text)
            notes = (f"the input here is {x} ({self.origin(tensor, label.span)})",)
            raise self.reporter.error(
                error.code, error.message, label, secondary=secondary, notes=notes, help=help_text, meant=advice
            ) from None
        if layer.is_first() and tensor.number:
            raise self.reporter.error(
                "E0306",
                f"the weights of this {layer.name} are computed from the network's input images, so it must be first",
                call.span,
                help="make it the first stage of the model",
            )
        return shape, cost, parameters

    def _inferred(self, layer: Layer, x: Shape) -> tuple[Shape, Cost, tuple[Parameter, ...]]:
        """The shape of a layer's output, its cost and its parameters. Raises MisfitError."""
        found = self._known.get((layer, x))
        if found is None:  # deep networks repeat few layers
            shape, parameters = layer.infer(x), layer.parameters(x)
            found = self._known[layer, x] = shape, layer.cost_with(parameters, x, shape), parameters
        return found

    def fitted(self, node: Node, inputs: Sequence[Shape]) -> tuple[Shape, Cost, tuple[Parameter, ...]]:
        """The output's shape, the cost and the parameters of a node for inputs of other shapes. Raises MisfitError."""
        operation = node.operation
        if isinstance(operation, Layer):
            shape, cost, parameters = self._inferred(operation, *inputs)
        else:
            shape = operation.infer(*inputs)
            cost, parameters = operation.cost(*inputs, shape), ()
        return shape, Cost(cost.parameters, cost.macs * node.parts), parameters

    def join(
        self,
        layer: Join,
        path: str,
        call: Invocation,
        scope: ValueScope,
        flow: Flow,
        outputs: Sequence[tuple[Tensor, nodes.Body]],
        span: Span,
    ) -> Tensor:
        """Append the join `layer` of the outputs of branches, each with the body of its branch; return its output.

        `call` is the join without its branches, in `scope`; `span` is that of the whole.
        Raises EvaluationFailed, TooLargeError.
        """
        shape, cost = self.inferred_join(layer, call, scope, flow, outputs, span)
        inputs = tuple(output.number for output, _ in outputs)
        return self._append(Node(path, layer, inputs, self.next, shape, cost, span=span))

    def inferred_join(
        self,
        layer: Join,
        call: Invocation,
        scope: ValueScope,
        flow: Flow,
        outputs: Sequence[tuple[Tensor, nodes.Body]],
        span: Span,
    ) -> tuple[Shape, Cost]:
        """The output's shape and the cost of a join of these outputs. Raises EvaluationFailed."""
        shapes = [output.shape for output, _ in outputs if output.shape is not None]
        if len(shapes) < len(outputs):
            raise EvaluationFailed
        try:
            shape = layer.infer(*shapes)
        except JoinError as error:
            branches = (self._branch(outputs[i][1], flow, outputs[i][0].number, shapes[i]) for i in error.branches)
            label, secondary = locate_mismatch(*branches)
            notes: tuple[str, ...] = ()
            if isinstance(flow, Tensor) and flow.shape is not None:
                notes = (f"the input of the branches is {flow.shape} ({self.origin(flow, span)})",)
            raise self.reporter.error(
                error.code, error.message, label, secondary=secondary, notes=notes, help=error.help
            ) from None
        except MisfitError as error:
            label, secondary = self.binder.locate(call, error, [info.name for info in arguments_of(type(layer))], scope)
            raise self.reporter.error(error.code, error.message, label, secondary=secondary, help=error.help) from None
        return shape, layer.cost(*shapes, shape)

    def _branch(self, body: nodes.Body, flow: Flow, number: int, output: Shape) -> Branch:
        """A branch with its stages, listed from its output, a value, back to the tensor that enters the join."""
        stages = []
        entering = flow if isinstance(flow, Tensor) else Tensor(0, None)
        here = self._frames[-1].block.body.span if self._frames else None
        while number != entering.number and (node := self._maker(number)):
            self.reporter.work.charge(1)
            number = node.inputs[0]
            before = self._maker(number)
            x = before.shape if before else self.input
            is_here = node.span is not None and (here is None or node.span in here)
            stages.append((x, node.shape, node.span if is_here else None))
        return Branch(body.span, entering.shape, output, stages)

    @property
    def mark(self) -> int:
        """The index of the next stage. Pass it to `enclose` when a scope ends."""
        return len(self._stages)

    def enclose(
        self,
        mark: int,
        path: str,
        kind: str,
        label: str,
        output: Flow,
        span: Span | None = None,
        arguments: tuple[tuple[str, Any], ...] = (),
        shares: str | None = None,
    ) -> Scope | None:
        """Make a scope of the stages since `mark`; `span`, `arguments` and `shares` are those of a call.

        None for a branch that is none.
        """
        inside = tuple(self._stages[mark:])
        outputs = tuple(tensor.number for tensor in tensors(output))
        if not (inside or outputs):
            return None
        passed = len(outputs) + sum(1 + len(stage.inputs) for stage in inside)
        self.reporter.work.charge(_STEPS_OF_A_SCOPE + passed // 4)
        values = range(self.next - sum(len(stage.values) for stage in inside), self.next)
        needed = set(outputs).union(*(stage.inputs for stage in inside))
        inputs = tuple(sorted(value for value in needed if value < values.start))
        scope = Scope(path, kind, label, inputs, outputs, values, inside, span, arguments, shares)
        self._stages[mark:] = [scope]
        return scope

    def extended(self, scope: Scope, nodes: Sequence[Node]) -> bool:
        """Append a scope with these nodes, unless that exceeds a limit."""
        parameters = self._parameters + sum(node.cost.parameters for node in nodes)
        if len(self._nodes) + len(nodes) > self._limits.layers or parameters > self._limits.parameters:
            return False
        if any(node.shape.elements * node.parts > self._limits.tensor for node in nodes):
            return False
        if self.ties.uses:
            self.ties.note(nodes)
        self._nodes += nodes
        self._stages.append(scope)
        self._parameters = parameters
        return True

    @contextmanager
    def call(self, call: BlockCall, text: str, span: Span, cause: Cause | None) -> Iterator[None]:
        """Expand a block's call; errors inside name the call, and point to `cause` if it is given.

        Reports a call that equals the active one of its block, and so would never end. Raises EvaluationFailed.
        """
        last = next((frame for frame in reversed(self._frames) if frame.block is call.block), None)
        if last and (last.arguments, last.input) == (call.arguments, call.input):
            name, way = call.block.name, self._way_to(call.block)
            message = f"`{name}` calls itself with the arguments and the input of before, so it never ends: {way}"
            self.reporter.error("E0208", message, span, help="change an argument that a condition tests")
            raise EvaluationFailed
        self._frames.append(call)
        try:
            with self.reporter.call(text, span, cause):
                yield
        finally:
            self._frames.pop()

    def _maker(self, value: int) -> Node | None:
        """The node that computes a value; None for the input."""
        return self._nodes[value - 1] if value else None

    @property
    def depth(self) -> int:
        """How many block calls are being expanded."""
        return len(self._frames)

    @property
    def next(self) -> int:
        """The index of the next value."""
        return len(self._nodes) + 1

    def _append(self, node: Node) -> Tensor:
        region = self.region
        if region.parts > 1:
            cost = Cost(node.cost.parameters, node.cost.macs * region.parts)
            node = evolve(node, cost=cost, parts=region.parts)
        if self.ties.uses and node.parameters:
            node = self.ties.shared(node)
        self._nodes.append(node)
        self._stages.append(node)
        self._parameters += node.cost.parameters
        if len(self._nodes) > self._limits.layers:
            self.stop(f"a network can have at most {self._limits.layers:,} layers", node.span, "layers")
        if node.shape.elements * node.parts > self._limits.tensor:
            most = f"a tensor can have at most {self._limits.tensor:,} values per image"
            each = f"{node.parts:,} x " if node.parts > 1 else ""
            self.stop(f"{most}; this one is {each}{node.shape}", node.span, "tensor")
        if self._parameters > self._limits.parameters:
            self.stop(f"a network can have at most {self._limits.parameters:,} parameters", node.span, "parameters")
        return Tensor(node.output, node.shape, region.number)

    # ---- limits

    def step(self, span: Span, steps: int) -> None:
        """Charge for a stage or a loop round. Raises OutOfStepsError."""
        self.reporter.at = span
        self.reporter.work.charge(steps)

    def check_call(self, block: nodes.Block, span: Span, conditions: int, *, is_named: bool) -> None:
        """Report blocks that call each other by name without an `if`, and too deep nesting.

        A block that is passed to itself, and called by the name of a parameter, may end.
        Raises EvaluationFailed, TooLargeError.
        """
        for frame in reversed(self._frames) if is_named else ():
            if frame.block is block and frame.conditions == conditions:
                message = f"`{block.name}` calls itself without a condition: {self._way_to(block)}"
                help_text = ("put the call under `if`", "to stack a block, call it several times: `repeat 3 { ... }`")
                self.reporter.error("E0208", message, span, help=help_text)
                raise EvaluationFailed
            if frame.block is block or not frame.is_named:
                break
        if self.depth >= self._limits.block_depth:
            self.stop(f"block calls can be nested at most {self._limits.block_depth} deep", span)

    def _way_to(self, block: nodes.Block) -> str:
        """The active calls from the last one of a block to another one of it: "a -> b -> a"."""
        names = [frame.block.name.text for frame in self._frames]
        first = max(i for i, frame in enumerate(self._frames) if frame.block is block)
        return " -> ".join([*names[first:], block.name.text])

    def stop(self, message: str, span: Span | None, raisable: str | None = None) -> NoReturn:
        """Report an exceeded limit, at the loop with the most rounds if there is one, and raise TooLargeError.

        `raisable` is the name of the limit if the command line can raise it.
        """
        assert span is not None
        labels = self._widest_loop()
        labels.append(Label(span, "limit exceeded here" if labels else ""))
        help_text = limits.remedy(raisable) if raisable else ()
        self.reporter.error("E0211", message, labels[0], secondary=tuple(labels[1:]), help=help_text)
        raise TooLargeError

    def report_out_of_steps(self) -> None:
        """Report that no steps are left, at the loop with the most rounds if there is one."""
        self.reporter.out_of_steps(*self._widest_loop())

    def _widest_loop(self) -> list[Label]:
        """The labels of the loop with the most rounds and of the place where their number is written."""
        if not self._loops:
            return []
        loop = max(self._loops, key=lambda loop: loop.rounds)
        written = next(origins([loop.count], loop.scope), None) if loop.count else None
        return [*([Label(written, "number of rounds")] if written else []), Label(loop.span, "in this loop")]

    def rounds(
        self, loop: Span, items: Iterable[T], scope: ValueScope, count: nodes.Expression | None = None
    ) -> Iterator[T]:
        """The items of a loop, one per round; `count` is their number, if it is written as such.

        Raises OutOfStepsError.
        """
        active = _Loop(loop, count, scope)
        self._loops.append(active)
        for item in items:
            active.rounds += 1
            self.step(loop, _STEPS_OF_A_ROUND)
            yield item
        self._loops.pop()

    def origin(self, tensor: Tensor, asked_at: Span) -> str:
        """The source of a tensor, for messages: "from line 6"."""
        maker = self._maker(tensor.number)
        span = maker.span if maker else self.input_span
        assert span is not None
        what = "" if tensor.number else "the spec's input, "
        is_here = span.source is asked_at.source
        return f"{what}from line {span.line}" if is_here else f"{what}from {span.source.name}:{span.line}"
