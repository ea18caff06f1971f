"""`cifar-dsl runs`: list, show, verify and remove runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cattrs
import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import StrictGroup, with_option
from cifar_dsl.cli.confirmation import confirm
from cifar_dsl.cli.main import EXIT_WRONG
from cifar_dsl.cli.output import counted, note, print_json, print_result, test_text
from cifar_dsl.foundation.errors import LockedError, RunError
from cifar_dsl.foundation.garbage_collection import without_collections
from cifar_dsl.foundation.text import accuracy_in_percent, columns, duration, in_short, small_number
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.runs import WHITENING, EpochMetrics, ExitMetrics, ExitResult, Run, RunRecord, partial_path
from cifar_dsl.runs.catalogue import FoundRun, Status, entries
from cifar_dsl.runs.pruning import Removal, Selection
from cifar_dsl.runs.verification import problems
from cifar_dsl.training.options import RunOptions, TrainOptions

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MOST_UNITS = 100_000  # of an age; the calendar has no earlier date for more weeks


class _ListGroup(StrictGroup):
    """Runs `list` unless another command is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args.insert(0, "list")
        return super().parse_args(ctx, args)


@click.group(name="runs", cls=_ListGroup)
def command() -> None:
    """List (the default), show, verify and remove runs."""


@command.command(name="list")
@with_option(RunOptions, "runs")
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
def list_(runs: Path, as_json: bool) -> None:
    """List all runs with their status, and the next epoch of each interrupted run."""
    with without_collections():
        listed = list(entries(_folder(runs)))
        if as_json:
            print_json([_fields(entry) for entry in listed], indent=2)
            return
        for line in _table([(entry, entry.state, *entry.size_and_change()) for entry in listed]):
            print_result(line)
    if not listed:
        note(f"no runs in {runs}")


@command.command(name="show")
@arguments.run
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
def show(run: Path, as_json: bool) -> None:
    """Show RUN: spec, dataset, machine, result and files."""
    entry = _single_run(run)
    if as_json:
        fields = _fields(entry) | {
            "record": cattrs.unstructure(entry.record),
            "result": cattrs.unstructure(entry.result),
            "files": {str(path.relative_to(entry.path)): status.st_size for path, status in entry.files().items()},
        }
        print_json(fields, indent=2)
        return
    for line in columns([[visible(cell) for cell in fact] for fact in _facts(entry)]):
        print_result(line)


@command.command(name="verify")
@arguments.some_runs
@with_option(RunOptions, "runs")
@click.option("--no-weights", is_flag=True, help="Accept runs that were copied without their weights.")
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
def verify(which: tuple[Path, ...], runs: Path, no_weights: bool, as_json: bool) -> int:
    """Verify the files of each RUN, or of all runs.

    Compares each file with the digest recorded when it was written, and exits with 1 if a run is damaged. An
    interrupted run isn't damaged: it resumes from its last checkpoint.
    """
    listed = list(entries(_folder(runs))) if not which else [entry for path in which for entry in _runs_in(path)]
    damage = {entry.path: problems(entry, needs_weights=not no_weights) for entry in listed}
    if as_json:
        print_json([_fields(entry) | {"problems": damage[entry.path]} for entry in listed], indent=2)
    else:
        for entry in listed:
            print_result(f"{'damaged' if damage[entry.path] else entry.state}  {entry.path}")
            for problem in damage[entry.path]:
                print_result(f"  {problem}")
        damaged = sum(map(bool, damage.values()))
        note(f"{counted(len(listed), 'run')}, {damaged:,} damaged")
        if not no_weights and any(entry.status is Status.WITHOUT_WEIGHTS for entry in listed):
            note("  = help: --no-weights accepts runs that were copied without their weights")
    return EXIT_WRONG if any(damage.values()) else 0


def _age(ctx: click.Context, parameter: click.Parameter, text: str | None) -> timedelta | None:
    """`12h`, `30d`, `4w`. Raises BadParameter."""
    if text is None:
        return None
    number, unit = small_number(text[:-1]), text[-1:]
    if number is None or number >= _MOST_UNITS or unit not in _UNITS:
        raise click.BadParameter(f"{text} is not an age such as 12h, 30d or 4w (hours, days, weeks).", ctx, parameter)
    return number * _UNITS[unit]


@command.command(name="prune")
@click.option("--unfinished", is_flag=True, help="Interrupted runs.")
@click.option("--failed", is_flag=True, help="Runs whose training failed with an error.")
@click.option("--damaged", is_flag=True, help="Runs with a damaged file (reads all files).")
@click.option("--diverged", is_flag=True, help="Runs whose loss became NaN or infinite.")
@click.option("--complete", is_flag=True, help="Complete runs; narrow them down with --spec and --older-than.")
@click.option(
    "--leftovers", is_flag=True, help="Files that a crash left behind while a run was being replaced or removed."
)
@click.option("--checkpoints", is_flag=True, help="Checkpoints of interrupted runs, except the last one of each run.")
@click.option(
    "--spec", "specs", multiple=True, metavar="NAME", help="Only runs of specs with this name (a pattern: res*)."
)
@click.option("--older-than", callback=_age, metavar="AGE", help="Only runs unchanged for this long: 12h, 30d, 4w.")
@with_option(RunOptions, "runs")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
@with_option(TrainOptions, "yes")
def prune(
    unfinished: bool,
    failed: bool,
    damaged: bool,
    diverged: bool,
    complete: bool,
    leftovers: bool,
    checkpoints: bool,
    specs: tuple[str, ...],
    older_than: timedelta | None,
    runs: Path,
    dry_run: bool,
    yes: bool,
) -> int:
    """List the matching runs, and remove them after a prompt. Never removes a run that is being trained."""
    wanted = {
        Status.UNFINISHED: unfinished,
        Status.FAILED: failed,
        Status.DAMAGED: damaged,
        Status.DIVERGED: diverged,
        Status.COMPLETE: complete,
        Status.WITHOUT_WEIGHTS: complete,
        Status.LEFTOVER: leftovers,
    }
    statuses = frozenset(status for status, is_wanted in wanted.items() if is_wanted)
    if not statuses and not checkpoints:
        raise click.UsageError(
            "Choose runs: --unfinished, --failed, --damaged, --diverged, --complete, --leftovers, --checkpoints."
        )
    before = datetime.now(UTC) - older_than if older_than is not None else None
    selection = Selection(statuses, checkpoints, specs, before)
    removals = [(removal, removal.size()) for removal in selection.removals(entries(_folder(runs)))]
    if not removals:
        note("nothing to remove")
        return 0
    for line in _table([(each.entry, each.what, size, each.entry.changed()) for each, size in removals]):
        print_result(line)
    if dry_run:
        return 0
    total = in_short(sum(size for _, size in removals), "B")
    confirm(f"This permanently removes everything listed above ({total}).", yes=yes)
    return _remove([removal for removal, _ in removals])


def _remove(removals: Sequence[Removal]) -> int:
    code = 0
    for removal in removals:
        try:
            removal.remove()
        except RunError as error:
            note(f"{error.message}; not removed")
            for line in () if isinstance(error, LockedError) else error.help:  # whose advice is for trainings
                note(f"  = help: {line}")
            code = EXIT_WRONG
    return code


def _folder(path: Path) -> Path:
    """The path, if it is a folder or the path of an interrupted run. Raises RunError."""
    if path.is_dir() or partial_path(path).is_dir():
        return path
    raise RunError(
        f"there is no folder {path}", "name a folder of runs, or a run such as runs/baseline-0123456789ab/seed-0"
    )


def _runs_in(path: Path) -> list[FoundRun]:
    """The runs at or below a path. Raises RunError if there are none."""
    if listed := list(entries(_folder(path))):
        return listed
    raise RunError(f"{path} contains no run", "a run is a folder such as runs/baseline-0123456789ab/seed-0")


def _single_run(path: Path) -> FoundRun:
    """The only run at or below a path. Raises RunError."""
    first, *others = _runs_in(path)
    if others:
        names = ", ".join(str(entry.path) for entry in [first, *others][:4])
        raise RunError(f"{path} contains {1 + len(others)} runs", f"name one of them: {names}")
    return first


def _table(rows: Sequence[tuple[FoundRun, str, int, datetime]]) -> list[str]:
    """A table of runs, each with a status, a size in bytes and the time of the last change."""
    if not rows:
        return []
    changed = [_settings(entry) for entry, *_ in rows]
    shows_settings = any(changed)
    cells = [
        ["spec", "seed", "status", "accuracy", "last written", "size", *(["set"] if shows_settings else []), "path"]
    ]
    for (entry, status, size, time), settings in zip(rows, changed, strict=True):
        accuracy = entry.result.accuracy if entry.result else None
        cells.append(
            [
                entry.name,
                str(entry.seed),
                status,
                "" if accuracy is None else accuracy_in_percent(accuracy),
                f"{time.astimezone():%Y-%m-%d %H:%M}",
                in_short(size, "B"),
                *([settings] if shows_settings else []),
                str(entry.path),
            ]
        )
    return columns([[visible(cell) for cell in row] for row in cells], right=frozenset({1, 3, 5}))


def _settings(entry: FoundRun) -> str:
    """What `--set` and `--data` changed, which tells the runs of a sweep apart; an array file by its name alone.

    Of a run on a part of a dataset, also how many images it has used.
    """
    overrides = entry.record.spec.overrides if entry.record else ()
    shown = ["train.data=npz" if one.startswith("train.data=npz(") else one for one in overrides]
    if entry.record and entry.record.data.subset:
        shown = [one for one in shown if not one.startswith("train.data=")] + [f"fast: {entry.record.data.title}"]
    return ", ".join(shown)


def _fields(entry: FoundRun) -> dict[str, Any]:
    record, result = entry.record, entry.result
    size, changed = entry.size_and_change()
    return {
        "spec": entry.name,
        "seed": entry.seed,
        "status": entry.status.value,
        "epoch": entry.epoch,
        "epochs": result.epochs if result else entry.epochs,
        "accuracy": result.accuracy if result else None,
        "failure": entry.failure.message if entry.failure else None,
        "data": record.data.name if record else None,
        **({"of_train_images": record.data.of_train_images} if record and record.data.of_train_images else {}),
        "started": record.started if record else None,
        "changed": changed.isoformat(timespec="seconds"),
        "size": size,
        "path": str(entry.path),
    }


def _facts(entry: FoundRun) -> list[list[str]]:
    record, result = entry.record, entry.result
    facts = [["run", str(entry.path)], ["status", entry.problem or entry.state]]
    if entry.failure:
        facts += [
            ["failed", f"{entry.failure.when}: {entry.failure.message}"],
            *(["help", help_] for help_ in entry.failure.help),
        ]
    if record:
        machine = record.environment
        facts += [
            ["spec", f"{record.spec.name}  {record.spec.fingerprint}"],
            ["seed", f"{record.seed}"],
            *(["changes", change] for change in record.spec.changes),
            *(["override", override] for override in record.spec.overrides),
            ["data", f"{record.data.title}: {record.data.train_images:,} + {record.data.test_images:,} images"],
            *(["uses", f"{one.kind} {one.digest}: {one.source}"] for one in record.uses),
            *(["inputs", inputs] for inputs in _inputs(record)),
            ["started", record.started],
            *(["resumed", f"at epoch {one.epoch}, {one.when}"] for one in record.resumed),
            [
                "machine",
                f"{machine.device_name}, {machine.platform}, {counted(machine.threads, 'thread')}",
            ],
            ["engine", machine.engine],
            ["versions", f"cifar_dsl {machine.cifar_dsl}, torch {machine.torch}, Python {machine.python}"],
        ]
    if result:
        facts += [
            ["epochs", f"{result.epochs:g}"],
            ["parameters", f"{result.parameters:,}"],
            ["time", f"{duration(result.time_s)}, {result.images_per_s:,.0f} images/s"],
        ]
        if result.energy_j is not None:
            facts.append(["energy", in_short(result.energy_j, "J")])
        if result.accuracy is not None:
            facts.append(["accuracy", accuracy_in_percent(result.accuracy)])
        if result.best:
            facts.append(["best", f"epoch {result.best.epoch}: {accuracy_in_percent(result.best.accuracy)}"])
    last = _last_epoch(entry)
    if last:
        facts.append(["last epoch", _measured(last)])
        facts += [["exit", _measured_exit(one)] for one in (result.exits if result else last.exits)]
    facts += [
        ["file", f"{path.relative_to(entry.path)}  {in_short(status.st_size, 'B')}"]
        for path, status in entry.files().items()
    ]
    return facts


def _inputs(record: RunRecord) -> list[str]:
    """The normalization of the network's inputs, if it is recorded."""
    if record.whitening is not None:
        return [f"whitened with {WHITENING}, {record.whitening[:16]}"]
    if record.normalization is None:
        return []
    mean, std = (
        " ".join(f"{number:.4f}" for number in numbers)
        for numbers in (record.normalization.mean, record.normalization.std)
    )
    return [f"(pixel / 255 - mean) / std, with mean {mean} and std {std}"]


def _last_epoch(entry: FoundRun) -> EpochMetrics | None:
    try:
        metrics = Run(entry.path).metrics()
    except RunError:
        return None
    return metrics[-1] if metrics else None


def _measured(last: EpochMetrics) -> str:
    return f"{last.epoch}: " + ", ".join(filter(None, [f"train loss {last.train_loss:.4f}", test_text(last)]))


def _measured_exit(exit_: ExitMetrics | ExitResult) -> str:
    """What the last epoch measured at an exit, and what a complete run knows of it; a diverged one measured nothing."""
    facts = []
    if exit_.train_loss is not None and exit_.train_accuracy is not None:
        facts += [f"train loss {exit_.train_loss:.4f}", f"train accuracy {accuracy_in_percent(exit_.train_accuracy)}"]
    if isinstance(exit_, ExitResult):
        facts += [f"weight {exit_.weight:g}", f"{exit_.parameters:,} parameters"]
    return f"{exit_.name}: {', '.join(facts)}"
