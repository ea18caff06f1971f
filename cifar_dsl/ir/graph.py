"""What a spec means, as plain immutable data: the graph of layers and the training recipe.

Nothing here knows what any layer does. Everything downstream (counter, module builder, tables, pictures)
walks these objects, and the fingerprint is a hash of them.
"""

import json
from collections.abc import Iterable
from functools import cached_property
from math import prod
from typing import Union

import attrs
from attrs import field, frozen

from cifar_dsl.language.source import Span


class Symbol(str):
    """A bare word used as a value: `same`, `none`."""

    __slots__ = ()


class Size(tuple[int, ...]):
    """A literal such as `3x3` or `3x32x32`."""

    __slots__ = ()

    def __str__(self) -> str:
        return "x".join(map(str, self))


Value = Union[int, float, bool, str, tuple["Value", ...], "Call"]

_FINGERPRINT_FORMAT = 2  # raised when the same text begins to mean another computation


@frozen
class Shape:
    """Extents of one sample's tensor without its batch.

    (C, H, W) for images, (F,) for features, (T, D) for T tokens of D features each.
    """

    extents: tuple[int, ...]

    def __str__(self) -> str:
        return "x".join(map(str, self.extents))

    @property
    def elements(self) -> int:
        """How many numbers the tensor holds."""
        return prod(self.extents)

    @property
    def is_image(self) -> bool:
        """Whether it has channels, height and width."""
        return len(self.extents) == 3

    @property
    def is_tokens(self) -> bool:
        """Whether it is a sequence of tokens."""
        return len(self.extents) == 2

    @property
    def channels(self) -> int:
        """Channels of an image, features of a vector or of each token."""
        return self.extents[-1] if self.is_tokens else self.extents[0]


@frozen
class Call:
    """A name with its arguments, all of them, defaults included, in the order of the declaration.

    `defaults` names those that are as the declaration has them anyway. They don't enter the fingerprint, so
    that an argument which the language gains later changes no identity.
    """

    name: str
    arguments: tuple[tuple[str, Value], ...] = ()
    defaults: frozenset[str] = field(default=frozenset(), eq=False, repr=False)

    def keywords(self) -> dict[str, Value]:
        """The arguments by name."""
        return dict(self.arguments)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name


@frozen
class Parameter:
    """A tensor that a layer owns: a trained parameter, or a buffer such as a running mean.

    `initial` names how it is filled at first: uniform(bound), constant(value) ... `kind` is what `train` may
    select it by: filter, matrix, bias, scale, embedding, or buffer. A frozen one keeps its first values.
    """

    name: str
    shape: tuple[int, ...]
    initial: Call
    kind: str
    is_frozen: bool = False

    @property
    def is_buffer(self) -> bool:
        """Whether it is kept beside the parameters and never trained."""
        return self.kind == "buffer"

    @property
    def elements(self) -> int:
        """How many numbers the tensor holds."""
        return prod(self.shape)


@frozen
class Cost:
    """What a graph or a part of it costs for one image.

    `parameters`: numbers in weights, frozen ones included. `macs`: multiply-accumulates of convolutions, dense
    layers and attention. What memory it takes: `memory.kept_bytes`.
    """

    parameters: int = 0
    macs: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.macs + other.macs)


@frozen
class Node:
    """One layer in its place.

    `path` is the stable name of the stage, and the prefix of its weights' names. `inputs` are numbers of
    values: 0 is the graph's input, k+1 the output of node k. `span` is where the spec says it.
    """

    path: str
    call: Call
    inputs: tuple[int, ...]
    shape: Shape
    cost: Cost
    parameters: tuple[Parameter, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Scope:
    """A part of the graph that has a name of its own.

    `kind` is block (a call), join, branch, let (a named tensor) or part (a loop or condition with a name). The
    nodes whose paths begin with `path` belong to it; `label` is how the spec says it; `output` is the number of
    a value, as in `Node`. `span` is where the spec says a block's call.
    """

    path: str
    kind: str
    label: str
    output: int
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen(slots=False)
class Graph:
    """The network: nodes in an order in which they can be computed, and the value that is its output."""

    input: Shape
    nodes: tuple[Node, ...]
    scopes: tuple[Scope, ...]
    output: int

    def shape_of(self, value: int) -> Shape:
        """Shape of a value: 0 is the input, k+1 the output of node k."""
        return self.input if value == 0 else self.nodes[value - 1].shape

    @cached_property
    def cost(self) -> Cost:
        """Parameters and multiply-accumulates of the whole network, for one image."""
        return sum((node.cost for node in self.nodes), Cost())

    def cost_of(self, nodes: Iterable[int]) -> Cost:
        """What some of its nodes cost together; they are named by their indices."""
        return sum((self.nodes[index].cost for index in nodes), Cost())


@frozen
class Group:
    """Parameters that are trained in a way of their own.

    `select`: kinds of parameters and patterns of their paths; any one suffices. `epochs`: how long they are
    trained, after which they stay as they are; None is to the end.
    """

    name: str
    select: tuple[str, ...]
    optimizer: Call
    schedule: Call
    epochs: int | float | None = None


@frozen
class Recipe:
    """How the network is trained: all that decides the result, but the seed.

    A field that has a default here came to the language later; it enters the fingerprint where it differs.
    """

    data: Call
    normalize: Call
    augment: tuple[Call, ...]
    epochs: int | float
    batch: int
    optimizer: Call
    schedule: Call
    loss: Call
    clip: Call
    precision: str
    drop_last: bool = False
    average: tuple[Call, ...] = ()
    test_augment: tuple[Call, ...] = ()
    groups: tuple[Group, ...] = ()
    validation: int = 0


def fingerprint(graph: Graph, recipe: Recipe | None) -> str:
    """Twelve hexadecimal digits that stand for the meaning: equal for equal graphs and recipes.

    Layout, comments, the spec's name and the use of `extends` don't enter.
    """
    import hashlib  # brings OpenSSL along, which `check` need not wait for

    meaning = {
        "format": _FINGERPRINT_FORMAT,
        "input": graph.input.extents,
        "nodes": [(node.path, _plain(node.call), node.inputs) for node in graph.nodes],
        "output": graph.output,
        "recipe": recipe and _recipe_meaning(recipe),
    }
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _recipe_meaning(recipe: Recipe) -> dict[str, object]:
    values = ((info, getattr(recipe, info.name)) for info in attrs.fields(Recipe))
    return {info.name: _plain(value) for info, value in values if value != info.default}


def _plain(value: Call | Group | Value | None) -> object:
    match value:
        case Call(name=name, arguments=arguments):
            return [name, *([key, _plain(argument)] for key, argument in arguments if key not in value.defaults)]
        case Group():
            # What a group is called means nothing.
            return [_plain(part) for part in (value.select, value.optimizer, value.schedule, value.epochs)]
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value
