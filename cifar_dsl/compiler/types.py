"""Types of block parameters: `c: int`, `act: block = relu`, `mode: none | before | after`."""

from collections.abc import Callable, Iterable, Sequence

from cifar_dsl.compiler.values import BlockValue, Bound, Tensor
from cifar_dsl.foundation.text import alternatives
from cifar_dsl.ir import Size, Symbol
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import INITIALIZERS, LAYERS
from cifar_dsl.operations.layers.initializer import Initializer


def _is_int(value: Bound) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_size(value: Bound) -> bool:
    """Whether a value is an integer or a size, written `3x3` or worked out: `(k, 1)`."""
    extents = value if isinstance(value, tuple) else (value,)
    return bool(extents) and all(map(_is_int, extents))


def is_stage(value: object) -> bool:
    """Whether a value is a stage: a block, or a layer by its name."""
    return isinstance(value, BlockValue) or (isinstance(value, Symbol) and value in LAYERS)


_TYPES: dict[str, tuple[str, Callable[[Bound], bool]]] = {
    "int": ("an integer", _is_int),
    "float": ("a number", lambda value: _is_int(value) or isinstance(value, float)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "size": ("an integer or a size such as 3x3", _is_size),
    "list": ("a list", lambda value: isinstance(value, tuple) and not isinstance(value, Size)),
    "block": ("a block or a layer", is_stage),
    "tensor": ("a named tensor", lambda value: isinstance(value, Tensor)),
    "init": (
        "an initialiser",
        lambda value: isinstance(value, Initializer) or (isinstance(value, Symbol) and value in INITIALIZERS),
    ),
}
TYPES = tuple(_TYPES)


def fits(value: Bound, types: Sequence[nodes.Identifier]) -> bool:
    """Whether a value has one of the types or is one of the words. Without types, every value fits."""
    if not types:
        return True
    return any(
        _TYPES[one.text][1](value) if one.text in _TYPES else isinstance(value, Symbol) and value == one.text
        for one in types
    )


def describe_types(types: Sequence[nodes.Identifier]) -> str:
    """The types in words, for messages."""
    return alternatives([_TYPES[one.text][0] if one.text in _TYPES else f"`{one}`" for one in types])


def words(blocks: Iterable[nodes.Block]) -> frozenset[str]:
    """The bare words among the parameter types of these blocks."""
    return frozenset(
        one.text
        for block in blocks
        for parameter in block.parameters
        for one in parameter.types
        if one.text not in _TYPES
    )
