"""Resolves the names in expressions, and in the arguments of calls."""

from itertools import islice
from typing import Any, cast

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.builtin_names import DATA_NAMES, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.names.lookup import Lookup
from cifar_dsl.compiler.names.scope import Scope, of_language
from cifar_dsl.compiler.names.sorts import (
    ANYWHERE,
    CALLABLE,
    EXTENT,
    INDEXED,
    NO_VALUE,
    OPERAND,
    SLICED,
    TENSOR,
    Place,
    of_types,
    place_of_types,
    places_of_arguments,
)
from cifar_dsl.compiler.names.table import Definition, Kind, Mention
from cifar_dsl.compiler.program import LAYERS_AND_WORDS
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, SCOPES, WEIGHTS, value_registry
from cifar_dsl.operations.recipe import SETTINGS
from cifar_dsl.operations.registry import Registry

_LITERALS = (nodes.Number, nodes.Truth, nodes.String, nodes.SizeLiteral)


class Expressions:
    """Resolves the names in expressions: values, not stages."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def expression(self, node: nodes.Expression, scope: Scope, place: Place = ANYWHERE) -> None:
        """Record the mentions in an expression that stands in a place."""
        match node:
            case nodes.Name(text=text, span=span):
                definition = self._lookup.value(node, scope, place)
                if definition is None:
                    flow_names = FLOW_NAMES if scope.has_flow else ()
                    values = self._lookup.known(scope, self._lookup.words, LAYERS_AND_WORDS, DATA_NAMES, flow_names)
                    foreign = foreign_names.BUDGETS if scope.has_budgets else foreign_names.VALUES
                    definition = self._lookup.errors.unknown(
                        "E0202", f"unknown name `{text}`", text, span, values, foreign
                    )
                self._lookup.note(span, definition)
            case nodes.CallExpression(callee=callee):
                definition = self._function(node, scope, place)
                self._lookup.note(callee.span, definition, node.span)
                self.arguments(node, definition, scope)
            case nodes.Sequence(items=items):
                for item in items:
                    self.expression(item, scope, Place(place.items))
            case nodes.Operation(operators=operators, operands=operands):
                place = ANYWHERE if operators[0] in {"==", "!="} else OPERAND
                for operand in operands:
                    self.expression(operand, scope, place)
            case nodes.Prefixed(operand=operand):
                self.expression(operand, scope, OPERAND)
            case nodes.Conditional(arms=arms, otherwise=otherwise):
                for chosen, condition in arms:
                    self.expression(chosen, scope, place)
                    self.expression(condition, scope, OPERAND)
                self.expression(otherwise, scope, place)
            case nodes.Index():
                self.index(node, scope, INDEXED)
            case _:
                pass

    def index(self, node: nodes.Index, scope: Scope, place: Place) -> None:
        """Resolve a value with subscripts; `place` is that of the value.

        `identity` stands for the current tensor, unless something of that name can be sliced.
        """
        match node.value:
            case nodes.Name(text="identity" as text) as value if place is SLICED and not self._lookup.fitting(
                value, scope, place
            ):
                self._lookup.note(value.span, of_language("layer", text))
            case value:
                self.expression(value, scope, place)
        for index in node.indices:
            for one in index.items if isinstance(index, nodes.Places) else (index,):
                for end in (one.start, one.stop, one.step) if isinstance(one, nodes.Slice) else (one,):
                    if end is not None:
                        self.expression(end, scope, OPERAND)

    def _function(self, call: nodes.CallExpression, scope: Scope, place: Place) -> Definition:
        """The definition of the callee of a call where a value is expected."""
        callee = call.callee
        if callee.text in FUNCTIONS and not call.pattern:
            return of_language("function", callee.text)
        if registry := value_registry(callee.text):
            return of_language(cast("Kind", registry.noun), callee.text)
        found = self._lookup.defined(callee.text, scope)
        if found is None and callee.text not in LAYERS:
            is_initializer = foreign_names.INITIALIZERS.get(callee.text) is not None
            foreign = foreign_names.INITIALIZERS if is_initializer else foreign_names.FUNCTIONS
            known = set(INITIALIZERS if is_initializer else FUNCTIONS)
            message = f"unknown function `{callee}`"
            return self._lookup.errors.unknown(
                "E0202", message, callee.text, callee.span, lambda: known, foreign, is_function=True
            )
        fits_tensor = scope.has_flow and not place.sorts.isdisjoint(TENSOR)
        self._lookup.errors.stage_as_value(
            call, fits_tensor=fits_tensor, fits_block=not place.sorts.isdisjoint(CALLABLE)
        )
        return found or of_language("layer", callee.text)

    def arguments(self, call: nodes.CallExpression, callee: Definition, scope: Scope) -> None:
        """Record the mentions in the arguments of a call, with its keywords."""
        if call.pattern:
            self._pattern(call, call.pattern, scope)
            return
        for i, argument in enumerate(call.arguments):
            if argument.keyword and argument.keyword.text:
                self._lookup.note(argument.keyword.span, argument_of(callee, argument.keyword.text), argument.span)
            if isinstance(argument.value, _LITERALS):
                continue
            place = _place_of(argument, i, callee)
            match argument.value:
                case nodes.Name(text=text, span=span) as word if (
                    callee.kind != "block"
                    and translation.is_word(text)
                    and self._lookup.value(word, scope, place) is None
                ):
                    self._lookup.note(span, of_language("word", text))  # the binder reports it
                case nodes.Name(text=text, span=span) as axis if (
                    _takes_pattern(callee) and self._lookup.value(axis, scope, place) is None
                ):
                    self._lookup.note(span, Definition("unknown", text))  # the expander reports the missing pattern
                case _:
                    self.expression(argument.value, scope, place)

    def _pattern(self, call: nodes.CallExpression, pattern: nodes.Pattern, scope: Scope) -> None:
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
                number = None if text in known else self._lookup.fitting(name, scope, EXTENT)
                found[text] = number or Definition("axis", text, "", span, call.span, None, NO_VALUE)
                if not number:
                    self._lookup.found.append(Mention(span, found[text], span, is_definition=True))
                    continue
            if span in self._lookup.passed or found[text].kind == "axis" or self._lookup.fitting(name, scope, EXTENT):
                self._lookup.note(span, found[text])
        for argument in call.arguments:
            if argument.keyword and argument.keyword.text:
                keyword = argument.keyword
                self._lookup.note(
                    keyword.span, found.get(keyword.text, Definition("unknown", keyword.text)), argument.span
                )
            self.expression(argument.value, scope, OPERAND)


def parameter_of(block: nodes.Block, parameter: nodes.BlockParameter) -> Definition:
    """The definition of a parameter of a block."""
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
        case Definition(kind="weight function", name=name):
            places = places_of_arguments(WEIGHTS[name])
        case Definition(kind="choice", name=name, owner=setting):
            registry = SETTINGS[setting].registry if setting in SETTINGS else None
            places = places_of_arguments(registry[name]) if registry is not None and name in registry else {}
        case _:
            return ANYWHERE
    return places.get(keyword, ANYWHERE) if keyword else next(islice(places.values(), number, None), ANYWHERE)


def _takes_pattern(callee: Definition) -> bool:
    """Whether the calls of a layer, join or scope have a pattern."""
    registries: dict[Kind, Registry[Any]] = {"layer": LAYERS, "join": JOINS, "scope": SCOPES}
    return callee.kind in registries and registries[callee.kind][callee.name].missing_axes is not None


def argument_of(callee: Definition, name: str) -> Definition:
    """The definition of a keyword argument."""
    match callee:
        case Definition(kind="block", node=nodes.Block() as block):
            found = block.parameter(name)
            return parameter_of(block, found) if found else Definition("parameter", name, callee.name)
        case Definition(kind="unknown"):
            return Definition("parameter", name, callee.name)
        case Definition(kind="choice"):
            return of_language("argument", name, f"{callee.owner}.{callee.name}")
        case Definition(kind="layer" | "join" | "scope" | "initialiser" | "weight function" | "function"):
            return of_language("argument", name, callee.name)
        case _:
            return of_language("argument", name)  # the callee is a parameter: any block
