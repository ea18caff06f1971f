"""`cifar-dsl compare`: which trick is worth how much?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli import options, results
from cifar_dsl.cli.output import fail
from cifar_dsl.diagnostics import SpecError

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.compare import Comparison
    from cifar_dsl.data import Dataset


@click.command(name="compare")
@options.specs
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Train seeds 0 to SEEDS-1.")
@click.option("--baseline", metavar="NAME", help="What the others are measured against [default: what they extend].")
@click.option("--no-train", is_flag=True, help="Compare the runs that are there; train nothing.")
@click.option("--pairs", is_flag=True, help="Also compare every spec with every other (Holm's adjustment).")
@click.option("--no-chart", is_flag=True, help="Write no chart (it needs matplotlib).")
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("comparison"),
    show_default=True,
    help="Folder for tables, charts and the report.",
)
@options.data
@options.data_dir
@options.overrides
@options.root
@options.device
@options.threads
@options.jobs
@options.engine
@options.runs
@options.checkpoint_every
@options.keep_last
@options.wait
@options.yes
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def command(
    specs: tuple[str, ...],
    seeds: int,
    baseline: str | None,
    no_train: bool,
    pairs: bool,
    no_chart: bool,
    no_report: bool,
    out: Path,
    data: str | None,
    data_dir: Path | None,
    overrides: tuple[str, ...],
    root: Path | None,
    device: str,
    threads: int | None,
    jobs: int | None,
    engine: str,
    runs: Path,
    checkpoint_every: int,
    keep_last: int,
    wait: bool,
    yes: bool,
    quiet: bool,
) -> int:
    """Train those of SPECS (files, folders or globs) that have no run yet, and compare all runs.

    Every run that is there of a spec on the same data takes part. The table and what it says go to the terminal,
    and into OUT as comparison.md, .csv, .json, .tex (LaTeX), with a chart (.png, .svg) and report.html, which
    needs no other file.
    """
    from cifar_dsl.compare import check_baseline
    from cifar_dsl.compare.figures import require_matplotlib

    if not no_chart:
        require_matplotlib()
    loaded = _load(specs, overrides, root)
    if loaded is None:
        return 1
    check_baseline([spec.name for spec in loaded], baseline)
    compared: list[tuple[Spec, str | None]] = [(spec, None) for spec in loaded]
    code = 0
    if not no_train or data is not None:
        opened = _open(loaded, data, data_dir, quiet=quiet)
        compared = [(spec, dataset.digest) for spec, dataset in opened]
        if not no_train:
            from cifar_dsl.cli.trainings import train_missing
            from cifar_dsl.cli.way import Way
            from cifar_dsl.training.habits import Habits

            habits = Habits(engine, checkpoint_every, keep_last, wait=wait)
            way = Way(runs, data_dir, device, threads, jobs, habits, agreed=yes)
            outcome = train_missing(opened, range(seeds), way, quiet=quiet)
            code = outcome.exit_code
            if outcome.stop.wanted():
                return code
    comparison = _compare(compared, runs, baseline, all_pairs=pairs)
    results.show(comparison)
    results.write(
        comparison,
        [spec for spec, _ in compared],
        out,
        data=data,
        data_dir=data_dir,
        with_chart=not no_chart,
        with_report=not no_report,
    )
    return code or int(any(row.mean is None for row in comparison.rows))


def _open(specs: "list[Spec]", data: str | None, data_dir: Path | None, *, quiet: bool) -> "list[tuple[Spec, Dataset]]":
    from cifar_dsl import api
    from cifar_dsl.cli.progress import DownloadProgress

    with DownloadProgress(quiet=quiet) as download:
        return api.open_data_for_all(specs, data, data_dir=data_dir, progress=download)


def _load(names: tuple[str, ...], overrides: tuple[str, ...], root: Path | None) -> "list[Spec] | None":
    """The specs; None when one was wrong. All are checked before any is trained."""
    from cifar_dsl import api

    loaded: list[Spec] = []
    is_wrong = False
    for item in options.spec_paths(names, root):
        try:
            loaded.append(api.load(item.path, root=item.root, overrides=overrides))
        except SpecError as error:
            is_wrong = fail(error)
    return None if is_wrong else loaded


def _compare(
    specs: "list[tuple[Spec, str | None]]", runs: Path, baseline: str | None, *, all_pairs: bool
) -> "Comparison":
    """Compare the runs on the data with a spec's digest; all its runs where no data was opened."""
    from cifar_dsl.compare import Entry, compare
    from cifar_dsl.runs import find_runs

    entries = [
        Entry(
            name=spec.name,
            lineage=spec.analysis.program.lineage,
            changes=spec.changes,
            fingerprint=spec.fingerprint,
            parameters=spec.graph.cost.parameters,
            macs=spec.graph.cost.macs,
            runs=tuple(run for run in find_runs(runs, spec.fingerprint) if digest in {None, run.record().data.digest}),
        )
        for spec, digest in specs
    ]
    return compare(entries, baseline, all_pairs=all_pairs)
