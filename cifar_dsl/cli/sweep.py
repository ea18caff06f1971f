"""`cifar-dsl sweep`: train a spec with every combination of some values, and compare the results."""

from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand, GroupedOption, with_options
from cifar_dsl.cli.compare import Contestant, list_trainings, train_and_compare
from cifar_dsl.cli.given import Given
from cifar_dsl.cli.output import note, print_text, shown
from cifar_dsl.cli.spec_paths import spelled
from cifar_dsl.cli.warnings import print_warnings
from cifar_dsl.experiments.sweep import Grid, Point, make_grid
from cifar_dsl.foundation.records import evolve
from cifar_dsl.language.diagnostics import Diagnostic, SpecError
from cifar_dsl.training.options import TARGET, SweepOptions, target_words


class _Values(click.types.StringParamType):
    """The values of a param or setting."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        return "Name what varies, such as --set train.optimizer.lr=1e-3,3e-4 or --set 'head=[64],[512]'"


@click.command(
    name="sweep",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl sweep baseline --set 'head=[64],[512]' --set train.batch=64,128",
        "cifar-dsl sweep mine.arch --set train.optimizer.lr=1e-3,3e-4 --seeds 3",
        "cifar-dsl sweep mine.arch --set width=32,64 --until-decided # needs validation",
    ),
    common=(
        *("--set", "--dry-run", "--seeds", "--data", "--fast", "--baseline", "--until-decided", "--no-train"),
        *("--halving", "--out", "--open", "--jobs", "--device"),
    ),
)
@arguments.spec
@click.option(
    "--set",
    "axes",
    type=_Values(),
    cls=GroupedOption,
    group=TARGET,
    multiple=True,
    required=True,
    metavar="NAME=VALUE,VALUE,...",
    help="Values of a param (head=[64],[512]) or a setting (train.optimizer.lr=1e-3,3e-4), separated by commas; "
    "a single value applies to all specs.",
)
@arguments.with_settings("axes")
@arguments.root
@click.option("--dry-run", is_flag=True, help="List the specs and the number of trainings; train nothing.")
@with_options(SweepOptions)
def command(spec: Path, axes: tuple[str, ...], root: Path | None, dry_run: bool, options: SweepOptions) -> int:
    """Train SPEC with every combination of the --set values, and compare the results with SPEC itself.

    Runs are identified by fingerprint, so `train --set` and `compare` share the runs of a sweep. OUT gets the same
    files as with `compare`. To use one of the combinations as the baseline, name it with --baseline; SPEC itself is
    then left out.

    With --until-decided or --halving, finds the best combination by its accuracy on held-out images (train.validation),
    and measures it on the test images, with fresh seeds.
    """
    grid = make_grid(axes)
    contestants = _contestants(spec, root, grid, options)
    if dry_run:
        if not options.quiet:
            print_warnings(each.spec.analysis for each in contestants)
        list_trainings(contestants, options)
        if options.searches:
            from cifar_dsl.cli.best import list_rounds

            print_text(list_rounds(contestants, options))
        return 0
    if options.searches:
        from cifar_dsl.cli.best import find_best, halve

        target = [spelled(spec), *(() if root is None else ("--root", str(root))), *target_words(options)]
        if options.halving:
            return halve(lambda epochs: _contestants(spec, root, _with_epochs(grid, epochs), options), target, options)
        return find_best(contestants, target, options)
    return train_and_compare(contestants, evolve(options, baseline=options.baseline or contestants[0].display_name))


def _contestants(path: Path, root: Path | None, grid: Grid, options: SweepOptions) -> list[Contestant]:
    """The specs of the grid, after the spec itself unless a combination is the baseline; one for each fingerprint.

    Raises SpecError with the errors of all of them.
    """
    given = Given.of(options)
    points = list(grid.points)
    if options.baseline is None or not options.baseline.endswith("]"):  # a combination: names of specs can't end so
        points.insert(0, Point("", (), grid.common))
    contestants: dict[str, Contestant] = {}  # by fingerprint
    twins: dict[str, str] = {}  # names of equal specs; of a value that is given twice, once
    errors: dict[str, Diagnostic] = {}  # without repeats, by text
    for point in points:
        try:
            spec = given.load(path, root, point.overrides)
        except SpecError as error:
            errors |= {shown(diagnostic, err=True): diagnostic for diagnostic in error.diagnostics}
            continue
        name = spec.name + point.label
        twin = contestants.setdefault(spec.fingerprint, Contestant(spec, name, point.changes))
        if twin.display_name != name:
            twins.setdefault(name, twin.display_name)
    if errors:
        raise SpecError(list(errors.values()))
    given.check_used(each.spec for each in contestants.values())
    for name, twin_name in twins.items() if not options.quiet else ():
        note(f"{name} is the same as {twin_name} (equal fingerprints)")
    return list(contestants.values())


def _with_epochs(grid: Grid, epochs: int | None) -> Grid:
    """The grid with this number of epochs in all specs; None: with their own."""
    if epochs is None:
        return grid

    def changed(overrides: tuple[str, ...]) -> tuple[str, ...]:
        return (*(each for each in overrides if not each.startswith("train.epochs=")), f"train.epochs={epochs}")

    points = tuple(evolve(point, overrides=changed(point.overrides)) for point in grid.points)
    return Grid(points, changed(grid.common))
