"""Questions to the person at the terminal, before something large or final is done."""

import sys
from collections.abc import Iterable

import click

from cifar_dsl.analysis import estimate
from cifar_dsl.cli.main import EXIT_WRONG
from cifar_dsl.cli.output import inert, note
from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.text import in_short


def is_terminal() -> bool:
    """Whether somebody sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(facts: str, *, yes: bool) -> None:
    """Show the facts and ask whether to continue, unless `yes` answers beforehand; No ends the command with 1.

    Raises UsageError where nobody can be asked, because this is no terminal.
    """
    if yes:
        return
    if not is_terminal():
        raise click.UsageError(inert(f"{facts}\nNobody can be asked, since this is no terminal: --yes agrees to it."))
    note(facts)
    if not click.confirm("Go on?", err=True):
        note("nothing was done")
        raise click.exceptions.Exit(EXIT_WRONG)


def confirm_size(analyses: Iterable[Analysis], *, yes: bool) -> None:
    """Ask before networks are trained that are larger than most; nothing of them has been allocated then.

    Raises UsageError where nobody can be asked.
    """
    facts = []
    for analysis in analyses:
        parameters, recipe = analysis.graph.cost.parameters, analysis.recipe
        if recipe is not None and parameters > limits.current().unasked_parameters:
            memory = in_short(estimate(analysis.graph, recipe)["total"], "B")
            facts.append(f"{analysis.program.name} has {parameters:,} parameters; to train it takes about {memory}.")
    if facts:
        confirm("\n".join(facts), yes=yes)
