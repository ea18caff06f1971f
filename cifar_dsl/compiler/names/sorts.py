"""The sorts of value that a name can have, as far as the text decides them, and the sorts that fit a place.

Both are supersets: a definition whose sort is unknown fits every place. So a name passes over a definition only if that
definition would be an error in its place (docs/decisions/0042-a-name-is-what-fits.md).
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache
from typing import Any, Literal, cast, get_args

from cifar_dsl.compiler.builtin_names import FUNCTIONS
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Kind, arguments_of
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.argument_types import (
    Bool,
    Choice,
    Extents,
    Float,
    Int,
    ListOf,
    OneOf,
    Pair,
    Pattern,
    Stage,
    Text,
)
from cifar_dsl.operations.layers import value_registry
from cifar_dsl.operations.registry import CallOf

Sort = Literal[
    "number",
    "bool",
    "size",
    "list",
    "text",
    "word",
    "initialiser",
    "weight function",
    "layer",
    "block",
    "branching",
    "tensor",
]
Sorts = frozenset[Sort]


def _sorts(*sorts: Sort) -> Sorts:
    return frozenset(sorts)


ANY: Sorts = frozenset(get_args(Sort))
CALLABLE = _sorts("block", "layer")
BRANCHING = _sorts("branching")  # what takes branches: joins, scopes, and blocks with parameters for blocks
TENSOR = _sorts("tensor")
LIST = _sorts("list")
BLOCK = _sorts("block")
NUMBER = _sorts("number")
VALUES = ANY - TENSOR  # what a param, a loop variable or the item of a list can be
_WORDS = _sorts("word", "layer")  # a layer's bare name is a word, too
_OF_TYPES = {
    "int": NUMBER,
    "float": NUMBER,
    "bool": _sorts("bool"),
    "size": _sorts("number", "size", "list"),
    "list": _sorts("list"),
    "block": CALLABLE | BRANCHING,
    "tensor": TENSOR,
    "init": _WORDS | _sorts("initialiser"),
}


@frozen
class Place:
    """The sorts of value that fit a place, and the items of a list that is written there."""

    sorts: Sorts = ANY
    items: Sorts = ANY


ANYWHERE = Place()
STAGE = Place(CALLABLE | TENSOR)
HEAD = Place(BRANCHING)  # of branches
OPERAND = Place(VALUES - CALLABLE - BRANCHING)  # of an operator or a function, a condition, a count
INDEXED = Place(LIST)
SLICED = Place(_sorts("list", "tensor"))  # `x[:16]` as a stage
PATTERNED = Place(_sorts("layer"))  # a call with a pattern: only layers take patterns
EXTENT = Place(NUMBER)  # of an axis in a product
NO_VALUE: Sorts = frozenset()  # of an axis


# ---- of places


def place_of_types(types: Sequence[nodes.Identifier]) -> Place:
    """The place of an argument for a block's parameter of these types."""
    return Place(of_types(types))


def places_of_arguments(declaration: type[Declaration]) -> dict[str, Place]:
    """The places of the arguments of a declaration, by name, in order."""
    return _places_of_arguments(cast("Hashable", declaration))


@cache
def _places_of_arguments(declaration: Any) -> dict[str, Place]:
    return {info.name: place_of_kind(info.kind) for info in arguments_of(declaration)}


def place_of_kind(kind: Kind | None) -> Place:
    """The place of an argument or a setting of this type."""
    return Place(_accepted(kind), _accepted(_item(kind)))


def _item(kind: Kind | None) -> Kind | None:
    """The type of the items of a list, if a type accepts lists of one type."""
    if isinstance(kind, OneOf):
        return next(filter(None, map(_item, kind.kinds)), None)
    return kind.item if isinstance(kind, ListOf) else None


def _accepted(kind: Kind | None) -> Sorts:
    match kind:
        case Int() | Float():
            return NUMBER
        case Bool():
            return _sorts("bool")
        case Stage():
            return CALLABLE | BRANCHING
        case Pair() | Extents():
            return _sorts("number", "size", "list")
        case Choice():
            return _WORDS
        case Text() | Pattern():
            return _sorts("text", "word", "layer")
        case CallOf():
            return _WORDS | _sorts(cast("Sort", kind.registry.noun))
        case ListOf():
            return _sorts("list") | _accepted(kind.item)
        case OneOf():
            return _union(map(_accepted, kind.kinds))
        case _:
            return ANY


# ---- of definitions


def of_kind(kind: str) -> Sorts:
    """The sorts of a definition of the language, from its kind."""
    match kind:
        case "layer":
            return _sorts("layer")
        case "join" | "scope":
            return BRANCHING
        case "word":
            return _sorts("word")
        case "flow" | "dataset" | "budget":
            return NUMBER
        case _:
            return ANY


def of_block(block: nodes.Block) -> Sorts:
    """The sorts of a block."""
    return BLOCK | BRANCHING if any(one.is_for_block for one in block.parameters) else BLOCK


def of_types(types: Sequence[nodes.Identifier]) -> Sorts:
    """The sorts of a block's parameter."""
    return _union(_OF_TYPES.get(one.text, _WORDS) for one in types) if types else ANY


def of_value(node: object) -> Sorts:
    """The sorts of the value of an expression."""
    match node:
        case nodes.Number():
            return NUMBER
        case nodes.Truth():
            return _sorts("bool")
        case nodes.SizeLiteral():
            return _sorts("size")
        case nodes.String():
            return _sorts("text")
        case nodes.Sequence():
            return _sorts("list")
        case nodes.Prefixed(operator=operator):
            return _sorts("bool") if operator == "not" else NUMBER
        case nodes.Operation(operators=operators):
            return _sorts("number", "list") if set(operators) <= set("+-*/%") | {"//"} else _sorts("bool")
        case nodes.Conditional(arms=arms, otherwise=otherwise):
            return _union(map(of_value, (*(chosen for chosen, _ in arms), otherwise)))
        case nodes.CallExpression(callee=callee):
            if callee.text in FUNCTIONS:
                return NUMBER
            registry = value_registry(callee.text)
            return _sorts(cast("Sort", registry.noun)) if registry else VALUES
        case _:
            return VALUES


def of_chain(chain: nodes.Chain) -> Sorts:
    """The sorts of what a chain gives, as far as it decides them itself: a list or a tensor."""
    is_alone = len(chain.elements) == 1 and chain.elements[0].label is None
    kind = chain.elements[-1].kind
    return LIST if is_alone and isinstance(kind, nodes.Sequence | nodes.Operation) else TENSOR


def may_give_list(
    chain: nodes.Chain, block: Callable[[str], nodes.Block | None], seen: frozenset[str] = frozenset()
) -> bool:
    """Whether the output of stages is a list of tensors in some calls, from the ends of the bodies that they run.

    No text that was written before lists of tensors ends so. `block` finds a block by its name.
    """
    kind = chain.elements[-1].kind
    bodies: Sequence[nodes.Body | None] = ()
    match kind:
        case nodes.Sequence() | nodes.Operation():
            return True
        case nodes.For(body=body) | nodes.Repeat(body=body):
            bodies = (body,)
        case nodes.If(arms=arms, otherwise=otherwise):
            bodies = (*(body for _, body in arms), otherwise)
        case nodes.Name() | nodes.CallExpression() | nodes.Branched():
            head = kind.head if isinstance(kind, nodes.Branched) else kind
            name = head.text if isinstance(head, nodes.Name) else head.callee.text
            called = None if name in seen else block(name)
            bodies, seen = (called.body if called else None,), seen | {name}
        case _:
            pass
    return any(_ends_with_list(body, block, seen) for body in bodies if body and body.stages)


def _ends_with_list(body: nodes.Body, block: Callable[[str], nodes.Block | None], seen: frozenset[str]) -> bool:
    *before, last = body.stages
    if not isinstance(last, nodes.Chain):
        return False
    match last.elements:
        case [nodes.Element(kind=nodes.Name(text=text))]:
            lists = (one for one in before if isinstance(one, nodes.Let) and of_chain(one.chain) == LIST)
            if any(text == target.text for one in lists for target in one.targets):
                return True
        case _:
            pass
    return may_give_list(last, block, seen)


def of_target(loop: nodes.For, place: int) -> Sorts:
    """The sorts of a loop variable, the one at this place of its targets."""
    if loop.stop:
        return NUMBER
    items: Sequence[object] = loop.start.items if isinstance(loop.start, nodes.Sequence) else ()
    if len(loop.targets) > 1:
        if not all(isinstance(one, nodes.Sequence) and len(one.items) == len(loop.targets) for one in items):
            return VALUES
        items = [one.items[place] for one in items if isinstance(one, nodes.Sequence)]
    return _union(map(of_value, items)) if items else VALUES


def named(sorts: Sorts) -> Sorts:
    """The sorts of `let y = x`, from those of x: of a layer or block, y is the tensor that it makes."""
    return sorts - CALLABLE - BRANCHING | TENSOR if sorts & CALLABLE else sorts


def _union(parts: Iterable[Any]) -> Sorts:
    return frozenset().union(*parts)
