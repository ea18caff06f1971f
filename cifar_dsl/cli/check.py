"""`cifar-dsl check`: is everything in these specs right?"""

from pathlib import Path

import click

from cifar_dsl.cli import options
from cifar_dsl.cli.output import note
from cifar_dsl.diagnostics import Diagnostic, SpecError, render_concise, render_full, render_json
from cifar_dsl.semantics import Analysis, Library, examine
from cifar_dsl.text import in_short


@click.command(name="check")
@click.argument("specs", nargs=-1, required=True)
@options.overrides
@options.root
@click.option(
    "--format",
    "style",
    type=click.Choice(["full", "concise", "json"]),
    default="full",
    show_default=True,
    help="How errors are shown.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing about specs that are right.")
def command(specs: tuple[str, ...], overrides: tuple[str, ...], root: Path | None, style: str, quiet: bool) -> int:
    """Check SPECS, files, folders or globs of specs and libraries.

    Says everything that is wrong, with its place, and ends with 1 if there was anything. Needs no torch, no
    data and no GPU.
    """
    found: list[Diagnostic] = []
    wrong = 0
    paths = options.spec_paths(specs, root)
    for item in paths:
        try:
            found_right = examine(item.path, item.root, overrides)
        except SpecError as error:
            wrong += 1
            found.extend(error.diagnostics)
            if style == "full":
                for diagnostic in error.diagnostics:
                    click.echo(render_full(diagnostic) + "\n")
            elif style == "concise":
                for diagnostic in error.diagnostics:
                    click.echo(render_concise(diagnostic))
            continue
        if not quiet and style != "json":
            click.echo(f"{item.path}: ok; {_in_short(found_right)}")
    if style == "json":
        click.echo(render_json(found))
    if wrong:
        errors = f"{len(found)} error{'s' if len(found) > 1 else ''}"
        note(f"{errors} in {wrong} of {len(paths)} spec{'s' if len(paths) > 1 else ''}")
    return 1 if wrong else 0


def _in_short(right: Analysis | Library) -> str:
    if isinstance(right, Library):
        return f"a library of {len(right.blocks)} blocks"
    cost, graph = right.graph.cost, right.graph
    return (
        f"{graph.input} -> {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
        f"{in_short(cost.macs)} multiply-accumulates"
    )
