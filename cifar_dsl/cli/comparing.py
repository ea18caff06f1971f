"""What `cifar-dsl compare` and `cifar-dsl sweep` share: their options, and the way from specs to a comparison."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve, fields, frozen

from cifar_dsl.cli import options, results
from cifar_dsl.cli.way import Way
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.training.habits import Habits

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.experiments.comparison import Comparison
    from cifar_dsl.training.datasets import Dataset


@frozen
class Terms:
    """How specs are compared: what the options of a command say."""

    seeds: int
    baseline: str | None
    no_train: bool
    pairs: bool
    no_chart: bool
    no_report: bool
    out: Path
    data: str | None
    data_dir: Path | None
    device: str
    threads: int | None
    jobs: int | None
    engine: str
    runs: Path
    checkpoint_every: int
    keep_last: int
    wait: bool
    yes: bool
    executor: str
    address: str | None
    log: tuple[str, ...]
    log_dir: Path | None
    quiet: bool

    def way(self) -> Way:
        """How they are trained. Raises UsageError."""
        return Way(
            self.runs,
            self.data_dir,
            self.device,
            self.threads,
            self.jobs,
            Habits(self.engine, self.checkpoint_every, self.keep_last, wait=self.wait),
            self.yes,
            self.executor,
            self.address,
            self.log,
            self.log_dir,
        )


@frozen
class Contestant:
    """A spec that takes part: what it is called in the comparison, and what it changes, a phrase each."""

    spec: "Spec"
    name: str
    changes: tuple[str, ...]


_OPTIONS = (
    click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Train seeds 0 to SEEDS-1."),
    click.option(
        "--baseline",
        metavar="NAME",
        help="What the others are measured against [default: what they extend; of a sweep, its spec].",
    ),
    click.option("--no-train", is_flag=True, help="Compare the runs that are there; train nothing."),
    click.option("--pairs", is_flag=True, help="Also compare every spec with every other (Holm's adjustment)."),
    click.option("--no-chart", is_flag=True, help="Write no chart."),
    click.option("--no-report", is_flag=True, help="Write no report.html."),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("comparison"),
        show_default=True,
        help="Folder for tables, charts and the report.",
    ),
    options.data,
    options.data_dir,
    options.device,
    options.threads,
    options.jobs,
    options.engine,
    options.runs,
    options.checkpoint_every,
    options.keep_last,
    options.wait,
    options.yes,
    options.executor,
    options.address,
    options.log,
    options.log_dir,
    click.option("-q", "--quiet", is_flag=True, help="Show no progress."),
)


def with_terms(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that Terms holds; it gets them as one argument, `terms`."""

    @wraps(command)
    def gathered(**given: Any) -> int:
        said = {field.name: given.pop(field.name) for field in fields(Terms)}
        return command(terms=Terms(**said), **given)

    decorated: Callable[..., int] = gathered
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def open_data(contestants: Sequence[Contestant], terms: Terms) -> "list[tuple[Contestant, Dataset]]":
    """The data to train each on, and each as it is trained with it. Raises DataError, SpecError, UserError."""
    from cifar_dsl import api
    from cifar_dsl.cli.progress import DownloadProgress

    specs = [each.spec for each in contestants]
    with DownloadProgress(quiet=terms.quiet) as download:
        opened = api.open_data_for_all(specs, terms.data, data_dir=terms.data_dir, progress=download)
    if len(names := {dataset.digest: dataset.name for _, dataset in opened}) > 1:
        raise UserError(
            f"the specs are trained on different data: {', '.join(names.values())}",
            "name the data for all of them, as in --data cifar10",
            reason="accuracies on different images can't be compared",
        )
    return [(evolve(each, spec=spec), dataset) for each, (spec, dataset) in zip(contestants, opened, strict=True)]


def train_and_compare(contestants: Sequence[Contestant], terms: Terms) -> int:
    """Train what has no run yet, compare all runs, and say and write what came out; gives back the exit code."""
    from cifar_dsl.experiments.comparison import check_baseline

    way = terms.way()
    check_baseline([each.name for each in contestants], terms.baseline)
    compared: list[tuple[Contestant, str | None]] = [(each, None) for each in contestants]
    code = 0
    if not terms.no_train or terms.data is not None:
        opened = open_data(contestants, terms)
        compared = [(each, dataset.digest) for each, dataset in opened]
        if not terms.no_train:
            from cifar_dsl.cli.trainings import train_missing

            results.prepare(terms.out)  # hours before it is needed
            trained = [(each.spec, dataset) for each, dataset in opened]
            display_names = {each.spec.fingerprint: each.name for each, _ in reversed(opened)}
            outcome = train_missing(trained, range(terms.seeds), way, display_names=display_names, quiet=terms.quiet)
            code = outcome.exit_code
            if outcome.stop.wanted():
                return code
    comparison = _compare(compared, terms)
    results.show(comparison)
    results.write(
        comparison,
        [each.spec for each, _ in compared],
        terms.out,
        data=terms.data,
        data_dir=terms.data_dir,
        with_chart=not terms.no_chart,
        with_report=not terms.no_report,
    )
    return code or int(any(row.mean is None for row in comparison.rows))


def _compare(compared: Sequence[tuple[Contestant, str | None]], terms: Terms) -> "Comparison":
    """Compare the runs on the data with a spec's digest; all its runs where no data was opened."""
    from cifar_dsl.experiments.comparison import Entry, compare
    from cifar_dsl.runs import Run, failed_runs, find_runs

    def on_data(runs: Sequence[Run], digest: str | None) -> tuple[Run, ...]:
        return tuple(run for run in runs if digest in {None, run.record().data.digest})

    entries = [
        Entry(
            name=each.name,
            lineage=each.spec.analysis.program.lineage,
            changes=each.changes,
            fingerprint=each.spec.fingerprint,
            parameters=each.spec.graph.cost.parameters,
            macs=each.spec.graph.cost.macs,
            runs=on_data(find_runs(terms.runs, each.spec.fingerprint), digest),
            failed=on_data(failed_runs(terms.runs, each.spec.fingerprint), digest),
        )
        for each, digest in compared
    ]
    return compare(entries, terms.baseline, all_pairs=terms.pairs)
