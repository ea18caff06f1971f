"""Looks up names: in the bodies around them, in the spec, in the language, and in the library."""

from collections.abc import Callable, Iterable, Mapping

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.builtin_names import DATA_NAMES, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.dataflow import Dataflow, Sort
from cifar_dsl.compiler.names.errors import NameErrors
from cifar_dsl.compiler.names.scope import Scope, of_language
from cifar_dsl.compiler.names.sorts import ANYWHERE, CALLABLE, NUMBER, TENSOR, Place
from cifar_dsl.compiler.names.table import Definition, Mention
from cifar_dsl.compiler.types import words
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.foundation.records import define, field
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.layers import LAYERS, value_registry


@define
class Lookup:
    """Looks up names in texts in which the params and blocks `globals` are visible, and records what they mean.

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
    def of(cls, known: Mapping[str, Definition], library: Mapping[str, Definition], reporter: Reporter) -> "Lookup":
        """For a text in which these params and blocks are visible, and these blocks of the library."""
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

    def define(self, scope: Scope | None, name: nodes.Identifier, definition: Definition) -> None:
        """Record a definition, visible in the scope from here on. In a text with errors, its name may be missing."""
        if not name.text:
            return
        self.found.append(Mention(name.span, definition, name.span, is_definition=True))
        if scope:
            scope.names[name.text] = definition

    def _definitions(self, text: str, scope: Scope) -> list[Definition]:
        """The definitions of a name in the spec, the innermost first."""
        found = scope.definitions(text)
        if text in self.globals:
            found.append(self.globals[text])
        return found

    def innermost(self, text: str, scope: Scope) -> Definition | None:
        """The innermost definition of a name in the spec."""
        found = self._definitions(text, scope)
        return found[0] if found else None

    def fitting(self, name: nodes.Name | nodes.Identifier, scope: Scope, place: Place) -> Definition | None:
        """The innermost definition of a name in the spec that fits a place. Records how many it passes over."""
        for passed, definition in enumerate(self._definitions(name.text, scope)):
            if not definition.sorts.isdisjoint(place.sorts):
                if passed:
                    self.passed[name.span] = passed
                return definition
        return None

    def defined(self, text: str, scope: Scope) -> Definition | None:
        """Any definition of a name in the spec or the library."""
        return self.innermost(text, scope) or self.library.get(text)

    def known(self, scope: Scope, *more: Iterable[str]) -> Callable[[], set[str]]:
        """A function that lists the names that are visible in the scope now, and more names."""
        local = scope.visible()
        return lambda: local().union(self.globals, self.library, *more)

    def chosen(
        self, name: nodes.Name | nodes.Identifier, scope: Scope, place: Place, built_in: Definition | None
    ) -> Definition | None:
        """The definition of a name in a place, where the language or the library has the definition `built_in`."""
        found = self.fitting(name, scope, place)
        if built_in is None:
            return found or self.innermost(name.text, scope)
        fits = not built_in.sorts.isdisjoint(place.sorts)
        if found and fits and not built_in.is_of_library:
            self.hidden[name.span] = built_in
        return found or (built_in if fits else self.innermost(name.text, scope) or built_in)

    def stage(self, name: nodes.Identifier, scope: Scope, place: Place) -> Definition | None:
        """The definition of a name where a stage is expected."""
        built_in = of_language("layer", name.text) if name.text in LAYERS else self.library.get(name.text)
        return self.chosen(name, scope, place, built_in)

    def value(self, name: nodes.Name, scope: Scope, place: Place = ANYWHERE) -> Definition | None:
        """The definition of a name where a value is expected."""
        return self.chosen(name, scope, place, self._built_in_value(name.text, scope))

    def _built_in_value(self, text: str, scope: Scope) -> Definition | None:
        """The definition of a name in the language or the library, where a value is expected."""
        if text in self.words:
            return of_language("word", text)
        if scope.has_flow and text in FLOW_NAMES:
            return of_language("flow", text)
        if text in DATA_NAMES:
            return of_language("dataset", text)
        if text in LAYERS:
            return of_language("layer", text)
        return of_language("word", text) if text in SYMBOLS else self.library.get(text)

    def dataflow(self, scope: Scope) -> Dataflow:
        """What the expressions in a scope stand for, as far as the text decides it."""
        return Dataflow(lambda node: self._sort_of(node, scope))

    def _sort_of(self, node: nodes.Name | nodes.CallExpression, scope: Scope) -> Sort:
        if isinstance(node, nodes.CallExpression):
            if node.callee.text in FUNCTIONS or value_registry(node.callee.text):
                return "number" if node.callee.text in FUNCTIONS else "unknown"
            if foreign_names.FUNCTIONS.get(node.callee.text):
                return "unknown"
            found = self.defined(node.callee.text, scope)
            is_block = found is not None and not found.sorts.isdisjoint(CALLABLE) and found.kind != "param"
            return "tensor" if is_block or translation.is_layer(node) else "unknown"
        found = self.innermost(node.text, scope)
        if found is None:
            is_number = node.text in FLOW_NAMES or node.text in DATA_NAMES
            return "number" if is_number else "tensor" if translation.is_layer(node) else "unknown"
        return "tensor" if found.sorts <= TENSOR else "number" if found.sorts <= NUMBER else "unknown"
