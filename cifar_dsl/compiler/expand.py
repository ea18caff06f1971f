"""Expands a program into a graph: runs blocks, loops and conditions, infers shapes, counts parameters."""

from collections.abc import Iterator, Sequence
from typing import NoReturn, TypeVar, cast

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.attention import check_block, check_mask, long_forms, values_of_attend, values_of_attention
from cifar_dsl.compiler.bind import Binder
from cifar_dsl.compiler.block_arguments import BlockBinder
from cifar_dsl.compiler.branches import check_count, meant_branches
from cifar_dsl.compiler.builtin_names import BUDGETS
from cifar_dsl.compiler.draft import BlockCall, Draft, TooLargeError
from cifar_dsl.compiler.error_location import own_origin
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.exits import check_place
from cifar_dsl.compiler.invocation import Branch, Invocation
from cifar_dsl.compiler.loops import Loops, head
from cifar_dsl.compiler.named_values import NamedValues
from cifar_dsl.compiler.names import Names
from cifar_dsl.compiler.paths import Place
from cifar_dsl.compiler.patterns import PatternReader
from cifar_dsl.compiler.plain_values import PlainValues
from cifar_dsl.compiler.program import Program
from cifar_dsl.compiler.repeats import PlacedCall, Repeats
from cifar_dsl.compiler.slices import Slices
from cifar_dsl.compiler.tying import TiedUse
from cifar_dsl.compiler.types import is_stage
from cifar_dsl.compiler.values import (
    BlockValue,
    Bound,
    Flow,
    Tensor,
    Tie,
    Unknown,
    ValueScope,
    describe,
    is_tensors,
    tensors,
)
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import OutOfStepsError
from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import Declaration, Graph, Operation, Shape, Symbol
from cifar_dsl.language.diagnostics import Advice, Cause, EvaluationFailed, Label, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes, print_expression
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES
from cifar_dsl.operations.layers.attention import Attend, Attention
from cifar_dsl.operations.layers.parts import WindowMask

D = TypeVar("D", bound=Declaration)

# In steps, apart from the evaluation of arguments; measured by bench/check_cost.py.
_STEPS_OF_A_STAGE = 2
_STEPS_OF_A_NAMED_TENSOR = 25
_STEPS_OF_A_LAYER = 50
_STEPS_OF_A_BRANCH = 10
_STEPS_OF_AN_INPUT = 5  # of a join
_STEPS_OF_AN_ARGUMENT = 3
_STEPS_OF_A_FAILED_STAGE = 8
_STEPS_OF_A_USE = 120  # of a tied block


def expand(
    program: Program, names: Names, values: ValueScope, reporter: Reporter, *, is_final: bool = True
) -> Graph | None:
    """The graph of a program; None if there were errors, which are reported.

    `values` are those of `params.global_values`. `is_final`: whether shape claims and assertions hold for this input.
    """
    if program.input is None:
        return None
    return _Expander(program, program.input, names, values, reporter, is_final=is_final).run()


class _Expander:
    def __init__(
        self,
        program: Program,
        given: nodes.Input,
        names: Names,
        values: ValueScope,
        reporter: Reporter,
        *,
        is_final: bool,
    ) -> None:
        self._program = program
        self._input = given
        self._is_final = is_final
        self._reporter = reporter
        names = names.copy()  # to which long forms add theirs
        self._definitions = names.definitions
        self._evaluator = Evaluator(reporter, names)
        self._binder = Binder(self._evaluator, reporter)
        self._block_binder = BlockBinder(self._binder)
        self._patterns = PatternReader(self._evaluator, reporter, names)
        self._loops = Loops(self._evaluator, reporter, names.definitions)
        self._slices = Slices(self._evaluator, reporter, names.definitions)
        self._named = NamedValues(self._evaluator, self._slices, names, reporter)
        self._globals = values
        self._plain_values = PlainValues()
        self._draft = Draft(Shape(given.size.extents), given.span, reporter, self._binder)
        self._repeats = Repeats(self._draft, reporter, self._evaluator)
        self._depth = 0  # of nested bodies
        self._conditions = 0  # of active `if`s
        self._batch = Tensor(0, self._draft.input)  # has as many samples as there are here: the input, or a scope's

    def run(self) -> Graph | None:
        size = self._draft.input
        is_valid = all(size.extents) and size.is_image
        if not is_valid:
            self._reporter.error(
                "E0304",
                "the input must be an image: channels, height and width, each at least 1",
                Label(self._input.size.span, f"this is {size}"),
                help="write a size such as `3x32x32`",
            )
        flow = Tensor(0, size if is_valid else None)
        try:
            model = self._program.model
            output = self._evaluator.one(self._body(model.body, self._globals, flow, Place("")), "model", model.span)
        except TooLargeError:
            return None
        except OutOfStepsError:
            self._draft.report_out_of_steps()
            return None
        except EvaluationFailed:
            return None
        graph = None if output.shape is None or self._reporter else self._draft.finished(output)
        if self._is_final:
            self._check_assertions(graph)
        return graph

    # ---- stages

    def _body(self, body: nodes.Body, scope: ValueScope, flow: Flow, place: Place) -> Flow:
        scope = ValueScope(scope)
        if self._depth >= (most := limits.current().body_depth):
            self._draft.stop(f"bodies can be nested at most {most} deep, including those of called blocks", body.span)
        self._depth += 1
        for stage in body.stages:
            self._draft.step(stage.span, _STEPS_OF_A_STAGE)
            if isinstance(stage, nodes.Let):
                self._let(stage, scope, flow, place)
            elif isinstance(stage, nodes.Assignment):
                self._assign(stage, scope, flow, place)
            else:
                flow = self._chain(stage, scope, flow, place)
        self._depth -= 1
        return flow

    def _let(self, let: nodes.Let, scope: ValueScope, flow: Flow, place: Place) -> None:
        if self._named.is_tied(let):
            try:
                scope.values |= self._named.each(let, self._tied_block(let, scope))
            except EvaluationFailed:
                scope.values |= {name.text: Unknown() for name in let.targets}
            return
        if self._named.is_value(let.chain, scope):
            kind = let.chain.elements[0].kind
            assert not isinstance(kind, nodes.Compound)
            scope.values |= self._named.values(let, scope, flow)
            if len(let.targets) == 1 and not isinstance(scope.values[let.targets[0].text], Unknown):
                scope.origins[let.targets[0].text] = own_origin(kind, scope)
            return
        for name in let.targets:
            if name.text in scope.values:
                self._report_taken(name)
        scope.values |= self._tensors(let, scope, flow, place)
        if self._named.has_unknown_head(let):  # a tied block, too
            scope.values |= {name.text: Unknown() for name in let.targets}

    def _tied_block(self, let: nodes.Let, scope: ValueScope) -> BlockValue:
        """The value of a `let` that names a tied block. Raises EvaluationFailed."""
        kind = let.chain.elements[0].kind
        assert isinstance(kind, nodes.Branched)
        call = Invocation.of(kind.head)
        self._of_arguments(SCOPES[call.callee], call, scope, ())
        branches = list(self._branches(kind, scope, ()))
        check_count(call, SCOPES[call.callee].branches, len(branches), self._reporter)
        return branches[0].tied(let.targets[0])

    def _tensors(
        self, named: nodes.Let | nodes.Assignment, scope: ValueScope, flow: Flow, place: Place
    ) -> dict[str, Bound | Unknown]:
        """The output of a chain by its name, or the tensors of a list by their names."""
        names = [name.text for name in named.targets]
        self._reporter.work.charge(_STEPS_OF_A_NAMED_TENSOR + len(place.path) // 16)
        path = place.automatic("_".join(names))  # numbered in later rounds of a loop
        mark = self._draft.mark
        output = self._chain(named.chain, scope, flow, Place(path))
        self._draft.enclose(mark, path, "let", ", ".join(names), output)
        return self._named.each(named, output)

    def _assign(self, assignment: nodes.Assignment, scope: ValueScope, flow: Flow, place: Place) -> None:
        owners = [self._named.owner(name, scope) for name in assignment.targets]
        targets = zip(assignment.targets, owners, strict=True)
        if not all(self._named.can_change(assignment, name, owner) for name, owner in targets):
            return
        if self._named.is_value(assignment.chain, scope):
            found = self._named.values(assignment, scope, flow)
        else:
            found = self._tensors(assignment, scope, flow, place)
        for name, owner in zip(assignment.targets, owners, strict=True):
            assert owner is not None
            self._named.change(name, owner, found[name.text], assignment.chain.span)

    def _bound(self, name: nodes.Name, scope: ValueScope) -> Bound | Unknown | None:
        return self._evaluator.bound(name.text, name.span, scope)

    def _chain(self, chain: nodes.Chain, scope: ValueScope, flow: Flow, place: Place) -> Flow:
        for i, element in enumerate(chain.elements):
            try:
                flow = self._element(element, scope, flow, place, is_first=i == 0)
            except EvaluationFailed:
                flow = Tensor(tensors(flow)[-1].number if tensors(flow) else 0, None)
                self._named.forget_reassigned(element.kind, scope)
            if element.claim and self._is_final:
                self._check_claim(element.claim, flow)
        return flow

    def _element(self, element: nodes.Element, scope: ValueScope, flow: Flow, place: Place, *, is_first: bool) -> Flow:
        kind = element.kind
        match kind:
            case nodes.Branched():
                return self._branched(kind, element.label, scope, flow, place)
            case nodes.Name() | nodes.CallExpression():
                call = Invocation.of(kind, starts_chain=is_first)
                output = self._call(call, element.label, scope, flow, place, is_first=is_first)
                check_block(call, flow, output, self._reporter)
                return output
            case nodes.Index() if index := self._slices.of_tensor(kind, scope):
                if self._slices.is_current(index.value):
                    current = self._evaluator.one(flow, print_expression(kind), kind.span)
                    return self._slice(index, current, element.label, scope, place)
                tensor = self._evaluator.evaluate(index.value, scope, flow)
                assert isinstance(tensor, Tensor)
                if not is_first:
                    self._not_first(print_expression(index.value), kind.span, tensor)
                return self._slice(index, tensor, element.label, scope, place)
            case nodes.For() | nodes.Repeat() | nodes.If():
                if not element.label:
                    return self._control(kind, scope, flow, place)
                path = self._given_path(element.label, place)
                mark = self._draft.mark
                flow = self._control(kind, scope, flow, Place(path))
                self._draft.enclose(mark, path, "part", element.label.text, flow)
                return flow
            case nodes.Operation() | nodes.Prefixed() if advice := self._joined(kind, scope):
                message = "a stage is expected here, but this computes a value"
                raise self._reporter.error("E0213", message, kind.span, meant=advice)
            case _:
                found = self._evaluator.evaluate(kind, scope, flow)
                if not (isinstance(found, Tensor) or is_tensors(found)):
                    return self._not_a_stage(kind.span, found)
                if is_first and not element.label:
                    self._check_regions(found, print_expression(kind), kind.span)
                    return found
                return self._not_first(kind.span.text, kind.span, found)

    def _joined(self, kind: nodes.Operation | nodes.Prefixed, scope: ValueScope) -> Advice | None:
        """The advice for an expression that computes a tensor."""
        dataflow = self._evaluator.dataflow(scope)
        return translation.joined(kind, dataflow) if dataflow.sort(kind) == "tensor" else None

    def _check_regions(self, flow: Flow, name: str, span: Span) -> None:
        for tensor in tensors(flow):
            self._draft.check_region(tensor, name, span)

    def _control(self, kind: nodes.For | nodes.Repeat | nodes.If, scope: ValueScope, flow: Flow, place: Place) -> Flow:
        match kind:
            case nodes.For(body=body):
                for inner in self._rounds(kind, scope, flow):
                    flow = self._body(body, inner, flow, place)
            case nodes.Repeat(count=count, body=body):
                times = self._evaluator.integer(count, scope, flow)
                for _ in self._draft.rounds(head(kind.span, count), range(times), scope, count):
                    flow = self._body(body, scope, flow, place)
            case nodes.If(arms=arms, otherwise=otherwise):
                chosen = next((body for test, body in arms if self._evaluator.truth(test, scope, flow)), otherwise)
                if chosen:
                    self._conditions += 1
                    flow = self._body(chosen, scope, flow, place)
                    self._conditions -= 1
        return flow

    def _rounds(self, loop: nodes.For, scope: ValueScope, flow: Flow) -> Iterator[ValueScope]:
        """The scopes of a loop's rounds."""
        where = head(loop.span, loop.stop or loop.start)
        return self._draft.rounds(where, self._loops.rounds(loop, scope, flow), scope)

    # ---- calls

    def _call(
        self,
        call: Invocation,
        label: nodes.Identifier | None,
        scope: ValueScope,
        flow: Flow,
        place: Place,
        *,
        is_first: bool,
    ) -> Flow:
        bound = self._evaluator.bound(call.callee, call.callee_span, scope)
        match bound:
            case None | Unknown():
                raise EvaluationFailed  # reported
            case BlockValue():
                self._patterns.refuse(call)
                if bound.tie:
                    return self._tied(bound, bound.tie, call, label, scope, self._one(flow, call), place)
                return self._block(bound, call, label, scope, self._one(flow, call), place)
            case Symbol() if bound in LAYERS:
                call = call if bound == call.callee else evolve(call, callee=str(bound))
                if not LAYERS[bound].takes_only_batch:
                    return self._layer(call, label, scope, self._one(flow, call), place)
                if is_first:
                    return self._layer(call, label, scope, flow if isinstance(flow, Tensor) else self._batch, place)
                raise self._reporter.error(
                    "E0213",
                    f"`{call.callee}` starts a chain: it uses nothing of the tensor before it",
                    call.span,
                    help=f"join with the input: `mul {{ identity | {call.span.text} }}`",
                )
            case _ if isinstance(bound, Tensor) or is_tensors(bound):
                if is_first and not call.arguments and not label:
                    self._check_regions(bound, call.callee, call.span)
                    return bound
                self._not_first(call.callee, call.span, bound)
            case _:
                return self._not_a_stage(call.span, bound)

    def _one(self, flow: Flow, call: Invocation) -> Tensor:
        """The tensor that enters a call. Raises EvaluationFailed if a list of tensors does."""
        return self._evaluator.one(flow, call.callee, call.span)

    def _not_first(self, name: str, span: Span, value: Bound) -> NoReturn:
        raise self._reporter.error(
            "E0213",
            f"`{name}` is {describe(value)}: a chain can start with it but not pass through it",
            span,
            help=f"start a line with `{name} ->`, or join it: `add {{ identity | {name} }}`",
        )

    def _slice(
        self, index: nodes.Index, tensor: Tensor, label: nodes.Identifier | None, scope: ValueScope, place: Place
    ) -> Tensor:
        """`x[:16]`, `x[:, 1::2, 1::2]`: the layer `slice` on a tensor."""
        if tensor.shape is None:
            raise EvaluationFailed
        self._draft.check_region(tensor, print_expression(index.value), index.span)
        path = self._path(label, "slice", place)
        self._reporter.work.charge(_STEPS_OF_A_LAYER)
        layer = self._slices.layer(index, tensor, tensor.shape, scope)
        return self._draft.layer(layer, path, Invocation("slice", index.span, (), index.span), scope, tensor)

    def _not_a_stage(self, span: Span, value: Bound) -> Tensor:
        help_text = "stages are layers and blocks, such as `dense(64)`; name a value with `let`"
        if is_stage(value) or (isinstance(value, tuple) and value and all(map(is_stage, value))):  # of a list
            help_text = (
                "to run it, write `let f = ...` with this expression, then `f` or `f(...)`; a list gets the current "
                "tensor by a name: `let x = identity`, then `[x]`"
            )
        raise self._reporter.error(
            "E0213", f"a stage is expected here, but this is {describe(value)}", span, help=help_text
        )

    def _layer(
        self,
        call: Invocation,
        label: nodes.Identifier | None,
        scope: ValueScope,
        flow: Tensor,
        place: Place,
    ) -> Tensor:
        path = self._path(label, call.callee, place)
        self._reporter.work.charge(_STEPS_OF_A_LAYER + _STEPS_OF_AN_ARGUMENT * len(call.arguments))
        layer = self._made(LAYERS[call.callee], call, scope, flow)
        if isinstance(layer, Attention) and not (layer.is_one_layer and self._draft.region.is_neighbourly):
            return self._attention(layer, call, scope, flow, path)
        if isinstance(layer, WindowMask):
            check_mask(layer, self._draft.region, call, self._reporter)
        if layer.exit_weight is not None:
            check_place(self._draft.region, call, self._reporter)
        return self._draft.layer(layer, path, call, scope, self._batch if layer.takes_only_batch else flow)

    def _made(self, declaration: type[D], call: Invocation, scope: ValueScope, flow: Tensor) -> D:
        """What a call for one tensor makes: from its pattern, or from its arguments."""
        if cast("type[Operation]", declaration).missing_axes:
            return self._patterns.made(declaration, call, [flow], scope)
        return self._of_arguments(declaration, call, scope, flow)

    def _of_arguments(self, declaration: type[D], call: Invocation, scope: ValueScope, flow: Flow) -> D:
        self._patterns.refuse(call)
        return self._binder.declared(declaration, call, scope, flow)

    # ---- attention

    def _attention(self, attention: Attention, call: Invocation, scope: ValueScope, flow: Tensor, path: str) -> Tensor:
        """Attention that isn't one layer: `attend` between two projections."""
        self._draft.inferred(attention.without_blocks(), call, scope, flow)
        assert flow.shape is not None
        mark = self._draft.mark
        values = values_of_attention(attention, flow.shape.channels)
        attended = self._long_form("attention", values, call.span, flow, path)
        text = " ".join(call.span.text.split())
        self._draft.enclose(mark, path, "block", text, attended, call.span, self._plain_values.of(values))
        return attended

    def _attend(self, attend: Attend, span: Span, outputs: Sequence[Tensor], path: str) -> Tensor:
        """Attention that isn't one layer: two products, and what is between them."""
        inner = values_of_attend(attend, outputs, self._draft.region)
        return self._long_form("attend", inner, span, outputs[0], path)

    def _long_form(self, name: str, values: dict[str, Bound | Unknown], span: Span, flow: Tensor, path: str) -> Tensor:
        """Expand a long form with these values of its parameters."""
        forms = long_forms()
        self._definitions.update(forms.names.definitions)
        block = forms.blocks[name]
        self._evaluator.shape_reads += 1  # for the values
        scope = ValueScope(self._globals.root, values)
        scope.origins.update(dict.fromkeys(values, span))
        text = " ".join(span.text.partition("{")[0].split())
        with self._draft.call(BlockCall(block, values, flow.shape, self._conditions, is_named=False), text, span, None):
            return self._evaluator.one(self._body(block.body, scope, flow, Place(path)), name, span)

    def _block(
        self,
        value: BlockValue,
        call: Invocation,
        label: nodes.Identifier | None,
        scope: ValueScope,
        flow: Tensor,
        place: Place,
        branches: Sequence[Branch] = (),
    ) -> Flow:
        block = value.block
        is_named = self._definitions[call.callee_span].kind == "block"
        self._draft.check_call(block, call.span, self._conditions, is_named=is_named)
        path = self._path(label, block.name.text, place)
        outer = value.scope or (self._globals.root if block.span.source.is_library else self._globals)
        inner, text = self._block_binder.scope_of(block, call, scope, flow, outer, branches)
        crossed = call.crossed(block.order)
        cause = None
        if crossed:
            cause = Cause(Label(crossed, "with these arguments"), f"swap the arguments in `{crossed.text}`")
        key, given = self._repeats.key(value, inner.values, flow)
        if self._batch in given:  # `learned` takes the number of images from it
            key = None
        repeatable = PlacedCall(key, given, (self._depth, self._draft.depth), path, text, call.span)
        if (copied := self._repeats.copied(repeatable)) is not None:
            return copied
        mark, work, reads = self._draft.mark, self._reporter.work.done, self._evaluator.shape_reads
        made = BlockCall(block, inner.values, flow.shape, self._conditions, is_named)
        arguments = self._plain_values.of(inner.values)
        with self._draft.call(made, text, call.span, cause):
            output = self._body(block.body, inner, flow, Place(path))
        made_of = self._draft.enclose(mark, path, "block", text, output, call.span, arguments)
        work, reads = self._reporter.work.done - work, self._evaluator.shape_reads - reads
        self._repeats.note(repeatable, made_of, output, work, reads_shapes=reads > 0)
        return output

    def _tied(
        self,
        value: BlockValue,
        tie: Tie,
        call: Invocation,
        label: nodes.Identifier | None,
        scope: ValueScope,
        flow: Tensor,
        place: Place,
    ) -> Tensor:
        """A use of a tied block."""
        block = value.block
        self._reporter.work.charge(_STEPS_OF_A_USE)
        self._draft.check_call(block, call.span, self._conditions, is_named=False)
        path = self._path(label, block.name.text, place)
        assert value.scope is not None
        inner, text = self._block_binder.scope_of(block, call, scope, flow, value.scope)
        self._evaluator.shape_reads += 1  # which all uses have in common
        if flow.shape is None:
            raise EvaluationFailed
        use = TiedUse(tie, block.name.text, path, call.span)
        made = BlockCall(block, inner.values, flow.shape, self._conditions, is_named=False)
        mark, outside = self._draft.mark, self._batch
        with self._draft.use(use, flow) as entered, self._draft.call(made, text, call.span, None):
            self._batch = entered
            try:
                output = self._one(self._body(block.body, inner, entered, Place(path)), call)
                self._draft.check_region(output, "this output", block.body.span)
            finally:
                self._batch = outside
        return self._draft.enclose_use(use, mark, output)

    # ---- branches

    def _branched(
        self, kind: nodes.Branched, label: nodes.Identifier | None, scope: ValueScope, flow: Flow, place: Place
    ) -> Flow:
        call = Invocation.of(kind.head)
        definition = self._definitions[call.callee_span]
        if definition.kind == "join":
            return self._join(kind, call, label, scope, flow, place)
        if definition.kind == "scope":
            return self._enclosure(kind, call, label, scope, self._one(flow, call), place)
        bound = self._evaluator.bound(call.callee, call.callee_span, scope)
        if bound is None or isinstance(bound, Unknown):
            raise EvaluationFailed  # reported
        if isinstance(bound, BlockValue) and not bound.tie:
            branches = list(self._branches(kind, scope, flow))
            return self._block(bound, call, label, scope, self._one(flow, call), place, branches)
        check_count(call, None, len(kind.bodies), self._reporter)
        raise AssertionError(bound)

    def _branches(self, kind: nodes.Branched, scope: ValueScope, flow: Flow) -> Iterator[Branch]:
        """The branches of a stage, each in its scope: as many as the text has, or one for each round of a loop."""
        if isinstance(kind.branches, nodes.For):
            for inner in self._rounds(kind.branches, scope, flow):
                self._reporter.work.charge(_STEPS_OF_A_BRANCH)
                yield Branch(kind.branches.body, inner)
        else:
            self._reporter.work.charge(_STEPS_OF_A_BRANCH * len(kind.branches))
            for body in kind.branches:
                yield Branch(body, scope)

    def _join(
        self,
        kind: nodes.Branched,
        call: Invocation,
        label: nodes.Identifier | None,
        scope: ValueScope,
        flow: Flow,
        place: Place,
    ) -> Tensor:
        path = self._path(label, call.callee, place)
        self._reporter.work.charge(_STEPS_OF_A_LAYER + _STEPS_OF_AN_ARGUMENT * len(call.arguments))
        declaration = JOINS[call.callee]
        join = None if declaration.missing_axes else self._of_arguments(declaration, call, scope, flow)
        is_long = isinstance(join, Attend) and not (join.is_one_layer and self._draft.region.is_neighbourly)
        names = declaration.branches.names if is_long else ()
        start = self._draft.mark
        outputs = self._outputs(kind, scope, flow, path, names)
        is_lone = len(outputs) == 1 and isinstance(kind.branches, tuple) and len(kind.branches) == 1
        is_lone = is_lone and outputs[0][0].shape is not None  # after an error, it may have been a list
        if is_lone and (meant := meant_branches(kind.bodies, call.callee, self._definitions, self._reporter)):
            outputs = self._outputs(nodes.replace(kind, branches=meant), scope, flow, path, names)
        check_count(call, declaration.branches, len(outputs), self._reporter)
        join = join or self._patterns.made(declaration, call, [tensor for tensor, _ in outputs], scope)
        if isinstance(join, Attend) and is_long:
            self._draft.inferred_join(join.without_blocks(), call, scope, flow, outputs, kind.span)
            attended = self._attend(join, kind.span, [tensor for tensor, _ in outputs], path)
            arguments = tuple((name, getattr(join, name)) for name in ("heads", "scaled", "dropout"))
            is_own = not kind.span.source.is_library
            text = print_expression(kind.head) if is_own else join.without_blocks().brief()
            self._draft.enclose(start, path, "block", text, attended, kind.span, arguments)
            return attended
        joined = self._draft.join(join, path, call, scope, flow, outputs, kind.span)
        self._draft.enclose(start, path, "join", join.brief(), joined)
        return joined

    def _outputs(
        self, kind: nodes.Branched, scope: ValueScope, flow: Flow, path: str, names: Sequence[str]
    ) -> list[tuple[Tensor, nodes.Body]]:
        """The tensors that the branches of a join give, each with the body that gives it.

        The branches for which there are `names` are named tensors.
        """
        outputs: list[tuple[Tensor, nodes.Body]] = []
        for i, branch in enumerate(self._branches(kind, scope, flow), start=1):
            mark, path_of_branch = self._draft.mark, f"{path}.branch{i}"
            output = self._body(branch.body, branch.scope, flow, Place(path_of_branch))
            sort, name = ("let", names[i - 1]) if i <= len(names) else ("branch", f"branch{i}")
            self._draft.enclose(mark, path_of_branch, sort, name, output)
            outputs.extend((tensor, branch.body) for tensor in tensors(output))
            self._reporter.work.charge(_STEPS_OF_AN_INPUT * len(tensors(output)))
        return outputs

    def _enclosure(
        self,
        kind: nodes.Branched,
        call: Invocation,
        label: nodes.Identifier | None,
        scope: ValueScope,
        flow: Tensor,
        place: Place,
    ) -> Tensor:
        """A scope of the language: the layer that enters it, its branch, and the layer that leaves it."""
        path = self._path(label, call.callee, place)
        self._reporter.work.charge(2 * _STEPS_OF_A_LAYER + _STEPS_OF_AN_ARGUMENT * len(call.arguments))
        declaration = SCOPES[call.callee]
        if not declaration.runs_in_place:
            raise self._reporter.error(
                "E0316",
                f"`{call.callee}` makes a stage that needs a name, so it stands alone after `let`",
                kind.span,
                help=f"write `let f = {call.callee} {{ ... }}` on a line before, and `f` wherever it is used",
            )
        self._evaluator.shape_reads += 1
        if flow.shape is None:
            raise EvaluationFailed
        enclosure = self._made(declaration, call, scope, flow)
        branches = list(self._branches(kind, scope, flow))
        check_count(call, enclosure.branches, len(branches), self._reporter)
        mark, inside = self._draft.mark, Place(path)
        layer, way = enclosure.enter(flow.shape), inside.automatic("enter")
        outside = self._batch
        self._draft.enter(enclosure, flow.shape)
        try:
            self._batch = self._draft.layer(layer, way, call, scope, flow, declaration)
            way = inside.automatic("leave")
            inner = self._one(self._body(branches[0].body, branches[0].scope, self._batch, inside), call)
            self._draft.check_region(inner, "this output", branches[0].body.span)
        finally:
            self._batch = outside
            self._draft.leave()
        left = self._draft.layer(enclosure.leave(flow.shape), way, call, scope, inner, declaration)
        self._draft.enclose(mark, path, "scope", enclosure.brief(), left, kind.span)
        return left

    # ---- paths and checks

    def _path(self, label: nodes.Identifier | None, base: str, place: Place) -> str:
        self._reporter.work.charge(len(place.path) // 16)
        return self._given_path(label, place) if label else place.automatic(base)

    def _given_path(self, label: nodes.Identifier, place: Place) -> str:
        path = place.given(label.text, label.span)
        if path is None:
            self._report_taken(label)
            return place.automatic(label.text)
        return path

    def _report_taken(self, name: nodes.Identifier) -> None:
        self._reporter.error(
            "E0212",
            f"another stage here is already named `{name}`",
            name.span,
            help="choose another name; unnamed stages are numbered automatically",
        )

    def _check_claim(self, claim: nodes.ShapeClaim, flow: Flow) -> None:
        self._evaluator.shape_reads += 1
        flow = self._evaluator.one(flow, claim.span.text, claim.span)
        if flow.shape is not None and flow.shape.extents != claim.extents:
            self._reporter.error(
                "E0309",
                f"the shape here is {flow.shape}, not {'x'.join(map(str, claim.extents))}",
                Label(claim.span, "stated here"),
                help=f"write `: {flow.shape}`, or change the stages before it",
                notes=(f"the tensor comes {self._draft.origin(flow, claim.span)}",),
            )

    def _check_assertions(self, graph: Graph | None) -> None:
        budgets: dict[str, int] = {"params": graph.cost.parameters, "macs": graph.cost.macs} if graph else {}
        scope = ValueScope(self._globals, {name: budgets.get(name, Unknown()) for name in BUDGETS})
        for assertion in self._program.assertions:
            try:
                holds = self._evaluator.truth(assertion.condition, scope, None)
            except EvaluationFailed:
                continue
            if not holds:
                figures = ", ".join(f"{name} = {figure:,}" for name, figure in budgets.items())
                self._reporter.error(
                    "E0310", "this assertion does not hold", assertion.condition.span, notes=(figures,)
                )
