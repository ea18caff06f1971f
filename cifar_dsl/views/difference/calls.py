"""In what two declarations of one name differ."""

from typing import Any

from cifar_dsl.ir import Declaration, Kind, arguments_of


def changed_arguments(a: Declaration, b: Declaration) -> list[tuple[str, str, str]]:
    """The arguments that differ between two declarations of one class, each as a spec would write it."""
    before, after = a.arguments(), b.arguments()
    return [
        (info.name, *both_written(before[info.name], after[info.name], info.kind))
        for info in arguments_of(type(a))
        if is_other(before[info.name], after[info.name])
    ]


def is_other(a: object, b: object) -> bool:
    """Whether two values differ as the fingerprint sees it, which tells 1 from 1.0 and from true."""
    return repr(a) != repr(b)


def both_written(a: Any, b: Any, kind: Kind) -> tuple[str, str]:
    """Two values that differ as a spec would write them; with all digits where fewer look the same."""
    texts = kind.write(a), kind.write(b)
    return texts if texts[0] != texts[1] else (repr(a), repr(b))
