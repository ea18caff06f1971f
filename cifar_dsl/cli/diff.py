"""`cifar-dsl diff`: show how two specs differ."""

from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.output import print_error, print_json, print_result
from cifar_dsl.cli.spec_paths import missing
from cifar_dsl.compiler import Analysis, ChosenData, analyze, analyze_text
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import located
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.runs import SPEC, open_run
from cifar_dsl.views.difference import as_data, as_lines, difference

_DIFFERENT = 1
_TROUBLE = 2


@click.command(
    name="diff",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl diff baseline residual",
        "cifar-dsl diff mine.arch runs/mine-0123456789ab/seed-0",
    ),
)
@click.argument("a", shell_complete=arguments.complete_specs)
@click.argument("b", shell_complete=arguments.complete_specs)
@arguments.overrides
@arguments.root
@arguments.data
@click.option("--full", is_flag=True, help="List every change of the network, even if there are many.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    a: str,
    b: str,
    overrides: tuple[str, ...],
    root: Path | None,
    data: str | None,
    full: bool,
    as_json: bool,
) -> int:
    """Show how B differs from A in meaning: network, shapes, counts and recipe, not text.

    A and B are specs, names of shipped specs (`baseline`), or folders of runs (the spec that was trained). --set
    applies to both; --data to specs only, since a run keeps its dataset. Exits with 0 if they mean the same, 1 if they
    differ, and 2 if one can't be read or has errors.
    """
    try:
        chosen = arguments.chosen_data(data)
        result = difference(*(_analyzed(name, root, overrides, chosen) for name in (a, b)))
    except (SpecError, UserError, OSError) as error:
        if not print_error(error):
            raise
        return _TROUBLE
    if as_json:
        print_json(as_data(result), indent=2)
    else:
        for line in as_lines(result, in_full=full):
            print_result(line)
    return 0 if result.is_empty else _DIFFERENT


def _analyzed(name: str, root: Path | None, overrides: tuple[str, ...], data: ChosenData | None) -> Analysis:
    """The analysis of a spec file, of a run's spec, or of a shipped spec. Raises SpecError, RunError, UsageError."""
    path = located(name)
    if path.is_dir():
        run = open_run(path)
        return analyze_text(run.spec_text, str(run.path / SPEC), overrides)
    if path.exists():
        return analyze(path, root, overrides, data)
    raise click.UsageError(missing(path))
