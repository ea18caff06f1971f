"""The local names at one place of a text, and the names of the language."""

from collections.abc import Callable
from functools import cache
from itertools import islice

from cifar_dsl.compiler.builtin_names import BUDGETS
from cifar_dsl.compiler.names.sorts import of_kind
from cifar_dsl.compiler.names.table import Definition, Kind
from cifar_dsl.foundation.records import field, frozen


@frozen
class Scope:
    """The local names at one place; `has_flow`: there is a current tensor.

    `closed_by` is what takes the branch of this scope, if the branch can't assign to names outside of it.
    """

    names: dict[str, Definition] = field(factory=dict)
    has_flow: bool = False
    outer: "Scope | None" = None
    closed_by: str = ""

    def inner(self, closed_by: str = "") -> "Scope":
        """A nested scope."""
        return Scope({}, self.has_flow, self, closed_by)

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
        scope: Scope | None = self
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
        scope: Scope | None = self
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
def of_language(kind: Kind, name: str, owner: str = "") -> Definition:
    """The definition of a name of the language. `owner`: what it is an argument or a choice of."""
    return Definition(kind, name, owner, sorts=of_kind(kind))
