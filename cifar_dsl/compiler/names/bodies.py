"""Resolves the names in blocks and bodies: of stages, and of what they define."""

from collections.abc import Iterable
from itertools import zip_longest

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.argument_translation import Call
from cifar_dsl.compiler.builtin_names import FUNCTIONS
from cifar_dsl.compiler.dataflow import TENSORS, refusal
from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.names.expressions import Expressions, parameter_of
from cifar_dsl.compiler.names.lookup import Lookup
from cifar_dsl.compiler.names.scope import Scope, of_language
from cifar_dsl.compiler.names.sorts import (
    ANY,
    BLOCK,
    CALLABLE,
    HEAD,
    LIST,
    OPERAND,
    PATTERNED,
    SLICED,
    STAGE,
    TENSOR,
    Place,
    Sorts,
    may_give_list,
    named,
    of_chain,
    of_target,
    of_value,
    place_of_types,
)
from cifar_dsl.compiler.names.table import Definition, Kind, definition_of
from cifar_dsl.language.diagnostics import Advice, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES, Branches, value_registry


class Bodies:
    """Resolves the names in blocks and bodies."""

    def __init__(self, lookup: Lookup, expressions: Expressions) -> None:
        self._lookup = lookup
        self._expressions = expressions

    def block(self, block: nodes.Block) -> None:
        """Record the definitions and mentions in a block."""
        self._lookup.define(None, block.name, definition_of(block))
        scope = Scope(has_flow=True)
        with_default: nodes.BlockParameter | None = None
        for parameter in block.parameters:
            self._lookup.errors.check_types(parameter.types)
            if parameter.default:
                self._expressions.expression(parameter.default, scope, place_of_types(parameter.types))
                with_default = with_default or parameter
            elif with_default:
                self._lookup.errors.parameter_order(parameter, with_default)
            self._lookup.define(scope, parameter.name, parameter_of(block, parameter))
        self.body(block.body, scope)

    def body(self, body: nodes.Body, outer: Scope, end: int | None = None) -> None:
        """Record those in a body. `end`: where its scope ends, if not at the end of its text."""
        scope = outer.inner()
        for stage in body.stages:
            match stage:
                case nodes.Let(targets=targets):
                    sorts = self._let(stage.chain, scope)
                    sorts = sorts if len(targets) == 1 else ANY
                    for name in targets:
                        visible = Span(name.span.source, stage.span.end, body.span.end if end is None else end)
                        self._lookup.define(
                            scope, name, Definition("let", name.text, "", name.span, visible, stage, sorts)
                        )
                case nodes.Assignment():
                    self._assignment(stage, scope)
                case nodes.Chain():
                    self._chain(stage, scope)

    def _assignment(self, stage: nodes.Assignment, scope: Scope) -> None:
        inner = scope.inner()
        place = Place(of_chain(stage.chain))
        for name in stage.targets:
            target = self._lookup.fitting(name, scope, place) or self._lookup.innermost(name.text, scope)
            if target is None:
                self._new_assignment(name, stage, scope)
                target = inner.names[name.text] = Definition("unknown", name.text)
            elif closed_by := scope.closed_to(target):
                self._lookup.errors.assigned_outside(name, closed_by)
            self._lookup.note(name.span, target)
        self._chain(stage.chain, inner)
        scope.names.update(inner.names)

    def _let(self, let: nodes.Chain, scope: Scope) -> Sorts:
        """Resolve the chain of a `let`: the stages of a tensor, or a value. Returns the sorts of its name."""
        match let.elements:
            case [nodes.Element(kind=nodes.Name() as name) as element] if definition := self._named(name, scope):
                self._lookup.note(name.span, definition)
                sorts = named(definition.sorts) if element.label is None and element.claim is None else TENSOR
                return sorts | LIST if may_give_list(let, self._block_named) else sorts
            case [
                nodes.Element(kind=nodes.CallExpression(callee=callee, pattern=None) as call, label=None, claim=None)
            ] if (callee.text in FUNCTIONS or value_registry(callee.text)) and not self._lookup.fitting(
                callee, scope, Place(CALLABLE)
            ):
                self._expressions.expression(call, scope)
                return of_value(call)
            case [nodes.Element(kind=nodes.Branched() as branched, label=None, claim=None)]:
                definition = self._branched(branched, scope)
                if definition.makes_block:
                    return BLOCK
                if definition.kind == "unknown":
                    return ANY
                return TENSOR | LIST if may_give_list(let, self._block_named) else TENSOR
            case [nodes.Element(kind=kind, label=None, claim=None)] if not isinstance(
                kind, nodes.Compound | nodes.CallExpression
            ):
                self._chain(let, scope)
                return ANY if isinstance(kind, nodes.Index) else of_value(kind)
            case _:
                self._chain(let, scope)
                return TENSOR | LIST if may_give_list(let, self._block_named) else TENSOR

    def _block_named(self, name: str) -> nodes.Block | None:
        """The block of the spec with a name."""
        node = self._lookup.globals[name].node if name in self._lookup.globals else None
        return node if isinstance(node, nodes.Block) else None

    def _named(self, name: nodes.Name, scope: Scope) -> Definition | None:
        """The definition of the bare name after `let y =`: of a stage or of a value."""
        if name.text in LAYERS and not self._lookup.innermost(name.text, scope):
            return of_language("layer", name.text)
        return self._lookup.value(name, scope)

    def _chain(self, chain_node: nodes.Chain, scope: Scope) -> None:
        for number, element in enumerate(chain_node.elements):
            if element.label:
                self._lookup.errors.check_label(element.label)
            match element.kind:
                case nodes.Branched():
                    self._branched(element.kind, scope)
                case nodes.For():
                    self._loop(element.kind, scope)
                case nodes.Repeat(count=count, body=body):
                    self._expressions.expression(count, scope, OPERAND)
                    self.body(body, scope)
                case nodes.If(arms=arms, otherwise=otherwise):
                    for condition, body in arms:
                        self._expressions.expression(condition, scope, OPERAND)
                        self.body(body, scope)
                    if otherwise:
                        self.body(otherwise, scope)
                case nodes.Name(text=text, span=span):
                    self._stage_name(nodes.Identifier(text, span), scope)
                case nodes.CallExpression(callee=callee):
                    is_number = callee.text in FUNCTIONS and not element.kind.pattern
                    if is_number and not self._lookup.fitting(callee, scope, STAGE):
                        definition = of_language("function", callee.text)
                        self._lookup.errors.value_as_stage(callee)
                        self._lookup.note(callee.span, definition, element.kind.span)
                    else:
                        definition = self._stage_name(callee, scope, element.kind)
                        if definition.kind == "unknown" and translation.whole_stage(callee, element.kind):
                            continue  # its arguments are no values here
                    if definition.kind == "unknown" and self._inputs(element.kind, scope):
                        self._mentions([one.value for one in element.kind.arguments], scope)
                    elif not self._nested(element.kind, definition, scope, starts_chain=number == 0):
                        self._expressions.arguments(element.kind, definition, scope)
                case _ if (name := translation.hyphenated(element.kind)) and self._is_misspelt(element.kind, scope):
                    self._unknown_stage(nodes.Identifier(name, element.kind.span), scope)
                case _ if advice := translation.stage_expression(element.kind, self._lookup.dataflow(scope)):
                    self._lookup.errors.expression_as_stage(element.kind.span, advice)
                    self._operands(element.kind, scope)
                case nodes.Index(value=nodes.Name() as name) if name.text in JOINS and not self._lookup.defined(
                    name.text, scope
                ):
                    self._join_of_list(name, element.kind, scope)
                case nodes.Index():
                    self._expressions.index(element.kind, scope, SLICED)
                case _:
                    self._expressions.expression(element.kind, scope)

    def _branched(self, branched: nodes.Branched, scope: Scope) -> Definition:
        """Resolve a stage with branches. Returns the definition of its name."""
        head, branches = branched.head, branched.branches
        definition = self._head(branched.name, scope)
        self._lookup.note(branched.name.span, definition, branched.span)
        if isinstance(head, nodes.CallExpression):
            self._expressions.arguments(head, definition, scope)
        inner = scope if definition.kind == "join" else scope.inner(closed_by=branched.name.text)
        if isinstance(branches, nodes.For):
            self._loop(branches, inner)
            return definition
        for branch, following in zip_longest(branches, branches[1:]):
            self.body(branch, inner, following.span.start if following else branched.span.end)
        return definition

    def _join_of_list(self, name: nodes.Name, index: nodes.Index, scope: Scope) -> None:
        """Report a join with its branches in a list: `concat [a, b]`."""
        (last,) = index.indices[-1:]
        items = last.items if isinstance(last, nodes.Places) else (last,)
        arguments = tuple(nodes.Argument(None, one, one.span) for one in items if not isinstance(one, nodes.Slice))
        callee = nodes.Identifier(name.text, name.span)
        self._lookup.note(
            name.span, self._unknown_stage(callee, scope, nodes.CallExpression(callee, arguments, index.span))
        )

    def _loop(self, loop: nodes.For, scope: Scope) -> None:
        advice = translation.loop_range(loop.start)
        if advice and isinstance(loop.start, nodes.CallExpression) and not self._lookup.defined("range", scope):
            callee, message = loop.start.callee, "unknown function `range`"
            definition = self._lookup.errors.unknown("E0202", message, callee.text, callee.span, set, advice=advice)
            self._lookup.note(callee.span, definition, loop.start.span)
            self._expressions.arguments(loop.start, definition, scope)
        else:
            self._expressions.expression(loop.start, scope, OPERAND)
        if loop.stop:
            self._expressions.expression(loop.stop, scope, OPERAND)
        inner = scope.inner()
        for i, target in enumerate(loop.targets):
            visible, sorts = loop.body.span, of_target(loop, i)
            self._lookup.define(
                inner, target, Definition("loop variable", target.text, "", target.span, visible, loop, sorts)
            )
        self.body(loop.body, inner)

    def _stage_name(self, name: nodes.Identifier, scope: Scope, call: nodes.CallExpression | None = None) -> Definition:
        place = PATTERNED if call and call.pattern else STAGE
        definition = self._lookup.stage(name, scope, place) or self._unknown_stage(name, scope, call)
        return self._lookup.note(name.span, definition, call.span if call else None)

    def _head(self, name: nodes.Identifier, scope: Scope) -> Definition:
        """The definition of a name with branches. Reports an unknown name."""
        text = name.text
        if text in JOINS and JOINS[text].is_reserved:
            return of_language("join", text)
        kind: Kind = "join" if text in JOINS else "scope" if text in SCOPES else "layer"
        is_known = kind != "layer" or text in LAYERS
        built_in = of_language(kind, text) if is_known else self._lookup.library.get(text)
        found = self._lookup.chosen(name, scope, HEAD, built_in)
        if found is None:
            near = nearest(text, (*JOINS, *SCOPES, "else"))
            found = self._unknown_stage(name, scope, advice=Advice.to_write(name.span, near) if near else None)
        return found

    def _unknown_stage(
        self,
        name: nodes.Identifier,
        scope: Scope,
        call: nodes.CallExpression | None = None,
        advice: Advice | None = None,
    ) -> Definition:
        """Report a stage without a definition, or one whose name is known in another spelling."""
        text, written = name.text, name.span.text
        if (
            (takes := _branches_of(text))
            and not self._lookup.defined(text, scope)
            and not translation.whole_stage(name, call)
        ):
            self._lookup.errors.without_branches(name, takes, call)
            return of_language("join" if text in JOINS else "scope", text)
        advice = advice or translation.whole_stage(name, call)
        if self._lookup.defined(text, scope) or text in LAYERS or text in library_index():
            advice = Advice.to_write(name.span, text, is_safe=True)
        if call and self._inputs(call, scope):
            call = None  # its arguments are no arguments of the layer, either
        known = self._lookup.known(scope, LAYERS, library_index())
        message = f"unknown layer or block `{written}`"
        return self._lookup.errors.unknown("E0201", message, text, name.span, known, foreign_names.LAYERS, advice, call)

    def _new_assignment(self, name: nodes.Identifier, stage: nodes.Assignment, scope: Scope) -> None:
        """Report an assignment to a name that no `let` defines."""
        lets = scope.visible("let")
        self._lookup.errors.reporter.error(
            "E0201",
            f"`{name}` is assigned but not defined",
            name.span,
            meant=lambda: translation.assignment(stage, lets()),
        )

    def _inputs(self, call: nodes.CallExpression, scope: Scope) -> list[nodes.Argument]:
        """The arguments of a call that are tensors: `relu(x)`."""
        if not call.arguments or call.pattern:
            return []
        dataflow = self._lookup.dataflow(scope)
        return [one for one in call.arguments if dataflow.sort(one.value) in TENSORS]

    def _nested(self, call: nodes.CallExpression, callee: Definition, scope: Scope, *, starts_chain: bool) -> bool:
        """Whether stages are called in the arguments of a stage: `relu(bn(x))`. Reports them."""
        has_calls = any(nodes.inside([one.value for one in call.arguments], nodes.CallExpression))
        if not has_calls or call.pattern or callee.kind not in {"layer", "block"}:
            return False
        dataflow, inputs = self._lookup.dataflow(scope), self._inputs(call, scope)
        stages = [
            inner
            for inner in nodes.inside([one.value for one in inputs], nodes.CallExpression)
            if dataflow.sort(inner) == "tensor"
        ]
        if not stages:
            return False
        block = callee.node if isinstance(callee.node, nodes.Block) else None
        advice = None
        if block and any(one.is_for_block for one in block.parameters):
            advice = translation.branches(call, block, inputs, dataflow)
        elif not (inputs[0].keyword or (block and any(one.may_be_tensor for one in block.parameters))):
            text = Call(call.callee.text, call.callee.span.end, call.arguments, call.span)
            found = refusal(text, inputs, dataflow, starts_chain=starts_chain, is_layer=block is None)
            advice = found.advice
        if advice is None:
            return False
        self._lookup.errors.stage_as_value(min(stages, key=lambda one: one.span.start), advice=advice)
        self._mentions([one.value for one in call.arguments], scope)
        return True

    def _mentions(self, values: Iterable[nodes.Expression], scope: Scope) -> None:
        """Record the names in expressions that are reported already."""
        values = tuple(values)
        for call in nodes.inside(values, nodes.CallExpression):
            name = call.callee
            layer = of_language("layer", name.text) if name.text in LAYERS else Definition("unknown", name.text)
            self._lookup.note(name.span, self._lookup.defined(name.text, scope) or layer, call.span)
        for one in nodes.inside(values, nodes.Name):
            self._lookup.note(one.span, self._lookup.value(one, scope) or Definition("unknown", one.text))

    def _operands(self, kind: nodes.Expression | nodes.Compound, scope: Scope) -> None:
        """Record the names in an expression that is reported already."""
        operands = kind.operands if isinstance(kind, nodes.Operation) else ()
        for one in (kind.operand,) if isinstance(kind, nodes.Prefixed) else operands:
            if isinstance(one, nodes.Name):
                self._lookup.note(one.span, self._lookup.defined(one.text, scope) or Definition("unknown", one.text))
            elif isinstance(one, nodes.CallExpression):
                self._lookup.note(one.callee.span, Definition("unknown", one.callee.text))
            else:
                self._expressions.expression(one, scope)

    def _is_misspelt(self, kind: nodes.Expression | nodes.Compound, scope: Scope) -> bool:
        """Whether the names of a difference are undefined: it is one name with hyphens. Records them."""
        assert isinstance(kind, nodes.Operation)
        names = [one for one in kind.operands if isinstance(one, nodes.Name)]
        if any(self._lookup.defined(one.text, scope) for one in names):
            return False
        for one in names:
            self._lookup.note(one.span, Definition("unknown", one.text))
        return True


def _branches_of(name: str) -> Branches | None:
    """The branches that a join or a scope takes; None for any other name."""
    if name in JOINS:
        return JOINS[name].branches
    return SCOPES[name].branches if name in SCOPES else None
