"""Resolves every name in the text of a spec, also in code that is never expanded, and reports unknown names."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cifar_dsl.compiler.builtin_names import BUDGETS
from cifar_dsl.compiler.names.bodies import Bodies
from cifar_dsl.compiler.names.expressions import Expressions
from cifar_dsl.compiler.names.lookup import Lookup
from cifar_dsl.compiler.names.recipes import Recipes
from cifar_dsl.compiler.names.scope import Scope, of_language
from cifar_dsl.compiler.names.sorts import OPERAND
from cifar_dsl.compiler.names.table import Definition, Names, definition_of, definitions_of
from cifar_dsl.compiler.program import Program
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.syntax import nodes


def resolve_program(program: Program, reporter: Reporter) -> Names:
    """The names of a merged spec and of the library blocks that it may call. Reports unknown names."""
    own = definitions_of((*program.blocks.values(), *program.params.values()))
    library = definitions_of(program.library.values())
    resolver = _Resolver(own, library, reporter)
    resolver.items((*program.params.values(), *program.blocks.values(), program.model, *program.assertions))
    resolver.recipes.settings(program.settings.values(), "train")
    for group in program.groups.values():
        resolver.recipes.settings(group.settings.values(), "group")
    inside = _Resolver({}, library, reporter)  # the library can't see the names of the spec
    inside.items(program.library.values())
    return Names(
        [*resolver.lookup.found, *inside.lookup.found],
        resolver.lookup.passed | inside.lookup.passed,
        resolver.lookup.hidden,
    )


def resolve_library(blocks: Mapping[str, nodes.Block], library: Mapping[str, nodes.Block], reporter: Reporter) -> Names:
    """The names of a user's library, resolved as for a spec. `library` holds the standard blocks that it may call."""
    resolver = _Resolver(definitions_of(blocks.values()), definitions_of(library.values()), reporter)
    resolver.items(blocks.values())
    return Names(resolver.lookup.found, resolver.lookup.passed, resolver.lookup.hidden)


def resolve_spec(
    spec: nodes.Spec,
    bases: Mapping[str, Definition],
    reporter: Reporter,
    library: Mapping[str, Definition] = MappingProxyType({}),
) -> Names:
    """The names of one file. `bases` holds the params and blocks of its bases, `library` the blocks of the library."""
    resolver = _Resolver({**bases, **definitions_of(spec.items)}, library, reporter)
    if base := spec.header.base:
        resolver.lookup.note(base.span, Definition("base", base.name))
    resolver.items(spec.items)
    found = sorted(resolver.lookup.found, key=lambda mention: mention.span.start)
    return Names(found, resolver.lookup.passed, resolver.lookup.hidden)


class _Resolver:
    """Resolves the names of texts in which the params and blocks `known` are visible, and those of the library."""

    def __init__(self, known: Mapping[str, Definition], library: Mapping[str, Definition], reporter: Reporter) -> None:
        self.lookup = Lookup.of(known, library, reporter)
        self.expressions = Expressions(self.lookup)
        self.bodies = Bodies(self.lookup, self.expressions)
        self.recipes = Recipes(self.lookup, self.expressions)

    def items(self, items: Iterable[nodes.Item]) -> None:
        """Record the definitions and mentions in the items of a spec."""
        for item in items:
            match item:
                case nodes.Param(name=name, value=value):
                    self.lookup.define(None, name, definition_of(item))
                    self.expressions.expression(value, Scope())
                case nodes.Block():
                    self.bodies.block(item)
                case nodes.Model(body=body):
                    self.bodies.body(body, Scope(has_flow=True))
                case nodes.Assertion(condition=condition):
                    budgets = {name: of_language("budget", name) for name in BUDGETS}
                    self.expressions.expression(condition, Scope(budgets), OPERAND)
                case nodes.Train(settings=settings):
                    self.recipes.train(settings)
                case nodes.Input():
                    pass
