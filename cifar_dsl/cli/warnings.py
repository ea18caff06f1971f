"""The warnings of `check`, printed before a spec is trained."""

from collections.abc import Iterable

from cifar_dsl.cli.output import counted, note, print_diagnostic
from cifar_dsl.compiler import Analysis
from cifar_dsl.language.diagnostics import Diagnostic


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
