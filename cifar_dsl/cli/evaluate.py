"""`cifar-dsl evaluate`: evaluate a run's weights, on its test images or on others."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand, with_option
from cifar_dsl.cli.opening import open_in_browser
from cifar_dsl.cli.output import loss_text, note, print_json, print_result, warn, writing
from cifar_dsl.foundation.text import accuracy_in_percent, columns, percent
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.training.options import RunOptions

if TYPE_CHECKING:
    from cifar_dsl.inference.evaluation import Evaluation
    from cifar_dsl.runs import Run
    from cifar_dsl.runs.predictions import Confusion

_MOST_ROWS = 20  # classes in the table; of more, the worst are printed
_MOST_COLUMNS = 16  # classes in the printed confusion matrix
_NOT_COMPARABLE = (
    "computed here with the constants of CIFAR-10-C, without frost: not comparable with published figures "
    "(docs/evaluate.md)"
)


@click.command(
    name="evaluate",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl evaluate runs/mine-0123456789ab/seed-0 --html sheet.html --open",
        "cifar-dsl evaluate runs/mine-0123456789ab/seed-0 --data pictures/",
    ),
    common=(
        *("--data", "--weights", "--corruptions", "--corruption", "--html", "--open", "--mistakes", "--device"),
        "--json",
    ),
)
@arguments.run
@click.option(
    "--data",
    metavar="NAME|npz:PATH|FOLDER",
    help="Other images to evaluate on: the test images of a dataset, or the pictures of FOLDER/<class>/. Also the new "
    "path of the run's .npz dataset, if it has moved.",
)
@arguments.weights
@click.option("--corruptions", is_flag=True, help="Also evaluate on corrupted images, at five severities each.")
@click.option(
    "--corruption",
    "corruption_names",
    multiple=True,
    metavar="NAME",
    help="Like --corruptions, but only with this one; repeat the option for several.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a sheet with the most confident mistakes.",
)
@click.option("--open", "opens", is_flag=True, help="With --html: open the sheet in the browser.")
@click.option(
    "--mistakes", type=click.IntRange(min=0), default=24, show_default=True, help="Number of mistakes to list."
)
@with_option(RunOptions, "data_dir")
@with_option(RunOptions, "device")
@with_option(RunOptions, "threads")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    run: Path,
    data: str | None,
    weights: Literal["last", "best"],
    corruptions: bool,
    corruption_names: tuple[str, ...],
    html: Path | None,
    opens: bool,
    mistakes: int,
    data_dir: Path | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> int:
    """Load the weights of RUN and evaluate them on the test images of its dataset, or on other images.

    Prints accuracy, top-5 accuracy, calibration error, the accuracy on each class, and the confusion matrix.
    """
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.foundation.atomic import check_place, write_atomically
    from cifar_dsl.inference.corruptions import check_names
    from cifar_dsl.inference.evaluator import evaluator_of
    from cifar_dsl.runs import open_run
    from cifar_dsl.training.device import choose_device, set_threads
    from cifar_dsl.training.provenance import threads_of

    if opens and html is None:
        raise click.UsageError("--open requires --html.")
    names = check_names(corruption_names, every=corruptions)
    if html is not None:
        with writing(html, "choose another place"):
            check_place(html)
    opened = open_run(run)
    set_threads(threads_of(opened, threads))
    evaluator = evaluator_of(opened, choose_device(device).device, weights, data_dir=data_dir)
    with DownloadProgress(quiet=as_json) as progress:
        images = evaluator.open_images(data, progress=progress, warn=warn)
    evaluation = evaluator.evaluate(images)
    if not as_json:
        _print(opened, evaluation)
    robustness: dict[str, tuple[float, ...]] = {}
    for name, accuracies in evaluator.corruptions(images, names):
        robustness[name] = accuracies
        if not as_json and len(names) > 1:
            note(f"{name} {len(robustness)}/{len(names)}")
    if as_json:
        print_json(_fields(opened, evaluation, mistakes, robustness))
    elif robustness:
        for line in _robustness(evaluation.accuracy, robustness):
            print_result(line)
    if html is not None:
        with writing(html, "choose another place"):
            write_atomically(html, _sheet(opened, evaluation, mistakes), follow=True)
        note(f"sheet written to {html}")
        if opens:
            open_in_browser(html)
    return 0


def _recorded_accuracy(run: "Run", evaluation: "Evaluation") -> float | None:
    """The accuracy of these weights after the training."""
    result = run.result()
    return result.best.accuracy if evaluation.weights == "best" and result.best else result.accuracy


def _fields(
    run: "Run", evaluation: "Evaluation", mistakes: int, robustness: Mapping[str, Sequence[float]]
) -> dict[str, object]:
    from cifar_dsl.inference.evaluation import BINS, TOP

    confusion = evaluation.confusion()
    rows = zip(confusion.classes, confusion.images, confusion.accuracies, strict=True)
    fields: dict[str, object] = {
        "run": str(run.path),
        "accuracy": evaluation.accuracy,
        "loss": evaluation.loss,
        "cross_entropy": evaluation.cross_entropy,
        "recorded_accuracy": _recorded_accuracy(run, evaluation),
        "weights": evaluation.weights,
        "data": evaluation.data,
        "is_own_data": evaluation.is_own,
        "images": len(evaluation.labels),
        "top5_accuracy": evaluation.top_accuracy(TOP) if len(evaluation.classes) > TOP else None,
        "calibration_error": evaluation.calibration_error(),
        "calibration_bins": BINS,
        "classes": [{"name": name, "images": images, "accuracy": accuracy} for name, images, accuracy in rows],
        "confusion": confusion.counts.tolist(),
        "mistakes": [
            {
                "image": each.index,
                "label": each.label,
                "predicted": each.prediction.name,
                "probability": each.prediction.probability,
            }
            for each in evaluation.mistakes(mistakes)
        ],
    }
    return fields | ({"corruptions": robustness} if robustness else {})


def _print(run: "Run", evaluation: "Evaluation") -> None:
    record, accuracy = run.record(), accuracy_in_percent(evaluation.accuracy)
    if evaluation.is_own:
        loss = loss_text(evaluation.loss or 0, evaluation.cross_entropy)
        print_result(f"{record.spec.name} on {record.data.title}, seed {record.seed}: accuracy {accuracy}, {loss}")
        recorded = _recorded_accuracy(run, evaluation)
        if evaluation.accuracy == recorded:
            print_result("same accuracy as after training")
        elif recorded is not None:
            note(f"accuracy after training: {accuracy_in_percent(recorded)} (on {record.environment.device_name})")
    else:
        print_result(
            f"{record.spec.name}, trained on {record.data.title} with seed {record.seed}, on {evaluation.data} "
            f"({len(evaluation.labels):,} images, other data): accuracy {accuracy}, "
            f"cross-entropy {evaluation.cross_entropy:.4f}"
        )
    for line in _details(evaluation):
        print_result(line)


def _details(evaluation: "Evaluation") -> Iterator[str]:
    from cifar_dsl.inference.evaluation import BINS, TOP

    top = (
        f"top-5 accuracy {accuracy_in_percent(evaluation.top_accuracy(TOP))}, " if len(evaluation.classes) > TOP else ""
    )
    yield f"{top}calibration error {percent(evaluation.calibration_error(), 2)} ({BINS} bins)"
    confusion = evaluation.confusion()
    yield from _class_table(confusion)
    if len(confusion.classes) <= _MOST_COLUMNS:
        yield ""
        yield from _matrix(confusion)


def _class_table(confusion: "Confusion") -> Iterator[str]:
    """A row for each class; for the worst of many."""
    accuracies = confusion.accuracies
    order = list(range(len(accuracies)))
    yield ""
    if len(order) > _MOST_ROWS:
        order = [index for index in order if accuracies[index] is not None]
        order = sorted(order, key=lambda index: accuracies[index] or 0)[:_MOST_ROWS]
        yield f"the {len(order)} classes with the lowest accuracy, of {len(accuracies)}:"
    rows = [["class", "images", "accuracy", "most often taken for"]]
    for index in order:
        wrong = confusion.shares[index].copy()
        wrong[index] = 0
        other = int(wrong.argmax())
        taken = f"{confusion.classes[other]} {percent(wrong[other])}" if wrong[other] else ""
        accuracy = accuracies[index]
        shown = "" if accuracy is None else accuracy_in_percent(accuracy)
        rows.append([visible(confusion.classes[index]), f"{confusion.images[index]:,}", shown, visible(taken)])
    yield from columns(rows, right=frozenset({1, 2}))


def _matrix(confusion: "Confusion") -> Iterator[str]:
    numbers = range(len(confusion.classes))
    rows = [["", "", *map(str, numbers)]]
    for number, name, counts in zip(numbers, confusion.classes, confusion.counts, strict=True):
        rows.append([str(number), visible(name), *map(str, counts)])
    yield "images by class (row) and predicted class (column):"
    yield from columns(rows, right=frozenset({0, *(number + 2 for number in numbers)}))


def _robustness(clean: float, robustness: Mapping[str, Sequence[float]]) -> Iterator[str]:
    rows = [["corruption", *(f"severity {level}" for level in range(1, 6)), "mean"]]
    means = {name: sum(values) / len(values) for name, values in robustness.items()}
    for name, values in robustness.items():
        rows.append([name, *map(accuracy_in_percent, (*values, means[name]))])
    yield ""
    yield from columns(rows, right=frozenset(range(1, 7)))
    mean = accuracy_in_percent(sum(means.values()) / len(means))
    yield f"mean of all: {mean}; without corruption: {accuracy_in_percent(clean)}"
    yield _NOT_COMPARABLE


def _sheet(run: "Run", evaluation: "Evaluation", mistakes: int) -> bytes:
    from cifar_dsl.inference.sheet import as_html

    record, shown = run.record(), evaluation.mistakes(mistakes)
    wrong = int((evaluation.labels != evaluation.predicted).sum())
    notes = (
        f"{record.spec.name}, trained on {record.data.title} with seed {record.seed}: {evaluation}.",
        f"The {len(shown)} most confident of {wrong:,} mistakes: wrong predictions of the highest probability.",
    )
    return as_html("Mistakes", notes, [each.card for each in shown])
