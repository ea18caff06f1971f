"""What names stand for while a spec is expanded."""

from collections.abc import Iterator

from attrs import define, field, frozen

from cifar_dsl.ir import Shape, Size, Symbol, Value
from cifar_dsl.layers import LAYERS
from cifar_dsl.recipes import SETTINGS
from cifar_dsl.registry import arguments_of
from cifar_dsl.syntax import nodes


@frozen
class BlockValue:
    """A block, which may be called and passed as an argument."""

    block: nodes.Block


@frozen
class Tensor:
    """A value of the graph by its number; `shape` is None after an error, so that no error follows from it."""

    number: int
    shape: Shape | None


Bound = Value | BlockValue | Tensor


@define
class Environment:
    """Names and what they stand for; what isn't here is looked up in the parent."""

    parent: "Environment | None" = None
    names: dict[str, Bound] = field(factory=dict)

    def lookup(self, name: str) -> Bound | None:
        """What `name` stands for, or None."""
        scope: Environment | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None


def describe(value: Bound) -> str:
    """A value in words, for messages: "the number 3", "a list"."""
    match value:
        case BlockValue(block=block):
            return f"the block `{block.name}`"
        case Tensor():
            return "a tensor"
        case bool():
            return f"`{'true' if value else 'false'}`"
        case int() | float():
            return f"the number {value}"
        case Symbol():
            return f"the word `{value}`"
        case Size():
            return f"the size {value}"
        case tuple():
            return f"a list of {len(value)}"
        case _:
            return f'the text "{value}"'


def write(value: Bound) -> str:
    """A value as a spec would write it."""
    match value:
        case BlockValue(block=block):
            return block.name.text
        case Tensor():
            return "tensor"
        case bool():
            return "true" if value else "false"
        case Symbol() | Size():
            return str(value)
        case tuple():
            return f"[{', '.join(map(write, value))}]"
        case str():
            return f'"{value}"'
        case _:
            return f"{value}"


def _all_symbols() -> Iterator[str]:
    for declaration in LAYERS:
        for info in arguments_of(LAYERS[declaration]):
            yield from info.kind.symbols()
    for setting in SETTINGS.values():
        if setting.kind:
            yield from setting.kind.symbols()
        for choice in setting.registry or ():
            yield choice
            for info in arguments_of(setting.registry[choice]):  # type: ignore[index]
                yield from info.kind.symbols()
    yield "none"


SYMBOLS = frozenset(_all_symbols())  # the bare words that mean something somewhere
