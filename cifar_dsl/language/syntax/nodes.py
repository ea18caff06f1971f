"""The syntax tree: frozen nodes, each with the span of its text.

Equality ignores spans.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform

from cifar_dsl.foundation.records import evolve, field, fields_of, frozen, is_record
from cifar_dsl.language.source import Span

SPAN: Any = field(eq=False)
_VALUES = (str, int, bool, int | float, tuple[int, ...], tuple[str, ...])  # types of fields that hold no nodes
T = TypeVar("T")


def _repr(self: Any) -> str:
    shown = (f"{a.name}={getattr(self, a.name)!r}" for a in fields_of(type(self)) if a.name != "span")
    return f"{type(self).__name__}({', '.join(shown)})"


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def node(cls: type[T]) -> type[T]:
    """Make a frozen class. All classes share one `__repr__`, since generating one for each slows every start."""
    cls.__repr__ = _repr  # type: ignore[method-assign]
    return frozen(repr=False)(cls)


def children(node: object) -> tuple[Any, ...]:
    """The fields of a node that can hold nodes, or the items of a tuple; none for values."""
    cls: Any = type(node)
    return children_of(cls)(node)


def nothing(_: object) -> tuple[Any, ...]:
    """The children of a node that can hold none."""
    return ()


@cache
def children_of(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The function that lists the children of the nodes of a class; `nothing` if they have none.

    Walks through large trees call it themselves, since most nodes have no children.
    """
    if issubclass(cls, tuple):
        return tuple
    fields = fields_of(cls) if is_record(cls) and cls is not Span else ()
    names = [a.name for a in fields if a.name != "span" and a.type not in _VALUES]
    if not names:
        return nothing
    get: Callable[[Any], Any] = attrgetter(*names)
    return get if len(names) > 1 else lambda node: (get(node),)


def inside(items: Iterable[object], kind: type[T] | tuple[type[T], ...]) -> Iterator[T]:
    """Every node of this kind, or of one of several, among and inside the items.

    They come in no particular order, except that a node comes before those inside it.
    """
    kinds: tuple[Any, ...] = kind if isinstance(kind, tuple) else (kind,)
    skipped = _EXPRESSIONS if _IN_BODIES.issuperset(kinds) else _NONE
    waiting: list[object] = list(items)
    while waiting:
        node = waiting.pop()
        cls: Any = type(node)
        if isinstance(node, kind):
            yield node
        if cls in _ITEMS:
            yield from _content(node).of(kind)
        elif cls not in skipped and (list_children := children_of(cls)) is not nothing:
            waiting += list_children(node)


@frozen
class _Content:
    """Every node inside an item of a file, before those inside it. `places` has those of each class."""

    nodes: list[Any]
    places: dict[Any, list[int]]

    def of(self, kind: type[T] | tuple[type[T], ...]) -> list[T]:
        """The nodes of a kind, or of one of several."""
        found = [places for cls, places in self.places.items() if issubclass(cls, kind)]
        return [self.nodes[place] for place in sorted(place for places in found for place in places)]


def _content(item: object) -> _Content:
    """The nodes inside an item, which keeps them: a check asks ten times, and a large model has thousands of nodes.

    The item itself isn't among them, so that it is freed as soon as nothing uses it.
    """
    kept = vars(item)
    if "_content" not in kept:
        found: list[Any] = []
        places: dict[Any, list[int]] = {}
        waiting: list[Any] = [*children(item)]
        while waiting:
            node = waiting.pop()
            cls: Any = type(node)
            list_children = children_of(cls)
            if list_children is not tuple:
                places.setdefault(cls, []).append(len(found))
                found.append(node)
            if list_children is not nothing:
                waiting += list_children(node)
        kept["_content"] = _Content(found, places)
    content: _Content = kept["_content"]
    return content


def replace(node: T, **changes: Any) -> T:
    """A copy of a node with some fields changed."""
    return cast("T", evolve(cast("Any", node), **changes))


@node
class Identifier:
    """A name where it is defined or referred to."""

    text: str
    span: Span = SPAN

    def __str__(self) -> str:
        return self.text


# ---- expressions


@node
class Number:
    """`64`, `1e-3`, `50_000`, `5M`. `text` is how it was written."""

    value: int | float
    text: str = field(eq=False)
    span: Span = SPAN


@node
class SizeLiteral:
    """`3x3`, `3x32x32`."""

    extents: tuple[int, ...]
    span: Span = SPAN


@node
class String:
    """Quoted text."""

    value: str
    span: Span = SPAN


@node
class Truth:
    """`true` or `false`."""

    value: bool
    span: Span = SPAN


@node
class Name:
    """A bare word: a value, a symbol such as `same`, a layer without arguments, a named tensor."""

    text: str
    span: Span = SPAN


@node
class Argument:
    """`3` or `pad=1`."""

    keyword: Identifier | None
    value: "Expression"
    span: Span = SPAN


@node
class Axes:
    """`c, h * 2, 1`: the axes of one tensor in a pattern, as they are written."""

    items: tuple["Expression", ...]
    span: Span = SPAN


@node
class Pattern:
    """`c, h, w -> 1, h, w`: the axes of each tensor that enters, and those wanted."""

    inputs: tuple[Axes, ...]
    output: Axes
    span: Span = SPAN


@node
class CallExpression:
    """`name(argument, key=value)`: a layer, a block, a function, an optimizer."""

    callee: Identifier
    arguments: tuple[Argument, ...]
    span: Span = SPAN

    @property
    def pattern(self) -> Pattern | None:
        """The pattern before the arguments."""
        return None


@node
class PatternCall(CallExpression):
    """`name(axes -> axes, key=value)`; its arguments are the extents of axes, all with keywords."""

    axes: Pattern = field(kw_only=True)

    @property
    def pattern(self) -> Pattern:
        """The pattern before the arguments."""
        return self.axes


@node
class Sequence:
    """`[a, b]` or `(a, b)`, which mean the same."""

    items: tuple["Expression", ...]
    is_tuple: bool = field(eq=False)
    span: Span = SPAN


@node
class Prefixed:
    """`-x` or `not x`; `count` is the number of repeated operators."""

    operator: str
    count: int
    operand: "Expression"
    span: Span = SPAN


@node
class Operation:
    """Operators of one level of precedence, applied from the left: `a + b - c`."""

    operands: tuple["Expression", ...]
    operators: tuple[str, ...]
    span: Span = SPAN


@node
class Conditional:
    """`a if p else b if q else c`: `arms` are (value, condition)."""

    arms: tuple[tuple["Expression", "Expression"], ...]
    otherwise: "Expression"
    span: Span = SPAN


@node
class Slice:
    """`start:stop:step` in brackets; None means the start or end of the whole, or a step of 1."""

    start: "Expression | None"
    stop: "Expression | None"
    step: "Expression | None"
    span: Span = SPAN


@node
class Places:
    """`:, 1::2, 1::2` in brackets: of a tensor, one slice for each axis."""

    items: tuple["Expression | Slice", ...]
    span: Span = SPAN


@node
class Index:
    """`values[i]`, `values[i][j]`, or `values[1:]`; of a tensor, a slice of its channels, or of every axis."""

    value: "Expression"
    indices: tuple["Expression | Slice | Places", ...]
    span: Span = SPAN


@node
class Missing:
    """A missing expression. Only in trees of `parse_recovering`, where it can replace any `Expression`."""

    span: Span = SPAN


Expression = (
    Number
    | SizeLiteral
    | String
    | Truth
    | Name
    | CallExpression
    | Sequence
    | Prefixed
    | Operation
    | Conditional
    | Index
)


# ---- stages


@node
class Body:
    """Stages that follow each other."""

    stages: tuple["Stage", ...]
    span: Span = SPAN


@node
class Branched:
    """`add { a | b }`, `windows(4) { a }`, `concat for k in [1, 3] { a }`: a name or a call with branches.

    A loop instead of branches makes one in each round.
    """

    head: Name | CallExpression
    branches: "tuple[Body, ...] | For"
    span: Span = SPAN

    @property
    def name(self) -> Identifier:
        """What takes the branches."""
        head = self.head
        return Identifier(head.text, head.span) if isinstance(head, Name) else head.callee

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The bodies of its branches in the text."""
        return (self.branches.body,) if isinstance(self.branches, For) else self.branches


@node
class For:
    """`for targets in start { }`, or `for targets in start..stop { }`."""

    targets: tuple[Identifier, ...]
    start: Expression
    stop: Expression | None
    body: Body
    span: Span = SPAN


@node
class Repeat:
    """`repeat count { }`."""

    count: Expression
    body: Body
    span: Span = SPAN


@node
class If:
    """`if p { } else if q { } else { }`: `arms` are (condition, body)."""

    arms: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None
    span: Span = SPAN


Compound = Branched | For | Repeat | If


@node
class ShapeClaim:
    """`: 64x13x13` after a stage, checked against the shape of its output."""

    extents: tuple[int, ...]
    span: Span = SPAN


@node
class Element:
    """One element of a chain, with its optional name (`as`) and stated shape (`:`)."""

    kind: Expression | Compound
    label: Identifier | None
    claim: ShapeClaim | None
    span: Span = SPAN


@node
class Chain:
    """`a -> b -> c`."""

    elements: tuple[Element, ...]
    span: Span = SPAN


@node
class Let:
    """`let name = chain`, `let (a, b) = chain`: defines a tensor or a value, or one for each item of a list."""

    targets: tuple[Identifier, ...]
    chain: Chain
    span: Span = SPAN


@node
class Assignment:
    """`name = chain`, `(a, b) = chain`: reassigns a named tensor or list, or one for each item of a list."""

    targets: tuple[Identifier, ...]
    chain: Chain
    span: Span = SPAN


Stage = Let | Assignment | Chain


# Nodes that no expression contains, and expressions, which are most of a tree.
_IN_BODIES = frozenset([Body, Let, Assignment, Chain, Element, Branched, For, Repeat, If])
_EXPRESSIONS: frozenset[object] = frozenset([*Expression.__args__, PatternCall])
_NONE: frozenset[object] = frozenset()


# ---- items of a file


@node
class Base:
    """The base of a spec: a file, by its path relative to the spec, or a shipped spec, by its bare name."""

    name: str
    is_file: bool
    span: Span = SPAN


@node
class Header:
    """`arch name extends "base.arch"`, or `library name`."""

    name: Identifier
    base: Base | None
    is_library: bool
    span: Span = SPAN


@node
class Input:
    """`input 3x32x32`."""

    size: SizeLiteral
    span: Span = SPAN


@node
class Param:
    """`param name = value`."""

    name: Identifier
    value: Expression
    span: Span = SPAN


@node
class BlockParameter:
    """A parameter of a block, with its allowed types or words (any value if empty) and its default."""

    name: Identifier
    types: tuple[Identifier, ...]
    default: Expression | None
    span: Span = SPAN

    @property
    def is_for_block(self) -> bool:
        """Whether its type is `block`, so that a branch of a call can be its value."""
        return any(one.text == "block" for one in self.types)

    @property
    def may_be_tensor(self) -> bool:
        """Whether its type, if any, accepts tensors, or lists of them."""
        return not self.types or any(one.text in {"tensor", "list"} for one in self.types)


@node
class Block:
    """`block name(parameters) { }`."""

    name: Identifier
    parameters: tuple[BlockParameter, ...]
    body: Body
    span: Span = SPAN

    def parameter(self, name: str) -> BlockParameter | None:
        """The parameter with this name; the first of several."""
        return self._by_name.get(name)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(parameter.name.text for parameter in self.parameters)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the parameters without a default."""
        return tuple(parameter.name.text for parameter in self.parameters if parameter.default is None)

    @cached_property
    def _by_name(self) -> dict[str, BlockParameter]:
        return {parameter.name.text: parameter for parameter in reversed(self.parameters)}


@node
class Model:
    """`model { }`."""

    body: Body
    span: Span = SPAN


@node
class Setting:
    """`batch 64` in `train`; `target` has several parts for a single argument: `optimizer.lr 1e-3`."""

    target: tuple[Identifier, ...]
    chain: Chain
    span: Span = SPAN


@node
class Group:
    """`group name { }` in `train`: parameters with their own optimizer or schedule."""

    name: Identifier
    settings: tuple[Setting, ...]
    span: Span = SPAN


@node
class Train:
    """`train { }`."""

    settings: tuple[Setting | Group, ...]
    span: Span = SPAN


@node
class Assertion:
    """`assert params <= 130_000`."""

    condition: Expression
    span: Span = SPAN


Item = Input | Param | Block | Model | Train | Assertion
_ITEMS: frozenset[object] = frozenset(Item.__args__)


@node
class Spec:
    """One file. `size` is the number of nodes and values in its tree, 0 if it wasn't read from a text."""

    header: Header
    items: tuple[Item, ...]
    span: Span = SPAN
    size: int = field(default=0, eq=False)


@node
class Override:
    """One `--set`: of a param, of a setting of `train` (`in_train`), or of a setting of a group (`in_group`)."""

    in_train: bool
    in_group: bool
    target: tuple[Identifier, ...]
    chain: Chain
    span: Span = SPAN

    @property
    def path(self) -> str:
        """The full name of the target: `train.optimizer.lr`."""
        return ".".join([*["train"] * self.in_train, *["group"] * self.in_group, *map(str, self.target)])


@node
class Axis:
    """One `--set` of a sweep: the override with its first value, and all values."""

    override: Override
    values: tuple[Chain, ...]
    span: Span = SPAN


def callees(chain: Chain) -> list[str]:
    """The names of all layers and blocks that a chain uses directly."""
    found = []
    for element in chain.elements:
        if isinstance(element.kind, Name):
            found.append(element.kind.text)
        elif isinstance(element.kind, CallExpression):
            found.append(element.kind.callee.text)
    return found


def references(items: Iterable[object]) -> set[str]:
    """Every name that the items or expressions mention."""
    mentions: Iterator[Name | CallExpression] = inside(items, (Name, CallExpression))
    return {node.text if isinstance(node, Name) else node.callee.text for node in mentions}


def bound_names(items: Iterable[object]) -> set[str]:
    """Every name defined inside the items: block parameters, lets and loop targets."""
    found: set[str] = set()
    definitions: Iterator[Let | BlockParameter | For] = inside(items, (Let, BlockParameter, For))
    for node in definitions:
        if isinstance(node, Let | For):
            found.update(target.text for target in node.targets)
        else:
            found.add(node.name.text)
    return found
