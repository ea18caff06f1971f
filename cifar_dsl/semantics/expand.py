"""Program -> graph: blocks, loops and conditions are expanded, shapes inferred, weights counted."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from cifar_dsl.diagnostics import Diagnostic, Label, Reporter
from cifar_dsl.ir import Graph, Node, Scope, Shape
from cifar_dsl.layers import JOINS, LAYERS, JoinError
from cifar_dsl.limits import BLOCK_DEPTH, BODY_DEPTH, PARAMETERS, STEPS
from cifar_dsl.limits import LAYERS as MOST_LAYERS
from cifar_dsl.registry import MisfitError, arguments_of
from cifar_dsl.semantics.bind import Binder, Invocation
from cifar_dsl.semantics.evaluate import FUNCTIONS, Evaluator, Failed
from cifar_dsl.semantics.paths import Place
from cifar_dsl.semantics.program import Program
from cifar_dsl.semantics.values import BlockValue, Bound, Environment, Tensor, describe, write
from cifar_dsl.source import Span
from cifar_dsl.syntax import nodes


class _TooLargeError(Exception):
    """The expansion was stopped; why has been reported."""


@frozen
class _Frame:
    """A block call that is being expanded."""

    block: nodes.Block
    label: str
    span: Span


def expand(program: Program, names: Environment, reporter: Reporter) -> Graph | None:
    """The graph of a program; None when something was wrong, which is then reported.

    `names` are those of `params.global_names`.
    """
    return _Expander(program, names, reporter).run()


class _Expander:
    def __init__(self, program: Program, names: Environment, reporter: Reporter) -> None:
        self._program = program
        self._errors = reporter
        self._evaluator = Evaluator(reporter)
        self._binder = Binder(self._evaluator, reporter)
        self._globals = names
        self._input = Shape(program.input.size.extents)
        self._nodes: list[Node] = []
        self._scopes: list[Scope] = []
        self._frames: list[_Frame] = []
        self._steps = 0
        self._depth = 0  # of bodies that are being expanded
        self._parameters = 0

    def run(self) -> Graph | None:
        if not all(self._input.extents) or len(self._input.extents) != 3:
            self._report(
                "E0304",
                "the input is an image: channels, height and width, each at least 1",
                self._program.input.size.span,
                f"this is {self._input}",
                help=("write a size such as `3x32x32`",),
            )
            return None
        try:
            output = self._body(self._program.model.body, self._globals, Tensor(0, self._input), Place(""))
        except _TooLargeError:
            return None
        if output.shape is None or self._errors:
            return None
        graph = Graph(self._input, tuple(self._nodes), tuple(self._scopes), output.number)
        self._check_assertions(graph)
        return graph

    # ---- stages

    def _body(self, body: nodes.Body, names: Environment, flow: Tensor, place: Place) -> Tensor:
        names = Environment(names)
        if self._depth >= BODY_DEPTH:
            self._stop(f"a spec expands to bodies that are at most {BODY_DEPTH} deep in each other", body.span)
        self._depth += 1
        for stage in body.stages:
            self._step(stage.span)
            if isinstance(stage, nodes.Let):
                self._let(stage, names, flow, place)
            else:
                flow = self._chain(stage, names, flow, place)
        self._depth -= 1
        return flow

    def _let(self, let: nodes.Let, names: Environment, flow: Tensor, place: Place) -> None:
        if self._is_value(let.chain, names):
            kind = let.chain.elements[0].kind
            assert not isinstance(kind, nodes.Compound)
            try:
                names.names[let.name.text] = self._evaluator.evaluate(kind, names, flow)
            except Failed:
                names.names[let.name.text] = Tensor(0, None)
            return
        if let.name.text in names.names:
            self._report_taken(let.name)
        path = place.automatic(let.name.text)  # a loop's second round names it anew
        tensor = self._chain(let.chain, names, flow, Place(path))
        self._scopes.append(Scope(path, let.name.text, tensor.number))
        names.names[let.name.text] = tensor

    def _is_value(self, chain: nodes.Chain, names: Environment) -> bool:
        """Whether a `let` names a value and not a tensor."""
        (element, *rest) = chain.elements
        kind = element.kind
        if rest or element.label or element.claim or isinstance(kind, nodes.Compound):
            return False
        match kind:
            case nodes.CallExpression(callee=callee):
                return callee.text in FUNCTIONS
            case nodes.Name(text=text):
                return text not in LAYERS and not isinstance(names.lookup(text), BlockValue | Tensor)
            case _:
                return True

    def _chain(self, chain: nodes.Chain, names: Environment, flow: Tensor, place: Place) -> Tensor:
        for i, element in enumerate(chain.elements):
            try:
                flow = self._element(element, names, flow, place, is_first=i == 0)
            except Failed:
                flow = Tensor(flow.number, None)
            if element.claim:
                self._check_claim(element.claim, flow)
        return flow

    def _element(
        self, element: nodes.Element, names: Environment, flow: Tensor, place: Place, *, is_first: bool
    ) -> Tensor:
        kind = element.kind
        match kind:
            case nodes.Join():
                return self._join(kind, element.label, names, flow, place)
            case nodes.Name() | nodes.CallExpression():
                return self._call(Invocation.of(kind), element.label, names, flow, place, is_first=is_first)
            case nodes.For() | nodes.Repeat() | nodes.If():
                if not element.label:
                    return self._control(kind, names, flow, place)
                path = self._given_path(element.label, place)
                flow = self._control(kind, names, flow, Place(path))
                self._scopes.append(Scope(path, element.label.text, flow.number))
                return flow
            case _:
                value = self._evaluator.evaluate(kind, names, flow)
                return self._not_a_stage(kind.span, value)

    def _control(
        self, kind: nodes.For | nodes.Repeat | nodes.If, names: Environment, flow: Tensor, place: Place
    ) -> Tensor:
        match kind:
            case nodes.For(body=body):
                for bound in self._rounds(kind, names, flow):
                    self._step(kind.span)
                    flow = self._body(body, Environment(names, bound), flow, place)
            case nodes.Repeat(count=count, body=body):
                for _ in range(self._evaluator.integer(count, names, flow)):
                    self._step(kind.span)
                    flow = self._body(body, names, flow, place)
            case nodes.If(arms=arms, otherwise=otherwise):
                for condition, body in arms:
                    if self._evaluator.truth(condition, names, flow):
                        return self._body(body, names, flow, place)
                if otherwise:
                    return self._body(otherwise, names, flow, place)
        return flow

    def _rounds(self, loop: nodes.For, names: Environment, flow: Tensor) -> Iterator[dict[str, Bound]]:
        """What the targets of a loop stand for, round by round."""
        if loop.stop:
            start = self._evaluator.integer(loop.start, names, flow)
            items: Sequence[object] = range(start, self._evaluator.integer(loop.stop, names, flow))
        else:
            value = self._evaluator.evaluate(loop.start, names, flow)
            if not isinstance(value, tuple):
                help_text = "write a list, or a range such as `0..4`"
                self._evaluator.fail(
                    loop.start.span, f"a loop goes over a list, and this is {describe(value)}", help_text
                )
            items = value
        for item in items:
            if len(loop.targets) == 1:
                yield {loop.targets[0].text: item}  # type: ignore[dict-item]
                continue
            if not isinstance(item, tuple) or len(item) != len(loop.targets):
                self._evaluator.fail(
                    loop.start.span,
                    f"every item gives {len(loop.targets)} values to the loop, and this one is {describe(item)}",  # type: ignore[arg-type]
                )
            yield dict(zip((target.text for target in loop.targets), item, strict=True))

    # ---- calls

    def _call(
        self,
        call: Invocation,
        label: nodes.Identifier | None,
        names: Environment,
        flow: Tensor,
        place: Place,
        *,
        is_first: bool,
    ) -> Tensor:
        if call.callee in LAYERS:
            return self._layer(call, label, names, flow, place)
        bound = names.lookup(call.callee)
        match bound:
            case None:
                raise Failed  # reported by semantics.names
            case BlockValue(block=block):
                return self._block(block, call, label, names, flow, place)
            case Tensor():
                if is_first and not call.arguments and not label:
                    return bound
                self._evaluator.fail(
                    call.span,
                    f"`{call.callee}` is a tensor: a chain can start from it, not run through it",
                    f"start a line with `{call.callee} ->`, or join it: `add {{ identity | {call.callee} }}`",
                    code="E0213",
                )
            case _:
                return self._not_a_stage(call.span, bound)

    def _not_a_stage(self, span: Span, value: Bound) -> Tensor:
        self._evaluator.fail(
            span,
            f"a stage is expected here, and this is {describe(value)}",
            "stages are layers and blocks, as in `dense(64)`; values are named with `let`",
            code="E0213",
        )

    def _layer(
        self,
        call: Invocation,
        label: nodes.Identifier | None,
        names: Environment,
        flow: Tensor,
        place: Place,
    ) -> Tensor:
        path = self._path(label, call.callee, place)
        layer = self._binder.declared(LAYERS[call.callee], call, names, flow)
        x = flow.shape
        if x is None:
            raise Failed
        try:
            shape = layer.infer(x)
        except MisfitError as error:
            order = [info.name for info in arguments_of(type(layer))]
            span = call.span_of(error.argument, order) if error.argument else call.span
            input_note = f"the input here is {x} ({self._origin(flow, span)})"
            self._report(error.code, error.message, span, error.label, help=error.help, notes=(input_note,))
            raise Failed from None
        cost = layer.cost(x, shape)
        return self._append(Node(path, layer.call(), (flow.number,), shape, cost, layer.parameters(x), call.span))

    def _append(self, node: Node) -> Tensor:
        self._nodes.append(node)
        self._parameters += node.cost.parameters
        if len(self._nodes) > MOST_LAYERS:
            self._stop(f"a network has at most {MOST_LAYERS:,} layers", node.span)
        if self._parameters > PARAMETERS:
            self._stop(f"a network has at most {PARAMETERS:,} parameters", node.span)
        return Tensor(len(self._nodes), node.shape)

    def _block(
        self,
        block: nodes.Block,
        call: Invocation,
        label: nodes.Identifier | None,
        names: Environment,
        flow: Tensor,
        place: Place,
    ) -> Tensor:
        self._check_recursion(block, call)
        path = self._path(label, block.name.text, place)
        inner, text = self._block_arguments(block, call, names, flow)
        self._frames.append(_Frame(block, text, call.span))
        try:
            flow = self._body(block.body, inner, flow, Place(path))
        finally:
            self._frames.pop()
        self._scopes.append(Scope(path, text, flow.number))
        return flow

    def _block_arguments(
        self, block: nodes.Block, call: Invocation, names: Environment, flow: Tensor
    ) -> tuple[Environment, str]:
        """The names inside a block, and the call as a person would write it."""
        order = [parameter.name.text for parameter in block.parameters]
        given = self._binder.matched(order, call)
        required = [parameter.name.text for parameter in block.parameters if parameter.default is None]
        is_complete = self._binder.require(required, given, call)
        inner = Environment(self._globals)
        shown: list[str] = []
        for parameter in block.parameters:
            name = parameter.name.text
            if name in given:
                value = self._evaluator.evaluate(given[name].value, names, flow)
                shown.append(f"{name}={write(value)}" if given[name].keyword else write(value))
            elif parameter.default is not None:
                value = self._evaluator.evaluate(parameter.default, inner, flow)
            else:
                continue
            inner.names[name] = value
        if not is_complete or len(given) != len(call.arguments):
            raise Failed
        return inner, f"{block.name}({', '.join(shown)})"

    def _check_recursion(self, block: nodes.Block, call: Invocation) -> None:
        active = [frame.block for frame in self._frames]
        if any(block is other for other in active):
            cycle = [other.name.text for other in active[next(i for i, b in enumerate(active) if b is block) :]]
            message = f"`{block.name}` calls itself: {' -> '.join([*cycle, block.name.text])}"
            help_text = "to stack a block, call it several times: `repeat 3 { ... }`"
            self._evaluator.fail(call.span, message, help_text, code="E0208")
        if len(active) >= BLOCK_DEPTH:
            self._stop(f"blocks call each other at most {BLOCK_DEPTH} deep", call.span)

    # ---- joins

    def _join(
        self,
        join: nodes.Join,
        label: nodes.Identifier | None,
        names: Environment,
        flow: Tensor,
        place: Place,
    ) -> Tensor:
        path = self._path(label, join.kind, place)
        outputs: list[Tensor] = []
        for i, branch in enumerate(join.branches, start=1):
            output = self._body(branch, names, flow, Place(f"{path}.branch{i}"))
            self._scopes.append(Scope(f"{path}.branch{i}", f"branch{i}", output.number))
            outputs.append(output)
        shapes = [output.shape for output in outputs if output.shape is not None]
        if len(shapes) < len(outputs):
            raise Failed
        layer = JOINS[join.kind]()
        try:
            shape = layer.infer(*shapes)
        except JoinError as error:
            self._report(
                error.code,
                error.message,
                join.branches[error.second].span,
                f"this branch gives {shapes[error.second]}",
                help=error.help,
                notes=(f"the input of the branches is {flow.shape} ({self._origin(flow, join.span)})",),
                secondary=(Label(join.branches[error.first].span, f"this branch gives {shapes[error.first]}"),),
            )
            raise Failed from None
        inputs = tuple(output.number for output in outputs)
        tensor = self._append(Node(path, layer.call(), inputs, shape, layer.cost(shape), span=join.span))
        self._scopes.append(Scope(path, join.kind, tensor.number))
        return tensor

    # ---- names, checks, reports

    def _path(self, label: nodes.Identifier | None, base: str, place: Place) -> str:
        return self._given_path(label, place) if label else place.automatic(base)

    def _given_path(self, label: nodes.Identifier, place: Place) -> str:
        path = place.given(label.text, label.span)
        if path is None:
            self._report_taken(label)
            raise Failed
        return path

    def _report_taken(self, name: nodes.Identifier) -> None:
        self._report(
            "E0212",
            f"another stage here is called `{name}` already",
            name.span,
            help=("choose another name; stages without one are called after their layer, then counted",),
        )

    def _check_claim(self, claim: nodes.ShapeClaim, flow: Tensor) -> None:
        if flow.shape is not None and flow.shape.extents != claim.extents:
            self._report(
                "E0309",
                f"the shape here is {flow.shape}",
                claim.span,
                "stated here",
                help=(f"write `: {flow.shape}`, or change what comes before",),
                notes=(f"the tensor comes {self._origin(flow, claim.span)}",),
            )

    def _check_assertions(self, graph: Graph) -> None:
        budgets: dict[str, Bound] = {"params": graph.cost.parameters, "macs": graph.cost.macs}
        names = Environment(self._globals, budgets)
        for assertion in self._program.assertions:
            try:
                holds = self._evaluator.truth(assertion.condition, names, None)
            except Failed:
                continue
            if not holds:
                figures = ", ".join(f"{name} = {figure:,}" for name, figure in budgets.items())
                self._report("E0310", "this assertion does not hold", assertion.condition.span, notes=(figures,))

    def _step(self, span: Span) -> None:
        self._steps += 1
        if self._steps > STEPS:
            self._stop(f"a spec expands to at most {STEPS:,} stages and loop rounds", span)

    def _stop(self, message: str, span: Span | None) -> None:
        assert span is not None
        self._report("E0211", message, span)
        raise _TooLargeError

    def _origin(self, tensor: Tensor, asked_at: Span) -> str:
        span = self._nodes[tensor.number - 1].span if tensor.number else self._program.input.span
        assert span is not None
        what = "" if tensor.number else "the spec's input, "
        is_here = span.source is asked_at.source
        return f"{what}from line {span.line}" if is_here else f"{what}from {span.source.name}:{span.line}"

    def _report(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        help: tuple[str, ...] = (),  # noqa: A002
        notes: tuple[str, ...] = (),
        secondary: tuple[Label, ...] = (),
    ) -> None:
        trail = tuple(f"in `{frame.label}`, called at {frame.span}" for frame in reversed(self._frames))
        self._errors.report(Diagnostic(code, message, Label(span, label), secondary, notes + trail, help))
