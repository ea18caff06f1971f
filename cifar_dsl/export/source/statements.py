"""What a printed class holds: calls that make modules, assigned to names, in loops and under conditions."""

from collections.abc import Iterator

from cifar_dsl.export.source.expressions import Expression, variables
from cifar_dsl.export.source.parts import Key, Part
from cifar_dsl.foundation.records import define, field, frozen


@frozen
class ModuleCall:
    """A call that makes a module: of torch's or this package's class (`target`), or of the class of a unit.

    `steps` are the stages of a module that is written in place: a chain, or the branches of a join and the join.
    `functions` has the targets of arguments that are made by a call, whose own `arguments` have their names in front.
    `is_join`: a join whose branches get the same input; `is_join_of_inputs`: each gets its own.
    `is_chain_of_inputs`: a chain whose first stage takes several inputs.
    """

    target: str = ""
    version: "Version | None" = None
    arguments: tuple[tuple[str, Expression], ...] = ()
    functions: tuple[tuple[str, str], ...] = ()
    steps: "tuple[tuple[str, ModuleCall], ...]" = ()
    is_join: bool = False
    is_join_of_inputs: bool = False
    is_chain_of_inputs: bool = False
    has_tensors: bool = False


@frozen
class Assign:
    """A stage: its name, the module, and the shape after it, if that is the same in all expansions.

    Without what `test` says, the stage passes its input on.
    """

    name: str
    call: ModuleCall
    shape: str = ""
    test: Expression | None = None


@frozen
class Loop:
    """Stages that repeat: `count` rounds of stages whose names are (base, first number, difference)."""

    count: Expression
    stages: tuple[tuple[tuple[str, int, int], ModuleCall], ...]


@frozen
class Condition:
    """Stages that depend on a condition."""

    test: Expression
    chosen: "tuple[Statement, ...]"
    otherwise: "tuple[Statement, ...]"


Statement = Assign | Loop | Condition


@define(eq=False)
class Version:
    """A class: of all parts of a unit, or of those with one structure."""

    unit: "Unit"
    parts: list[Part]
    statements: tuple[Statement, ...] = ()
    parameters: list[str] = field(factory=list)
    new: set[str] = field(factory=set)
    name: str = ""

    @property
    def is_chain(self) -> bool:
        """Whether the module runs its stages in order."""
        return all(part.is_chain for part in self.parts)

    def calls(self) -> "Iterator[ModuleCall]":
        """All calls in it."""
        waiting = [call for statement in self.statements for call in calls_in(statement)]
        while waiting:
            call = waiting.pop()
            yield call
            waiting += [inner for _, inner in call.steps]


@define(eq=False)
class Unit:
    """The expansions of one place of the text."""

    key: Key
    parts: list[Part]
    versions: list[Version] = field(factory=list)
    version_of: dict[int, Version] = field(factory=dict)  # by the identity of a part
    is_inline: bool = False
    is_lone: bool = False  # whether it is a single stage without weights, in whose place it is written

    @property
    def block(self) -> str:
        """The name of the block that it is, or lies in; empty for the model."""
        first = next(iter(self.key), "")
        return str(self.key[1]) if first == "block" else ""


def names_in(statement: Statement) -> Iterator[str]:
    """The names in the expressions of a statement."""
    match statement:
        case Assign(call=call, test=test):
            yield from _names_of(call)
            yield from variables(test) if test is not None else ()
        case Loop(count=count, stages=stages):
            yield from variables(count)
            for _, call in stages:
                yield from _names_of(call)
        case Condition(test=test, chosen=chosen, otherwise=otherwise):
            yield from variables(test)
            for inner in (*chosen, *otherwise):
                yield from names_in(inner)


def assigned_in(statement: Statement) -> Iterator[Assign]:
    """The stages of a statement that are assigned to a name, in order."""
    match statement:
        case Assign():
            yield statement
        case Condition(chosen=chosen, otherwise=otherwise):
            for inner in (*chosen, *otherwise):
                yield from assigned_in(inner)


def calls_in(statement: Statement) -> Iterator[ModuleCall]:
    """The calls of a statement, without those inside them."""
    match statement:
        case Assign(call=call):
            yield call
        case Loop(stages=stages):
            yield from (call for _, call in stages)
        case Condition(chosen=chosen, otherwise=otherwise):
            for inner in (*chosen, *otherwise):
                yield from calls_in(inner)


def _names_of(call: ModuleCall) -> Iterator[str]:
    for _, expression in call.arguments:
        yield from variables(expression)
    for _, inner in call.steps:
        yield from _names_of(inner)
