"""Resolves every name in the text of a spec, also in code that is never expanded, and reports unknown names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice, zip_longest
from types import MappingProxyType
from typing import Any

from attrs import define, field

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.argument_translation import Call
from cifar_dsl.compiler.builtin_names import BUDGETS, DATA_NAMES, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.dataflow import TENSORS, Dataflow, Sort, refusal
from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.names.errors import NameErrors
from cifar_dsl.compiler.names.sorts import (
    ANY,
    ANYWHERE,
    CALLABLE,
    EXTENT,
    HEAD,
    INDEXED,
    LIST,
    NO_VALUE,
    NUMBER,
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
    of_kind,
    of_target,
    of_types,
    of_value,
    place_of_kind,
    place_of_types,
    places_of_arguments,
)
from cifar_dsl.compiler.names.table import Definition, Kind, Mention, Names, definition_of, definitions_of
from cifar_dsl.compiler.program import LAYERS_AND_WORDS, Program
from cifar_dsl.compiler.types import words
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Advice, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, SCOPES, Branches
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS
from cifar_dsl.operations.registry import Registry

_LITERALS = (nodes.Number, nodes.Truth, nodes.String, nodes.SizeLiteral)


def resolve_program(program: Program, reporter: Reporter) -> Names:
    """The names of a merged spec and of the library blocks that it may call. Reports unknown names."""
    own = definitions_of((*program.blocks.values(), *program.params.values()))
    library = definitions_of(program.library.values())
    resolver = _Resolver.of(own, library, reporter)
    resolver.items((*program.params.values(), *program.blocks.values(), program.model, *program.assertions))
    resolver.settings(program.settings.values(), "train")
    for group in program.groups.values():
        resolver.settings(group.settings.values(), "group")
    inside = _Resolver.of({}, library, reporter)  # the library can't see the names of the spec
    inside.items(program.library.values())
    return Names([*resolver.found, *inside.found], resolver.passed | inside.passed, resolver.hidden)


def resolve_library(blocks: Mapping[str, nodes.Block], library: Mapping[str, nodes.Block], reporter: Reporter) -> Names:
    """The names of a user's library, resolved as for a spec. `library` holds the standard blocks that it may call."""
    resolver = _Resolver.of(definitions_of(blocks.values()), definitions_of(library.values()), reporter)
    resolver.items(blocks.values())
    return Names(resolver.found, resolver.passed, resolver.hidden)


def resolve_spec(
    spec: nodes.Spec,
    bases: Mapping[str, Definition],
    reporter: Reporter,
    library: Mapping[str, Definition] = MappingProxyType({}),
) -> Names:
    """The names of one file. `bases` holds the params and blocks of its bases, `library` the blocks of the library."""
    resolver = _Resolver.of({**bases, **definitions_of(spec.items)}, library, reporter)
    if base := spec.header.base:
        resolver.note(base.span, Definition("base", base.name))
    resolver.items(spec.items)
    found = sorted(resolver.found, key=lambda mention: mention.span.start)
    return Names(found, resolver.passed, resolver.hidden)


@frozen
class _Scope:
    """The local names at one place; `has_flow`: there is a current tensor.

    `closed_by` is what takes the branch of this scope, if the branch can't assign to names outside of it.
    """

    names: dict[str, Definition] = field(factory=dict)
    has_flow: bool = False
    outer: "_Scope | None" = None
    closed_by: str = ""

    def inner(self, closed_by: str = "") -> "_Scope":
        """A nested scope."""
        return _Scope({}, self.has_flow, self, closed_by)

    def closed_to(self, definition: Definition) -> str:
        """What takes the branch here that can't assign to a name with this definition; "" if there is none."""
        closed_by, scope = "", self
        while scope.names.get(definition.name) is not definition and scope.outer is not None:
            closed_by = closed_by or scope.closed_by
            scope = scope.outer
        return closed_by

    def definitions(self, name: str) -> list[Definition]:
        """The definitions of a name, the innermost first."""
        found: list[Definition] = []
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.names:
                found.append(scope.names[name])
            scope = scope.outer
        return found

    @property
    def has_budgets(self) -> bool:
        """Whether it is that of an `assert`."""
        return any(name in self.names for name in BUDGETS)

    def visible(self, kind: Kind | None = None) -> Callable[[], set[str]]:
        """A function that lists the names, of one kind or all, that are visible now."""
        counts: list[tuple[dict[str, Definition], int]] = []
        scope: _Scope | None = self
        while scope is not None:
            counts.append((scope.names, len(scope.names)))
            scope = scope.outer
        return lambda: {
            name
            for names, count in counts
            for name, definition in islice(names.items(), count)
            if kind in {None, definition.kind}
        }


@cache
def _of_language(kind: Kind, name: str, owner: str = "") -> Definition:
    return Definition(kind, name, owner, sorts=of_kind(kind))


@define
class _Resolver:
    """Resolves the names of texts in which the params and blocks `globals` are visible, and those of the library.

    A name is what fits its place; among what fits, the innermost definition counts: of the body, then of the spec, the
    language, the library. If nothing fits, it is the innermost definition, and the expander reports the error.
    """

    errors: NameErrors
    globals: Mapping[str, Definition]
    library: Mapping[str, Definition]
    words: frozenset[str]  # of the types of blocks' parameters
    found: list[Mention] = field(factory=list)
    passed: dict[Span, int] = field(factory=dict)
    hidden: dict[Span, Definition] = field(factory=dict)

    @classmethod
    def of(cls, known: Mapping[str, Definition], library: Mapping[str, Definition], reporter: Reporter) -> "_Resolver":
        """A resolver for a text in which these params and blocks are visible, and these blocks of the library."""
        blocks = {name: one.node for name, one in {**library, **known}.items() if isinstance(one.node, nodes.Block)}
        return cls(NameErrors(reporter, frozenset(blocks)), known, library, words(blocks.values()))

    def note(self, span: Span, definition: Definition, call: Span | None = None) -> Definition:
        """Record a mention."""
        if definition.name:  # missing in some texts with errors
            self.found.append(Mention(span, definition, call or span))
            if self.hidden and span in self.hidden and definition.span:
                hidden = self.hidden[span].noun
                remark = f"{definition.described(span)} hides the {hidden} `{definition.name}`"
                remark += f": rename the {definition.noun} to use the {hidden}"
                self.errors.reporter.remarks |= {span: remark, call or span: remark}
        return definition

    def _define(self, scope: _Scope | None, name: nodes.Identifier, definition: Definition) -> None:
        """Record a definition, visible in the scope from here on. In a text with errors, its name may be missing."""
        if not name.text:
            return
        self.found.append(Mention(name.span, definition, name.span, is_definition=True))
        if scope:
            scope.names[name.text] = definition

    def items(self, items: Iterable[nodes.Item]) -> None:
        """Record the definitions and mentions in the items of a spec."""
        for item in items:
            match item:
                case nodes.Param(name=name, value=value):
                    self._define(None, name, definition_of(item))
                    self._expression(value, _Scope())
                case nodes.Block():
                    self._block(item)
                case nodes.Model(body=body):
                    self._body(body, _Scope(has_flow=True))
                case nodes.Assertion(condition=condition):
                    budgets = {name: _of_language("budget", name) for name in BUDGETS}
                    self._expression(condition, _Scope(budgets), OPERAND)
                case nodes.Train(settings=settings):
                    self._train(settings)
                case nodes.Input():
                    pass

    # ---- blocks and bodies

    def _block(self, block: nodes.Block) -> None:
        self._define(None, block.name, definition_of(block))
        scope = _Scope(has_flow=True)
        with_default: nodes.BlockParameter | None = None
        for parameter in block.parameters:
            self.errors.check_types(parameter.types)
            if parameter.default:
                self._expression(parameter.default, scope, place_of_types(parameter.types))
                with_default = with_default or parameter
            elif with_default:
                self.errors.parameter_order(parameter, with_default)
            self._define(scope, parameter.name, _parameter(block, parameter))
        self._body(block.body, scope)

    def _body(self, body: nodes.Body, outer: _Scope, end: int | None = None) -> None:
        """`end`: where the scope of the body ends, if not at the end of its text."""
        scope = outer.inner()
        for stage in body.stages:
            match stage:
                case nodes.Let(targets=targets):
                    sorts = self._let(stage.chain, scope)
                    sorts = sorts if len(targets) == 1 else ANY
                    for name in targets:
                        visible = Span(name.span.source, stage.span.end, body.span.end if end is None else end)
                        self._define(scope, name, Definition("let", name.text, "", name.span, visible, stage, sorts))
                case nodes.Assignment():
                    self._assignment(stage, scope)
                case nodes.Chain():
                    self._chain(stage, scope)

    def _assignment(self, stage: nodes.Assignment, scope: _Scope) -> None:
        inner = scope.inner()
        place = Place(of_chain(stage.chain))
        for name in stage.targets:
            target = self._fitting(name, scope, place) or self._innermost(name.text, scope)
            if target is None:
                self._new_assignment(name, stage, scope)
                target = inner.names[name.text] = Definition("unknown", name.text)
            elif closed_by := scope.closed_to(target):
                self.errors.assigned_outside(name, closed_by)
            self.note(name.span, target)
        self._chain(stage.chain, inner)
        scope.names.update(inner.names)

    def _let(self, let: nodes.Chain, scope: _Scope) -> Sorts:
        """Resolve the chain of a `let`: the stages of a tensor, or a value. Returns the sorts of its name."""
        match let.elements:
            case [nodes.Element(kind=nodes.Name() as name) as element] if definition := self._named(name, scope):
                self.note(name.span, definition)
                sorts = named(definition.sorts) if element.label is None and element.claim is None else TENSOR
                return sorts | LIST if may_give_list(let, self._block_named) else sorts
            case [
                nodes.Element(kind=nodes.CallExpression(callee=callee, pattern=None) as call, label=None, claim=None)
            ] if (callee.text in FUNCTIONS or callee.text in INITIALIZERS) and not self._fitting(
                callee, scope, Place(CALLABLE)
            ):
                self._expression(call, scope)
                return of_value(call)
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
        node = self.globals[name].node if name in self.globals else None
        return node if isinstance(node, nodes.Block) else None

    def _named(self, name: nodes.Name, scope: _Scope) -> Definition | None:
        """The definition of the bare name after `let y =`: of a stage or of a value."""
        if name.text in LAYERS and not self._innermost(name.text, scope):
            return _of_language("layer", name.text)
        return self._value(name, scope)

    def _chain(self, chain_node: nodes.Chain, scope: _Scope) -> None:
        for number, element in enumerate(chain_node.elements):
            if element.label:
                self.errors.check_label(element.label)
            match element.kind:
                case nodes.Branched():
                    self._branched(element.kind, scope)
                case nodes.For():
                    self._loop(element.kind, scope)
                case nodes.Repeat(count=count, body=body):
                    self._expression(count, scope, OPERAND)
                    self._body(body, scope)
                case nodes.If(arms=arms, otherwise=otherwise):
                    for condition, body in arms:
                        self._expression(condition, scope, OPERAND)
                        self._body(body, scope)
                    if otherwise:
                        self._body(otherwise, scope)
                case nodes.Name(text=text, span=span):
                    self._stage_name(nodes.Identifier(text, span), scope)
                case nodes.CallExpression(callee=callee):
                    is_number = callee.text in FUNCTIONS and not element.kind.pattern
                    if is_number and not self._fitting(callee, scope, STAGE):
                        definition = _of_language("function", callee.text)
                        self.errors.value_as_stage(callee)
                        self.note(callee.span, definition, element.kind.span)
                    else:
                        definition = self._stage_name(callee, scope, element.kind)
                        if definition.kind == "unknown" and translation.whole_stage(callee, element.kind):
                            continue  # its arguments are no values here
                    if definition.kind == "unknown" and self._inputs(element.kind, scope):
                        self._mentions([one.value for one in element.kind.arguments], scope)
                    elif not self._nested(element.kind, definition, scope, starts_chain=number == 0):
                        self._arguments(element.kind, definition, scope)
                case _ if (name := translation.hyphenated(element.kind)) and self._is_misspelt(element.kind, scope):
                    self._unknown_stage(nodes.Identifier(name, element.kind.span), scope)
                case _ if advice := translation.stage_expression(element.kind, self._dataflow(scope)):
                    self.errors.expression_as_stage(element.kind.span, advice)
                    self._operands(element.kind, scope)
                case nodes.Index(value=nodes.Name() as name) if name.text in JOINS and not self._defined(
                    name.text, scope
                ):
                    self._join_of_list(name, element.kind, scope)
                case nodes.Index():
                    self._index(element.kind, scope, SLICED)
                case _:
                    self._expression(element.kind, scope)

    def _dataflow(self, scope: _Scope) -> Dataflow:
        """What the expressions in a scope stand for, as far as the text decides it."""
        return Dataflow(lambda node: self._sort_of(node, scope))

    def _sort_of(self, node: nodes.Name | nodes.CallExpression, scope: _Scope) -> Sort:
        if isinstance(node, nodes.CallExpression):
            if node.callee.text in FUNCTIONS or node.callee.text in INITIALIZERS:
                return "number" if node.callee.text in FUNCTIONS else "unknown"
            if foreign_names.FUNCTIONS.get(node.callee.text):
                return "unknown"
            found = self._defined(node.callee.text, scope)
            is_block = found is not None and not found.sorts.isdisjoint(CALLABLE) and found.kind != "param"
            return "tensor" if is_block or translation.is_layer(node) else "unknown"
        found = self._innermost(node.text, scope)
        if found is None:
            is_number = node.text in FLOW_NAMES or node.text in DATA_NAMES
            return "number" if is_number else "tensor" if translation.is_layer(node) else "unknown"
        return "tensor" if found.sorts <= TENSOR else "number" if found.sorts <= NUMBER else "unknown"

    def _inputs(self, call: nodes.CallExpression, scope: _Scope) -> list[nodes.Argument]:
        """The arguments of a call that are tensors: `relu(x)`."""
        if not call.arguments or call.pattern:
            return []
        dataflow = self._dataflow(scope)
        return [one for one in call.arguments if dataflow.sort(one.value) in TENSORS]

    def _nested(self, call: nodes.CallExpression, callee: Definition, scope: _Scope, *, starts_chain: bool) -> bool:
        """Whether stages are called in the arguments of a stage: `relu(bn(x))`. Reports them."""
        has_calls = any(nodes.inside([one.value for one in call.arguments], nodes.CallExpression))
        if not has_calls or call.pattern or callee.kind not in {"layer", "block"}:
            return False
        dataflow, inputs = self._dataflow(scope), self._inputs(call, scope)
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
        self.errors.stage_as_value(min(stages, key=lambda one: one.span.start), advice=advice)
        self._mentions([one.value for one in call.arguments], scope)
        return True

    def _mentions(self, values: Iterable[nodes.Expression], scope: _Scope) -> None:
        """Record the names in expressions that are reported already."""
        values = tuple(values)
        for call in nodes.inside(values, nodes.CallExpression):
            name = call.callee
            layer = _of_language("layer", name.text) if name.text in LAYERS else Definition("unknown", name.text)
            self.note(name.span, self._defined(name.text, scope) or layer, call.span)
        for one in nodes.inside(values, nodes.Name):
            self.note(one.span, self._value(one, scope) or Definition("unknown", one.text))

    def _operands(self, kind: nodes.Expression | nodes.Compound, scope: _Scope) -> None:
        """Record the names in an expression that is reported already."""
        operands = kind.operands if isinstance(kind, nodes.Operation) else ()
        for one in (kind.operand,) if isinstance(kind, nodes.Prefixed) else operands:
            if isinstance(one, nodes.Name):
                self.note(one.span, self._defined(one.text, scope) or Definition("unknown", one.text))
            elif isinstance(one, nodes.CallExpression):
                self.note(one.callee.span, Definition("unknown", one.callee.text))
            else:
                self._expression(one, scope)

    def _is_misspelt(self, kind: nodes.Expression | nodes.Compound, scope: _Scope) -> bool:
        """Whether the names of a difference are undefined: it is one name with hyphens. Records them."""
        assert isinstance(kind, nodes.Operation)
        names = [one for one in kind.operands if isinstance(one, nodes.Name)]
        if any(self._defined(one.text, scope) for one in names):
            return False
        for one in names:
            self.note(one.span, Definition("unknown", one.text))
        return True

    def _branched(self, branched: nodes.Branched, scope: _Scope) -> None:
        head, branches = branched.head, branched.branches
        definition = self._head(branched.name, scope)
        self.note(branched.name.span, definition, branched.span)
        if isinstance(head, nodes.CallExpression):
            self._arguments(head, definition, scope)
        inner = scope if definition.kind == "join" else scope.inner(closed_by=branched.name.text)
        if isinstance(branches, nodes.For):
            self._loop(branches, inner)
            return
        for branch, following in zip_longest(branches, branches[1:]):
            self._body(branch, inner, following.span.start if following else branched.span.end)

    def _join_of_list(self, name: nodes.Name, index: nodes.Index, scope: _Scope) -> None:
        """Report a join with its branches in a list: `concat [a, b]`."""
        (last,) = index.indices[-1:]
        items = last.items if isinstance(last, nodes.Places) else (last,)
        arguments = tuple(nodes.Argument(None, one, one.span) for one in items if not isinstance(one, nodes.Slice))
        callee = nodes.Identifier(name.text, name.span)
        self.note(name.span, self._unknown_stage(callee, scope, nodes.CallExpression(callee, arguments, index.span)))

    def _loop(self, loop: nodes.For, scope: _Scope) -> None:
        advice = translation.loop_range(loop.start)
        if advice and isinstance(loop.start, nodes.CallExpression) and not self._defined("range", scope):
            callee, message = loop.start.callee, "unknown function `range`"
            definition = self.errors.unknown("E0202", message, callee.text, callee.span, set, advice=advice)
            self.note(callee.span, definition, loop.start.span)
            self._arguments(loop.start, definition, scope)
        else:
            self._expression(loop.start, scope, OPERAND)
        if loop.stop:
            self._expression(loop.stop, scope, OPERAND)
        inner = scope.inner()
        for i, target in enumerate(loop.targets):
            visible, sorts = loop.body.span, of_target(loop, i)
            self._define(inner, target, Definition("loop variable", target.text, "", target.span, visible, loop, sorts))
        self._body(loop.body, inner)

    # ---- expressions

    def _expression(self, node: nodes.Expression, scope: _Scope, place: Place = ANYWHERE) -> None:
        match node:
            case nodes.Name(text=text, span=span):
                definition = self._value(node, scope, place)
                if definition is None:
                    flow_names = FLOW_NAMES if scope.has_flow else ()
                    values = self._known(scope, self.words, LAYERS_AND_WORDS, DATA_NAMES, flow_names)
                    foreign = foreign_names.BUDGETS if scope.has_budgets else foreign_names.VALUES
                    definition = self.errors.unknown("E0202", f"unknown name `{text}`", text, span, values, foreign)
                self.note(span, definition)
            case nodes.CallExpression(callee=callee):
                definition = self._function(node, scope, place)
                self.note(callee.span, definition, node.span)
                self._arguments(node, definition, scope)
            case nodes.Sequence(items=items):
                for item in items:
                    self._expression(item, scope, Place(place.items))
            case nodes.Operation(operators=operators, operands=operands):
                place = ANYWHERE if operators[0] in {"==", "!="} else OPERAND
                for operand in operands:
                    self._expression(operand, scope, place)
            case nodes.Prefixed(operand=operand):
                self._expression(operand, scope, OPERAND)
            case nodes.Conditional(arms=arms, otherwise=otherwise):
                for chosen, condition in arms:
                    self._expression(chosen, scope, place)
                    self._expression(condition, scope, OPERAND)
                self._expression(otherwise, scope, place)
            case nodes.Index():
                self._index(node, scope, INDEXED)
            case _:
                pass

    def _index(self, node: nodes.Index, scope: _Scope, place: Place) -> None:
        """Resolve a value with subscripts; `place` is that of the value.

        `identity` stands for the current tensor, unless something of that name can be sliced.
        """
        match node.value:
            case nodes.Name(text="identity" as text) as value if place is SLICED and not self._fitting(
                value, scope, place
            ):
                self.note(value.span, _of_language("layer", text))
            case value:
                self._expression(value, scope, place)
        for index in node.indices:
            for one in index.items if isinstance(index, nodes.Places) else (index,):
                for end in (one.start, one.stop, one.step) if isinstance(one, nodes.Slice) else (one,):
                    if end is not None:
                        self._expression(end, scope, OPERAND)

    def _pattern(self, call: nodes.CallExpression, pattern: nodes.Pattern, scope: _Scope) -> None:
        """Record the axes of a pattern, and the numbers whose names give axes their extents.

        In a product, a name of a number in scope has that extent, unless the axis has its extent from somewhere else:
        an argument, or a tensor of which it is an axis by itself.
        """
        items = [item for axes in pattern.inputs for item in axes.items]
        known = {item.text for item in items if isinstance(item, nodes.Name)}
        known |= {argument.keyword.text for argument in call.arguments if argument.keyword}
        found: dict[str, Definition] = {}
        mentioned = [*nodes.inside(items, nodes.Name), *nodes.inside(pattern.output.items, nodes.Name)]
        for name in sorted(mentioned, key=lambda name: name.span.start):
            text, span = name.text, name.span
            if text not in found:
                number = None if text in known else self._fitting(name, scope, EXTENT)
                found[text] = number or Definition("axis", text, "", span, call.span, None, NO_VALUE)
                if not number:
                    self.found.append(Mention(span, found[text], span, is_definition=True))
                    continue
            if span in self.passed or found[text].kind == "axis" or self._fitting(name, scope, EXTENT):
                self.note(span, found[text])
        for argument in call.arguments:
            if argument.keyword and argument.keyword.text:
                keyword = argument.keyword
                self.note(keyword.span, found.get(keyword.text, Definition("unknown", keyword.text)), argument.span)
            self._expression(argument.value, scope, OPERAND)

    def _arguments(self, call: nodes.CallExpression, callee: Definition, scope: _Scope) -> None:
        if call.pattern:
            self._pattern(call, call.pattern, scope)
            return
        for i, argument in enumerate(call.arguments):
            if argument.keyword and argument.keyword.text:
                self.note(argument.keyword.span, _argument(callee, argument.keyword.text), argument.span)
            if isinstance(argument.value, _LITERALS):
                continue
            place = _place_of(argument, i, callee)
            match argument.value:
                case nodes.Name(text=text, span=span) as word if (
                    callee.kind != "block" and translation.is_word(text) and self._value(word, scope, place) is None
                ):
                    self.note(span, _of_language("word", text))  # the binder reports it
                case nodes.Name(text=text, span=span) as axis if (
                    _takes_pattern(callee) and self._value(axis, scope, place) is None
                ):
                    self.note(span, Definition("unknown", text))  # the expander reports the missing pattern
                case _:
                    self._expression(argument.value, scope, place)

    # ---- the recipe

    def _train(self, settings: Sequence[nodes.Setting | nodes.Group]) -> None:
        for setting in settings:
            if isinstance(setting, nodes.Group):
                self.settings(setting.settings, "group")
            else:
                self.settings([setting], "train")

    def settings(self, settings: Iterable[nodes.Setting], place: str) -> None:
        """Record the mentions in settings of `train` or of a group."""
        known = SETTINGS if place == "train" else GROUP_SETTINGS
        for setting in settings:
            name, *path = setting.target
            self.note(name.span, _of_language("setting", name.text, place), setting.span)
            info = known.get(name.text)
            registry = info.registry if info else None
            owner = name.text
            for word in path:
                if len(path) > 1 and registry is not None and word.text in registry:
                    self.note(word.span, _of_language("choice", word.text, owner), setting.span)
                    owner = f"{name.text}.{word.text}"
                else:
                    self.note(word.span, _of_language("argument", word.text, owner), setting.span)
            for element in setting.chain.elements:
                if registry is not None and not path:
                    self._choice(name.text, element.kind)
                else:
                    fitting = place_of_kind(info.kind) if info and not path else ANYWHERE
                    self._setting_value(element.kind, fitting, is_checked=info is not None)

    def _choice(self, setting: str, kind: nodes.Expression | nodes.Compound) -> None:
        match kind:
            case nodes.Name(text=text, span=span):
                self.note(span, _of_language("choice", text, setting))
            case nodes.CallExpression(callee=callee):
                definition = _of_language("choice", callee.text, setting)
                self.note(callee.span, definition, kind.span)
                self._arguments(kind, definition, _Scope())
            case _:
                pass  # reported by `recipe`

    def _setting_value(self, kind: nodes.Expression | nodes.Compound, place: Place, *, is_checked: bool) -> None:
        """Resolve a value: a name that is no param or built-in value is a word, which its setting checks later."""
        match kind:
            case nodes.Name(text=text, span=span):
                found = self._fitting(kind, _Scope(), place)
                if found is None and text not in DATA_NAMES and text not in SYMBOLS:
                    found = self.globals.get(text)
                word: Kind = "dataset" if text in DATA_NAMES else "word"
                self.note(span, found or _of_language(word, text))
            case nodes.CallExpression(callee=callee) if not is_checked:
                self._arguments(kind, self.note(callee.span, Definition("unknown", callee.text)), _Scope())
            case nodes.Branched() | nodes.For() | nodes.Repeat() | nodes.If():
                pass  # reported by `recipe`
            case _:
                self._expression(kind, _Scope(), place)

    # ---- looking up names

    def _definitions(self, text: str, scope: _Scope) -> list[Definition]:
        """The definitions of a name in the spec, the innermost first."""
        found = scope.definitions(text)
        if text in self.globals:
            found.append(self.globals[text])
        return found

    def _innermost(self, text: str, scope: _Scope) -> Definition | None:
        """The innermost definition of a name in the spec."""
        found = self._definitions(text, scope)
        return found[0] if found else None

    def _fitting(self, name: nodes.Name | nodes.Identifier, scope: _Scope, place: Place) -> Definition | None:
        """The innermost definition of a name in the spec that fits a place. Records how many it passes over."""
        for passed, definition in enumerate(self._definitions(name.text, scope)):
            if not definition.sorts.isdisjoint(place.sorts):
                if passed:
                    self.passed[name.span] = passed
                return definition
        return None

    def _defined(self, text: str, scope: _Scope) -> Definition | None:
        """Any definition of a name in the spec or the library."""
        return self._innermost(text, scope) or self.library.get(text)

    def _known(self, scope: _Scope, *more: Iterable[str]) -> Callable[[], set[str]]:
        """A function that lists the names that are visible in the scope now, and more names."""
        local = scope.visible()
        return lambda: local().union(self.globals, self.library, *more)

    def _chosen(
        self, name: nodes.Name | nodes.Identifier, scope: _Scope, place: Place, built_in: Definition | None
    ) -> Definition | None:
        """The definition of a name in a place, where the language or the library has the definition `built_in`."""
        found = self._fitting(name, scope, place)
        if built_in is None:
            return found or self._innermost(name.text, scope)
        fits = not built_in.sorts.isdisjoint(place.sorts)
        if found and fits and not built_in.is_of_library:
            self.hidden[name.span] = built_in
        return found or (built_in if fits else self._innermost(name.text, scope) or built_in)

    def _stage(self, name: nodes.Identifier, scope: _Scope, place: Place) -> Definition | None:
        """The definition of a name where a stage is expected."""
        built_in = _of_language("layer", name.text) if name.text in LAYERS else self.library.get(name.text)
        return self._chosen(name, scope, place, built_in)

    def _head(self, name: nodes.Identifier, scope: _Scope) -> Definition:
        """The definition of a name with branches. Reports an unknown name."""
        text = name.text
        if text in JOINS and JOINS[text].is_reserved:
            return _of_language("join", text)
        kind: Kind = "join" if text in JOINS else "scope" if text in SCOPES else "layer"
        is_known = kind != "layer" or text in LAYERS
        built_in = _of_language(kind, text) if is_known else self.library.get(text)
        found = self._chosen(name, scope, HEAD, built_in)
        if found is None:
            near = nearest(text, (*JOINS, *SCOPES, "else"))
            found = self._unknown_stage(name, scope, advice=Advice.to_write(name.span, near) if near else None)
        return found

    def _value(self, name: nodes.Name, scope: _Scope, place: Place = ANYWHERE) -> Definition | None:
        """The definition of a name where a value is expected."""
        return self._chosen(name, scope, place, self._built_in_value(name.text, scope))

    def _built_in_value(self, text: str, scope: _Scope) -> Definition | None:
        """The definition of a name in the language or the library, where a value is expected."""
        if text in self.words:
            return _of_language("word", text)
        if scope.has_flow and text in FLOW_NAMES:
            return _of_language("flow", text)
        if text in DATA_NAMES:
            return _of_language("dataset", text)
        if text in LAYERS:
            return _of_language("layer", text)
        return _of_language("word", text) if text in SYMBOLS else self.library.get(text)

    def _stage_name(
        self, name: nodes.Identifier, scope: _Scope, call: nodes.CallExpression | None = None
    ) -> Definition:
        place = PATTERNED if call and call.pattern else STAGE
        definition = self._stage(name, scope, place) or self._unknown_stage(name, scope, call)
        return self.note(name.span, definition, call.span if call else None)

    def _unknown_stage(
        self,
        name: nodes.Identifier,
        scope: _Scope,
        call: nodes.CallExpression | None = None,
        advice: Advice | None = None,
    ) -> Definition:
        """Report a stage without a definition, or one whose name is known in another spelling."""
        text, written = name.text, name.span.text
        if (takes := _branches_of(text)) and not self._defined(text, scope) and not translation.whole_stage(name, call):
            self.errors.without_branches(name, takes, call)
            return _of_language("join" if text in JOINS else "scope", text)
        advice = advice or translation.whole_stage(name, call)
        if self._defined(text, scope) or text in LAYERS or text in library_index():
            advice = Advice.to_write(name.span, text, is_safe=True)
        if call and self._inputs(call, scope):
            call = None  # its arguments are no arguments of the layer, either
        known = self._known(scope, LAYERS, library_index())
        message = f"unknown layer or block `{written}`"
        return self.errors.unknown("E0201", message, text, name.span, known, foreign_names.LAYERS, advice, call)

    def _new_assignment(self, name: nodes.Identifier, stage: nodes.Assignment, scope: _Scope) -> None:
        """Report an assignment to a name that no `let` defines."""
        lets = scope.visible("let")
        self.errors.reporter.error(
            "E0201",
            f"`{name}` is assigned but not defined",
            name.span,
            meant=lambda: translation.assignment(stage, lets()),
        )

    def _function(self, call: nodes.CallExpression, scope: _Scope, place: Place) -> Definition:
        """The definition of the callee of a call where a value is expected."""
        callee = call.callee
        if callee.text in FUNCTIONS and not call.pattern:
            return _of_language("function", callee.text)
        if callee.text in INITIALIZERS:
            return _of_language("initialiser", callee.text)
        found = self._defined(callee.text, scope)
        if found is None and callee.text not in LAYERS:
            is_initializer = foreign_names.INITIALIZERS.get(callee.text) is not None
            foreign = foreign_names.INITIALIZERS if is_initializer else foreign_names.FUNCTIONS
            known = set(INITIALIZERS if is_initializer else FUNCTIONS)
            message = f"unknown function `{callee}`"
            return self.errors.unknown(
                "E0202", message, callee.text, callee.span, lambda: known, foreign, is_function=True
            )
        fits_tensor = scope.has_flow and not place.sorts.isdisjoint(TENSOR)
        self.errors.stage_as_value(call, fits_tensor=fits_tensor, fits_block=not place.sorts.isdisjoint(CALLABLE))
        return found or _of_language("layer", callee.text)


def _parameter(block: nodes.Block, parameter: nodes.BlockParameter) -> Definition:
    name = parameter.name
    scope = Span(name.span.source, parameter.span.end, block.span.end)
    return Definition("parameter", name.text, block.name.text, name.span, scope, parameter, of_types(parameter.types))


def _place_of(argument: nodes.Argument, number: int, callee: Definition) -> Place:
    """The place of the argument with this number in a call, as far as it is known."""
    keyword = argument.keyword.text if argument.keyword else ""
    match callee:
        case Definition(kind="function"):
            return OPERAND
        case Definition(kind="block", node=nodes.Block(parameters=parameters) as block):
            found = block.parameter(keyword) if keyword else next(iter(parameters[number : number + 1]), None)
            return place_of_types(found.types) if found else ANYWHERE
        case Definition(kind="layer", name=name):
            places = places_of_arguments(LAYERS[name])
        case Definition(kind="join", name=name):
            places = places_of_arguments(JOINS[name])
        case Definition(kind="scope", name=name):
            places = places_of_arguments(SCOPES[name])
        case Definition(kind="initialiser", name=name):
            places = places_of_arguments(INITIALIZERS[name])
        case Definition(kind="choice", name=name, owner=setting):
            registry = SETTINGS[setting].registry if setting in SETTINGS else None
            places = places_of_arguments(registry[name]) if registry is not None and name in registry else {}
        case _:
            return ANYWHERE
    return places.get(keyword, ANYWHERE) if keyword else next(islice(places.values(), number, None), ANYWHERE)


def _branches_of(name: str) -> Branches | None:
    """The branches that a join or a scope takes; None for any other name."""
    if name in JOINS:
        return JOINS[name].branches
    return SCOPES[name].branches if name in SCOPES else None


def _takes_pattern(callee: Definition) -> bool:
    """Whether the calls of a layer, join or scope have a pattern."""
    registries: dict[Kind, Registry[Any]] = {"layer": LAYERS, "join": JOINS, "scope": SCOPES}
    return callee.kind in registries and registries[callee.kind][callee.name].missing_axes is not None


def _argument(callee: Definition, name: str) -> Definition:
    """The definition of a keyword argument."""
    match callee:
        case Definition(kind="block", node=nodes.Block() as block):
            found = block.parameter(name)
            return _parameter(block, found) if found else Definition("parameter", name, callee.name)
        case Definition(kind="unknown"):
            return Definition("parameter", name, callee.name)
        case Definition(kind="choice"):
            return _of_language("argument", name, f"{callee.owner}.{callee.name}")
        case Definition(kind="layer" | "join" | "scope" | "initialiser" | "function"):
            return _of_language("argument", name, callee.name)
        case _:
            return _of_language("argument", name)  # the callee is a parameter: any block
