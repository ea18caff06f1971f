"""`cifar-dsl sweep`: which of these values is the best?"""

from pathlib import Path

import click
from attrs import evolve

from cifar_dsl.cli import arguments
from cifar_dsl.cli.compare import Contestant, train_and_compare
from cifar_dsl.cli.options import GroupedCommand, GroupedOption, with_options
from cifar_dsl.cli.output import counted, note, say, shown
from cifar_dsl.experiments.sweep import Grid, Point, make_grid
from cifar_dsl.foundation.text import columns, in_short
from cifar_dsl.language.diagnostics import Diagnostic, SpecError
from cifar_dsl.training.options import TARGET, CompareOptions


@click.command(name="sweep", cls=GroupedCommand)
@arguments.spec
@click.option(
    "--set",
    "axes",
    cls=GroupedOption,
    group=TARGET,
    multiple=True,
    required=True,
    metavar="NAME=VALUE,VALUE,...",
    help="Values of a param (head=[64],[512]) or a setting (train.optimizer.lr=1e-3,3e-4), parted by commas; "
    "one value alone holds for all specs.",
)
@arguments.root
@click.option("--dry-run", is_flag=True, help="List the grid and how many trainings it takes; train nothing.")
@with_options(CompareOptions)
def command(spec: Path, axes: tuple[str, ...], root: Path | None, dry_run: bool, options: CompareOptions) -> int:
    """Train SPEC with every combination of the values of --set, and compare all of them with SPEC itself.

    \b
    cifar-dsl sweep specs/baseline.arch --set 'head=[64],[512],[512,256]' --set train.optimizer.lr=1e-3,3e-4

    A run belongs to what a spec means, so that `train --set` and `compare` share the runs of a sweep. What is written
    into OUT is that of `compare`. With --baseline, the others are measured against one of the grid, and SPEC itself
    takes no part.
    """  # noqa: D301  # click wants the character \b itself
    contestants = _contestants(spec, root, make_grid(axes), options)
    if dry_run:
        return _list(contestants, options)
    return train_and_compare(contestants, evolve(options, baseline=options.baseline or contestants[0].display_name))


def _contestants(path: Path, root: Path | None, grid: Grid, options: CompareOptions) -> list[Contestant]:
    """The spec itself, unless another of them is the baseline, and the grid; those of one meaning once.

    Raises SpecError with what is wrong with any of them.
    """
    from cifar_dsl import api

    points = list(grid.points)
    if options.baseline is None or not options.baseline.endswith("]"):  # as the name of a spec can't
        points.insert(0, Point("", (), grid.common))
    found: dict[str, Contestant] = {}  # by fingerprint
    mistakes: dict[str, Diagnostic] = {}  # each once, by its text
    for point in points:
        try:
            spec = api.load(path, root=root, overrides=point.overrides)
        except SpecError as error:
            mistakes |= {shown(diagnostic, err=True): diagnostic for diagnostic in error.diagnostics}
            continue
        name = spec.name + point.label
        twin = found.setdefault(spec.fingerprint, Contestant(spec, name, point.changes))
        if twin.spec is not spec and not options.quiet:
            note(f"{name} means the same as {twin.display_name}")
    if mistakes:
        raise SpecError(list(mistakes.values()))
    return list(found.values())


def _list(contestants: list[Contestant], options: CompareOptions) -> int:
    """Show the grid, and what it will take; nothing is downloaded."""
    from cifar_dsl import api
    from cifar_dsl.cli.compare import open_data
    from cifar_dsl.cli.forecast import Work, forecast
    from cifar_dsl.cli.jobs import spread
    from cifar_dsl.experiments.comparison import check_baseline
    from cifar_dsl.training.device import choose_device

    check_baseline([each.display_name for each in contestants], options.baseline)
    images: int | None = None
    digest: str | None = None
    if options.data is not None and options.data.startswith("npz:"):  # only the file's content says what it is called
        opened = open_data(contestants, options)
        contestants, dataset = [each for each, _ in opened], opened[0][1]
        images, digest = len(dataset.y_train), dataset.digest
    elif options.data is not None:
        contestants = [evolve(each, spec=api.with_data(each.spec, options.data)) for each in contestants]
    rows = [["spec", "fingerprint", "parameters", "macs", "epochs", "runs"]]
    works: list[Work] = []
    specs = 0  # that have something to train
    for each in contestants:
        graph, recipe = each.spec.graph, each.spec.analysis.require_recipe()
        there = [bool(api.find_run(each.spec, options.runs, seed, digest)) for seed in range(options.seeds)]
        work = Work.of(graph, recipe, images or recipe.data.train_images or 0)
        works += [work] * there.count(False)
        specs += not all(there)
        counts = (f"{graph.cost.parameters:,}", in_short(graph.cost.macs), f"{recipe.epochs:g}")
        rows.append([each.display_name, each.spec.fingerprint, *counts, f"{sum(there)} of {options.seeds}"])
    for line in columns(rows, right=frozenset({2, 3, 4, 5})):
        say(line)
    count = len(contestants) * options.seeds
    time = ""
    if works and options.executor == "local":
        choice = choose_device(options.device)
        time = f", {forecast(works, options.runs, choice, *spread(options, choice, len(works), specs))}"
    size = f"{counted(len(contestants), 'spec')} x {counted(options.seeds, 'seed')}"
    say(f"\n{size}; runs: {count - len(works)} are there, {len(works)} to train{time}")
    return 0
