"""Differences between the arguments of two declarations."""

from typing import Any

from cifar_dsl.ir import Declaration, Kind, arguments_of


def changed_arguments(a: Declaration, b: Declaration) -> list[tuple[str, str, str]]:
    """The name and both spec texts of every argument that differs between two declarations of one class."""
    before, after = a.arguments(), b.arguments()
    return [
        (info.name, *both_written(before[info.name], after[info.name], info.kind))
        for info in arguments_of(type(a))
        if is_different(before[info.name], after[info.name])
    ]


def is_different(a: object, b: object) -> bool:
    """Whether two values differ for the fingerprint, where 1, 1.0 and true differ."""
    return repr(a) != repr(b)


def both_written(a: Any, b: Any, kind: Kind) -> tuple[str, str]:
    """The spec texts of two different values; with all digits if the rounded texts are equal."""
    texts = kind.write(a), kind.write(b)
    return texts if texts[0] != texts[1] else (repr(a), repr(b))
