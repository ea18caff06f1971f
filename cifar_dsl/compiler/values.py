"""Values and scopes of names during expansion."""

from collections.abc import Iterator
from typing import TypeGuard

from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.ir import DECLARED_KINDS, Declaration, Scope, Shape, Size, Symbol, Value
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS


@define(eq=False)
class Tie:
    """What the uses of a tied block have in common: the weights of `first`, which is None before the first use."""

    first: Scope | None = None


@frozen
class BlockValue:
    """A block, which can be called and passed as an argument.

    `scope` is where a branch is written that is one, and `tie` that of a tied block.
    """

    block: nodes.Block = field(eq=id)
    scope: "ValueScope | None" = field(default=None, eq=id, repr=False)
    tie: Tie | None = field(default=None, eq=id, repr=False)


@frozen
class Tensor:
    """A tensor of the graph, by its index; `shape` is None after an error, to prevent follow-up errors."""

    number: int
    shape: Shape | None
    region: int = 0  # the body of `each` or `windows` whose parts it is of; 0: the whole image


@frozen
class Unknown:
    """The value of a name after an error. Evaluating the name fails without another error."""


Bound = Value | BlockValue | Tensor | tuple["Bound", ...]
Flow = Tensor | tuple[Tensor, ...]  # from stage to stage: a tensor, or the tensors of a list


def is_tensors(value: object) -> TypeGuard[tuple[Tensor, ...]]:
    """Whether a value is a list of tensors, which may be empty."""
    return isinstance(value, tuple) and all(isinstance(one, Tensor) for one in value)


def tensors(flow: Flow) -> tuple[Tensor, ...]:
    """The tensors that flow."""
    return (flow,) if isinstance(flow, Tensor) else flow


@define
class ValueScope:
    """Names and their values in one body or call; `parent` is the enclosing scope.

    `origins` maps some names to where their values are written: the argument of a call, the item of a list.
    Errors of a value are shown there.
    """

    parent: "ValueScope | None" = None
    values: dict[str, Bound | Unknown] = field(factory=dict)
    origins: dict[str, Span] = field(factory=dict)
    depth: int = field(init=False)  # the number of enclosing scopes

    def __attrs_post_init__(self) -> None:
        self.depth = 0 if self.parent is None else self.parent.depth + 1

    def scope_of(self, name: str, passed: int = 0) -> "ValueScope | None":
        """The innermost scope that defines `name` after `passed` others, or None."""
        scope: ValueScope | None = self
        while scope is not None:
            if name in scope.values:
                if not passed:
                    return scope
                passed -= 1
            scope = scope.parent
        return None

    def lookup(self, name: str, passed: int = 0) -> Bound | Unknown | None:
        """The value of `name` in `scope_of`, or None if there is none."""
        scope = self.scope_of(name, passed)
        return None if scope is None else scope.values[name]

    @property
    def root(self) -> "ValueScope":
        """The outermost scope."""
        return self if self.parent is None else self.parent.root

    def origin(self, expression: nodes.Expression) -> Span:
        """Where the value of an expression is written: for a name possibly elsewhere, else the expression itself."""
        if isinstance(expression, nodes.Name) and (scope := self.scope_of(expression.text)):
            return scope.origins.get(expression.text, expression.span)
        return expression.span


def describe(value: Bound) -> str:
    """A value in words, for messages: "the number 3", "a list"."""
    match value:
        case BlockValue(block=block, tie=tie):
            return f"the {'tied ' if tie else ''}block `{block.name}`"
        case Declaration():
            return f"`{value.name}(...)`"
        case Tensor():
            return "a tensor"
        case bool():
            return f"`{'true' if value else 'false'}`"
        case int() | float():
            return f"the number {value}"
        case Symbol():
            return f"the {'layer' if value in LAYERS else 'word'} `{value}`"
        case Size():
            return f"the size {value}"
        case tuple():
            return f"a list of {len(value)}"
        case _:
            return f'the text "{value}"'


_MOST_WRITTEN = 8  # items of a list
_MOST_CHARACTERS = 60  # of a text


_MOST_NESTED = 2  # lists in lists


def write(value: Bound, depth: int = 0) -> str:
    """A value in the syntax of specs; long lists and texts are shortened, since every call keeps its text."""
    if type(value) is int:  # most are
        return str(value)
    match value:
        case BlockValue(block=block):
            return block.name.text
        case Declaration():
            return value.brief()
        case Tensor():
            return "tensor"
        case bool():
            return "true" if value else "false"
        case Symbol() | Size():
            return str(value)
        case tuple() if depth >= _MOST_NESTED:
            return f"[... {len(value):,} values]"
        case tuple():
            more = [f"... {len(value):,} values"] if len(value) > _MOST_WRITTEN else []
            return f"[{', '.join([*(write(item, depth + 1) for item in value[:_MOST_WRITTEN]), *more])}]"
        case str():
            return f'"{value[:_MOST_CHARACTERS]}{"..." if len(value) > _MOST_CHARACTERS else ""}"'
        case _:
            return f"{value}"


def _all_symbols() -> Iterator[str]:
    for setting in (*SETTINGS.values(), *GROUP_SETTINGS.values()):
        if setting.kind:
            yield from setting.kind.symbols()
        if setting.registry:
            yield from setting.registry
    for kind in DECLARED_KINDS:
        yield from kind.symbols()
    yield "none"


SYMBOLS = frozenset(_all_symbols())  # all bare words that some argument or setting accepts
