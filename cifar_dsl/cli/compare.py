"""`cifar-dsl compare`: which tricks actually help, and by how much? `sweep` generates its specs and continues here."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli import arguments, results
from cifar_dsl.cli.click_options import GroupedCommand, with_options
from cifar_dsl.cli.given import Given, training_images
from cifar_dsl.cli.output import counted, note, print_error, print_result, print_text, status, warn
from cifar_dsl.cli.spec_paths import NamedSpecs
from cifar_dsl.cli.warnings import print_chance, print_warnings
from cifar_dsl.compiler.lints import naming
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import columns, in_short
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.training.options import CompareOptions

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.experiments.comparison import ComparedSpec, Comparison
    from cifar_dsl.experiments.comparison.plan import Plan
    from cifar_dsl.experiments.comparison.readable import FailedRun, ReadRun
    from cifar_dsl.experiments.comparison.rows import OneRun
    from cifar_dsl.runs import RunRecord, SpecIdentity
    from cifar_dsl.training.datasets import Dataset


@frozen
class Contestant:
    """A spec in a comparison, with its display name and its changes, one phrase each."""

    spec: "Spec"
    display_name: str
    changes: tuple[str, ...]


@frozen
class Omission:
    """A spec or run that can't be compared, with the reason, and the folder that is named only on this machine."""

    text: str
    folder: Path

    @property
    def shareable(self) -> str:
        """The text without the folder."""
        return self.text if self.folder == Path() else self.text.replace(f"{self.folder}{os.sep}", "")


@click.command(
    name="compare",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl compare specs/ --seeds 5",
        "cifar-dsl compare specs/ --no-train --open",
        "cifar-dsl compare baseline residual --data shapes --until-decided",
    ),
    common=(
        *("--seeds", "--epochs", "--set", "--dry-run", "--data", "--fast", "--baseline", "--until-decided"),
        *("--no-train", "--out", "--open", "--jobs", "--device"),
    ),
)
@arguments.specs
@arguments.with_overrides
@arguments.root
@click.option("--dry-run", is_flag=True, help="List the specs and the number of trainings; train nothing.")
@with_options(CompareOptions)
def command(
    specs: tuple[str, ...], overrides: tuple[str, ...], root: Path | None, dry_run: bool, options: CompareOptions
) -> int:
    """Train those of SPECS (files, folders or globs) that have no runs yet, and compare all runs.

    A folder stands for the specs directly in it; subfolders are left out. Uses every existing run of a spec on the
    same data. Prints a table with findings, and writes them to OUT as comparison.md, .csv, .json and .tex (LaTeX), with
    a chart (.png, .svg) and a self-contained report.html.
    """
    left_out: list[Omission] = []
    _say("reading the specs", options)
    contestants = _load(NamedSpecs(specs, root, descends=False), overrides, options, left_out)
    if dry_run:
        if not options.quiet:
            print_warnings(each.spec.analysis for each in contestants)
        if contestants:
            list_trainings(contestants, options)
        return int(bool(left_out))
    return train_and_compare(contestants, options, left_out)


def _say(doing: str, options: CompareOptions) -> None:
    """Show what takes a few seconds now, such as loading PyTorch."""
    if not options.quiet:
        status(doing)


def _load(
    named: NamedSpecs, overrides: tuple[str, ...], options: CompareOptions, left_out: list[Omission]
) -> list[Contestant]:
    """The specs that can be trained, for the chosen dataset; prints the errors of the others, which become `left_out`.

    Of specs with one name and one fingerprint, only the first is kept. Raises UserError if names don't tell them apart.
    """
    given = Given.of(options)
    loaded: list[tuple[Path, Spec]] = []
    if (skipped := named.skipped_in_words()) and not options.quiet:
        note(skipped)
    for unreadable in named.unreadable:
        print_error(unreadable)
        left_out.append(_omission(Path(unreadable.filename), unreadable.strerror or str(unreadable)))
    for item in named.specs:
        try:
            spec = given.load(item.path, item.root, overrides)
            spec.analysis.require_recipe()
        except SpecError as error:
            named_errors = SpecError([naming(one, item.path) for one in error.diagnostics])
            left_out.append(_omission(item.path, _why(named_errors)))
        except RunError as error:
            left_out.append(_omission(item.path, _why(error)))
        else:
            loaded.append((item.path, spec))
    given.check_used(spec for _, spec in loaded)
    return _distinct(loaded, options)


def _omission(path: Path, reason: str) -> Omission:
    return Omission(f"{path}: {reason}", path.parent)


def _distinct(loaded: "Sequence[tuple[Path, Spec]]", options: CompareOptions) -> list[Contestant]:
    """The specs without repeats. Different specs of one name have those of their files.

    Raises UserError if these don't tell them apart either.
    """
    named: dict[str, dict[str, tuple[Path, Spec]]] = {}  # by name, then by fingerprint
    for path, spec in loaded:
        named.setdefault(spec.name, {}).setdefault(spec.fingerprint, (path, spec))
    ambiguous = {name: [path for path, _ in found.values()] for name, found in named.items() if len(found) > 1}
    used = Counter(
        path.stem if name in ambiguous else name for name, found in named.items() for path, _ in found.values()
    )
    if any(used[path.stem] > 1 for paths in ambiguous.values() for path in paths):
        raise UserError(
            "; ".join(
                f"different specs are named `{name}`: {', '.join(map(str, paths))}" for name, paths in ambiguous.items()
            ),
            "give each spec a name of its own in its first line, such as "
            + ", ".join(f"`arch {path.stem}` in {path}" for path in next(iter(ambiguous.values()))[:2]),
            "or give each file a name of its own",
            reason="tables, charts and --baseline identify a spec by its name, or else by that of its file",
        )
    if ambiguous and not options.quiet:
        for name, paths in ambiguous.items():
            note(f"{len(paths)} different specs are named `{name}`; here each has the name of its file")
    return [
        Contestant(spec, path.stem if name in ambiguous else name, spec.changes)
        for name, found in named.items()
        for path, spec in found.values()
    ]


def _why(error: SpecError | RunError) -> str:
    """Print the error of a spec that is left out, and return it in short."""
    print_error(error)
    return counted(len(error.diagnostics), "error") if isinstance(error, SpecError) else error.message


def open_data(contestants: Sequence[Contestant], options: CompareOptions) -> "list[tuple[Contestant, Dataset]]":
    """Each spec, changed to use its dataset, with that dataset. Raises DataError, SpecError, UserError."""
    from cifar_dsl import api
    from cifar_dsl.cli.progress import DownloadProgress

    specs = [each.spec for each in contestants]
    _say("opening the dataset", options)
    with DownloadProgress(quiet=options.quiet) as download:
        opened = api.open_data_for_all(specs, data_dir=options.data_dir, progress=download, warn=warn)
    if len(names := {dataset.digest: dataset.title for _, dataset in opened}) > 1:
        raise UserError(
            f"the specs use different datasets: {', '.join(names.values())}",
            "choose one dataset for all of them, such as --data cifar10; with --fast N, N images of it",
            reason="accuracies on different images can't be compared",
        )
    return [(evolve(each, spec=spec), dataset) for each, (spec, dataset) in zip(contestants, opened, strict=True)]


def _open_those_that_fit(
    contestants: Sequence[Contestant], options: CompareOptions, left_out: list[Omission]
) -> "list[tuple[Contestant, Dataset]]":
    """Like `open_data`; prints the errors of specs that don't fit their data, which become `left_out`."""
    try:
        return open_data(contestants, options)
    except SpecError:
        fitting = []
        for each in contestants:
            try:
                open_data([each], options)
            except SpecError as error:
                left_out.append(Omission(f"{each.display_name}: {_why(error)}", Path()))
            else:
                fitting.append(each)
        return open_data(fitting, options)


def train_and_compare(
    contestants: Sequence[Contestant], options: CompareOptions, left_out: Sequence[Omission] = ()
) -> int:
    """Train what has no run yet, compare all runs, and print and write the results. Returns the exit code.

    `left_out` are the specs that can't be compared, each with the reason. They and damaged runs are listed at the end.
    """
    from cifar_dsl.experiments.comparison import check_baseline

    omitted = list(left_out)
    code = 0
    if contestants:
        check_baseline([each.display_name for each in contestants], options.baseline)
        if not (options.quiet or options.no_train):
            print_warnings(each.spec.analysis for each in contestants)
        code = _train_and_compare(contestants, options, omitted)
    if omitted:
        note("left out of the comparison:")
        for line in dict.fromkeys(each.text for each in omitted):
            note(f"  {line}")
    return code or int(bool(omitted))


def _train_and_compare(contestants: Sequence[Contestant], options: CompareOptions, left_out: list[Omission]) -> int:
    compared: list[tuple[Contestant, str | None]] = [(each, None) for each in contestants]
    code, plan = 0, None
    has_rounds = options.until_decided or not options.no_train
    if has_rounds or options.data is not None:
        opened = _open_those_that_fit(contestants, options, left_out)
        compared = [(each, dataset.digest) for each, dataset in opened]
        if has_rounds:
            results.prepare(options.out)  # fail now, not after hours of training
            code, is_stopped, plan = _train(opened, options, left_out)
            if is_stopped:
                return code
    if not compared:
        return 1
    comparison = _compare(compared, options, left_out, plan)
    results.show(comparison)
    without = {row.name for row in comparison.rows if not (row.accuracies or row.lost)}
    if options.no_train and len(without) == len(comparison.rows):
        note(f"nothing is written to {options.out}, because no spec has a run in {options.runs}")
    else:
        results.write(comparison, [each.spec for each, _ in compared], options)
    if options.no_train and without:
        _suggest_overrides([each.spec.identity for each, _ in compared if each.display_name in without], options.runs)
    return code or int(any(row.mean is None for row in comparison.rows))


def list_trainings(contestants: Sequence[Contestant], options: CompareOptions) -> None:
    """Print specs and the work to train them; download nothing."""
    from cifar_dsl import api
    from cifar_dsl.cli.forecast import Work, forecast
    from cifar_dsl.cli.job_plan import spread
    from cifar_dsl.experiments.comparison import check_baseline
    from cifar_dsl.training.device import choose_device

    check_baseline([each.display_name for each in contestants], options.baseline)
    if options.until_decided:
        from cifar_dsl.experiments.comparison.sequential import FIRST

        options = evolve(options, seeds=FIRST)
    file = chosen.file if (chosen := contestants[0].spec.data) else None
    digest = file.digest if file else None
    rows = [["spec", "fingerprint", "parameters", "macs", "epochs", "runs"]]
    works: list[Work] = []
    for each in contestants:
        cost, recipe = each.spec.graph.cost, each.spec.analysis.require_recipe()
        exists = [
            bool(api.find_run(each.spec, options.runs, seed, None if recipe.data.subset else digest))
            for seed in range(options.seeds)
        ]
        work = Work.of(each.spec, training_images(each.spec) or 0)
        works += [work] * exists.count(False)
        counts = (f"{cost.parameters:,}", in_short(cost.macs), f"{recipe.epochs:g}")
        rows.append([each.display_name, each.spec.fingerprint, *counts, f"{sum(exists)} of {options.seeds}"])
    for line in columns(rows, right=frozenset({2, 3, 4, 5})):
        print_result(line)
    count = len(contestants) * options.seeds
    time = ""
    if works and options.executor == "local":
        choice = choose_device(options.device)
        time = f", {forecast(works, options.runs, choice, *spread(options, choice, len(works)))}"
    size = f"{counted(len(contestants), 'spec')} x {counted(options.seeds, 'seed')}"
    print_text(f"\n{size}; runs: {count - len(works)} exist, {len(works)} to train{time}")


def _train(
    opened: "Sequence[tuple[Contestant, Dataset]]", options: CompareOptions, left_out: list[Omission]
) -> "tuple[int, bool, Plan | None]":
    """Train what is missing. Returns the exit code, whether a signal stopped it, and the plan with --until-decided.

    With both --until-decided and --no-train, it only reads the plan.
    """
    _say("starting PyTorch", options)
    from cifar_dsl.cli.jobs import train_missing

    trained = [(each.spec, dataset) for each, dataset in opened]
    display_names = {each.spec.fingerprint: each.display_name for each, _ in reversed(opened)}
    if not options.until_decided or not trained:
        damaged: list[str] = []
        outcome = train_missing(trained, options, display_names=display_names, left_out=damaged)
        left_out += [Omission(message, options.runs) for message in damaged]
        return outcome.exit_code, outcome.stop.wanted(), None
    from cifar_dsl.cli.until_decided import train_until_decided
    from cifar_dsl.experiments.comparison import choose_baseline

    entries = [_entry(each) for each, _ in opened]
    name = choose_baseline(entries, options.baseline).display_name
    baseline = next(each.spec for each, _ in opened if each.display_name == name)
    plan, last = train_until_decided(trained, baseline, options, display_names)
    return (last.exit_code, last.stop.wanted(), plan) if last else (0, False, plan)


def _entry(each: Contestant, runs: "Sequence[ReadRun]" = (), failed: "Sequence[FailedRun]" = ()) -> "ComparedSpec":
    from cifar_dsl.experiments.comparison import ComparedSpec

    return ComparedSpec(
        display_name=each.display_name,
        spec=evolve(each.spec.identity, changes=each.changes),
        parameters=each.spec.graph.cost.parameters,
        macs=each.spec.graph.cost.macs,
        runs=runs,
        failed=failed,
    )


def _suggest_overrides(specs: "Sequence[SpecIdentity]", runs: Path) -> None:
    """For specs without runs: print with what options others of that name were trained, if there are any.

    A run belongs to the network and recipe that were trained, so the same options find it. One with the fingerprint of
    a spec isn't complete, and was trained with the options that were given.
    """
    from cifar_dsl.runs.catalogue import entries

    names, fingerprints = {spec.name for spec in specs}, {spec.fingerprint for spec in specs}
    for record in [entry.record for entry in entries(runs) if entry.record]:
        is_other = record.spec.name in names and record.spec.fingerprint not in fingerprints
        if is_other and record.spec.overrides:
            given = " ".join(_as_options(record))
            note(f"  = help: {record.spec.name} has runs with other settings; to compare those, add {given}")
            return


def _as_options(record: "RunRecord") -> Iterator[str]:
    """The options with which a run was trained, as for a shell."""
    for override in record.spec.overrides:
        name, _, value = override.partition("=")
        if name == "train.data":
            located = f"npz:{record.data.path}" if record.data.name == "npz" and record.data.path else record.data.name
            yield f"--data {shlex.quote(located)}"
            if record.data.subset:
                yield f"--fast {record.data.subset}"
        elif name == "train.uses":
            if "epochs=" in value:  # it continues a run, which the path alone doesn't say
                yield f"--set {shlex.quote(override)}"
            yield from (f"{ARTIFACTS[one.kind].option} {shlex.quote(one.path)}" for one in record.uses)
        else:
            yield f"--set {shlex.quote(override)}"


def _compare(
    compared: Sequence[tuple[Contestant, str | None]],
    options: CompareOptions,
    left_out: list[Omission],
    plan: "Plan | None",
) -> "Comparison":
    """Compare the runs whose data has the digest beside their spec; all its runs if that is None.

    Runs that can't be read become `left_out`.
    """
    from cifar_dsl.experiments.comparison import compare, readable_runs

    entries = []
    for each, digest in compared:
        found = readable_runs(options.runs, each.spec.fingerprint)
        left_out += [Omission(error.message, options.runs) for error in found.errors]
        entries.append(_entry(each, _on_data(found.complete, digest), _on_data(found.failed, digest)))
    distinct = {each.run.path: each for entry in entries for each in entry.runs}  # equal specs share their runs
    print_chance(each.chance for each in distinct.values() if each.chance)
    shared = list(dict.fromkeys(each.shareable for each in left_out))
    baseline = plan.baseline.name if plan else options.baseline
    return compare(entries, baseline, all_pairs=options.pairs, left_out=shared, plan=plan, sort=options.sort)


def _on_data(runs: "Iterable[OneRun]", digest: str | None) -> "tuple[OneRun, ...]":
    return tuple(run for run in runs if digest in {None, run.record.data.digest})
