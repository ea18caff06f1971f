"""Prompts before something large or irreversible is done."""

import sys
from collections.abc import Iterable

import click

from cifar_dsl.analysis import estimate
from cifar_dsl.cli.main import EXIT_WRONG
from cifar_dsl.cli.output import note, note_text
from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir import Graph


def is_terminal() -> bool:
    """Whether a prompt can be shown and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(facts: str, *, yes: bool) -> None:
    """Show the facts and ask whether to continue, unless `yes`; the answer no exits with 1.

    Raises UsageError if there is no terminal to ask on.
    """
    if yes:
        return
    if not is_terminal():
        note_text(facts)
        raise click.UsageError("Not a terminal, so there is no prompt; pass --yes to accept.")
    note_text(facts)
    if not click.confirm("Continue?", err=True):
        note("cancelled")
        raise click.exceptions.Exit(EXIT_WRONG)


def confirm_size(analyses: Iterable[tuple[Analysis, Graph | None]], *, yes: bool) -> None:
    """Ask before training unusually large networks, each with its teacher; nothing is allocated yet.

    Raises UsageError if there is no terminal to ask on.
    """
    facts = []
    for analysis, teacher in analyses:
        parameters, recipe = analysis.graph.cost.parameters, analysis.recipe
        if recipe is not None and parameters > limits.current().unasked_parameters:
            memory = in_short(estimate(analysis.graph, recipe, teacher=teacher)["total"], "B")
            facts.append(f"{analysis.program.name} has {parameters:,} parameters; training it takes about {memory}.")
    if facts:
        confirm("\n".join(facts), yes=yes)
