"""Warnings around a training: those of `check` before it, and a result at chance level after it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cifar_dsl.cli.output import counted, note, print_diagnostic, warn
from cifar_dsl.compiler import Analysis
from cifar_dsl.language.diagnostics import Diagnostic

if TYPE_CHECKING:
    from cifar_dsl.runs.chance import Chance


def print_warnings(analyses: Iterable[Analysis]) -> None:
    """Print the warnings about these specs on stderr, each once: the points of a sweep share a text."""
    from cifar_dsl.compiler.lints.inspection import warnings

    found: dict[tuple[object, ...], Diagnostic] = {}
    for analysis in analyses:
        for one in warnings(analysis):
            found.setdefault((one.code, one.message, str(one.label.span) if one.label else ""), one)
    for one in found.values():
        print_diagnostic(one, err=True)
    if found:
        note(counted(len(found), "warning"))


def print_chance(found: "Iterable[Chance]") -> None:
    """Print the trainings that are no better than guessing on stderr, with what usually causes it."""
    help_: tuple[str, ...] = ()
    for chance in found:
        warn(chance.message)
        help_ = chance.help
    for line in help_:
        note(f"  = help: {line}")
