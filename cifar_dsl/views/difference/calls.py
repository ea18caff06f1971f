"""In what two calls of one name differ."""

from cifar_dsl.ir import Call, Value
from cifar_dsl.operations.argument_types import Kind
from cifar_dsl.operations.layers import JOINS, LAYERS
from cifar_dsl.operations.registry import Registry, arguments_of, written


def changed_arguments(a: Call, b: Call) -> list[tuple[str, str, str]]:
    """The arguments that differ between two calls of a layer or join, each as a spec would say it."""
    return [] if a.name in JOINS else changed_in(LAYERS, a, b)


def changed_in(registry: Registry, a: Call, b: Call) -> list[tuple[str, str, str]]:  # type: ignore[type-arg]
    """The same for any registry."""
    before, after = a.keywords(), b.keywords()
    return [
        (info.name, *both_written(before[info.name], after[info.name], info.kind))
        for info in arguments_of(registry[a.name])
        if is_other(before[info.name], after[info.name])
    ]


def is_other(a: object, b: object) -> bool:
    """Whether two values differ as the fingerprint sees it, which tells 1 from 1.0 and from true."""
    return repr(a) != repr(b)


def both_written(a: Value, b: Value, kind: Kind) -> tuple[str, str]:
    """Two values that differ as a spec would say them; with all digits where fewer look the same."""
    texts = written(a, kind), written(b, kind)
    return texts if texts[0] != texts[1] else (repr(a), repr(b))
